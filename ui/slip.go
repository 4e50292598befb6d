package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/skip2/go-qrcode"
)

// Mark names the slip's code in its address, so that a browser never shows that
// of another passenger.
func (s *Slip) Mark() string {
	if s == nil || s.Code == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Code))
	return hex.EncodeToString(sum[:8])
}

// slip draws the slip of the sale that is on the screen, and no other.
func (s *Server) slip(w http.ResponseWriter, r *http.Request) {
	slip := s.o.Passenger.Screen().Slip
	if !slip.Shown() || r.URL.Query().Get("v") != slip.Mark() {
		http.NotFound(w, r)
		return
	}
	png, err := qrcode.Encode(slip.Code, qrcode.Low, 768)
	if err != nil {
		s.log.Error("a slip does not fit into a QR code", "err", err)
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(png)
}

// benchSlip gives the picture of a slip of the virtual printer.
func (s *Server) benchSlip(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.URL.Query().Get("n"), 10, 64)
	pictures, ok := s.o.Bench.(BenchPictures)
	if err != nil || !ok {
		http.NotFound(w, r)
		return
	}
	svg, err := pictures.SlipPicture(n)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(svg)
}

package journalcmd

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"buka/internal/entry"
	"buka/store"
)

// line is one entry as it is printed.
type line struct {
	Seq   uint64       `json:"seq"`
	At    string       `json:"at"` // RFC 3339, UTC, milliseconds
	Kind  entry.Kind   `json:"kind"`
	Sale  entry.SaleID `json:"sale,omitempty"`
	Claim string       `json:"claim,omitempty"`
	Body  entry.Body   `json:"body"` // null: of a kind that this version does not know
	Prev  string       `json:"prev,omitempty"`
	Hash  string       `json:"hash"`
	Raw   string       `json:"raw,omitempty"` // the stored bytes, hex
}

func newLine(e entry.Entry, hash entry.Hash) line {
	l := line{Seq: e.Seq, At: e.Time().Format("2006-01-02T15:04:05.000Z"), Kind: e.Kind, Hash: hash.String()}
	body, err := e.Body()
	if err != nil {
		return l
	}
	l.Body, l.Sale = body, saleOf(body)
	l.Claim = l.Sale.Claim()
	return l
}

// whole adds what makes the entry complete: what it follows, and its bytes.
func (l line) whole(e entry.Entry, raw []byte) line {
	l.Prev, l.Raw = e.Prev.String(), hex.EncodeToString(raw)
	return l
}

func saleOf(body entry.Body) entry.SaleID {
	if b, ok := body.(interface{ About() entry.SaleID }); ok {
		return b.About()
	}
	if b, ok := body.(entry.StaffActed); ok {
		return b.Sale
	}
	return ""
}

func (l line) text(to io.Writer) error {
	_, err := fmt.Fprintf(to, "%7d  %s  %-25s  %-9s  %s\n", l.Seq, l.At, printable(string(l.Kind)), printable(l.Claim), printable(facts(l.Body)))
	return err
}

// printable keeps an entry on its line: words from a host or a configuration
// may hold anything.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, s)
}

func (l line) json(to io.Writer) error {
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("entry %d: %w", l.Seq, err)
	}
	_, err = to.Write(append(b, '\n'))
	return err
}

// reader is the part of a journal that the commands need.
type reader interface {
	Tail() (seq uint64, hash entry.Hash)
	Each(from uint64, fn func(e entry.Entry, raw []byte) error) error
}

var _ reader = (*store.Snapshot)(nil)

package virtualprinter

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Dots of one character of font A, and of one line. 203 dots are an inch.
const (
	cellWide, cellHigh = 12, 24
	lineFeed           = 30
)

// cell is a character and the columns that it takes: one byte, one column.
type cell struct {
	char    rune
	columns int
}

// run is text in one style.
type run struct {
	text        []cell
	bold, under bool
	wide, high  int // times
	small       bool
	at          int // dots from the left margin; -1: where the last one ended
}

// block is one line of text, or one picture, on the paper.
type block struct {
	runs    []run
	align   byte
	picture *picture
	feed    int // dots below it
}

// picture is dots; a set one is black.
type picture struct {
	wide, high int
	black      func(x, y int) bool
	says       string // what a QR code or a bar code says
}

// Text is what a person reads, a line each, and what its codes say.
func (b block) text() string {
	if b.picture != nil {
		return b.picture.says
	}
	var t strings.Builder
	for _, r := range b.runs {
		for _, c := range r.text {
			t.WriteRune(c.char)
		}
	}
	return strings.TrimRight(t.String(), " ")
}

// decode turns bytes into characters: two bytes where the printer is in Chinese
// mode, else those of the code page.
func decode(b []byte, chinese bool) (out []cell) {
	for len(b) > 0 {
		if chinese && b[0] >= 0x81 && len(b) > 1 {
			char := '?'
			if s, err := simplifiedchinese.GBK.NewDecoder().Bytes(b[:2]); err == nil {
				char, _ = utf8.DecodeRune(s)
			}
			out, b = append(out, cell{char, 2}), b[2:]
			continue
		}
		out, b = append(out, cell{charmap.CodePage437.DecodeByte(b[0]), 1}), b[1:]
	}
	return out
}

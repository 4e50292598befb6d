package virtualprinter

import (
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Dots of one character of font A, and of one line. 203 dots are an inch.
const (
	cellWide, cellHigh = 12, 24
	lineFeed           = 30
)

// run is text in one style.
type run struct {
	text         string
	bold, under  bool
	invert       bool
	wide, high   int // times
	small        bool
	at           int // dots from the left margin; -1: where the last one ended
	chineseCells bool
}

// columns that a character takes.
func columns(r rune) int {
	if r < 0x1100 {
		return 1
	}
	return 2
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
		t.WriteString(r.text)
	}
	return strings.TrimRight(t.String(), " ")
}

// decode turns bytes into characters: two bytes where the printer is in Chinese
// mode, else those of the code page.
func decode(b []byte, chinese bool) string {
	if chinese {
		s, err := simplifiedchinese.GBK.NewDecoder().Bytes(b)
		if err == nil {
			return string(s)
		}
	}
	s, err := charmap.CodePage437.NewDecoder().Bytes(b)
	if err != nil {
		return strings.Repeat("?", len(b))
	}
	return string(s)
}

package escpos

import (
	"strings"
	"unicode"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// folds are characters that printers lack and that have a plain cousin.
var folds = map[rune]string{'–': "-", '—': "-", '−': "-", '…': "...", '‘': "'", '’': "'", '“': `"`, '”': `"`, '¥': "￥", '•': "*", '\u00a0': " ", '→': "->"}

// glyph is one character as a printer takes it.
type glyph struct {
	bytes string
	width int // columns
	space bool
}

// glyphs encodes a text. Control characters vanish, line ends become spaces,
// and what the character set lacks is a question mark of the same width.
func (c Charset) glyphs(text string) []glyph {
	var out []glyph
	n := 0
	for _, r := range text {
		if n++; n > MaxText {
			break
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			r = ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			continue
		}
		if s, ok := folds[r]; ok && !(c == ASCII && r == '¥') {
			for _, f := range s {
				out = append(out, c.glyph(f))
			}
			continue
		}
		if c == ASCII && (r == '¥' || r == '￥') {
			out = append(out, c.glyph('C'), c.glyph('N'), c.glyph('Y'), c.glyph(' '))
			continue
		}
		out = append(out, c.glyph(r))
	}
	return out
}

func (c Charset) glyph(r rune) glyph {
	if r >= 0x20 && r < 0x7F {
		return glyph{bytes: string(r), width: 1, space: r == ' '}
	}
	if c != ASCII {
		b, err := simplifiedchinese.GB18030.NewEncoder().String(string(r))
		if err == nil && len(b) == 2 {
			return glyph{bytes: b, width: 2}
		}
	}
	if r >= 0x2E80 { // Chinese, Japanese, Korean: wide
		return glyph{bytes: "??", width: 2}
	}
	return glyph{bytes: "?", width: 1}
}

func width(g []glyph) (n int) {
	for _, x := range g {
		n += x.width
	}
	return n
}

func text(g []glyph) string {
	var b strings.Builder
	for _, x := range g {
		b.WriteString(x.bytes)
	}
	return b.String()
}

// wrap cuts into lines of at most so many columns: at the last space if there
// is one, anywhere else in Chinese and in words that are longer than a line.
func wrap(g []glyph, columns int) (lines [][]glyph) {
	for len(g) > 0 {
		at, used, space := 0, 0, -1
		for at < len(g) && used+g[at].width <= columns {
			used += g[at].width
			if g[at].space {
				space = at
			}
			at++
		}
		switch {
		case at == len(g):
		case at == 0:
			at = 1 // wider than the paper: it goes alone
		case g[at].space || g[at].width == 2 || g[at-1].width == 2:
		case space > 0:
			at = space
		}
		lines = append(lines, trim(g[:at]))
		g = trim(g[at:])
	}
	return lines
}

func trim(g []glyph) []glyph {
	for len(g) > 0 && g[0].space {
		g = g[1:]
	}
	for len(g) > 0 && g[len(g)-1].space {
		g = g[:len(g)-1]
	}
	return g
}

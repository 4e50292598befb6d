package virtualprinter

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// draw makes a picture of a slip: SVG, so that the browser draws the characters
// with the fonts that it has. Each word stands exactly where the printer's dots
// would put it.
func draw(blocks []block, columns int) []byte {
	const margin = 24
	paper := columns * cellWide
	var b strings.Builder
	y := margin
	var body strings.Builder
	for _, bl := range blocks {
		if bl.picture != nil {
			drawPicture(&body, bl, margin+shift(bl.align, paper, bl.picture.wide), y)
		} else {
			drawLine(&body, bl, margin, paper, y)
		}
		y += bl.feed
	}
	y += margin
	wide := paper + 2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`, wide/2, y/2, wide, y)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fffefa"/>`, wide, y)
	b.WriteString(`<g font-family="'Noto Sans Mono CJK SC','Source Han Mono SC','WenQuanYi Zen Hei Mono',SimSun,monospace" fill="#111" shape-rendering="crispEdges">`)
	b.WriteString(body.String())
	b.WriteString(`</g></svg>`)
	return []byte(b.String())
}

// shift is how far from the left something of that width stands.
func shift(align byte, paper, wide int) int {
	switch align {
	case 1:
		return max(0, (paper-wide)/2)
	case 2:
		return max(0, paper-wide)
	}
	return 0
}

func (r run) cell() int {
	if r.small {
		return 9 * r.wide
	}
	return cellWide * r.wide
}

func (r run) dots() (n int) {
	for _, c := range r.text {
		n += c.columns * r.cell()
	}
	return n
}

func drawLine(b *strings.Builder, bl block, margin, paper, y int) {
	wide, high := 0, 1
	for _, r := range bl.runs {
		if r.at >= 0 {
			wide = r.at
		}
		wide += r.dots()
		high = max(high, r.high)
	}
	x := margin + shift(bl.align, paper, wide)
	base := y + high*cellHigh - 4
	for _, r := range bl.runs {
		if r.at >= 0 {
			x = margin + r.at
			continue
		}
		drawRun(b, r, x, base)
		x += r.dots()
	}
}

// drawRun writes its words; the spaces between are only room.
func drawRun(b *strings.Builder, r run, x, base int) {
	for text := r.text; len(text) > 0; {
		word, rest := split(text)
		w := run{text: word, wide: r.wide, small: r.small}.dots()
		if word[0].char != ' ' {
			style := ""
			if r.bold {
				style += ` font-weight="700"`
			}
			if r.under {
				style += ` text-decoration="underline"`
			}
			size := cellHigh * r.high * 9 / 10
			if r.wide != r.high {
				size = cellHigh * min(r.wide, r.high) * 9 / 10
			}
			fmt.Fprintf(b, `<text x="%d" y="%d" font-size="%d" textLength="%d" lengthAdjust="spacingAndGlyphs"%s>`, x, base, size, w, style)
			for _, c := range word {
				_ = xml.EscapeText(b, []byte(string(c.char))) // a strings.Builder takes everything
			}
			b.WriteString(`</text>`)
		}
		x += w
		text = rest
	}
}

// split takes off the spaces or the word at the front; a wide character and a
// narrow one are never in one word, because fonts disagree about them.
func split(text []cell) (front, rest []cell) {
	kind := func(c cell) int {
		if c.char == ' ' {
			return 0
		}
		return c.columns
	}
	for i, c := range text {
		if kind(c) != kind(text[0]) {
			return text[:i], text[i:]
		}
	}
	return text, nil
}

// drawPicture draws each row of black dots as strokes; rows that are alike are
// one.
func drawPicture(b *strings.Builder, bl block, left, top int) {
	p := bl.picture
	row := func(y int) (path string) {
		var s strings.Builder
		for x := 0; x < p.wide; x++ {
			from := x
			for x < p.wide && p.black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&s, "M%d,%%dh%dv%%dh-%dz", left+from, x-from, x-from)
			}
		}
		return s.String()
	}
	b.WriteString(`<path d="`)
	for y := 0; y < p.high; {
		shape, n := row(y), 1
		for y+n < p.high && row(y+n) == shape {
			n++
		}
		if shape != "" {
			args := make([]any, 0, 16)
			for range strings.Count(shape, "%d") / 2 {
				args = append(args, top+y, n)
			}
			fmt.Fprintf(b, shape, args...)
		}
		y += n
	}
	b.WriteString(`"/>`)
}

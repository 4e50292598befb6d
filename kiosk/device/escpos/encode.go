package escpos

import "strings"

// Bytes that begin commands.
const (
	esc = 0x1B
	gs  = 0x1D
	fs  = 0x1C
	dle = 0x10
	eot = 0x04
	dc4 = 0x14
	lf  = 0x0A
)

// Commands that are not part of a slip.
var (
	// Initialise is ESC @: modes and buffer as after switching on. It also ends
	// the automatic status.
	Initialise = []byte{esc, '@'}
	// Clear is DLE DC4 8: at once, what waits to be printed is dropped.
	Clear = []byte{dle, dc4, 8, 1, 3, 20, 1, 6, 2, 8}
	// AskPrinted is GS r 1: the printer answers when it has come to it, so when
	// everything before is on paper.
	AskPrinted = []byte{gs, 'r', 1}
	// StatusOn and StatusOff are GS a: the printer says by itself when the
	// line, an error or the paper changes.
	StatusOn  = []byte{gs, 'a', 0x02 | 0x04 | 0x08}
	StatusOff = []byte{gs, 'a', 0}
)

// Ask is DLE EOT n: a question that is answered at once, whatever the printer
// does. n is 1 to 4.
func Ask(q Question) []byte { return []byte{dle, eot, byte(q)} }

// Encode gives the bytes of a slip, from ESC @ to the cut.
func Encode(s Slip, p Paper) []byte {
	e := encoder{paper: p}
	if p.Charset == "" {
		e.paper.Charset = GB18030
	}
	e.put(Initialise...)
	e.put(StatusOff...)
	if e.paper.Charset == GB18030 {
		e.put(fs, '&') // Chinese in two bytes
	} else {
		e.put(fs, '.')
		e.put(esc, 't', 0) // PC437, whose lower half is ASCII
	}
	for _, el := range s[:min(len(s), MaxElements)] {
		mark := len(e.out)
		e.element(el)
		if len(e.out) > MaxBytes {
			e.out = e.out[:mark]
			break
		}
	}
	e.put(esc, 'd', 1)
	if p.Cut {
		e.put(gs, 'V', 66, 0) // feed to the cutter, cut and leave a bridge
	} else {
		e.put(esc, 'd', 4)
	}
	return e.out
}

type encoder struct {
	paper Paper
	out   []byte
	style struct {
		align Align
		bold  bool
		large bool
	}
}

func (e *encoder) put(b ...byte) { e.out = append(e.out, b...) }

func (e *encoder) element(el Element) {
	switch x := el.(type) {
	case Text:
		e.set(x.Align, x.Bold, x.Large)
		columns := e.paper.columns()
		if x.Large {
			columns /= 2
		}
		e.lines(wrap(e.paper.Charset.glyphs(x.Say), columns))
	case Pair:
		e.set(Left, x.Bold, false)
		e.pair(x)
	case Rule:
		e.set(Left, false, false)
		e.out = append(e.out, strings.Repeat("-", e.paper.columns())...)
		e.put(lf)
	case QR:
		e.set(Centre, false, false)
		e.qr(x.Data)
	case Feed:
		if n := min(x.Lines, 10); n > 0 {
			e.put(esc, 'd', n)
		}
	}
}

// set changes what differs from the line before.
func (e *encoder) set(a Align, bold, large bool) {
	now := &e.style
	if now.align != a {
		e.put(esc, 'a', byte(a))
	}
	if now.bold != bold {
		e.put(esc, 'E', bit(bold))
	}
	if now.large != large {
		e.put(gs, '!', 0x11*bit(large))
	}
	now.align, now.bold, now.large = a, bold, large
}

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func (e *encoder) lines(lines [][]glyph) {
	for _, l := range lines {
		e.out = append(e.out, text(l)...)
		e.put(lf)
	}
}

// pair puts the value at the right edge: on the line of the name, or on one of
// its own.
func (e *encoder) pair(p Pair) {
	columns, c := e.paper.columns(), e.paper.Charset
	name, value := wrap(c.glyphs(p.Name), columns), wrap(c.glyphs(p.Value), columns)
	if len(name) == 0 || len(value) == 0 {
		e.lines(append(name, value...))
		return
	}
	last := name[len(name)-1]
	if len(value) == 1 && width(last)+1+width(value[0]) <= columns {
		e.lines(name[:len(name)-1])
		e.out = append(e.out, text(last)...)
		e.out = append(e.out, strings.Repeat(" ", columns-width(last)-width(value[0]))...)
		e.out = append(e.out, text(value[0])...)
		e.put(lf)
		return
	}
	e.lines(name)
	for _, v := range value {
		e.out = append(e.out, strings.Repeat(" ", columns-width(v))...)
		e.lines([][]glyph{v})
	}
}

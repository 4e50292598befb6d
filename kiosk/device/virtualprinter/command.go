package virtualprinter

import "fmt"

// mode is what ESC @ resets.
type mode struct {
	chinese     bool
	align       byte
	bold, under bool
	small       bool
	wide, high  int
}

func (p *Printer) initialise() {
	p.mode = mode{chinese: true, wide: 1, high: 1}
	p.line, p.word, p.qr, p.asb = nil, nil, qrCode{size: 3}, 0
}

// carryOut does what is complete in the buffer, as long as the printer can.
func (p *Printer) carryOut() {
	for len(p.arrival.buffer) > 0 && !p.offline() && !p.moving {
		n := p.next(p.arrival.buffer)
		if n == 0 {
			break // the rest of a command is still to come
		}
		p.arrival.buffer = p.arrival.buffer[n:]
	}
	p.letGo()
}

// next carries out the command or prints the character at the front, and says
// how many bytes that were; 0: not all of it is there.
func (p *Printer) next(b []byte) int {
	switch b[0] {
	case 0x0A:
		p.newLine(lineFeed)
		return 1
	case 0x1B:
		return p.command(b, escCommands, p.escLonger)
	case 0x1C:
		return p.command(b, fsCommands, nil)
	case 0x1D:
		return p.command(b, gsCommands, p.gsLonger)
	}
	if b[0] < 0x20 || b[0] == 0x7F {
		if b[0] != 0x0D && b[0] != 0x00 {
			p.odd("control character %02X", b[0])
		}
		return 1
	}
	if p.mode.chinese && b[0] >= 0x81 {
		if len(b) < 2 {
			return 0
		}
		p.word = append(p.word, b[:2]...)
		return 2
	}
	p.word = append(p.word, b[0])
	return 1
}

func (p *Printer) odd(format string, a ...any) {
	if len(p.unknown) < 100 {
		p.unknown = append(p.unknown, fmt.Sprintf(format, a...))
	}
}

// fixed is a command with so many parameters.
type fixed struct {
	args int
	do   func(p *Printer, arg []byte)
}

func nothing(*Printer, []byte) {}

func (p *Printer) style(set func(m *mode)) {
	p.word, p.line = nil, p.composed()
	set(&p.mode)
}

func on(b byte) bool { return b&1 != 0 }

var escCommands = map[byte]fixed{
	'@': {0, func(p *Printer, _ []byte) { p.initialise() }},
	'a': {1, func(p *Printer, a []byte) { p.mode.align = a[0] % '0' % 3 }},
	'E': {1, func(p *Printer, a []byte) { p.style(func(m *mode) { m.bold = on(a[0]) }) }},
	'G': {1, func(p *Printer, a []byte) { p.style(func(m *mode) { m.bold = on(a[0]) }) }},
	'-': {1, func(p *Printer, a []byte) { p.style(func(m *mode) { m.under = a[0]%'0' != 0 }) }},
	'M': {1, func(p *Printer, a []byte) { p.style(func(m *mode) { m.small = a[0]%'0' == 1 }) }},
	'!': {1, func(p *Printer, a []byte) {
		p.style(func(m *mode) {
			m.small, m.bold, m.under = on(a[0]), a[0]&0x08 != 0, a[0]&0x80 != 0
			m.high, m.wide = 1+int(a[0]>>4&1), 1+int(a[0]>>5&1)
		})
	}},
	'd': {1, func(p *Printer, a []byte) { p.newLine(lineFeed * max(1, int(a[0]))) }},
	'J': {1, func(p *Printer, a []byte) { p.newLine(int(a[0])) }},
	't': {1, nothing}, 'R': {1, nothing}, 'S': {0, nothing}, '2': {0, nothing}, '3': {1, nothing}, ' ': {1, nothing},
	'V': {1, nothing}, '{': {1, nothing}, 'c': {2, nothing}, 'p': {3, nothing}, '=': {1, nothing},
	'$': {2, func(p *Printer, a []byte) {
		p.line = append(p.composed(), run{at: int(a[0]) | int(a[1])<<8})
		p.word = nil
	}},
}

var fsCommands = map[byte]fixed{
	'&': {0, func(p *Printer, _ []byte) { p.style(func(m *mode) { m.chinese = true }) }},
	'.': {0, func(p *Printer, _ []byte) { p.style(func(m *mode) { m.chinese = false }) }},
	'!': {1, func(p *Printer, a []byte) {
		p.style(func(m *mode) { m.wide, m.high = 1+int(a[0]>>2&1), 1+int(a[0]>>3&1) })
	}},
	'W': {1, func(p *Printer, a []byte) {
		p.style(func(m *mode) { m.wide, m.high = 1+int(a[0]&1), 1+int(a[0]&1) })
	}},
	'S': {2, nothing}, 'C': {1, nothing}, '-': {1, nothing},
}

var gsCommands = map[byte]fixed{
	'!': {1, func(p *Printer, a []byte) {
		p.style(func(m *mode) { m.wide, m.high = 1+int(a[0]>>4&7), 1+int(a[0]&7) })
	}},
	'B': {1, nothing},
	'a': {1, func(p *Printer, a []byte) {
		if p.asb = a[0]; p.cfg.Asked {
			p.asb = 0
		}
		if p.asb != 0 {
			p.tellStatus(true)
		}
	}},
	'r': {1, func(p *Printer, a []byte) {
		b := byte(0)
		if p.low {
			b |= 0x03
		}
		if a[0]%'0' != 1 {
			b = 0
		}
		p.say(b)
	}},
	'h': {1, nothing}, 'w': {1, nothing}, 'H': {1, nothing}, 'f': {1, nothing},
	'L': {2, nothing}, 'W': {2, nothing}, 'P': {2, nothing}, 'I': {1, nothing}, 'b': {1, nothing},
}

// command carries out what begins with ESC, FS or GS.
func (p *Printer) command(b []byte, table map[byte]fixed, longer func([]byte) (int, bool)) int {
	if len(b) < 2 {
		return 0
	}
	if longer != nil {
		if n, mine := longer(b); mine {
			return n
		}
	}
	c, known := table[b[1]]
	if !known {
		p.odd("command %02X %02X", b[0], b[1])
		return 2
	}
	if len(b) < 2+c.args {
		return 0
	}
	c.do(p, b[2:2+c.args])
	return 2 + c.args
}

// composed is the line so far, the last word in its style.
func (p *Printer) composed() []run {
	if len(p.word) == 0 {
		return p.line
	}
	m := p.mode
	return append(p.line, run{text: decode(p.word, m.chinese), bold: m.bold, under: m.under, wide: m.wide, high: m.high, small: m.small, at: -1})
}

// newLine prints the line and feeds so many dots.
func (p *Printer) newLine(feed int) {
	line := p.composed()
	p.line, p.word = nil, nil
	high := 1
	for _, r := range line {
		high = max(high, r.high)
	}
	p.print(block{runs: line, align: p.mode.align, feed: feed + (high-1)*cellHigh})
}

// print puts a block on the paper, if there is room on the roll.
func (p *Printer) print(b block) {
	if len(p.paper) < maxBlocks {
		p.paper = append(p.paper, b)
	}
	if p.cfg.Pace > 0 {
		p.moving = true
		p.pacing.Reset(p.cfg.Pace)
	}
	if p.faults.spent() {
		p.out = true
		p.tellStatus(false)
	}
}

// maxBlocks bounds the paper that hangs out of a printer that never cuts.
const maxBlocks = 2000

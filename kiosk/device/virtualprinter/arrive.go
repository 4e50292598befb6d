package virtualprinter

import "bytes"

// arrival is what happens to bytes before it is their turn.
type arrival struct {
	buffer []byte // received, not yet carried out
	real   []byte // the beginning of a real-time command
	held   bool   // the sender was told to wait
}

// Real-time commands: carried out when they arrive, wherever they stand.
var (
	dropAll  = []byte{0x10, 0x14, 8, 1, 3, 20, 1, 6, 2, 8} // DLE DC4 8
	xon      = []byte{0x11}
	xoff     = []byte{0x13}
	realMost = len(dropAll)
)

// arrive takes in what the kiosk sent.
func (p *Printer) arrive(chunk []byte) {
	for _, b := range chunk {
		if p.faults.pull() {
			_ = p.unplug() // a cable that was pulled is out, whatever the system says
			return
		}
		if p.faults.die() {
			p.say(p.faults.noise...)
			p.dead = true
		}
		if p.dead {
			continue
		}
		p.realTime(b)
		if len(p.arrival.buffer) >= p.cfg.Buffer*3/4 {
			p.carryOut()
		}
	}
	p.carryOut()
}

// realTime looks for a real-time command; what is none goes to the buffer.
func (p *Printer) realTime(b byte) {
	a := &p.arrival
	a.real = append(a.real, b)
	switch r := a.real; {
	case r[0] != 0x10:
	case len(r) == 1, len(r) == 2 && (b == 0x04 || b == 0x05 || b == 0x14):
		return
	case len(r) == 3 && r[1] == 0x04 && b >= 1 && b <= 4:
		a.real = a.real[:0]
		p.say(p.answer(b))
		return
	case len(r) == 3 && r[1] == 0x05 && (b == 1 || b == 2):
		a.real = a.real[:0]
		p.recover(b == 2)
		return
	case len(r) >= 3 && len(r) < realMost && bytes.HasPrefix(dropAll, r):
		return
	case bytes.Equal(r, dropAll):
		a.real = a.real[:0]
		p.drop()
		p.say(0x37, 0x25, 0x00)
		return
	}
	if n := len(a.real) - 1; n > 0 && b == 0x10 { // it may begin one, too
		p.store(a.real[:n])
		a.real = append(a.real[:0], b)
		return
	}
	p.store(a.real)
	a.real = a.real[:0]
}

// store keeps bytes until it is their turn; what does not fit is lost.
func (p *Printer) store(b []byte) {
	a := &p.arrival
	a.buffer = append(a.buffer, b[:min(len(b), max(0, p.cfg.Buffer-len(a.buffer)))]...)
	if !a.held && len(a.buffer) >= p.cfg.Buffer*3/4 {
		a.held = true
		p.say(xoff...)
	}
}

// drop forgets what waits; the paper keeps what it has.
func (p *Printer) drop() {
	p.arrival.buffer = nil
	p.line, p.word = nil, nil
	p.letGo()
}

func (p *Printer) letGo() {
	if p.arrival.held && len(p.arrival.buffer) < p.cfg.Buffer/4 {
		p.arrival.held = false
		p.say(xon...)
	}
}

// recover is DLE ENQ: the cutter tries again.
func (p *Printer) recover(clear bool) {
	if clear {
		p.drop()
	}
	p.jam = false
	p.changed()
}

// answer is DLE EOT n.
func (p *Printer) answer(n byte) byte {
	b := byte(0x12)
	set := func(bits byte, on bool) {
		if on {
			b |= bits
		}
	}
	switch n {
	case 1:
		set(0x08, p.offline())
	case 2:
		set(0x04, p.cover)
		set(0x20, p.out)
		set(0x40, p.jam)
	case 3:
		set(0x08, p.jam)
	case 4:
		set(0x0C, p.low || p.out)
		set(0x60, p.out)
	}
	return b
}

func (p *Printer) offline() bool { return p.out || p.cover || p.jam }

// status is the four bytes of the automatic status.
func (p *Printer) status() (b [4]byte) {
	b = [4]byte{0x10, 0x00, 0x00, 0x0F}
	if p.offline() {
		b[0] |= 0x08
	}
	if p.cover {
		b[0] |= 0x20
	}
	if p.jam {
		b[1] |= 0x08
	}
	if p.low || p.out {
		b[2] |= 0x03
	}
	if p.out {
		b[2] |= 0x0C
	}
	return b
}

// changed tells the kiosk, if it wants to be told, and goes on if it can.
func (p *Printer) changed() {
	p.tellStatus(false)
	p.carryOut()
}

func (p *Printer) tellStatus(anyway bool) {
	s := p.status()
	if p.asb != 0 && (anyway || s != p.asbLast) {
		p.say(s[:]...)
	}
	p.asbLast = s
}

// say sends to the kiosk, through the faults that are armed.
func (p *Printer) say(b ...byte) {
	if !p.wired.Plugged() { // nothing of it counts as garbled
		return
	}
	p.wired.Write(p.faults.garble(append([]byte(nil), b...)))
}

package virtualprinter

// faults are armed and strike once.
type faults struct {
	garbleAt, garbleN int // so many bytes to the kiosk pass, then so many arrive changed
	loseN             int // so many bytes to the kiosk do not arrive
	pullAfter         int // the cable is pulled after so many bytes from the kiosk; 0: no
	dieAfter          int // it says noise and then no more after so many bytes from the kiosk; 0: no
	noise             []byte
	outAfter          int // the paper ends after so many lines; 0: no
	jamAtCut          bool
}

// Garble changes n bytes to the kiosk after at others have passed.
func (p *Printer) Garble(at, n int) {
	p.do(func() { p.faults.garbleAt, p.faults.garbleN = max(at, 0), max(n, 0) })
}

// Lose swallows the next n bytes to the kiosk.
func (p *Printer) Lose(n int) { p.do(func() { p.faults.loseN = max(n, 0) }) }

// PullAfter unplugs the printer when it has received n more bytes.
func (p *Printer) PullAfter(n int) { p.do(func() { p.faults.pullAfter = max(n, 0) }) }

// DieAfter makes the printer say noise, and then never anything again, when it
// has received n more bytes; the line stays.
func (p *Printer) DieAfter(n int, noise ...byte) {
	p.do(func() { p.faults.dieAfter, p.faults.noise = max(n, 0), noise })
}

// OutAfter ends the paper after n more lines.
func (p *Printer) OutAfter(lines int) { p.do(func() { p.faults.outAfter = max(lines, 0) }) }

// JamAtCut sticks the cutter at the next cut.
func (p *Printer) JamAtCut() { p.do(func() { p.faults.jamAtCut = true }) }

func (f *faults) armed() (n int) {
	for _, is := range []bool{f.garbleN > 0, f.loseN > 0, f.pullAfter > 0, f.dieAfter > 0, f.outAfter > 0, f.jamAtCut} {
		if is {
			n++
		}
	}
	return n
}

// pull says that the cable goes before this byte.
func (f *faults) pull() bool {
	if f.pullAfter == 0 {
		return false
	}
	f.pullAfter--
	return f.pullAfter == 0
}

// die says that the printer dies at this byte.
func (f *faults) die() bool {
	if f.dieAfter == 0 {
		return false
	}
	f.dieAfter--
	return f.dieAfter == 0
}

func (f *faults) garble(b []byte) []byte {
	out := b[:0]
	for _, x := range b {
		switch {
		case f.loseN > 0:
			f.loseN--
			continue
		case f.garbleAt > 0:
			f.garbleAt--
		case f.garbleN > 0:
			f.garbleN--
			x ^= 0x93 // the bits by which the kinds of bytes are told apart
		}
		out = append(out, x)
	}
	return out
}

// spent says that a line was printed; true: it was the last.
func (f *faults) spent() bool {
	if f.outAfter == 0 {
		return false
	}
	f.outAfter--
	return f.outAfter == 0
}

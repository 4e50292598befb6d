package virtualpad

import "time"

// Direction is a way along the line.
type Direction uint8

const (
	ToKiosk   Direction = iota // what the pad sends
	FromKiosk                  // what the pad receives
)

// FaultKind is what happens to the bytes.
type FaultKind uint8

const (
	Garble FaultKind = iota // N bytes arrive changed
	Drop                    // N bytes do not arrive
	BadLRC                  // N packets of the pad carry a wrong LRC; ToKiosk only
	Double                  // N bytes arrive twice
	Delay                   // N times a byte, and all behind it, comes For later
)

// maxDelay bounds Delay.
const maxDelay = time.Minute

// Fault waits for the next bytes of its direction and is used up by them.
type Fault struct {
	Dir  Direction
	Kind FaultKind
	N    int
	At   int           // so many bytes pass before it
	Mask byte          // bits that Garble changes; 0 for one that no LRC misses
	For  time.Duration // of Delay
}

// Inject arms a fault. Of several that are due, the first to be armed acts.
func (p *Pad) Inject(f Fault) {
	p.do(func() {
		if f.N <= 0 || f.At < 0 || f.Dir > FromKiosk || f.Kind > Delay || f.Kind == BadLRC && f.Dir != ToKiosk {
			return
		}
		f.For = max(0, min(f.For, maxDelay))
		p.faults = append(p.faults, f)
	})
}

// Disarm takes back what has not acted yet.
func (p *Pad) Disarm() { p.do(func() { p.faults = nil }) }

// Traffic is how many bytes have gone each way since the pad was opened.
func (p *Pad) Traffic() (toKiosk, fromKiosk int) {
	p.do(func() { toKiosk, fromKiosk = p.traffic[ToKiosk], p.traffic[FromKiosk] })
	return toKiosk, fromKiosk
}

// delayed is what a Delay holds back of one direction.
type delayed struct {
	active bool
	bytes  []byte
	timer  *time.Timer
}

// due finds the fault that acts on the next byte of a direction, counts it, and
// counts the byte for those that wait.
func (p *Pad) due(dir Direction) (hit Fault, ok bool) {
	left := p.faults[:0]
	for _, f := range p.faults {
		switch {
		case f.Dir != dir || f.Kind == BadLRC:
		case f.At > 0:
			f.At--
		case !ok:
			hit, ok = f, true
			f.N--
		}
		if f.N > 0 {
			left = append(left, f)
		}
	}
	p.faults = left
	return hit, ok
}

// through applies armed faults to bytes on their way.
func (p *Pad) through(dir Direction, in []byte) (out []byte) {
	held := &p.held[dir]
	for i, b := range in {
		if held.active {
			held.bytes = append(held.bytes, in[i:]...)
			return out
		}
		p.traffic[dir]++
		f, ok := p.due(dir)
		switch {
		case !ok:
			out = append(out, b)
		case f.Kind == Drop:
		case f.Kind == Double:
			out = append(out, b, b)
		case f.Kind == Delay:
			held.active = true
			held.bytes = append(held.bytes, b)
			held.timer.Reset(f.For)
		default:
			mask := f.Mask
			if mask == 0 {
				// The masks of a run never cancel out in an LRC: an even run
				// leaves a low bit, an odd run bit 6.
				mask = 0x40 | byte(f.N&0x3F)
			}
			out = append(out, b^mask)
		}
	}
	return out
}

// release lets go of what a Delay has held back. A byte is held once, so what is
// behind the first goes through the other faults.
func (p *Pad) release(dir Direction) (out []byte) {
	held := &p.held[dir]
	bytes := held.bytes
	held.active, held.bytes = false, nil
	if len(bytes) == 0 {
		return nil
	}
	defer clear(bytes)
	return append([]byte{bytes[0]}, p.through(dir, bytes[1:])...)
}

func (p *Pad) dropDelayed() {
	for i := range p.held {
		p.held[i].timer.Stop()
		clear(p.held[i].bytes)
		p.held[i] = delayed{timer: p.held[i].timer}
	}
}

// badLRC uses up one armed fault of that kind.
func (p *Pad) badLRC() bool {
	for i := range p.faults {
		if p.faults[i].Kind != BadLRC {
			continue
		}
		if p.faults[i].N--; p.faults[i].N == 0 {
			p.faults = append(p.faults[:i], p.faults[i+1:]...)
		}
		return true
	}
	return false
}

func (p *Pad) faultsArmed() (n int) {
	for _, f := range p.faults {
		n += f.N
	}
	return n
}

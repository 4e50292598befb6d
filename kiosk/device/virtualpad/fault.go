package virtualpad

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
)

// Fault waits for the next bytes of its direction and is used up by them.
type Fault struct {
	Dir  Direction
	Kind FaultKind
	N    int
}

// Inject arms a fault. Armed faults of one direction and kind add up.
func (p *Pad) Inject(f Fault) {
	p.do(func() {
		if f.N > 0 && f.Dir <= FromKiosk && f.Kind <= BadLRC {
			p.faults[f.Dir][f.Kind] += f.N
		}
	})
}

// mangle applies armed faults to bytes on their way.
func (p *Pad) mangle(dir Direction, in []byte) (out []byte) {
	armed := &p.faults[dir]
	for _, b := range in {
		switch {
		case armed[Drop] > 0:
			armed[Drop]--
			continue
		case armed[Garble] > 0:
			// The masks of a run never cancel out in an LRC: an even run
			// leaves a low bit, an odd run bit 6.
			b ^= 0x40 | byte(armed[Garble]&0x3F)
			armed[Garble]--
		}
		out = append(out, b)
	}
	return out
}

func (p *Pad) faultsArmed() (n int) {
	for _, dir := range p.faults {
		for _, left := range dir {
			n += left
		}
	}
	return n
}

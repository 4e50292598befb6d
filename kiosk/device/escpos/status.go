package escpos

// Question is what DLE EOT asks for.
type Question byte

const (
	AskPrinter Question = 1 // on line?
	AskOffline Question = 2 // why not
	AskError   Question = 3 // which error
	AskPaper   Question = 4 // the roll
)

// Status is how a printer is.
type Status struct {
	Offline  bool
	Cover    bool // open
	Feeding  bool // somebody holds the feed button
	PaperLow bool
	PaperOut bool
	Cutter   bool // jammed
	Error    bool // any other: mechanics, or one that only service can mend
	Hot      bool // mends itself
}

// Down says that nothing can be printed.
func (s Status) Down() bool {
	return s.Offline || s.Cover || s.PaperOut || s.Cutter || s.Error || s.Hot || s.Feeding
}

// Take puts one answer of DLE EOT in its place.
func (s *Status) Take(q Question, b byte) {
	switch q {
	case AskPrinter:
		s.Offline = b&0x08 != 0
	case AskOffline:
		s.Cover, s.Feeding = b&0x04 != 0, b&0x08 != 0
		if b&0x20 != 0 {
			s.PaperOut = true
		}
		if b&0x40 == 0 {
			s.Cutter, s.Error, s.Hot = false, false, false
		} else if !s.Cutter && !s.Hot {
			s.Error = true // the answer to AskError says which
		}
	case AskError:
		s.Cutter, s.Hot = b&0x08 != 0, b&0x40 != 0
		s.Error = b&0x24 != 0
	case AskPaper:
		s.PaperLow, s.PaperOut = b&0x0C != 0, b&0x60 != 0
	}
}

// fromASB reads the four bytes of an automatic status (GS a).
func fromASB(b [4]byte) Status {
	return Status{
		Offline: b[0]&0x08 != 0, Cover: b[0]&0x20 != 0, Feeding: b[0]&0x40 != 0 || b[1]&0x02 != 0,
		Cutter: b[1]&0x08 != 0, Error: b[1]&0x24 != 0, Hot: b[1]&0x40 != 0,
		PaperLow: b[2]&0x03 != 0, PaperOut: b[2]&0x0C != 0,
	}
}

// Said is one thing that a printer said. Exactly one of its fields is set.
type Said struct {
	Answer  *byte   // to DLE EOT: which question it answers is known by the order
	Status  *Status // by itself, GS a
	Printed *byte   // the answer to GS r 1
	Hold    bool    // XOFF: its buffer is full
	Go      bool    // XON
	Noise   *byte   // none of these
}

// Reader takes a printer's bytes apart. The four kinds of bytes are told apart
// by bits that never change: 0, 1, 4 and 7. The zero value is ready.
type Reader struct {
	asb  [4]byte
	have int // bytes of an automatic status so far
}

// Take gives what a byte completes; ok is false while more is to come. dropped
// is how many bytes of a broken automatic status were thrown away.
func (r *Reader) Take(b byte) (said Said, ok bool, dropped int) {
	if r.have > 0 {
		if b&0x90 == 0 { // second to fourth
			r.asb[r.have] = b
			if r.have++; r.have < 4 {
				return Said{}, false, 0
			}
			r.have = 0
			s := fromASB(r.asb)
			return Said{Status: &s}, true, 0
		}
		if b != xon && b != xoff { // flow control may come between
			dropped, r.have = r.have, 0
		}
	}
	switch {
	case b == xon:
		return Said{Go: true}, true, dropped
	case b == xoff:
		return Said{Hold: true}, true, dropped
	case b&0x93 == 0x12:
		return Said{Answer: &b}, true, dropped
	case b&0x93 == 0x10:
		r.asb[0], r.have = b, 1
		return Said{}, false, dropped
	case b&^0x0F == 0 && pairs(b):
		return Said{Printed: &b}, true, dropped
	}
	return Said{Noise: &b}, true, dropped
}

// Reset forgets a status that has begun.
func (r *Reader) Reset() { r.have = 0 }

// pairs: the paper sensors have two bits each, which are equal.
func pairs(b byte) bool {
	return (b&0x03 == 0 || b&0x03 == 0x03) && (b&0x0C == 0 || b&0x0C == 0x0C)
}

const (
	xon  = 0x11
	xoff = 0x13
)

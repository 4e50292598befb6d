package foreign

import (
	"strconv"
	"time"
)

// mask is what an emulator shows in place of the card: how it was before the
// write that it was torn at. It replays the last answer to INITIALIZE, has no
// proof, and can take no CREDIT.
type mask struct {
	balance uint32
	log     [][23]byte
}

// swapAt names commands at which another card can take this one's place.
var swapAt = map[string]byte{"initialize": 0x50, "credit": 0x52, "prove": 0x5A}

// swaps says whether the other card's time has come.
func (c *card) swaps(apdu []byte) bool {
	if c.opts.Swap == "" || len(apdu) < 4 {
		return false
	}
	if ins, named := swapAt[c.opts.Swap]; named {
		return apdu[0] == 0x80 && apdu[1] == ins
	}
	n, err := strconv.Atoi(c.opts.Swap)
	return err == nil && c.asked == n
}

// otherNumber is that of every card that takes another's place.
const otherNumber = "3105170010170999999"

// swap lays another card of the same kind into this one's place: same answer to
// reset, and no gap that the driver could notice. A while later it is taken
// away, and after another while the first card lies there again.
func (f *field) swap() {
	f.card.mu.Lock()
	o := f.card.opts
	f.card.mu.Unlock()
	o.Number, o.Drop, o.Tear, o.Swap = otherNumber, 0, "", ""
	other, err := newCard(o)
	if err != nil {
		panic(err) // the number is a constant
	}
	f.mu.Lock()
	f.other = other
	f.mu.Unlock()
	time.AfterFunc(o.Return, func() {
		f.put(false)
		f.mu.Lock()
		f.took, f.other = f.other, nil
		f.mu.Unlock()
		time.AfterFunc(o.Return, func() { f.put(true) })
	})
}

// now is the card that lies in the field.
func (f *field) now() *card {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.other != nil {
		return f.other
	}
	return f.card
}

// otherGained says what the card that took the place has gained since.
func (f *field) otherGained() string {
	f.mu.Lock()
	other := f.other
	if other == nil {
		other = f.took
	}
	f.mu.Unlock()
	if other == nil {
		return "none"
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	return yuan(uint64(other.balance - other.opts.Balance))
}

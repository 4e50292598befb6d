package lab

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/internal/pboc"
)

// Tear arms a card: at its next write the power goes, "before" or "after" the
// card's commit. "off" disarms.
func (l *Lab) Tear(name, when string) error {
	c, err := l.purse(name)
	if err != nil {
		return err
	}
	w := map[string]virtual.When{"before": virtual.Before, "after": virtual.After}[when]
	l.mu.Lock()
	defer l.mu.Unlock()
	if when == "off" {
		c.Disarm()
		return nil
	}
	if w == 0 {
		return fmt.Errorf("tear %q: before, after or off", when)
	}
	c.armed = when
	c.Purse.Tear(virtual.Tear{When: w, Match: virtual.IsCredit, OnTorn: l.torn(&c.times, func() { c.field, c.laid = "", false })})
	return nil
}

// torn is what a card calls that is torn: it is gone from its field, unless it was
// presented again before that is known here.
func (l *Lab) torn(times *atomic.Int64, gone func()) func() {
	return func() {
		mine := times.Load()
		go func() { // the card must not wait
			defer l.changed()
			l.mu.Lock()
			defer l.mu.Unlock()
			if times.Load() == mine {
				gone()
			}
		}()
	}
}

// Armed lists the cards whose tear has not struck yet.
func (l *Lab) Armed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for name, c := range l.purses {
		if c.Armed() || c.refuse.Load() != 0 {
			names = append(names, name)
		}
	}
	for name, c := range l.banks {
		if c.Armed() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Refuse has the card's next write answered with a status word, once; nothing
// is written.
func (l *Lab) Refuse(name string, sw uint16) error {
	c, err := l.purse(name)
	if err != nil {
		return err
	}
	c.refuse.Store(uint32(sw))
	return nil
}

// Block is the issuer's; SetLimit the most that the card holds from now on.
func (l *Lab) Block(name string, blocked bool) error {
	c, err := l.purse(name)
	if err == nil {
		c.SetBlocked(blocked)
	}
	return err
}

// SetLimit changes the most that a card holds.
func (l *Lab) SetLimit(name string, limit money.Fen) error {
	c, err := l.purse(name)
	if err == nil {
		c.SetLimit(limit)
	}
	return err
}

// Replay makes of a card an emulator that shows it as it was when it was last
// heard, whatever has been written since.
func (l *Lab) Replay(name string) error {
	c, err := l.purse(name)
	if err == nil {
		c.fraud.Replay()
	}
	return err
}

// elsewhere is a terminal that is not ours.
var elsewhere = pboc.Terminal{0x99, 0x88, 0x77, 0x66, 0x55, 0x44}

// Ride debits a card at a gate elsewhere; LoadElsewhere credits it at a kiosk
// of somebody else's. Neither is this world's money.
func (l *Lab) Ride(name string, amount money.Fen) error {
	return l.away(name, -amount, func(p *virtual.Purse) error { return p.Ride(amount, elsewhere, time.Now()) })
}

// LoadElsewhere credits a card at a kiosk of somebody else's.
func (l *Lab) LoadElsewhere(name string, amount money.Fen) error {
	return l.away(name, amount, func(p *virtual.Purse) error { return p.LoadElsewhere(amount, elsewhere, time.Now()) })
}

func (l *Lab) away(name string, change money.Fen, do func(*virtual.Purse) error) error {
	c, err := l.purse(name)
	if err != nil {
		return err
	}
	if !awaitFor(awayWait, func() bool { return l.fieldOf(c) == "" }) {
		return fmt.Errorf("card %s lies on a reader of the kiosk: take it away first", name)
	}
	if err := do(c.Purse); err != nil {
		return err
	}
	l.mu.Lock()
	c.before += change
	l.mu.Unlock()
	l.changed()
	return nil
}

// awayWait is how long a card that leaves by itself may take to: the kiosk works on
// it till then, and no gate elsewhere can have it.
const awayWait = 30 * time.Second

package pboc

import (
	"context"
	"fmt"
	"sync"

	"buka/cardio/apdu"
	"buka/cardio/purse"
)

// verify opens the way to a load with one of the configured PINs. After a
// refusal it never uses a card's last try, and it stops at the first refusal
// that does not say how many tries are left. The number of tries is not asked
// for beforehand: some cards count an empty VERIFY as a wrong one.
func (c *card) verify(ctx context.Context) error {
	refused := c.family.tries.of(c.info.Card.Number)
	for i, pin := range c.family.config.PINs {
		if refused.pins&(1<<i) != 0 {
			continue
		}
		if refused.known && refused.left <= 1 {
			break
		}
		r, err := apdu.Send(ctx, c.ch, apdu.Command{INS: 0x20, P2: pin.Reference, Data: pin.digits, Ne: apdu.NoLe})
		switch {
		case err != nil:
			return fmt.Errorf("verify: %w", err)
		case r.SW == apdu.OK:
			c.family.tries.remember(c.info.Card.Number, refusedPINs{pins: refused.pins})
			return nil
		}
		left, known := r.SW.TriesLeft()
		if !known && r.SW != apdu.AuthFailed { // locked, or nothing about this PIN
			return purse.Failed("verify", r.SW)
		}
		refused = refusedPINs{pins: refused.pins | 1<<i, left: left, known: known}
		c.family.tries.remember(c.info.Card.Number, refused)
		if !refused.known {
			return &purse.Refusal{Reason: purse.NeedsPIN, SW: r.SW}
		}
	}
	return &purse.Refusal{Reason: purse.NeedsPIN, SW: apdu.SecurityNotMet}
}

// maxTries bounds how many cards are remembered.
const maxTries = 1024

// refusedPINs is what one card has refused.
type refusedPINs struct {
	pins  uint // bit i: the configured PIN i
	left  int
	known bool // left is what the card last said
}

// tries remembers refused PINs by card number, so that a card that is tapped
// again and again is not locked by us.
type tries struct {
	mu   sync.Mutex
	seen map[string]refusedPINs
}

func (t *tries) of(number string) refusedPINs {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[number]
}

func (t *tries) remember(number string, r refusedPINs) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil || len(t.seen) >= maxTries {
		t.seen = map[string]refusedPINs{}
	}
	t.seen[number] = r
}

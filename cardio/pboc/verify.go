package pboc

import (
	"context"
	"fmt"
	"sync"

	"buka/cardio/apdu"
	"buka/cardio/purse"
)

// verify opens the way to a load with one of the configured PINs. It never uses
// a card's last try, and stops at the first refusal that does not say how many
// tries are left.
func (c *card) verify(ctx context.Context) error {
	refused := c.family.tries.of(c.info.Card.Number)
	asked := false
	for i, pin := range c.family.config.PINs {
		if refused.pins&(1<<i) != 0 {
			continue
		}
		if !asked { // what the card says now beats what we remember
			asked = true
			left, known, err := c.triesLeft(ctx, pin.Reference)
			if err != nil {
				return err
			}
			if known {
				refused.left, refused.known = left, true
			}
		}
		if refused.known && refused.left <= 1 {
			break
		}
		r, err := apdu.Exchange(ctx, c.ch, apdu.Command{INS: 0x20, P2: pin.Reference, Data: pin.digits, Ne: apdu.NoLe})
		switch {
		case err != nil:
			return fmt.Errorf("verify: %w", err)
		case r.SW == apdu.OK:
			return nil
		case r.SW == apdu.AuthLocked:
			return &purse.Refusal{Reason: purse.PINLocked, SW: r.SW}
		}
		refused.pins |= 1 << i
		refused.left, refused.known = r.SW.TriesLeft()
		c.family.tries.remember(c.info.Card.Number, refused)
		if !refused.known {
			return &purse.Refusal{Reason: purse.NeedsPIN, SW: r.SW}
		}
	}
	return &purse.Refusal{Reason: purse.NeedsPIN, SW: apdu.SecurityNotMet}
}

// triesLeft asks with an empty VERIFY (ISO 7816-4 §11.6.6), which costs no try.
// Cards that do not know it answer with an error, and known is false.
func (c *card) triesLeft(ctx context.Context, reference byte) (left int, known bool, err error) {
	r, err := apdu.Exchange(ctx, c.ch, apdu.Command{INS: 0x20, P2: reference, Ne: apdu.NoLe})
	if err != nil {
		return 0, false, fmt.Errorf("verify: %w", err)
	}
	if r.SW == apdu.AuthLocked {
		return 0, false, &purse.Refusal{Reason: purse.PINLocked, SW: r.SW}
	}
	left, known = r.SW.TriesLeft()
	return left, known, nil
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

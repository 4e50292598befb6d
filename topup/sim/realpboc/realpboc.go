// Package realpboc puts the real PBOC family into a model world: its judge, its
// table of outcomes, and, with Cards, its whole side of the conversation with a
// card, command by command, as the card worker of kiosk/station drives it. It
// decides nothing itself and keeps nothing.
package realpboc

import (
	"context"
	"errors"

	"buka/cardio/apdu"
	"buka/cardio/pboc"
	"buka/cardio/purse"
	"buka/internal/entry"
	"buka/topup/sim"
)

// Family gives o the judge and the table.
func Family(o *sim.Options) {
	o.Judge = pboc.Judge
	o.Outcome = func(sw uint16) entry.Outcome { return pboc.WriteOutcome(apdu.SW(sw)) }
}

// Cards gives o the conversation too.
func Cards(o *sim.Options) {
	Family(o)
	o.Purse = Purse{family()}
}

func family() *pboc.Family {
	f, err := pboc.New(pboc.Config{})
	if err != nil {
		panic(err) // the built-in configuration, tested
	}
	return f
}

// Purse runs the family on a sim.Chip.
type Purse struct{ family purse.Family }

var _ sim.Purse = Purse{}

var errOtherCard = errors.New("another card")

func (p Purse) open(ch sim.Chip, want entry.Card) (purse.Purse, error) {
	c, err := purse.Open(context.Background(), ch, p.family)
	if err == nil && want != (entry.Card{}) && c.Info().Card != want {
		err = errOtherCard
	}
	return c, err
}

// Read is what ReadCard does.
func (p Purse) Read(ch sim.Chip) (entry.Card, entry.Observation, error) {
	c, err := p.open(ch, entry.Card{})
	if err != nil {
		return entry.Card{}, entry.Observation{}, err
	}
	seen, err := purse.Observe(context.Background(), c, nil)
	if len(seen.Proofs) > 0 {
		err = nil
	}
	return c.Info().Card, seen, err
}

// Prove is what topup.Prove does.
func (p Purse) Prove(ch sim.Chip, want entry.Card, numbers []entry.Slot) (*entry.Proof, []entry.Slot, error) {
	c, err := p.open(ch, want)
	if err != nil {
		return nil, nil, err
	}
	return purse.ProveAny(context.Background(), c, numbers)
}

// Challenge is what ProbeCard does before the authority is asked.
func (p Purse) Challenge(ch sim.Chip, q sim.Request) (entry.Attempt, error) {
	c, err := p.open(ch, q.Card)
	if err != nil {
		return entry.Attempt{}, err
	}
	return c.Challenge(context.Background(), purse.LoadRequest{Amount: q.Amount, Terminal: q.Terminal, STAN: q.STAN})
}

// Probe is what ProbeSlot does before the authority is asked.
func (p Purse) Probe(ch sim.Chip, want entry.Card) (entry.Attempt, error) {
	c, err := p.open(ch, want)
	if err != nil {
		return entry.Attempt{}, err
	}
	return purse.Probe(context.Background(), c)
}

// Load is what topup.Load does, up to the write.
func (p Purse) Load(ch sim.Chip, q sim.Request, authorise sim.Authorise) sim.Loaded {
	c, err := p.open(ch, q.Card)
	if err != nil {
		return sim.Loaded{Err: err}
	}
	ctx := context.Background()
	prepared, err := c.Prepare(ctx, purse.LoadRequest{Amount: q.Amount, Terminal: q.Terminal, Slot: &q.Slot, STAN: q.STAN},
		purse.AuthorityFunc(func(_ context.Context, a entry.Attempt) (purse.Grant, error) {
			at, mac2, err := authorise(a)
			return purse.Grant{At: at, MAC2: mac2}, err
		}))
	var moved *purse.SlotMoved
	var denied *purse.AuthorityError
	switch {
	case errors.As(err, &moved):
		return sim.Loaded{Moved: &moved.Got}
	case errors.As(err, &denied):
		return sim.Loaded{Attempt: denied.Attempt, Denied: true}
	case err != nil:
		return sim.Loaded{Err: err}
	}
	return sim.Loaded{Attempt: prepared.Attempt(), Write: func() (entry.Outcome, uint16, entry.Hex) {
		r := prepared.Write(ctx)
		return r.Outcome, r.SW, r.TAC
	}}
}

// Reason is the message key that the station gives.
func (p Purse) Reason(err error) string {
	switch {
	case errors.Is(err, errOtherCard):
		return "other-card"
	case errors.Is(err, &purse.Refusal{Reason: purse.AtLimit}):
		return "at-limit"
	}
	return "card-unread"
}

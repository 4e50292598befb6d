package pboc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"buka/cardio/apdu"
	"buka/cardio/purse"
	"buka/internal/entry"
	"buka/internal/money"
	codec "buka/internal/pboc"
)

// ErrRequest says that a load request is not one that a card can be sent.
var ErrRequest = errors.New("pboc: bad load request")

// Challenge is INITIALIZE FOR LOAD, with VERIFY before it where the card wants
// one.
func (c *card) Challenge(ctx context.Context, r purse.LoadRequest) (entry.Attempt, error) {
	const op = "initialize for load"
	if r.Amount < 0 || r.Amount > valueMask || len(r.Terminal) != 6 {
		return entry.Attempt{}, fmt.Errorf("%w: amount %v, terminal id of %d bytes", ErrRequest, r.Amount, len(r.Terminal))
	}
	command := c.initialize(r)
	answer, err := apdu.Exchange(ctx, c.ch, command)
	if err == nil && answer.SW == apdu.SecurityNotMet {
		if err := c.verify(ctx); err != nil {
			return entry.Attempt{}, err
		}
		answer, err = apdu.Exchange(ctx, c.ch, command)
	}
	if err != nil {
		return entry.Attempt{}, fmt.Errorf("%s: %w", op, err)
	}
	if answer.SW == apdu.ConditionsNotMet && r.Amount > 0 {
		return entry.Attempt{}, c.whyConditions(ctx, r)
	}
	if answer.SW != apdu.OK {
		return entry.Attempt{}, purse.Failed(op, answer.SW)
	}
	a, err := parseInitialize(answer.Data)
	if err != nil {
		return entry.Attempt{}, err
	}
	a.Card = c.info.Card
	a.Amount = r.Amount
	a.Terminal = slices.Clone(r.Terminal)
	a.STAN = r.STAN
	if r.Slot != nil && *r.Slot != a.Slot {
		return a, &purse.SlotMoved{Want: *r.Slot, Got: a.Slot}
	}
	return a, nil
}

// whyConditions tells a card at its limit from any other 6985: it takes a load
// of nothing. The first INITIALIZE was announced, so the second wipes no proof
// that nobody has seen.
func (c *card) whyConditions(ctx context.Context, r purse.LoadRequest) error {
	const op = "initialize for load"
	r.Amount = 0
	answer, err := apdu.Exchange(ctx, c.ch, c.initialize(r))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", op, err)
	case answer.SW == apdu.OK:
		return &purse.Refusal{Reason: purse.AtLimit, SW: apdu.ConditionsNotMet}
	}
	return purse.Failed(op, apdu.ConditionsNotMet)
}

func (c *card) initialize(r purse.LoadRequest) apdu.Command {
	key := c.app.KeyIndex
	if key == 0 {
		key = c.family.config.KeyIndex
	}
	c.inits++
	data := append(binary.BigEndian.AppendUint32([]byte{key}, uint32(r.Amount)), r.Terminal...)
	return apdu.Command{CLA: 0x80, INS: 0x50, P2: 0x02, Data: data, Ne: 16}
}

// Prepare runs INITIALIZE and has its MAC1 answered by the authority.
func (c *card) Prepare(ctx context.Context, r purse.LoadRequest, authority purse.Authority) (purse.Prepared, error) {
	if authority == nil {
		return nil, purse.ErrNoAuthority
	}
	if r.Amount <= 0 {
		return nil, fmt.Errorf("%w: amount %v", ErrRequest, r.Amount)
	}
	a, err := c.Challenge(ctx, r)
	if err != nil {
		return nil, err
	}
	asked := c.inits
	limit := money.Fen(valueMask)
	if c.info.Limit > 0 {
		limit = c.info.Limit
	}
	if a.Amount > limit-a.OldBalance&valueMask {
		return nil, &purse.Refusal{Reason: purse.AtLimit}
	}
	grant, err := authority.Authorise(ctx, a)
	if err != nil {
		return nil, &purse.AuthorityError{Attempt: a, Err: err}
	}
	when, err := codec.EncodeBCD(string(grant.At))
	if err != nil || len(when) != 7 || len(grant.MAC2) != 4 {
		return nil, &purse.AuthorityError{Attempt: a, Err: purse.ErrGrant}
	}
	a.At = grant.At
	return &prepared{
		card:    c,
		attempt: a,
		serves:  asked,
		credit:  apdu.Command{CLA: 0x80, INS: 0x52, Data: slices.Concat(when, grant.MAC2), Ne: 4},
	}, nil
}

package pboc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"buka/cardio/apdu"
	"buka/cardio/purse"
	"buka/internal/entry"
)

// prepared is a load that waits for its CREDIT FOR LOAD.
type prepared struct {
	card    *card
	attempt entry.Attempt
	serves  uint64 // the INITIALIZE that the MAC2 answers
	credit  apdu.Command

	once   sync.Once
	result purse.WriteResult
}

func (p *prepared) Attempt() entry.Attempt { return p.attempt }

func (p *prepared) Write(ctx context.Context) purse.WriteResult {
	p.once.Do(func() { p.result = p.write(ctx) })
	return p.result
}

// errSuperseded: a MAC2 serves only the INITIALIZE that it answers. For another
// one it would be a wrong MAC, and cards count those.
var errSuperseded = errors.New("another INITIALIZE came after the one that the authority answered")

// write is the point of no return. Send transmits once and follows nothing.
func (p *prepared) write(ctx context.Context) purse.WriteResult {
	const op = "credit for load"
	if err := ctx.Err(); err != nil { // nothing has left yet
		return purse.WriteResult{Outcome: entry.NotDone, Err: fmt.Errorf("%s: not sent: %w", op, err)}
	}
	if p.serves != p.card.inits {
		return purse.WriteResult{Outcome: entry.NotDone, Err: fmt.Errorf("%s: not sent: %w", op, errSuperseded)}
	}
	r, err := apdu.Send(ctx, p.card.ch, p.credit)
	if err != nil {
		outcome := entry.Unknown
		if p.card.family.config.NotSent(err) {
			outcome = entry.NotDone
		}
		return purse.WriteResult{Outcome: outcome, Err: fmt.Errorf("%s: %w", op, err)}
	}
	result := purse.WriteResult{Outcome: WriteOutcome(r.SW), SW: uint16(r.SW)}
	if result.Outcome != entry.Done {
		result.Err = purse.Failed(op, r.SW)
		return result
	}
	// Done whatever follows: the TAC can be had from a proof later.
	r, err = apdu.Collect(ctx, p.card.ch, r)
	switch {
	case err != nil:
		result.Err = fmt.Errorf("%s: done, but the TAC was not fetched: %w", op, err)
	case r.SW != apdu.OK || len(r.Data) != 4:
		result.Err = fmt.Errorf("%s: done, but %w: TAC of %d bytes, %v", op, purse.ErrAnswer, len(r.Data), r.SW)
	default:
		result.TAC = entry.Hex(r.Data)
	}
	return result
}

package purse

import (
	"context"
	"errors"
	"fmt"

	"buka/internal/entry"
	"buka/internal/money"
)

// LoadRequest is what a load begins with.
type LoadRequest struct {
	Amount   money.Fen   // fen, positive; a probe may ask with any amount
	Terminal entry.Hex   // 6 bytes: ours, or random ones for a probe
	Slot     *entry.Slot // if set, the counter that INITIALIZE must return
	STAN     uint32      // of the authorisation, goes into the attempt
}

// Grant is what an authority gives for one attempt. It serves only the
// INITIALIZE that it answers.
type Grant struct {
	At   entry.Stamp // date and time of the write, 14 digits
	MAC2 entry.Hex   // 4 bytes
}

// Authority holds the load keys, or speaks for who does: an HSM at the host, a
// SAM, a sealed key.
type Authority interface {
	Authorise(ctx context.Context, a entry.Attempt) (Grant, error)
}

// AuthorityFunc makes an Authority of a function.
type AuthorityFunc func(ctx context.Context, a entry.Attempt) (Grant, error)

// Authorise calls the function.
func (f AuthorityFunc) Authorise(ctx context.Context, a entry.Attempt) (Grant, error) {
	return f(ctx, a)
}

// ErrNoAuthority says that Prepare was called without one.
var ErrNoAuthority = errors.New("purse: a load needs an authority")

// ErrGrant says that an authority answered with something unusable.
var ErrGrant = errors.New("purse: the authority's grant is malformed")

// Prepared is a load that lacks only the write. The caller makes the
// announcement durable, then writes; or lets it go, and nothing has happened.
type Prepared interface {
	// Attempt is complete: what INITIALIZE returned, and the grant's At.
	Attempt() entry.Attempt
	// Write sends the one command that changes the purse, once. Any later call
	// returns the first result and sends nothing.
	Write(ctx context.Context) WriteResult
}

// WriteResult is what became of the write, as far as the card said.
type WriteResult struct {
	Outcome entry.Outcome
	SW      uint16    // 0: no status word
	TAC     entry.Hex // 4 bytes; empty if the card could not give it
	Err     error     // why not done or unknown; with Done, why the TAC is missing
}

// SlotMoved says that the card's counter is not the one that the load was meant
// for. Nothing was written; the counter does not say who moved it.
type SlotMoved struct {
	Want, Got entry.Slot
}

func (e *SlotMoved) Error() string {
	return fmt.Sprintf("purse: the card's load counter is %d, not %d: read the card again", e.Got, e.Want)
}

// AuthorityError is a load that the authority did not grant, or not in time.
// Nothing was written. An authorisation for Attempt may exist and is to be
// voided unless Err says that it was refused.
type AuthorityError struct {
	Attempt entry.Attempt
	Err     error
}

func (e *AuthorityError) Error() string { return fmt.Sprintf("load not authorised: %v", e.Err) }
func (e *AuthorityError) Unwrap() error { return e.Err }

package purse

import (
	"context"
	"errors"
	"fmt"

	"buka/internal/entry"
	"buka/internal/money"
)

// Channel is one exclusive conversation with one card. Its errors leave open
// whether the command reached the card, unless the family has been given a
// function that knows better. A Channel that also has ATR() []byte helps
// families of cards that are told apart by it.
type Channel interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// ErrNotThisFamily says that the card is of another kind.
var ErrNotThisFamily = errors.New("purse: not a card of this family")

// ErrNoProof says that the card has no proof for the number asked.
var ErrNoProof = errors.New("purse: the card has no proof for this number")

// ErrAnswer is in the chain of every error about an answer that is not what the
// command returns.
var ErrAnswer = errors.New("purse: the card's answer is malformed: present the card again")

// Family is one kind of card.
type Family interface {
	// Name is for logs, such as "pboc". What entry.Card.Family holds is the
	// card's own kind, of which a family may have several.
	Name() string
	// Open selects the purse and reads who it is. ErrNotThisFamily: another
	// kind of card. *Refusal: of this kind, and of no use. Any other error: the
	// card could not be read now.
	Open(ctx context.Context, ch Channel) (Purse, error)
}

// Purse is the stored value of the card in a Channel. One goroutine at a time.
type Purse interface {
	// Info is what Open read.
	Info() Info
	// Balance in fen, as a passenger is to read it; negative if overdrawn.
	Balance(ctx context.Context) (money.Fen, error)
	// Log is the card's own log with rides and loads, newest first; nil if the
	// card keeps none that can be read.
	Log(ctx context.Context) ([]entry.LogRecord, error)
	// Prove asks for the proof of a load by its number. ErrNoProof: the card
	// has none. A proof may be handed out once only: it must be durable before
	// the next command goes to the card.
	Prove(ctx context.Context, n entry.Slot) (entry.Proof, error)
	// Challenge is INITIALIZE alone: it changes no value, but may wipe a proof.
	// The attempt has no At. It serves eligibility and the probe of DESIGN §4.3.
	Challenge(ctx context.Context, r LoadRequest) (entry.Attempt, error)
	// Prepare is the whole conversation up to, not including, the write. Until
	// Prepared.Write nothing else may go to the card.
	Prepare(ctx context.Context, r LoadRequest, a Authority) (Prepared, error)
}

// Open tries families in order. A card that none of them knows is refused as of
// an unknown kind.
func Open(ctx context.Context, ch Channel, families ...Family) (Purse, error) {
	for _, f := range families {
		p, err := f.Open(ctx, ch)
		if errors.Is(err, ErrNotThisFamily) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		return p, nil
	}
	return nil, &Refusal{Reason: UnknownKind}
}

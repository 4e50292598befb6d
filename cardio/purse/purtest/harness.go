// Package purtest is the suite that every family of stored-value cards passes:
// it loads a card while every command in turn is lost, answered into the void
// or answered with nonsense, finds out what became of the write by the family's
// Judge, and compares each verdict with the card's memory.
//
// It is the terminal's side as the sale runs it, in small: what the sale would
// have made durable is kept over a loss, all else is forgotten.
package purtest

import (
	"context"
	"errors"
	"testing"

	"buka/cardio/purse"
	"buka/internal/entry"
	"buka/internal/money"
)

// Card is a card under test. Each call of Present powers it up anew: whatever
// was not committed is gone. Balance is the committed value, by looking into
// its memory, and Number what is printed on it.
type Card interface {
	Present() purse.Channel
	Balance() money.Fen
	Number() string
}

// Host is the authority of the cards under test.
type Host interface {
	purse.Authority
	// JudgeTAC says whether a proof is about the attempt.
	JudgeTAC(a entry.Attempt, p entry.Proof) entry.Opinion
	// JudgeCounter says what a probing INITIALIZE is worth.
	JudgeCounter(probe entry.Attempt) entry.Counter
}

// Harness is a family and the cards that it is tried on.
type Harness struct {
	Family purse.Family // its NotSent is this package's
	Judge  func(entry.Attempt, entry.Evidence) entry.Verdict
	// Unasked gives the numbers that PROVE is still to be asked for.
	Unasked func(entry.Attempt, entry.Observation) []entry.Slot
	IsWrite func(cmd []byte) bool
	// New makes a card that holds 78.50 and has been loaded at least once,
	// and a host that knows it.
	New func(t testing.TB) (Card, Host)
	// Ride pays at another terminal: enough rides push a load out of the log
	// and its proof out of the card. nil if the family has no such thing.
	Ride func(t testing.TB, c Card)
	// Refused makes cards that cannot be loaded, by reason: found by Open, by
	// purse.Check on the day 20260115, or by Prepare of 50.00.
	Refused map[purse.Reason]func(t testing.TB) (Card, Host)
}

// Loss says what happens to the command that is hit.
type Loss uint8

// Ways to lose a command.
const (
	NeverArrived Loss = iota // the card did not get it
	NoAnswer                 // the card carried it out, the answer is lost
	Nonsense                 // carried out, answered with 6F00
	WantsRepeat              // carried out, answered with 6C04
	Stump                    // carried out, one byte comes back
)

var (
	losses    = []Loss{NeverArrived, NoAnswer, Nonsense, WantsRepeat, Stump}
	lossNames = [...]string{"never arrived", "no answer", "6F00", "6C04", "one byte"}
)

func (l Loss) String() string { return lossNames[l] }

var (
	errLost = errors.New("purtest: the command or its answer was lost")
	errGone = errors.New("purtest: the card left before")
)

// NotSent is what a family under test is to be given.
func NotSent(err error) bool { return errors.Is(err, errGone) }

// line is a Channel that hits the nth command, and counts writes. After a loss
// of the card nothing passes.
type line struct {
	ch      purse.Channel
	isWrite func([]byte) bool
	hit     int // the command to hit, from 1; 0: none
	loss    Loss
	count   int
	writes  int
	gone    bool
	fired   bool
}

func (l *line) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if l.gone {
		return nil, errGone
	}
	l.count++
	if l.isWrite(cmd) {
		l.writes++
	}
	if l.count != l.hit {
		return l.ch.Transmit(ctx, cmd)
	}
	l.fired = true
	if l.loss == NeverArrived {
		l.gone = true
		return nil, errLost
	}
	if _, err := l.ch.Transmit(ctx, cmd); err != nil {
		return nil, err
	}
	switch l.loss {
	case Nonsense:
		return []byte{0x6F, 0x00}, nil
	case WantsRepeat:
		return []byte{0x6C, 0x04}, nil
	case Stump:
		return []byte{0x90}, nil
	}
	l.gone = true
	return nil, errLost
}

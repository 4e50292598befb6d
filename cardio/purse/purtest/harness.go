// Package purtest is the suite that every family of stored-value cards passes:
// it loads a card while every command in turn meets every Fault, finds out what
// became of the write by the family's Judge while every command of that meets
// every fault too, and compares each verdict with the card's memory.
//
// It is the terminal's side as the sale runs it, in small: what the sale would
// have made durable is kept over a loss, all else is forgotten.
//
// Run is the whole matrix, for cards in memory. RunNear is the same for a few
// commands, for cards that are behind a real reader and bring the faults about
// themselves (Faulty).
package purtest

import (
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
	// JudgeCounter says what a probing INITIALIZE is worth for the attempt.
	JudgeCounter(a, probe entry.Attempt) entry.Counter
}

// Harness is a family and the cards that it is tried on.
type Harness struct {
	Family purse.Family // its NotSent is this package's, or that of the real reader
	Judge  func(entry.Attempt, entry.Evidence) entry.Verdict
	// Unasked gives the numbers that PROVE is still to be asked for.
	Unasked func(entry.Attempt, entry.Observation) []entry.Slot
	IsWrite func(cmd []byte) bool
	// New makes a card that holds 78.50 and has been loaded at least once,
	// and a host that knows it.
	New func(t testing.TB) (Card, Host)
	// Copy makes an independent second card and host in the same state. nil:
	// the suite brings each card anew to where it begins.
	Copy func(t testing.TB, c Card, h Host) (Card, Host)
	// Other makes a second card of the family like the one of New, with another
	// number and in memory; selected says that its purse is selected already.
	// nil: no card takes another's place.
	Other func(t testing.TB) (c Card, selected func() purse.Channel)
	// Ride pays at another terminal: enough rides push a load out of the log
	// and its proof out of the card. nil if the family has no such thing.
	Ride func(t testing.TB, c Card)
	// Elsewhere loads 10.00 at another authority's terminal. nil: there is none.
	Elsewhere func(t testing.TB, c Card)
	// Refused makes cards that cannot be loaded, by reason: found by Open, by
	// purse.Check on the day 20260115, or by Prepare of 50.00.
	Refused map[purse.Reason]func(t testing.TB) (Card, Host)
}

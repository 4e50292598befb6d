// Package reader is the stack between card families and the readers of the
// machine: who is there, is a card on it, and one exclusive transaction with
// that card at a time. Two sources fulfil it, PC/SC (NewPCSC) and memory
// (NewMemory); both are used by the product and behave alike.
//
// It promises that no caller ever waits longer than its deadline, whatever a
// driver does: blocking calls run on a worker goroutine that is abandoned when
// the deadline passes; the reader is then reported as hung and can be opened
// anew. It promises that an error tells whether the command surely did not
// reach the card (NotSent); every other error leaves the outcome unknown.
//
// It never repeats a command, never decides what an answer means, and never
// takes a reader by its index. Events are hints that bring the listener up to
// the present state, not a record of the past: a listener that is slow learns
// less, but nothing wrong. Nothing here survives a crash, and nothing need to.
package reader

import "context"

// Card is one exclusive transaction with one card: nobody else talks to the
// card between Open and Close. The first transport error ends it for good:
// later calls fail with NotSent. One goroutine at a time.
type Card interface {
	// ATR is the answer to reset as the reader gave it, up to 33 bytes.
	ATR() []byte
	// Transmit sends one command APDU of at least four bytes and returns data
	// and status word. It waits until the context ends, at most the source's
	// limit; then the outcome is unknown and the transaction is over.
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
	// Close ends the transaction and leaves the card powered. It waits a
	// bounded time for the driver, and may be called more than once.
	Close() error
}

// Source watches readers and opens cards.
type Source interface {
	// Events tells changes, oldest first, each relative to what was told
	// before; the first is ServiceUp or ServiceDown. It is closed by Close.
	Events() <-chan Event
	// Readers is what is known now, sorted by name.
	Readers() []State
	// Open begins an exclusive transaction with the card on that reader.
	Open(ctx context.Context, reader string) (Card, error)
	// Close ends the watch. Open transactions end with it.
	Close() error
}

// Device is the card side of a transaction, for readers in memory. Process
// answers one command with data and status word; a nil answer means that the
// card lost power before the answer could leave, and it counts as taken from
// the reader. All three may be called from different goroutines.
type Device interface {
	ATR() []byte
	Reset()
	Process(cmd []byte) []byte
}

// Kind says what an Event tells.
type Kind uint8

// Kinds of events.
const (
	ServiceUp     Kind = iota + 1 // the smart card service answers
	ServiceDown                   // it does not; retried for ever
	ReaderAdded                   // Reader is there
	ReaderRemoved                 // Reader is gone
	CardPresent                   // a card came to Reader: Serial, ATR, Cards
	CardRemoved                   // the card with Serial left
	CardsChanged                  // more or fewer cards lie on Reader: Cards
	ReaderHung                    // a call into Reader's driver was abandoned
	ReaderFreed                   // every abandoned call has returned
)

var kindNames = [...]string{"none", "service-up", "service-down", "reader-added", "reader-removed",
	"card-present", "card-removed", "cards-changed", "reader-hung", "reader-freed"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Event is one change.
type Event struct {
	Kind   Kind
	Reader string
	// Serial counts presences over all readers of the source, from 1, and is
	// never used twice: an event about another card has another serial.
	Serial uint64
	ATR    []byte
	Cards  int   // cards known to lie on Reader: 0, 1, or more
	Err    error // with ServiceDown: why
}

// State is what is known of one reader.
type State struct {
	Reader  string
	Present bool
	Serial  uint64 // of the present or the last presence
	ATR     []byte
	Cards   int
	Mute    bool // a card is there and gave no answer to reset
	Busy    bool // some program is connected to the card
	Hung    bool // an abandoned call has not come back
}

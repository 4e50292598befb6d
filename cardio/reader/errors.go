package reader

import (
	"errors"
	"fmt"
)

// The causes that callers tell apart. Each text says what to do next.
var (
	ErrNoService   = errors.New("no smart card service: start pcscd")
	ErrReaderGone  = errors.New("no such reader: check its cable")
	ErrNoCard      = errors.New("no card on the reader: present the card")
	ErrCardRemoved = errors.New("the card left the reader: present it again")
	ErrBusy        = errors.New("another program holds the card: close it")
	ErrReset       = errors.New("another program reset the card: start over")
	ErrTimeout     = errors.New("the reader did not answer in time: try again")
	ErrTransport   = errors.New("the card did not answer properly: present it again")
	ErrTwoCards    = errors.New("more than one card: present only one")
	ErrClosed      = errors.New("the card transaction has ended: open the card again")
	ErrUsage       = errors.New("not a command that a reader can send")
)

// Error is a failure of a reader, folded into one of the causes above.
type Error struct {
	Op     string // "open", "transmit", "close"
	Reader string
	Kind   error // one of the Err… above
	Cause  error // what the driver or the context said; may be nil
	// Unsent is true only if the command surely did not reach the card. All
	// else counts as unknown.
	Unsent bool
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %q: %v", e.Op, e.Reader, e.Kind)
	if e.Cause != nil {
		s += fmt.Sprintf(" (%v)", e.Cause)
	}
	return s
}

// Unwrap lets errors.Is find both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// NotSent reports that the command of this failed Transmit surely did not
// reach the card. False for everything that this package did not say.
func NotSent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Unsent
}

// unsent is a transmit error for a command that never left this process.
func unsent(reader string, kind, cause error) error {
	return &Error{Op: "transmit", Reader: reader, Kind: kind, Cause: cause, Unsent: true}
}

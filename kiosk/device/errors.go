package device

import (
	"errors"
	"fmt"
)

// How an entry ends without a block. Use errors.Is; the end of the caller's
// context comes back as an error that wraps context.Cause.
var (
	// ErrCancelled: EOT came instead of an answer. The customer pressed cancel,
	// or the pad's own time ran out; the protocol does not tell them apart.
	ErrCancelled = errors.New("the PIN entry was cancelled at the PIN pad")
	// ErrTimeout: no PIN within Config.EntryTimeout. The pad was told to stop.
	ErrTimeout = errors.New("no PIN was entered in time")
	// ErrUnplugged: the port is gone, or nothing answers on it.
	ErrUnplugged = errors.New("the PIN pad does not answer: check its power and its cable")
	// ErrGarbled: three times in a row a packet arrived damaged.
	ErrGarbled = errors.New("the line to the PIN pad is damaged: check cable, speed and parity")
	// ErrAnswer: a sound packet whose content is not one of the known forms.
	ErrAnswer = errors.New("the PIN pad answers in an unknown form: check that it is in DUKPT mode")
	// ErrPrompt: the request cannot be put to a pad: bad PAN or amount.
	ErrPrompt = errors.New("not a request for a PIN pad")
	// ErrClosed: the driver is being shut down.
	ErrClosed = errors.New("the PIN pad driver is closed")
)

// ErrPadRefused is a refusal by the pad itself, with the code that it gave.
type ErrPadRefused struct {
	Message string // id of the answer: "71", "73" or "08"
	Code    string // one or more characters; see the pad's manual
}

// refusals that need a person, of the DUKPT and UIC tables.
var refusals = map[string]string{
	"7": "it allows no further PIN for now (throttle); wait and try again",
	"A": "it has no DUKPT key; load an initial key",
	"F": "its DUKPT keys are used up; load a new initial key",
	"B": "its flash memory fails; replace it",
	"C": "its memory fails; replace it",
	"G": "its files are damaged; replace it",
}

func (e ErrPadRefused) Error() string {
	if why, ok := refusals[e.Code]; ok {
		return fmt.Sprintf("the PIN pad refuses (%s, code %s): %s", e.Message, e.Code, why)
	}
	return fmt.Sprintf("the PIN pad refuses (%s, code %q): see its manual", e.Message, e.Code)
}

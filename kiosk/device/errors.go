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
	ErrAnswer = errors.New("the PIN pad answers in an unknown form: check that its keys and its block format are those of the configuration")
	// ErrThrottled: the pad takes no further PIN for now, to slow down whoever
	// tries PINs. Every ErrPadRefused with code 7 to a PIN request is one.
	ErrThrottled = errors.New("the PIN pad takes no further PIN for now: wait and try again")
	// ErrNoWorkingKey: master/session keys, and the request brought none.
	ErrNoWorkingKey = errors.New("no PIN working key: sign on at the payment host first")
	// ErrWorkingKey: the pad's check value of the working key is not the
	// host's. The pad has another master key than the host thinks.
	ErrWorkingKey = errors.New("the PIN pad reads the working key differently: sign on again; if that does not help, its master key is not the host's")
	// ErrNoMasterKey: the slot that is configured is empty.
	ErrNoMasterKey = errors.New("the PIN pad has no master key there: load it, or correct the key slot")
	// ErrOtherPad: this is not the pad that was here before, or that is
	// configured. Nobody types a PIN into it.
	ErrOtherPad = errors.New("this is another PIN pad: if it was exchanged on purpose, set its serial number in the configuration and restart; if not, take the kiosk out of service")
	// ErrPrompt: the request cannot be put to a pad: bad PAN or amount.
	ErrPrompt = errors.New("not a request for a PIN pad")
	// ErrClosed: the driver is being shut down.
	ErrClosed = errors.New("the PIN pad driver is closed")
)

// ErrPadRefused is a refusal by the pad itself, with the code that it gave.
type ErrPadRefused struct {
	Message string // id of the answer: "71", "73", "08" or "Z67"
	Code    string // one or more characters; see the pad's manual
}

// refusals that need a person: the DUKPT and master/session tables of UIC.
var refusals = map[string]string{
	"1": "it has no such key, or the session key is damaged",
	"5": "the session key has the wrong form for its master key",
	"7": "it allows no further PIN for now (throttle); wait and try again",
	"9": "it has no active master key; check the key slot",
	"A": "it has no key there; load one",
	"F": "its DUKPT keys are used up; load a new initial key",
	"B": "its flash memory fails; replace it",
	"C": "its memory fails; replace it",
	"G": "its files are damaged; replace it",
}

// macRefusals are the statuses of Z67.
var macRefusals = map[string]string{
	"2": "packets out of order",
	"3": "it has no master key there, or not one for MAC keys",
	"4": "its second master key does not fit",
	"5": "the message is too long or of odd length",
	"6": "it does not know this type of packet",
	"7": "the message is not hex",
	"8": "the session key is damaged",
	"9": "it wants a master key of double length",
	"A": "the session key has the wrong form for its master key",
}

// Is makes a refusal by throttle an ErrThrottled.
func (e ErrPadRefused) Is(target error) bool {
	return target == ErrThrottled && e.Code == "7" && (e.Message == "71" || e.Message == "73")
}

func (e ErrPadRefused) Error() string {
	table := refusals
	if e.Message == "Z67" {
		table = macRefusals
	}
	if why, ok := table[e.Code]; ok {
		return fmt.Sprintf("the PIN pad refuses (%s, code %s): %s", e.Message, e.Code, why)
	}
	return fmt.Sprintf("the PIN pad refuses (%s, code %q): see its manual", e.Message, e.Code)
}

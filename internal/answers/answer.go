package answers

import (
	"fmt"

	"buka/internal/entry"
)

// Action is what the terminal does about an answer, beside telling it.
type Action uint8

// Actions.
const (
	None         Action = iota
	NewPIN              // ask for the PIN again; the payment has a new STAN
	SignOn              // sign on for the batch and new working keys
	OutOfService        // no more payments until the next sign-on succeeds
	RetryLater          // the same may be asked again later, with a new STAN
	Staff               // people must look at the configuration
)

var actionNames = [...]string{"none", "new-pin", "sign-on", "out-of-service", "retry-later", "staff"}

func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "none"
}

// UnmarshalText reads the name that a table's file uses.
func (a *Action) UnmarshalText(text []byte) error {
	for i, name := range actionNames {
		if name == string(text) {
			*a = Action(i)
			return nil
		}
	}
	return fmt.Errorf("action %q is none of %q", text, actionNames)
}

// Answer is what a code means.
type Answer struct {
	// Outcome of a payment. Done includes 10, whose amount the caller compares.
	Outcome entry.Outcome
	// Reason is a key of ui/lang ([reason.KEY]); empty for what was approved.
	Reason string
	Action Action
}

// outcome is an entry.Outcome by the words of a bank.
type outcome entry.Outcome

func (o *outcome) UnmarshalText(text []byte) error {
	for name, value := range map[string]entry.Outcome{"approved": entry.Done, "declined": entry.NotDone, "unknown": entry.Unknown} {
		if name == string(text) {
			*o = outcome(value)
			return nil
		}
	}
	return fmt.Errorf("outcome %q is none of approved, declined, unknown", text)
}

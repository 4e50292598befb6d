package purse

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"buka/cardio/apdu"
)

// Reason says why a card is not served. The words are a contract with the
// pages: a message key is "refused." and the reason.
type Reason string

// The reasons.
const (
	UnknownKind   Reason = "unknown-kind"
	UnknownIssuer Reason = "unknown-issuer"
	Expired       Reason = "expired"
	NotYetValid   Reason = "not-yet-valid"
	Blocked       Reason = "blocked"
	AtLimit       Reason = "at-limit"
	NeedsPIN      Reason = "needs-pin-wrong" // it wants a PIN, and ours is not it
	PINLocked     Reason = "pin-locked"
	KeyUnknown    Reason = "key-unknown" // it has no load key of the kind that we use
	CounterFull   Reason = "counter-full"
)

// Refusal is a card that cannot be served, found out before anything was paid
// or written.
type Refusal struct {
	Reason Reason
	SW     apdu.SW // what the card answered; 0 if it was not asked
}

func (r *Refusal) Error() string {
	s := "card refused (" + string(r.Reason) + "): " + r.Sentence("en")
	if r.SW != 0 {
		s += fmt.Sprintf(" [%v]", r.SW)
	}
	return s
}

// Key is the message key.
func (r *Refusal) Key() string { return "refused." + string(r.Reason) }

// Sentence for a person: "zh", or English for any other language.
func (r *Refusal) Sentence(lang string) string { return reasonWords()[r.Reason].in(lang) }

// Is makes errors.Is(err, &Refusal{Reason: Expired}) tell reasons apart.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Reason == r.Reason
}

// Worded is an error that has words for a person.
type Worded interface {
	error
	Key() string
	Sentence(lang string) string
}

// Words finds the part of an error that has words for a person.
func Words(err error) (Worded, bool) {
	var w Worded
	ok := errors.As(err, &w)
	return w, ok
}

type sentence struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

func (s sentence) in(lang string) string {
	if lang == "zh" {
		return s.ZH
	}
	return s.EN
}

//go:embed reasons.json
var reasonsJSON []byte

var reasonWords = sync.OnceValue(func() map[Reason]sentence {
	var m map[Reason]sentence
	if err := json.Unmarshal(reasonsJSON, &m); err != nil {
		panic("purse: reasons.json: " + err.Error()) // part of the program, tested
	}
	return m
})

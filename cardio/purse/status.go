package purse

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"buka/cardio/apdu"
)

// StatusError is a command that the card answered with anything but success.
type StatusError struct {
	Op string // the command, such as "initialize for load"
	SW apdu.SW
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the card answered %v: %s", e.Op, e.SW, e.Sentence("en"))
}

// Key is the message key.
func (e *StatusError) Key() string { return "status." + statusOf(e.SW).Name }

// Sentence for a person: "zh", or English for any other language.
func (e *StatusError) Sentence(lang string) string { return statusOf(e.SW).in(lang) }

// Failed turns a status word that is not success into a typed error: a *Refusal
// where it says that the card cannot be served, else a *StatusError.
func Failed(op string, sw apdu.SW) error {
	if r := statusOf(sw).Reason; r != "" {
		return fmt.Errorf("%s: %w", op, &Refusal{Reason: r, SW: sw})
	}
	return &StatusError{Op: op, SW: sw}
}

// status is one row of the table. SW has an X where any digit fits.
type status struct {
	SW     string `json:"sw"`
	Name   string `json:"name"`
	Reason Reason `json:"reason,omitempty"`
	sentence
}

//go:embed status.json
var statusJSON []byte

var statusRows = sync.OnceValue(func() []status {
	var rows []status
	if err := json.Unmarshal(statusJSON, &rows); err != nil {
		panic("purse: status.json: " + err.Error()) // part of the program, tested
	}
	return rows
})

// statusOf finds the first row that fits; the last row fits everything.
func statusOf(sw apdu.SW) status {
	rows := statusRows()
	for _, r := range rows {
		if Fits(r.SW, sw) {
			return r
		}
	}
	return rows[len(rows)-1]
}

// Fits says whether a status word fits a pattern of four hexadecimal digits, in
// which X stands for any.
func Fits(pattern string, sw apdu.SW) bool {
	s := sw.String()
	if len(pattern) != len(s) {
		return false
	}
	for i := range s {
		if pattern[i] != 'X' && pattern[i] != s[i] {
			return false
		}
	}
	return true
}

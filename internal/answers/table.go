package answers

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"buka/internal/entry"
)

//go:embed table.json
var builtin []byte

// maxFile bounds an integrator's file, in bytes.
const maxFile = 64 << 10

// approvals are the codes whose answers the switch link checks as approvals:
// every identifier there and the request's. Only these may count as done.
var approvals = []string{"00", "10", "11", "16"}

// Table gives the meaning of every code. It never changes once it is loaded, and
// may be used from any goroutine.
type Table struct {
	codes map[string]Answer
	other Answer
}

// Default is the table that is built in.
var Default = sync.OnceValue(func() *Table {
	t, err := (&Table{}).over(builtin)
	if err != nil {
		panic(err) // the tests load it: it cannot be wrong in a built program
	}
	return t
})

// Load lays an integrator's file over the built-in table: JSON with "codes", an
// object of rows by code, and "other" for all that no row names, whose outcome stays
// unknown; a row has "outcome" (approved, declined, unknown), "reason" (a key of the language
// files), "action" (none, new-pin, sign-on, out-of-service, retry-later, staff)
// and "meaning", for people. What the file does not name stays as it is. The
// error names the row that is wrong, and of "other" line and column.
func Load(file []byte) (*Table, error) { return Default().over(file) }

// Of gives the meaning of a code; with the built-in table anything that no row
// names is unknown, and the terminal does nothing beside.
func (t *Table) Of(code string) Answer {
	if a, ok := t.codes[code]; ok {
		return a
	}
	return t.other
}

// Codes that have a row, in order.
func (t *Table) Codes() []string { return slices.Sorted(maps.Keys(t.codes)) }

type row struct {
	Meaning string   `json:"meaning"`
	Outcome *outcome `json:"outcome"`
	Reason  string   `json:"reason"`
	Action  Action   `json:"action"`
}

func (t *Table) over(file []byte) (*Table, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("response codes: %d bytes are too many", len(file))
	}
	var data struct {
		Source string         `json:"source"`
		Codes  map[string]row `json:"codes"`
		Other  *row           `json:"other"`
	}
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&data); err != nil {
		return nil, fmt.Errorf("response codes: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("response codes: something stands behind the table")
	}
	out := &Table{codes: maps.Clone(t.codes), other: t.other}
	if out.codes == nil {
		out.codes = map[string]Answer{}
	}
	for _, code := range slices.Sorted(maps.Keys(data.Codes)) {
		if !isCode(code) {
			return nil, fmt.Errorf("response code %q: a code is two characters of 0 to 9 and A to Z", code)
		}
		a, err := data.Codes[code].answer(code)
		if err != nil {
			return nil, fmt.Errorf("response code %q: %w", code, err)
		}
		out.codes[code] = a
	}
	if data.Other != nil {
		a, err := data.Other.answer("other")
		if err == nil && a.Outcome != entry.Unknown {
			err = errors.New(`a code that no row names says nothing about the money: its outcome must be "unknown"; name the codes that are sure to be declined`)
		}
		if err != nil {
			return nil, fmt.Errorf("response codes, %s: other: %w", place(file, "other", "outcome"), err)
		}
		out.other = a
	}
	return out, nil
}

// answer checks a row.
func (r row) answer(code string) (Answer, error) {
	if r.Outcome == nil {
		return Answer{}, errors.New("outcome is wanted: approved, declined or unknown")
	}
	a := Answer{Outcome: entry.Outcome(*r.Outcome), Reason: r.Reason, Action: r.Action}
	switch {
	case a.Outcome == entry.Done && !slices.Contains(approvals, code):
		return a, fmt.Errorf("only %v can be approved", approvals)
	case a.Outcome != entry.Done && code == "00":
		return a, errors.New("00 is approved")
	case a.Outcome == entry.Done && (a.Reason != "" || a.Action != None):
		return a, errors.New("what is approved has neither reason nor action")
	case a.Outcome != entry.Done && !isKey(a.Reason):
		return a, errors.New("a reason is wanted: a key of the language files, in small letters, digits and hyphens")
	case a.Outcome == entry.Unknown && a.Action == NewPIN:
		return a, errors.New("no new PIN is asked for while the outcome is unknown")
	}
	return a, nil
}

func isCode(s string) bool {
	return len(s) == 2 && !bytes.ContainsFunc([]byte(s), func(c rune) bool { return (c < '0' || c > '9') && (c < 'A' || c > 'Z') })
}

func isKey(s string) bool {
	return len(s) > 0 && len(s) <= 40 && !bytes.ContainsFunc([]byte(s), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
	})
}

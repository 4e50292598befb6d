package reader

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Role is what a reader is for. One reader may have several.
type Role string

// The roles of a station.
const (
	Transit Role = "transit" // the passenger's transit card
	Bank    Role = "bank"    // the passenger's bank card
	Desk    Role = "desk"    // the cashier's reader
	SAM     Role = "sam"     // secure access module
)

// Roles gives readers to roles by a regular expression of the reader's name
// (RE2 syntax, anywhere in the name unless anchored), never by index: names
// stay when cables are plugged in another order.
type Roles struct {
	rules map[Role]*regexp.Regexp
}

// NewRoles compiles the expressions; an error names the role.
func NewRoles(rules map[Role]string) (*Roles, error) {
	r := &Roles{rules: map[Role]*regexp.Regexp{}}
	for role, expr := range rules {
		if role == "" || expr == "" {
			return nil, fmt.Errorf("reader role %q: a role and an expression are wanted", role)
		}
		re, err := regexp.Compile(expr)
		if err != nil {
			return nil, fmt.Errorf("reader role %q: %w", role, err)
		}
		r.rules[role] = re
	}
	return r, nil
}

// RoleOf lists the roles of a reader, sorted; none is possible.
func (r *Roles) RoleOf(reader string) []Role {
	var roles []Role
	for _, role := range slices.Sorted(maps.Keys(r.rules)) {
		if r.rules[role].MatchString(reader) {
			roles = append(roles, role)
		}
	}
	return roles
}

// Has reports whether the reader has that role.
func (r *Roles) Has(reader string, role Role) bool {
	re := r.rules[role]
	return re != nil && re.MatchString(reader)
}

// Readers picks the readers of a role.
func (r *Roles) Readers(states []State, role Role) []State {
	var picked []State
	for _, st := range states {
		if r.Has(st.Reader, role) {
			picked = append(picked, st)
		}
	}
	return picked
}

// ReaderFor finds the one reader of a role that has a card. ErrReaderGone: no
// reader has the role. ErrNoCard: none of them has a card; if there is only
// one, it is returned with the error. ErrTwoCards: more than one card lies on
// the readers of the role, so that nobody can say which is meant.
func (r *Roles) ReaderFor(states []State, role Role) (State, error) {
	picked := r.Readers(states, role)
	fail := func(kind error) error {
		return &Error{Op: "find", Reader: string(role), Kind: kind, Unsent: true}
	}
	if len(picked) == 0 {
		return State{}, fail(ErrReaderGone)
	}
	cards, found := 0, picked[0]
	for _, st := range picked {
		if st.Present {
			cards += max(1, st.Cards)
			found = st
		}
	}
	switch {
	case cards == 1:
		return found, nil
	case cards > 1:
		return State{}, fail(ErrTwoCards)
	case len(picked) == 1:
		return picked[0], fail(ErrNoCard)
	}
	return State{}, fail(ErrNoCard)
}

package reader

import (
	"errors"
	"slices"
	"testing"
)

func TestRoles(t *testing.T) {
	r, err := NewRoles(map[Role]string{Transit: `PICC`, Bank: `PICC|Contact`, Desk: `^Desk`})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.RoleOf("ACME PICC 00 00"); !slices.Equal(got, []Role{Bank, Transit}) {
		t.Error(got)
	}
	if got := r.RoleOf("ACME SAM 00 01"); got != nil {
		t.Error(got)
	}
	for _, bad := range []map[Role]string{{Transit: "("}, {Transit: ""}, {"": "x"}} {
		if _, err := NewRoles(bad); err == nil {
			t.Error(bad)
		}
	}
	states := []State{{Reader: "ACME Contact"}, {Reader: "ACME PICC", Present: true, Cards: 1}, {Reader: "Desk"}}
	if st, err := r.ReaderFor(states, Bank); err != nil || st.Reader != "ACME PICC" {
		t.Error(st, err)
	}
	if st, err := r.ReaderFor(states, Desk); !errors.Is(err, ErrNoCard) || st.Reader != "Desk" {
		t.Error(st, err)
	}
	if _, err := r.ReaderFor(states, SAM); !errors.Is(err, ErrReaderGone) {
		t.Error(err)
	}
	states[0].Present = true
	if _, err := r.ReaderFor(states, Bank); !errors.Is(err, ErrTwoCards) {
		t.Error(err)
	}
	if st, err := r.ReaderFor(states, Transit); err != nil || st.Reader != "ACME PICC" {
		t.Error(st, err)
	}
	states[1].Cards = 2
	if _, err := r.ReaderFor(states, Transit); !errors.Is(err, ErrTwoCards) {
		t.Error(err)
	}
}

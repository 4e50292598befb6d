package money

import (
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	good := map[string]Fen{"0": 0, "50": 5000, "50.5": 5050, "28.50": 2850, "0.01": 1, "10000000.00": Max}
	for s, want := range good {
		if got, err := Parse(s); err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", "1.", ".5", "-1", "+1", "1.234", "1e3", "10000000.01", "999999999", "1,00", "１"} {
		if got, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", s, got)
		}
	}
}

func TestStringRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Fen(rapid.Int64Range(0, int64(Max)).Draw(t, "fen"))
		if got, err := Parse(f.String()); err != nil || got != f {
			t.Fatalf("%d became %q became %d (%v)", f, f.String(), got, err)
		}
	})
	if s := Fen(-1205).String(); s != "-12.05" {
		t.Errorf("got %s", s)
	}
}

// Package money holds amounts. An amount is an int64 number of fen (1/100 of a
// yuan): no float touches money anywhere in the house.
package money

import (
	"errors"
	"fmt"
	"strings"
)

// Fen is an amount in minor units of CNY (ISO 4217 code 156).
type Fen int64

// Max bounds every amount that Buka accepts from outside: ten million yuan.
// Sums of millions of such amounts still fit an int64.
const Max Fen = 1_000_000_000

// ErrSyntax says that a text is not an amount in major units.
var ErrSyntax = errors.New("not an amount: write yuan with at most two decimals, such as 50.00")

// String gives major units with two decimals, such as "-12.05".
func (f Fen) String() string {
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	return fmt.Sprintf("%s%d.%02d", sign, int64(f)/100, int64(f)%100)
}

// Parse reads an amount in major units ("50", "50.5", "50.00"). It refuses
// signs, more than two decimals and anything over Max.
func Parse(s string) (Fen, error) {
	whole, frac, dotted := strings.Cut(s, ".")
	if whole == "" || len(whole) > 8 || (dotted && (len(frac) == 0 || len(frac) > 2)) {
		return 0, fmt.Errorf("%q: %w", s, ErrSyntax)
	}
	for len(frac) < 2 {
		frac += "0"
	}
	var f Fen
	for _, r := range whole + frac {
		if r < '0' || r > '9' {
			return 0, fmt.Errorf("%q: %w", s, ErrSyntax)
		}
		f = f*10 + Fen(r-'0')
	}
	if f > Max {
		return 0, fmt.Errorf("%q: more than %s", s, Max)
	}
	return f, nil
}

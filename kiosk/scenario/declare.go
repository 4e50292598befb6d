package scenario

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/internal/pboc"
)

type command func(r *runner, ctx context.Context, l Line) error

var declarations = map[string]command{
	"card": (*runner).card,
	"bank": (*runner).bank,
}

// setting takes what must be known before the world is opened.
func (r *runner) setting(l Line) error {
	if l.Words[0] == "keys" {
		return r.setKeys(l)
	}
	if l.rest(1) == "host shared" {
		r.shared = true
		return nil
	}
	if l.word(1) == "readers" {
		r.oneReader = l.word(2) == "one"
		if !r.oneReader && l.word(2) != "two" {
			return fmt.Errorf("set readers one|two: %w", ErrSyntax)
		}
		return nil
	}
	if l.word(1) != "switch.timeout" || len(l.Words) != 3 {
		return fmt.Errorf("only `set switch.timeout 2s`, `set readers one` and `set host shared` can be set: %w", ErrSyntax)
	}
	d, err := time.ParseDuration(l.word(2))
	if err != nil || d <= 0 || d > time.Hour {
		return fmt.Errorf("%q is not a time such as 2s: %w", l.word(2), ErrSyntax)
	}
	r.timeout = d
	return nil
}

func (r *runner) setKeys(l Line) error {
	if err := l.takes("load", "tac"); err != nil {
		return err
	}
	for name, to := range map[string]*pboc.Key{"load": &r.keys.Load, "tac": &r.keys.TAC} {
		text, ok := l.Opts[name]
		if !ok {
			continue
		}
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(to) {
			return fmt.Errorf("%s: 32 hex digits are wanted: %w", name, ErrSyntax)
		}
		copy(to[:], b)
	}
	return nil
}

func (r *runner) card(_ context.Context, l Line) error {
	if err := l.takes("family", "number", "balance", "counter", "proof", "prove", "pin", "limit", "log"); err != nil {
		return err
	}
	family := virtual.Family(l.Opts["family"])
	if family == "pboc" { // the plain electronic purse has City Union's AID
		family = virtual.CityUnion
	}
	o := virtual.PurseOptions{
		Family: family, Number: l.Opts["number"], Proof: virtual.ProofOnInit(l.Opts["proof"]),
		Prove: virtual.ProveNumber(l.Opts["prove"]), PIN: l.Opts["pin"], LogAfter: l.Opts["log"] == "next",
	}
	var err error
	if o.Balance, err = amountOpt(l, "balance"); err != nil {
		return err
	}
	if o.Limit, err = amountOpt(l, "limit"); err != nil {
		return err
	}
	if text, ok := l.Opts["counter"]; ok {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("counter %q: 0 to 65535: %w", text, ErrSyntax)
		}
		o.Counter = uint16(n)
	}
	for _, w := range l.Words[min(2, len(l.Words)):] {
		switch w {
		case "expired":
			o.Expired = true
		case "blocked":
			o.Blocked = true
		case "61xx":
			o.Use61xx = true
		default:
			return fmt.Errorf("%q is no option of a card: %w", w, ErrSyntax)
		}
	}
	return r.lab.AddCard(l.word(1), o)
}

func amountOpt(l Line, name string) (money.Fen, error) {
	text, ok := l.Opts[name]
	if !ok {
		return 0, nil
	}
	f, err := money.Parse(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

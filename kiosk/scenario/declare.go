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
	"buka/kiosk/config"
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
	what, value := l.word(1), l.rest(2)
	switch {
	case what == "host" && value == "shared":
		r.shared = true
	case what == "readers" && (value == "one" || value == "two"):
		r.oneReader = value == "one"
	case what == "switch.timeout":
		return r.setTime(value, func(d time.Duration) { r.timeout = d })
	case what == "sale.patience":
		return r.setTime(value, func(d time.Duration) {
			r.configure = append(r.configure, func(c *config.Config) { c.Sale.Patience = config.Duration(d) })
		})
	case what == "bank_card.no_pin":
		limit, err := money.Parse(value)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSyntax, err)
		}
		r.noPIN = limit
		r.configure = append(r.configure, func(c *config.Config) { c.BankCard.NoPIN = config.Amount(limit) })
	default:
		return fmt.Errorf("switch.timeout 2s, sale.patience 1s, bank_card.no_pin 50.00, readers one or host shared can be set: %w", ErrSyntax)
	}
	return nil
}

func (r *runner) setTime(text string, set func(time.Duration)) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > time.Hour {
		return fmt.Errorf("%q is not a time such as 2s: %w", text, ErrSyntax)
	}
	set(d)
	return nil
}

// configured has the last word about the kiosk's configuration.
func (r *runner) configured(c *config.Config) {
	for _, f := range r.configure {
		f(c)
	}
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

package scenario

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"buka/cardio/virtual"
	"buka/internal/cryptogram"
	"buka/kiosk/lab"
	"buka/topup"
	"buka/ui"
)

// bankChoices are the options of a bank card that take one of some words; the
// first is what a card is without it.
var bankChoices = map[string][]string{
	"face":    {"contactless", "contact"},
	"kind":    {"debit", "credit"},
	"scheme":  {"unionpay", "visa", "mastercard"},
	"cvm":     {"pin", "none", "device"},
	"oda":     {"cda", "dda", "sda", "none"},
	"profile": {"", "common", "cvn10", "cvn18"},
	"issuer":  {"ours", "other", "unknown"},
}

var bankAIDs = map[string][]byte{
	"visa": {0xA0, 0, 0, 0, 3, 0x10, 0x10}, "mastercard": {0xA0, 0, 0, 0, 4, 0x10, 0x10},
}

// pressApplication chooses how to pay with a card that has several applications,
// the first is 1.
func (r *runner) pressApplication(ctx context.Context, l Line) error {
	n, err := strconv.Atoi(l.word(2))
	if err != nil || n < 1 || len(l.Words) != 3 {
		return fmt.Errorf("press application 2: %w", ErrSyntax)
	}
	offered := func() int {
		st := r.lab.Station()
		if st == nil {
			return 0
		}
		return len(st.Passenger().Screen().Applications)
	}
	return r.input(ctx, ui.DoApplication, strconv.Itoa(n-1),
		func(topup.Console) bool { return n <= offered() },
		func(_, _ topup.Console) bool { return offered() == 0 })
}

// bank declares a bank card and its account.
func (r *runner) bank(ctx context.Context, l Line) error {
	if err := l.takes("pan", "pin", "funds", "country", "expiry", "face", "kind", "scheme", "cvm", "oda", "profile", "issuer", "second"); err != nil {
		return err
	}
	for name, words := range bankChoices {
		if got, given := l.Opts[name]; !given {
			l.Opts[name] = words[0]
		} else if !slices.Contains(words, got) {
			return fmt.Errorf("%s=%s: one of %v: %w", name, got, words, ErrSyntax)
		}
	}
	o := virtual.BankOptions{
		PAN: l.Opts["pan"], Expiry: l.Opts["expiry"], Contact: l.Opts["face"] == "contact", Credit: l.Opts["kind"] == "credit", AID: bankAIDs[l.Opts["scheme"]],
		NoPIN: l.Opts["cvm"] == "none", Device: l.Opts["cvm"] == "device", ODA: l.Opts["oda"],
		Profile: map[string]cryptogram.Profile{"common": cryptogram.Common, "cvn10": cryptogram.CVN10, "cvn18": cryptogram.CVN18}[l.Opts["profile"]],
	}
	a := lab.Account{PIN: l.Opts["pin"], None: l.Opts["issuer"] == "unknown"}
	if l.Opts["issuer"] == "other" {
		lab.Stranger(&o)
	}
	if pan, ok := l.Opts["second"]; ok {
		o.Second = &virtual.BankOptions{PAN: pan, Credit: !o.Credit}
	}
	if text, ok := l.Opts["country"]; ok {
		n, err := strconv.ParseUint(text, 16, 16) // packed digits, as in tag 5F28
		if err != nil || len(text) > 4 {
			return fmt.Errorf("country %q: ISO 3166 digits such as 0156: %w", text, ErrSyntax)
		}
		o.Country = uint16(n)
	}
	var err error
	if a.Funds, err = amountOpt(l, "funds"); err != nil {
		return err
	}
	for _, w := range l.Words[min(2, len(l.Words)):] {
		switch w {
		case "expired":
			o.Expired = true
		case "blocked":
			a.Blocked = true
		case "locked": // the application on the card, not the account
			o.Blocked = true
		case "refuses":
			o.Refuses = true
		case "regrets":
			o.Regrets = true
		case "confirm":
			o.Confirm = true
		case "unlisted":
			o.NoPSE = true
		default:
			return fmt.Errorf("%q is no option of a bank card: %w", w, ErrSyntax)
		}
	}
	return r.lab.PutBank(ctx, l.word(1), a, o)
}

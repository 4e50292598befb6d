package emvtest

import (
	"context"
	"errors"
	"testing"

	"buka/cardio/emv"
	"buka/cardio/virtual"
)

const otherPAN = "6225880000000035"

// TestTwoApplications: debit and credit on one card with contacts. Which of them
// pays is the cardholder's, with a directory and without; the other one has
// nothing to do with it.
func TestTwoApplications(t *testing.T) {
	left := errors.New("the cardholder left")
	for name, x := range map[string]struct {
		card  virtual.BankOptions
		picks int // -1: leaves; -2: nobody is asked
		want  string
		fails error
	}{
		"the first":                  {virtual.BankOptions{}, 0, pan, nil},
		"the second":                 {virtual.BankOptions{}, 1, otherPAN, nil},
		"the second, no directory":   {virtual.BankOptions{NoPSE: true}, 1, otherPAN, nil},
		"the cardholder leaves":      {virtual.BankOptions{}, -1, "", left},
		"nobody to ask":              {virtual.BankOptions{}, -2, pan, nil},
		"nobody to agree":            {virtual.BankOptions{Confirm: true}, -2, otherPAN, nil},
		"nobody to agree, none left": {virtual.BankOptions{Confirm: true, Second: &virtual.BankOptions{PAN: otherPAN, Confirm: true}}, -2, "", &emv.Refusal{Reason: emv.NoApp}},
	} {
		o := x.card
		o.PAN, o.Contact = pan, true
		if o.Second == nil {
			o.Second = &virtual.BankOptions{PAN: otherPAN}
		}
		b, err := virtual.NewBank(o)
		if err != nil {
			t.Fatal(err)
		}
		at := terminal
		if x.picks != -2 {
			at.Choose = func(_ context.Context, list []emv.Choice) (int, error) {
				if len(list) != 2 || list[0].Name != "UnionPay Debit" || list[1].Kind != "unionpay-credit" {
					t.Errorf("%s: %+v", name, list)
				}
				if x.picks < 0 {
					return 0, left
				}
				return x.picks, nil
			}
		}
		ch := present(t, b)
		p, err := emv.Start(context.Background(), ch, at)
		if x.fails != nil {
			if !errors.Is(err, x.fails) || b.ATC() != 0 || b.Second().ATC() != 0 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || p.Card.PAN.Reveal() != x.want {
			t.Errorf("%s: %v, %v", name, p, err)
			continue
		}
		answer := issuerOf(t, objects(t, p), x.want, true)
		if _, err := p.Finish(context.Background(), ch, emv.Answer{Approved: true, ARC: "00", Issuer: answer}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if second := x.want == otherPAN; (b.Second().ATC() == 1) != second || (b.ATC() == 1) == second {
			t.Errorf("%s: counters %d and %d", name, b.ATC(), b.Second().ATC())
		}
	}
}

// TestTappedNobodyIsAsked: without contacts the best application pays.
func TestTappedNobodyIsAsked(t *testing.T) {
	at := terminal
	at.Choose = func(context.Context, []emv.Choice) (int, error) { return 0, errors.New("asked") }
	p, err := emv.Start(context.Background(), present(t, bank(t, virtual.BankOptions{PAN: pan, Confirm: true, Second: &virtual.BankOptions{PAN: otherPAN}})), at)
	if err != nil || p.Card.PAN.Reveal() != pan {
		t.Fatal(p, err)
	}
}

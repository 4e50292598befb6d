package station

import (
	"testing"

	"buka/cardio/emv"
	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/topup"
	"buka/ui"
)

// TestABankThatWantsThePIN: a payment without a PIN that the bank declines for want of
// one (55) is tried again with the PIN, not in the same way until the tries are used
// up. The next sale of the card begins without one.
func TestABankThatWantsThePIN(t *testing.T) {
	for name, x := range map[string]struct {
		card  virtual.BankOptions
		limit bool
	}{"under the limit": {virtual.BankOptions{NoPIN: true}, true}, "a telephone": {virtual.BankOptions{Device: true}, false}} {
		c := newCounter(t)
		terminal := c.tender.terminal
		c.tender.terminal = func(a topup.TakeTender) emv.Terminal {
			at := terminal(a)
			if x.limit {
				at.NoCVM = 100_00
			}
			return at
		}
		c.insert(c.card(x.card))
		if why, secret := c.collect(); why != "" || secret {
			t.Fatalf("%s: %q, PIN wanted %v", name, why, secret)
		}
		c.answer = func(icc []byte) (topup.Paid, []byte) { return c.says("55", icc) }
		if paid := c.pays(7); paid.Outcome != entry.NotDone {
			t.Fatalf("%s: %+v", name, paid)
		}
		c.answer = c.approves
		if why := c.reason(c.tender.Again(t.Context(), topup.RetryPIN{Sale: "SALE", Amount: 5000})); why != "" || c.asked != 1 {
			t.Fatalf("%s: %q, the PIN was asked for %d times", name, why, c.asked)
		}
		for phase, words := range map[topup.Phase]ui.Reason{topup.PINEntry: ui.ReasonPINWanted, topup.Paying: ui.ReasonPINWantedAgain} {
			scr := ui.Screen{Notice: ui.ReasonWrongPIN}
			s := &Station{till: &till{tender: c.tender}}
			if s.pinWords(topup.Console{Phase: phase, Sale: "SALE"}, &scr); scr.NoticeWords != words {
				t.Errorf("%s, %s: the words are %q, not %q", name, phase, scr.NoticeWords, words)
			}
			scr.NoticeWords = ""
			if s.pinWords(topup.Console{Phase: phase, Sale: "NEXT"}, &scr); scr.NoticeWords != "" {
				t.Errorf("%s: another sale has the words %q", name, scr.NoticeWords)
			}
		}
		if paid := c.pays(8); paid.Outcome != entry.Done || len(c.sent) != 2 || c.sent[1].sealed == nil || enteredPIN(c.tender.payment) != "1" {
			t.Errorf("%s: %+v", name, paid)
		}
		if got := c.tag(c.sent[1].icc, 0x9F34); got[0] != 0x02 {
			t.Errorf("%s: 9F34 %X", name, got)
		}
		c.tender.slot.passed = 0
		secret := true
		err := c.tender.Collect(t.Context(), topup.TakeTender{Sale: "NEXT", Amount: 5000}, func(_ string, s bool) { secret = s })
		if why := c.reason(err); why != "" || secret || c.asked != 1 {
			t.Errorf("%s, the next sale: %q, PIN wanted %v, asked for %d times", name, why, secret, c.asked)
		}
	}
}

// TestACardThatHasNoPIN for a bank that wants one is refused in words, and nothing is
// sent again.
func TestACardThatHasNoPIN(t *testing.T) {
	c := newCounter(t)
	terminal := c.tender.terminal
	c.tender.terminal = func(a topup.TakeTender) emv.Terminal {
		at := terminal(a)
		at.NoCVM = 100_00
		return at
	}
	c.insert(c.card(virtual.BankOptions{Contact: true, NoPIN: true}))
	if why, secret := c.collect(); why != "" || secret {
		t.Fatalf("%q, PIN wanted %v", why, secret)
	}
	c.answer = func(icc []byte) (topup.Paid, []byte) { return c.says("55", icc) }
	c.pays(7)
	if why := c.reason(c.tender.Again(t.Context(), topup.RetryPIN{Sale: "SALE", Amount: 5000})); why != "wrong-pin" {
		t.Errorf("%q", why)
	}
	c.tender.slot.passed = 0
	if why, _ := c.collect(); why != bankReasonOf(&emv.Refusal{Reason: emv.NoPIN}) || len(c.sent) != 1 || c.tender.held != nil {
		t.Errorf("%q, sent %d times, the card is held %v", why, len(c.sent), c.tender.held != nil)
	}
}

package station

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"testing"
	"time"

	"buka/cardio/apdu"
	"buka/cardio/emv"
	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/device"
	"buka/sync/switchlink"
	"buka/topup"
)

func TestATapIsEnough(t *testing.T) {
	c := newCounter(t)
	c.insert(c.card(virtual.BankOptions{}))
	if why, secret := c.collect(); why != "" || !secret || c.asked != 1 {
		t.Fatal(why, secret, c.asked)
	}
	c.remove()
	paid := c.pays(7)
	if paid.Outcome != entry.Done || paid.Refused || len(c.sent) != 1 {
		t.Fatalf("%+v", paid)
	}
	s := c.sent[0]
	if s.mode != "07" || s.wiped || !s.sealed.Wiped() {
		t.Errorf("mode %s, wiped before %v and after %v", s.mode, s.wiped, s.sealed.Wiped())
	}
	for _, tag := range []apdu.Tag{0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33} {
		c.tag(s.icc, tag)
	}
	if again := c.pays(8); again.Outcome != entry.NotDone || again.Code != "not-sent" || len(c.sent) != 1 {
		t.Errorf("a PIN was used twice: %+v", again)
	}
}

// TestTheCardHasTheLastWord: an approval that a contact card does not confirm goes
// back.
func TestTheCardHasTheLastWord(t *testing.T) {
	for name, x := range map[string]struct {
		options virtual.BankOptions
		pull    bool
		forged  bool
		code    string
		refused bool
	}{
		"agrees":          {code: "00"},
		"regrets":         {options: virtual.BankOptions{Regrets: true}, code: "00", refused: true},
		"is gone":         {pull: true, code: "00", refused: true},
		"issuer forged":   {forged: true, code: "00", refused: true},
		"host declined":   {code: "51"},
		"declined, gone":  {code: "51", pull: true},
		"no answer, gone": {code: "", pull: true},
	} {
		c := newCounter(t)
		x.options.Contact = true
		c.insert(c.card(x.options))
		if why, _ := c.collect(); why != "" {
			t.Fatal(name, why)
		}
		c.answer = func(icc []byte) (topup.Paid, []byte) {
			if x.pull {
				c.remove()
			}
			if x.code == "" {
				return topup.Paid{Outcome: entry.Unknown}, nil
			}
			a, chip := c.says(x.code, icc)
			if x.forged {
				chip[len(chip)-3] ^= 1
			}
			return a, chip
		}
		paid := c.pays(7)
		if paid.Refused != x.refused || (paid.Outcome == entry.Done) != (x.code == "00") || c.sent[0].mode != "05" {
			t.Errorf("%s: %+v", name, paid)
		}
		if c.tender.held != nil {
			t.Errorf("%s: the card is still held", name)
		}
	}
}

// TestTheCardHearsWhatCounts: an approval of exactly the amount that was asked for,
// under whatever code, is one for the chip too; of another amount it is none.
func TestTheCardHearsWhatCounts(t *testing.T) {
	for _, x := range []struct {
		code     string
		amount   money.Fen
		approved bool
	}{{"00", 5000, true}, {"10", 5000, true}, {"11", 5000, true}, {"10", 4000, false}, {"00", 4000, false}} {
		for _, regrets := range []bool{false, true} {
			c := newCounter(t)
			c.insert(c.card(virtual.BankOptions{Contact: true, Regrets: regrets}))
			if why, _ := c.collect(); why != "" {
				t.Fatal(why)
			}
			c.answer = func(icc []byte) (topup.Paid, []byte) {
				a, chip := c.says(x.code, icc)
				a.Outcome, a.Amount = entry.Done, x.amount
				return a, chip
			}
			paid := c.pays(7)
			if (paid.Chip != nil) != x.approved || paid.Refused != (x.approved && regrets) {
				t.Errorf("%s of %v, regrets %v: %+v", x.code, x.amount, regrets, paid)
			}
		}
	}
}

func TestACardThatIsPulledDuringThePIN(t *testing.T) {
	c := newCounter(t)
	c.insert(c.card(virtual.BankOptions{Contact: true}))
	c.pin = func(ctx context.Context, _ device.Request) (device.Result, error) {
		c.remove()
		<-ctx.Done()
		return device.Result{}, context.Cause(ctx)
	}
	if why, _ := c.collect(); why != "card-gone" {
		t.Fatal(why)
	}
	if paid := c.pays(7); paid.Code != "not-sent" || len(c.sent) != 0 {
		t.Errorf("%+v", paid)
	}
}

// TestEachTryHasACryptogramOfItsOwn: another PIN is another transaction of the
// card.
func TestEachTryHasACryptogramOfItsOwn(t *testing.T) {
	retry := topup.RetryPIN{Sale: "SALE", Amount: 5000}
	for _, contact := range []bool{true, false} {
		c := newCounter(t)
		card := c.card(virtual.BankOptions{Contact: contact})
		c.insert(card)
		c.answer = func(icc []byte) (topup.Paid, []byte) { return c.says("55", icc) }
		if why, _ := c.collect(); why != "" {
			t.Fatal(why)
		}
		c.pays(7)
		if !contact {
			c.remove()
			if why := c.reason(c.tender.Again(context.Background(), retry)); why != "wrong-pin" {
				t.Errorf("again without the card: %q", why)
			}
			c.insert(card)
			if why, _ := c.collect(); why != "" {
				t.Fatal(why)
			}
		} else if why := c.reason(c.tender.Again(context.Background(), retry)); why != "" {
			t.Fatal(why)
		}
		c.pays(8)
		if len(c.sent) != 2 || bytes.Equal(c.tag(c.sent[0].icc, 0x9F26), c.tag(c.sent[1].icc, 0x9F26)) ||
			bytes.Equal(c.tag(c.sent[0].icc, 0x9F36), c.tag(c.sent[1].icc, 0x9F36)) {
			t.Errorf("contact %v: two requests with one cryptogram", contact)
		}
	}
}

// TestTheTransitCardLeavesFirst: where one reader serves both cards, the one that
// lies there is looked at once and told about once.
func TestTheTransitCardLeavesFirst(t *testing.T) {
	c := newCounter(t)
	purse, err := virtual.NewPurse(virtual.PurseOptions{Number: "3105170010170907984"}, virtual.NewMemoryStore())
	if err != nil {
		t.Fatal(err)
	}
	c.insert(purse)
	if why, _ := c.collect(); why != "transit-card" {
		t.Fatal(why)
	}
	told := make(chan string, 1)
	go func() { why, _ := c.collect(); told <- why }()
	select {
	case why := <-told:
		t.Fatalf("told again while it lies there: %q", why)
	case <-time.After(3 * slotLook):
	}
	c.remove()
	c.insert(c.card(virtual.BankOptions{}))
	if why := <-told; why != "" {
		t.Error(why)
	}
}

func TestNoPINUnderTheLimit(t *testing.T) {
	for limit, secret := range map[int64]bool{4999: true, 5000: false} {
		c := newCounter(t)
		terminal := c.tender.terminal
		c.tender.terminal = func(x topup.TakeTender) emv.Terminal {
			t := terminal(x)
			t.NoCVM = money.Fen(limit)
			return t
		}
		c.insert(c.card(virtual.BankOptions{NoPIN: !secret}))
		why, got := c.collect()
		if why != "" || got != secret || (c.asked == 1) != secret {
			t.Errorf("limit %d: %q, PIN wanted %v, asked %d times", limit, why, got, c.asked)
		}
		if paid := c.pays(7); paid.Outcome != entry.Done || (c.sent[0].sealed != nil) != secret {
			t.Errorf("limit %d: %+v", limit, paid)
		}
	}
}

// TestATelephonePaysWithoutAPIN: it has verified its owner, says its signature; a
// card of the same kind is asked for its PIN.
func TestATelephonePaysWithoutAPIN(t *testing.T) {
	for _, device := range []bool{true, false} {
		c := newCounter(t)
		c.insert(c.card(virtual.BankOptions{Device: device}))
		why, secret := c.collect()
		if why != "" || secret == device || (c.asked == 0) != device {
			t.Errorf("telephone %v: %q, PIN wanted %v, asked %d times", device, why, secret, c.asked)
		}
		mode, method := "07"+enteredPIN(c.tender.payment), map[bool]string{true: "010002", false: "020000"}[device]
		if paid := c.pays(7); paid.Outcome != entry.Done || (c.sent[0].sealed == nil) != device || c.sent[0].mode != "07" {
			t.Errorf("telephone %v: %+v", device, paid)
		}
		if got := hex.EncodeToString(c.tag(c.sent[0].icc, 0x9F34)); got != method || mode != map[bool]string{true: "072", false: "071"}[device] {
			t.Errorf("telephone %v: DE22 %s, 9F34 %s", device, mode, got)
		}
	}
}

func TestARuleStopsBeforeThePIN(t *testing.T) {
	for _, contact := range []bool{true, false} {
		c := newCounter(t)
		c.tender.judge = func(_ context.Context, _ entry.SaleID, p *emv.Payment, amount int64) string {
			if p.Country() != "156" || amount != 5000 {
				t.Errorf("country %q, amount %d", p.Country(), amount)
			}
			return "risk-refused"
		}
		c.insert(c.card(virtual.BankOptions{Contact: contact}))
		if why, _ := c.collect(); why != "risk-refused" || c.asked != 0 || c.tender.held != nil {
			t.Errorf("%q, asked %d times", why, c.asked)
		}
	}
}

// TestScriptsAreTold: before the next payment, until the host has taken it; with
// the reversal if the card did not agree.
func TestScriptsAreTold(t *testing.T) {
	c := newCounter(t)
	c.tender.results = []scriptResult{{batch: 1, stan: 5, icc: []byte{1}}}
	c.deaf = errors.New("no network")
	c.insert(c.card(virtual.BankOptions{}))
	for stan := uint32(7); stan < 10; stan++ {
		if stan == 8 {
			c.deaf = nil
		}
		if why, _ := c.collect(); why != "" {
			t.Fatal(why)
		}
		c.pays(stan)
		c.tender.slot.passed = 0
	}
	if len(c.told) != 2 || c.told[0].tries != 0 || c.told[1].tries != 1 {
		t.Errorf("%+v", c.told)
	}
	c.tender.Reverse(context.Background(), topup.Sale{PayBatch: 1, PaySTAN: 9}, "06", false)
	for _, tag := range []apdu.Tag{0x95, 0x9F1E, 0x9F10, 0x9F36} {
		c.tag(c.took, tag)
	}
	if want := c.sent[len(c.sent)-1].mode; c.mode != want+"1" {
		t.Errorf("DE22 of the reversal %q, of the payment %s1", c.mode, want)
	}
	c.tender.Reverse(context.Background(), topup.Sale{PayBatch: 2, PaySTAN: 9}, "06", false)
	if c.took != nil || c.mode != "" {
		t.Error("another payment's chip")
	}
}

// reversals is a host that notes what a reversal holds.
type reversals struct{ came chan switchlink.Request }

func (h *reversals) Handle(_ context.Context, r *switchlink.Request) (switchlink.Response, bool) {
	if r.Kind == switchlink.KindReverse {
		h.came <- *r
	}
	return switchlink.Response{Code: "00", At: time.Now()}, true
}

// TestAReversalRepeatsThePayment as far as it is known.
func TestAReversalRepeatsThePayment(t *testing.T) {
	host := &reversals{make(chan switchlink.Request, 2)}
	client := clientOf(t, host)
	h := newHosts(&links{payments: client, loads: client}, func(topup.Event) {}, time.Now, slog.New(slog.DiscardHandler))
	s := topup.Sale{ID: "4Q7ZK1M2N8P3R5T6", PayBatch: 3, PaySTAN: 9, Amount: 50_00, RRN: "000000000017", Auth: "000017"}
	for _, chip := range []chipSaid{{[]byte{0x95, 1, 0}, "071"}, {}} {
		code, err := h.reverse(t.Context(), s, "06", chip, false)
		if err != nil || code != "00" {
			t.Fatalf("%q, %v", code, err)
		}
		if r := <-host.came; r.EntryMode != chip.mode || !bytes.Equal(r.ICC, chip.icc) ||
			r.STAN != 9 || r.Batch != 3 || r.Amount != 50_00 || r.RRN != s.RRN || r.Auth != s.Auth || r.Reason != "06" {
			t.Errorf("%+v", r)
		}
	}
}

// TestChipsAreBounded: of the cards of very many payments the newest are remembered.
func TestChipsAreBounded(t *testing.T) {
	c := newCounter(t)
	c.insert(c.card(virtual.BankOptions{}))
	if why, _ := c.collect(); why != "" {
		t.Fatal(why)
	}
	for stan := range uint32(maxChips + 3) {
		c.tender.keepChip(payKey{1, stan + 1})
		c.tender.keepChip(payKey{1, stan + 1}) // what it says last, as one payment
	}
	of := func(stan uint32) bool { return len(c.tender.chipOf(topup.Sale{PayBatch: 1, PaySTAN: stan}).icc) > 0 }
	if len(c.tender.chips) != maxChips || len(c.tender.order) != maxChips || of(3) || !of(4) || !of(maxChips+3) {
		t.Errorf("%d cards in %d places; the third %v, the fourth %v, the last %v", len(c.tender.chips), len(c.tender.order), of(3), of(4), of(maxChips+3))
	}
}

// TestAScriptWithoutAnAnswerHoldsUpNobody: it is waited for once in a payment, not
// for a whole time-out, and let go after a few tries; what was never sent is kept.
func TestAScriptWithoutAnAnswerHoldsUpNobody(t *testing.T) {
	c := newCounter(t)
	c.tender.results = []scriptResult{{batch: 1, stan: 5, icc: []byte{1}}}
	c.deaf = switchlink.ErrNotSent
	for range 2 * scriptTries {
		c.tender.tellIssuer(t.Context())
	}
	if len(c.tender.results) != 1 || c.told[len(c.told)-1].tries != 0 {
		t.Fatalf("%+v", c.told)
	}
	c.deaf, c.told = switchlink.ErrNoAnswer, nil
	for range 2 * scriptTries {
		c.tender.tellIssuer(t.Context())
	}
	if len(c.told) != scriptTries || len(c.tender.results) != 0 {
		t.Errorf("told %d times, kept %+v", len(c.told), c.tender.results)
	}
	if c.patience <= 0 || c.patience > scriptWait {
		t.Errorf("waited for %v", c.patience)
	}
	c.tender.results = []scriptResult{{batch: 1, stan: 6, icc: []byte{1}}}
	c.tender.telling.Lock() // a settlement tells it
	defer c.tender.telling.Unlock()
	c.insert(c.card(virtual.BankOptions{}))
	if why, _ := c.collect(); why != "" {
		t.Fatal(why)
	}
	done := make(chan topup.Paid, 1)
	go func() { done <- c.pays(7) }()
	select {
	case paid := <-done:
		if paid.Outcome != entry.Done {
			t.Errorf("%+v", paid)
		}
	case <-time.After(hostWait):
		t.Fatal("the payment waits for it")
	}
}

// TestAKeyThatThePadRefusesIsAskedForAgain: of the host, and of nobody after
// another failure.
func TestAKeyThatThePadRefusesIsAskedForAgain(t *testing.T) {
	for err, want := range map[error]int{device.ErrWorkingKey: 1, device.ErrNoWorkingKey: 1, device.ErrCancelled: 0} {
		c := newCounter(t)
		asked := 0
		c.tender.wantKeys = func() { asked++ }
		c.pin = func(context.Context, device.Request) (device.Result, error) { return device.Result{}, err }
		c.insert(c.card(virtual.BankOptions{Contact: true}))
		if why, _ := c.collect(); why != padReasonOf(err) || asked != want {
			t.Errorf("%v: %q, asked %d times", err, why, asked)
		}
	}
}

func TestEveryEndOfThePINPadIsMapped(t *testing.T) {
	for want, err := range map[string]error{
		"pin-cancelled": device.ErrCancelled, "timeout": device.ErrTimeout, "pinpad-throttled": device.ErrPadRefused{Message: "71", Code: "7"},
		"pinpad-other": device.ErrOtherPad, "pinpad-no-key": device.ErrNoWorkingKey, "pinpad-keys-used-up": device.ErrPadRefused{Message: "71", Code: "F"},
		"pinpad-missing": device.ErrUnplugged,
	} {
		if got := padReasonOf(errors.Join(errors.New("x"), err)); got != want {
			t.Errorf("%v: %q", err, got)
		}
	}
	for _, code := range []string{"1", "5", "9", "A"} {
		if got := padReasonOf(device.ErrPadRefused{Message: "71", Code: code}); got != "pinpad-no-key" {
			t.Errorf("71%s: %q", code, got)
		}
	}
	for _, code := range []string{"", "59", "B"} {
		if got := padReasonOf(device.ErrPadRefused{Message: "71", Code: code}); got != "pinpad-missing" {
			t.Errorf("71%s: %q", code, got)
		}
	}
}

// TestAnotherPaymentThanTheCardAgreedTo is not sent, and the card is let go.
func TestAnotherPaymentThanTheCardAgreedTo(t *testing.T) {
	for _, p := range []topup.Pay{{Sale: "ANOTHER", Amount: 5000, Batch: 1, STAN: 7}, {Sale: "SALE", Amount: 5001, Batch: 1, STAN: 7}} {
		c := newCounter(t)
		c.insert(c.card(virtual.BankOptions{Contact: true}))
		if why, _ := c.collect(); why != "" {
			t.Fatal(why)
		}
		paid := c.tender.Pay(t.Context(), p)
		if paid.Outcome != entry.NotDone || paid.Code != "not-sent" || paid.Sale != p.Sale || paid.STAN != 7 || len(c.sent) != 0 {
			t.Errorf("%+v, sent %d", paid, len(c.sent))
		}
		if c.tender.held != nil || c.tender.payment != nil || c.tender.sealed != nil {
			t.Error("card or PIN are kept")
		}
	}
}

package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"buka/cardio/apdu"
	"buka/cardio/emv"
	"buka/cardio/reader"
	"buka/cardio/virtual"
	"buka/internal/cryptogram"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
)

// bankCard is a virtual bank card on a reader, which keeps its counter.
type bankCard struct {
	*testing.T
	program *virtual.Bank
	ch      reader.Card
}

func newBankCard(t *testing.T, o virtual.BankOptions) *bankCard {
	t.Helper()
	if o.PAN == "" {
		o.PAN = testPAN
	}
	b, err := virtual.NewBank(o)
	if err != nil {
		t.Fatal(err)
	}
	memory := reader.NewMemory(reader.Limits{}, "Bank")
	t.Cleanup(func() { memory.Close() })
	if err := memory.Insert("Bank", b); err != nil {
		t.Fatal(err)
	}
	ch, err := memory.Open(context.Background(), "Bank")
	if err != nil {
		t.Fatal(err)
	}
	return &bankCard{t, b, ch}
}

// start is the dialogue up to the ARQC, and its DE55.
func (c *bankCard) start(amount money.Fen) (*emv.Payment, []byte) {
	c.Helper()
	p, err := emv.Start(context.Background(), c.ch, emv.Terminal{Amount: amount, Now: clockAt, Keys: emv.BuiltinCAKeys(true), NoCVM: 1000_00})
	if err != nil {
		c.Fatal(err)
	}
	icc, err := p.DE55()
	if err != nil {
		c.Fatal(err)
	}
	return p, icc
}

// ask gives a request to the host as its link does.
func (w *world) ask(r *switchlink.Request) switchlink.Response {
	w.Helper()
	r.Terminal, r.Merchant = testTerminal, testMerchant
	a, ok := w.host.Handle(w.ctx(), r)
	if !ok {
		w.Fatal("no answer to", r.Kind)
	}
	return a
}

// chipRequest is a payment with a chip, over the link's own type.
func (w *world) chipRequest(sale entry.SaleID, amount money.Fen, icc []byte) *switchlink.Request {
	w.Helper()
	p := w.payment(sale, amount, testPIN)
	return withPIN(&switchlink.Request{Kind: switchlink.KindPay, STAN: p.STAN, Batch: p.Batch, Sale: p.Sale, Card: p.Card, Slot: p.Slot,
		Amount: p.Amount, PAN: p.PAN, Expiry: p.Expiry, PSN: "001", EntryMode: "051", ICC: icc}, p)
}

// withoutPIN takes the PIN from a request.
func withoutPIN(r *switchlink.Request) *switchlink.Request {
	r.PIN, r.EntryMode = nil, r.EntryMode[:2]+"2"
	return r
}

// swap replaces the value of an object of DE55, of the same length.
func swap(t *testing.T, icc []byte, tag apdu.Tag, change func(v []byte)) []byte {
	t.Helper()
	icc = bytes.Clone(icc)
	v, err := apdu.Find(icc, tag)
	if err != nil {
		t.Fatal(err)
	}
	change(v)
	return icc
}

// TestChipsOfEveryKind: real cards' cryptograms are believed, and the cards
// believe the bank's answer.
func TestChipsOfEveryKind(t *testing.T) {
	visa, mastercard := []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}, []byte{0xA0, 0, 0, 0, 4, 0x10, 0x10}
	for name, o := range map[string]virtual.BankOptions{
		"unionpay contactless": {}, "unionpay contact": {Contact: true}, "credit": {Contact: true, Credit: true},
		"visa contactless": {AID: visa}, "visa contact, CVN18": {AID: visa, Contact: true},
		"visa contact, CVN10": {AID: visa, Contact: true, Profile: cryptogram.CVN10}, "mastercard": {AID: mastercard},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.RequireICC = true })
			card := newBankCard(t, o)
			for n, code := range []string{"00", "51"} {
				amount := money.Fen(600_00) // the second time there is too little left
				p, icc := card.start(amount)
				a := w.ask(w.chipRequest(saleID(n), amount, icc))
				if a.Code != code || len(a.ICC) == 0 {
					t.Fatalf("%+v, want %s", a, code)
				}
				proof, err := apdu.Find(a.ICC, 0x91)
				if err != nil || !saysCode(proof, code) {
					t.Fatalf("after %s the proof is %X", code, proof)
				}
				if !o.Contact {
					continue
				}
				parsed := emv.ParseAnswer(code == "00", code, a.ICC)
				if _, err := p.Finish(context.Background(), card.ch, parsed); err != nil {
					t.Fatalf("after %s the card says %v", code, err)
				}
			}
			w.charged(600_00)
		})
	}
}

// saysCode: method 1 ends with the response code, method 2 with a status update
// that says whether the issuer approves (EMV Book 2 8.2).
func saysCode(proof []byte, code string) bool {
	if len(proof) == 10 {
		return string(proof[8:]) == code
	}
	return len(proof) == 8 && (proof[5] == 0x80) == (code == "00")
}

// signed makes the cryptogram of changed objects anew, as only the card can.
func signed(t *testing.T, icc []byte, tag apdu.Tag, change func(v []byte)) []byte {
	t.Helper()
	icc = swap(t, icc, tag, change)
	card, err := cryptogram.CardKey(virtual.TestIssuerKey, testPAN, 1)
	if err != nil {
		t.Fatal(err)
	}
	get := func(tag uint32) []byte { v, _ := apdu.Find(icc, apdu.Tag(tag)); return v }
	data, err := cryptogram.Common.Input(get)
	if err != nil {
		t.Fatal(err)
	}
	ac, err := cryptogram.Common.AC(card, binary.BigEndian.Uint16(get(0x9F36)), data)
	if err != nil {
		t.Fatal(err)
	}
	return swap(t, icc, 0x9F26, func(v []byte) { copy(v, ac[:]) })
}

// TestWhatAChipDoesNotProve: each lie about what the cryptogram is over is
// answered 59, and costs neither money nor a PIN try.
func TestWhatAChipDoesNotProve(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.RequireICC = true })
	card := newBankCard(t, virtual.BankOptions{Contact: true})
	_, good := card.start(20_00)
	pay := func(what, want string, icc []byte, change func(r *switchlink.Request)) switchlink.Response {
		t.Helper()
		r := w.chipRequest(saleID(1), 20_00, icc)
		if change != nil {
			change(r)
		}
		a := w.ask(r)
		if a.Code != want {
			t.Fatalf("%s: %s, want %s", what, a.Code, want)
		}
		return a
	}
	flip := func(tag apdu.Tag) []byte { return swap(t, good, tag, func(v []byte) { v[len(v)-1] ^= 1 }) }
	pay("no chip", "45", nil, nil)
	pay("cut", "30", good[:len(good)-1], nil)
	pay("too long", "30", append(bytes.Clone(good), make([]byte, 256)...), nil)
	pay("an object twice", "30", append(bytes.Clone(good), 0x9A, 3, 0x26, 1, 0x15), nil)
	pay("no card sequence", "30", good, func(r *switchlink.Request) { r.PSN = "100" })
	for _, tag := range []apdu.Tag{0x9F26, 0x9F36, 0x9F37, 0x9F02, 0x9F03, 0x9F1A, 0x95, 0x9A, 0x9C, 0x82, 0x5F2A, 0x9F10} {
		icc := flip(tag)
		if tag == 0x9F10 { // its card verification results
			icc = swap(t, good, tag, func(v []byte) { v[4] ^= 1 })
		}
		pay(fmt.Sprintf("%v changed", tag), "59", icc, nil)
	}
	pay("another amount", "59", good, func(r *switchlink.Request) { r.Amount = 19_00 })
	pay("another card sequence", "59", good, func(r *switchlink.Request) { r.PSN = "002" })
	pay("another card sequence in the chip", "59", flip(0x5F34), nil)
	pay("an AAC", "59", swap(t, good, 0x9F27, func(v []byte) { v[0] = 0 }), nil)
	pay("unknown profile", "59", swap(t, good, 0x9F10, func(v []byte) { v[2] = 99 }), nil)
	pay("another day", "59", good, func(r *switchlink.Request) { r.Sent = clockAt.AddDate(0, 0, 2) })
	// What the card has truly signed, and the message does not say.
	pay("another currency", "59", signed(t, good, 0x5F2A, func(v []byte) { copy(v, []byte{0x08, 0x40}) }), nil)
	pay("a larger amount on the card", "59", signed(t, good, 0x9F02, func(v []byte) { v[4] = 0x30 }), nil)
	pay("a smaller amount on the card", "59", signed(t, good, 0x9F02, func(v []byte) { v[4] = 0x10 }), nil)
	_, other := newBankCard(t, virtual.BankOptions{Contact: true, IssuerKey: cryptogram.Key{1}}).start(20_00)
	pay("another issuer", "59", other, nil)
	w.charged(0)
	if a := pay("the real one", "00", good, func(r *switchlink.Request) { r.Sent = clockAt.AddDate(0, 0, 1) }); len(a.ICC) != 12 {
		t.Errorf("answer %X", a.ICC)
	}
	w.charged(20_00)
}

// TestCounterRises: a cryptogram serves once. After a wrong PIN the same sale may
// show it again, nobody else.
func TestCounterRises(t *testing.T) {
	w := newWorld(t, nil)
	card := newBankCard(t, virtual.BankOptions{})
	_, first := card.start(20_00)
	_, second := card.start(20_00)
	pay := func(sale int, icc []byte, digits, want string) {
		t.Helper()
		r := w.chipRequest(saleID(sale), 20_00, icc)
		if digits != testPIN {
			withPIN(r, w.payment(saleID(sale), 20_00, digits))
		}
		if a := w.ask(r); a.Code != want {
			t.Fatalf("%s, want %s", a.Code, want)
		}
	}
	pay(1, first, "111111", "55")
	pay(2, first, testPIN, "59") // of another sale
	pay(1, first, testPIN, "00")
	pay(1, first, testPIN, "59") // it is over
	pay(3, first, testPIN, "59")
	pay(3, second, testPIN, "00")
	pay(4, first, testPIN, "59") // an older one
	pay(4, second, testPIN, "59")
	_, third := card.start(20_00)
	pay(4, third, testPIN, "00")
	w.charged(60_00)
	// Another card of the account counts for itself.
	r := w.chipRequest(saleID(5), 20_00, nil)
	_, r.ICC = newBankCard(t, virtual.BankOptions{Sequence: 2}).start(20_00)
	r.PSN = "002"
	if a := w.ask(r); a.Code != "00" {
		t.Fatal(a.Code)
	}
}

// TestRepeatWithChip: the stored answer has the issuer's proof in it, to the byte.
func TestRepeatWithChip(t *testing.T) {
	w := newWorld(t, nil)
	_, icc := newBankCard(t, virtual.BankOptions{Contact: true}).start(20_00)
	r := w.chipRequest(saleID(1), 20_00, icc)
	first := w.ask(r)
	again := *r
	if a := w.ask(&again); a.Code != "00" || !bytes.Equal(a.ICC, first.ICC) || len(a.ICC) == 0 {
		t.Fatalf("%+v, then %+v", first, a)
	}
	changed := *r
	changed.ICC = swap(t, icc, 0x9F37, func(v []byte) { v[0] ^= 1 })
	if a := w.ask(&changed); a.Code != "94" {
		t.Fatalf("another cryptogram under the same key: %s", a.Code)
	}
	w.charged(20_00)
}

// TestNoPINUpToALimit: a chip alone pays small amounts, if the bank says so.
func TestNoPINUpToALimit(t *testing.T) {
	for _, c := range []struct {
		limit, amount money.Fen
		card          virtual.BankOptions
		bare          bool
		want          string
	}{
		{0, 10_00, virtual.BankOptions{NoPIN: true, Contact: true}, false, "55"},
		{100_00, 100_00, virtual.BankOptions{NoPIN: true, Contact: true}, false, "00"},
		{100_00, 100_00, virtual.BankOptions{NoPIN: true}, false, "00"},
		{100_00, 100_01, virtual.BankOptions{NoPIN: true}, false, "55"},
		{100_00, 10_00, virtual.BankOptions{Contact: true}, false, "55"}, // the card was told of a PIN
		{100_00, 10_00, virtual.BankOptions{}, true, "55"},               // no chip at all
	} {
		w := newWorld(t, func(cfg *Config) { cfg.NoCVM = c.limit })
		_, icc := newBankCard(t, c.card).start(c.amount)
		if c.bare {
			icc = nil
		}
		for n := range 4 { // it costs no try
			if a := w.ask(withoutPIN(w.chipRequest(saleID(n), c.amount, icc))); a.Code != c.want && n == 0 {
				t.Errorf("%+v: %s", c, a.Code)
			}
		}
		if c.want == "55" {
			w.pay(w.payment(saleID(9), 1_00, testPIN), "00")
		}
	}
}

// TestATelephoneNeedsNoPIN: whatever the amount, if its cryptogram says that it has
// verified its owner; what the terminal says beside it counts for nothing.
func TestATelephoneNeedsNoPIN(t *testing.T) {
	for _, c := range []struct {
		name   string
		card   virtual.BankOptions
		mode   string
		change func(*testing.T, []byte) []byte
		want   string
	}{
		{"telephone", virtual.BankOptions{Device: true}, "072", nil, "00"},
		{"with contacts", virtual.BankOptions{Device: true}, "052", nil, "55"},
		{"card", virtual.BankOptions{}, "072", nil, "55"},
		{"card, and the terminal lies", virtual.BankOptions{NoPIN: true}, "072", func(t *testing.T, icc []byte) []byte {
			return swap(t, icc, 0x9F34, func(v []byte) { copy(v, []byte{0x01, 0x00, 0x02}) })
		}, "55"},
		{"card, and its results are changed", virtual.BankOptions{NoPIN: true}, "072", func(t *testing.T, icc []byte) []byte {
			return swap(t, icc, 0x9F10, func(v []byte) { v[4] |= 0x04 })
		}, "59"},
	} {
		w := newWorld(t, nil)
		_, icc := newBankCard(t, c.card).start(500_00)
		if c.change != nil {
			icc = c.change(t, icc)
		}
		r := withoutPIN(w.chipRequest(saleID(1), 500_00, icc))
		r.EntryMode = c.mode
		if a := w.ask(r); a.Code != c.want {
			t.Errorf("%s: %s, want %s", c.name, a.Code, c.want)
		}
	}
}

// TestOtherBanks: a PAN of another bank is 15, one of ours without an account 14.
func TestOtherBanks(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.BINs = []string{"622588"} })
	for pan, want := range map[string]string{"6217000000000001": "15", "6225880000000009": "14", testPAN: "00"} {
		r := w.chipRequest(saleID(1), 1_00, nil)
		if pan != testPAN {
			r.PAN = pan
		}
		if a := w.ask(r); a.Code != want {
			t.Errorf("%s: %s, want %s", pan, a.Code, want)
		}
	}
}

// TestTheTestKeysAgree: the published issuer key is that of the virtual cards.
func TestTheTestKeysAgree(t *testing.T) {
	if DefaultKeys().Chip != virtual.TestIssuerKey {
		t.Error("the virtual cards have another issuer")
	}
}

// FuzzReadChip: nothing that a terminal sends breaks the reading of DE55.
func FuzzReadChip(f *testing.F) {
	f.Add([]byte{0x9F, 0x26, 1, 1}, "001")
	f.Fuzz(func(t *testing.T, icc []byte, psn string) {
		c, err := readChip(icc, psn)
		if err != nil {
			return
		}
		c.saysPIN()
		c.dated(clockAt)
		if ok, err := c.verify(cryptogram.Key{1}, testPAN); err == nil && ok {
			t.Error("a cryptogram out of nothing")
		}
	})
}

package host

import (
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
)

func TestEligible(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.KeyVersions = []uint8{1} })
	try := func(want string, a entry.Attempt) {
		t.Helper()
		got, err := w.client.Eligible(w.ctx(), w.query(saleID(1), a))
		if err != nil || got.Code != want {
			t.Fatalf("%+v, %v; want %s", got, err, want)
		}
	}
	good := attempt(testNumber, 2, 10_00, 50_00, 1)
	try("00", good)
	try("00", good) // the same INITIALIZE may be asked about again
	with := func(change func(*entry.Attempt)) entry.Attempt {
		a := attempt(testNumber, 2, 10_00, 50_00, 2)
		change(&a)
		return a
	}
	try("63", with(func(a *entry.Attempt) { a.MAC1[0] ^= 1 }))
	try("63", with(func(a *entry.Attempt) { a.OldBalance++ }))
	try("57", with(func(a *entry.Attempt) { a.Algorithm = 1 }))
	try("57", with(func(a *entry.Attempt) { a.KeyVersion = 2 }))
	try("57", with(func(a *entry.Attempt) { a.Card.Family = "desfire" }))
	try("14", with(func(a *entry.Attempt) { a.Card.Number = "310" }))
	try("30", with(func(a *entry.Attempt) { a.Slot = 1 << 16 }))
	try("30", with(func(a *entry.Attempt) { a.Random = nil }))
	try("13", attempt(testNumber, 2, 10_00, 0, 3))
	try("61", attempt(testNumber, 2, 10_00, 990_01, 4))
	try("61", attempt(testNumber, 2, 0, 1000_01, 5))
	try("00", attempt(testNumber, 2, 10_00, 990_00, 6))
	if err := w.host.SetHotlisted(w.ctx(), testCard, true); err != nil {
		t.Fatal(err)
	}
	try("62", attempt(testNumber, 2, 10_00, 50_00, 7))
	if err := w.host.SetHotlisted(w.ctx(), testCard, false); err != nil {
		t.Fatal(err)
	}
	try("00", attempt(testNumber, 2, 10_00, 50_00, 7))
}

func TestAuthoriseWantsAPayment(t *testing.T) {
	w := newWorld(t, nil)
	a := attempt(testNumber, 2, 10_00, 50_00, 1)
	w.authorise(saleID(1), a, "25")
	p := w.payment(saleID(1), 50_00, testPIN)
	w.pay(p, "00")
	w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 49_00, 2), "64")
	w.authorise(saleID(1), attempt("3105170010170907985", 2, 10_00, 50_00, 3), "62")
	got := w.authorise(saleID(1), a, "00")
	w.authorise(saleID(1), a, "94") // the same INITIALIZE under another key
	w.void(saleID(1), got, "00")
	w.void(saleID(1), got, "00")
	w.authorise(saleID(1), a, "12")
	w.reverse(p, "00")
	w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 4), "25")
}

func TestVoidBeforeAuthorisation(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	a := attempt(testNumber, 2, 10_00, 50_00, 1)
	w.void(saleID(1), a, "00")
	w.authorise(saleID(1), a, "12")
	w.confirm(saleID(1), a, entry.Hex{1, 2, 3, 4}, "63")
}

// TestOneTerminalPerSlot: an open authorisation bars other terminals from the
// slot, and the sale from other slots.
func TestOneTerminalPerSlot(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	first := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 1), "00")
	w.authorise(saleID(1), attempt(testNumber, 3, 60_00, 50_00, 2), "62")
	second := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 3), "00")

	other := &world{T: t, host: w.host, log: w.log, ksn: w.ksn}
	other.client = other.connect("BUKA0002", 10*time.Second)
	defer other.client.Close()
	other.signOn()
	ask := func(want string) {
		t.Helper()
		got, err := other.client.Eligible(other.ctx(), other.query(saleID(2), attempt(testNumber, 2, 10_00, 50_00, 9)))
		if err != nil || got.Code != want {
			t.Fatalf("%+v, %v; want %s", got, err, want)
		}
	}
	ask("62")
	w.void(saleID(1), first, "00")
	ask("62")
	n, err := w.host.VoidOpen(w.ctx(), saleID(1))
	if err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	ask("00")
	w.confirm(saleID(1), second, tacOf(second), "00") // proven, whatever was said before
	w.void(saleID(1), second, "C0")
}

func TestVerifyCounter(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	doubt := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 1), "00")
	probe := func(a entry.Attempt, want entry.Counter) {
		t.Helper()
		got, err := w.client.VerifyCounter(w.ctx(), w.query(saleID(1), doubt), a)
		if err != nil || got != want {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	}
	still := attempt(testNumber, 2, 10_00, 1_23, 11)
	probe(still, entry.Counter{Value: 2, MAC1: entry.Verified, Fresh: true, Ledger: entry.LedgerOnly})
	probe(still, entry.Counter{Value: 2, MAC1: entry.Verified, Ledger: entry.LedgerOnly}) // a replay
	forged := attempt(testNumber, 2, 10_00, 1_23, 12)
	forged.Amount++
	probe(forged, entry.Counter{Value: 2, MAC1: entry.Rejected, Ledger: entry.LedgerOnly})
	// The INITIALIZE of the attempt itself was seen before.
	probe(attempt(testNumber, 2, 10_00, 50_00, 1), entry.Counter{Value: 2, MAC1: entry.Verified, Ledger: entry.LedgerOnly})
	moved := attempt(testNumber, 3, 60_00, 0, 13)
	probe(moved, entry.Counter{Value: 3, MAC1: entry.Verified, Fresh: true, Ledger: entry.LedgerOnly})

	w.void(saleID(1), doubt, "00")
	w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 2), "00")
	probe(attempt(testNumber, 2, 10_00, 1_23, 14), entry.Counter{Value: 2, MAC1: entry.Verified, Fresh: true, Ledger: entry.LedgerOthers})
	doubt.Slot = 9
	probe(attempt(testNumber, 2, 10_00, 1_23, 15), entry.Counter{Value: 2, MAC1: entry.Verified, Fresh: true, Ledger: entry.LedgerSilent})
	if _, err := w.client.VerifyCounter(w.ctx(), w.query(saleID(1), doubt), attempt("3105170010170907985", 2, 10_00, 1, 16)); err == nil {
		t.Fatal("a probe of another card was taken")
	}
}

func TestSharedLedgerIsSilent(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Shared = true })
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	doubt := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 1), "00")
	got, err := w.client.VerifyCounter(w.ctx(), w.query(saleID(1), doubt), attempt(testNumber, 3, 60_00, 1, 2))
	if err != nil || got.Ledger != entry.LedgerSilent {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestConfirmations(t *testing.T) {
	w := newWorld(t, nil)
	authorised := func(n int, amount money.Fen) entry.Attempt {
		w.pay(w.payment(saleID(n), amount, testPIN), "00")
		return w.authorise(saleID(n), attempt(testNumber, entry.Slot(n), 10_00, amount, uint32(n)), "00")
	}
	a := authorised(1, 5_00)
	w.confirm(saleID(1), a, nil, "00") // the card could not give a TAC
	b := authorised(2, 5_00)
	w.confirm(saleID(2), b, entry.Hex{1, 2, 3, 4}, "63")
	p := w.payment(saleID(3), 5_00, testPIN)
	w.pay(p, "00")
	c := w.authorise(saleID(3), attempt(testNumber, 3, 10_00, 5_00, 3), "00")
	w.confirm(saleID(4), c, tacOf(c), "12") // another sale's
	w.confirm(saleID(5), attempt(testNumber, 5, 10_00, 5_00, 5), nil, "25")
	w.confirm(saleID(3), c, tacOf(c), "00")
	w.reverse(p, "C0")
	for n, want := range map[int]SaleState{
		1: {Paid: 5_00, Credited: 5_00}, 2: {Paid: 5_00, Disputed: 1}, 3: {Paid: 5_00, Credited: 5_00}, 5: {Disputed: 1},
	} {
		if got, err := w.host.Sale(w.ctx(), saleID(n)); err != nil || got != want {
			t.Errorf("sale %d: %+v, %v; want %+v", n, got, err, want)
		}
	}
}

// TestRepeatsMayRememberLess: a confirmation and a void are known by the attempt
// they speak of, whatever else their later sendings say.
func TestRepeatsMayRememberLess(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	void := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 1), "00")
	used := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 2), "00")
	v := switchlink.Void{STAN: w.next(), Batch: w.batch, Sale: saleID(1), Attempt: void}
	f := switchlink.Confirmation{STAN: w.next(), Batch: w.batch, Sale: saleID(1), Attempt: used, TAC: tacOf(used), By: "card"}
	for range 2 {
		if got, err := w.client.VoidLoad(w.ctx(), v); err != nil || got.Code != "00" {
			t.Fatalf("%+v, %v", got, err)
		}
		if got, err := w.client.ConfirmLoad(w.ctx(), f); err != nil || got.Code != "00" {
			t.Fatalf("%+v, %v", got, err)
		}
		v.Repeat, v.Attempt.At, v.Attempt.STAN = true, "", 0
		f.Repeat, f.By, f.Attempt.At = true, "tac", ""
	}
	f.TAC = entry.Hex{1, 2, 3, 4}
	if got, err := w.client.ConfirmLoad(w.ctx(), f); err != nil || got.Code != "94" {
		t.Fatalf("another TAC under the same key: %+v, %v", got, err)
	}
}

// TestOtherMasters: cards of another issuer are met after SetIssuerKeys.
func TestOtherMasters(t *testing.T) {
	w := newWorld(t, nil)
	a := attempt(testNumber, 2, 10_00, 50_00, 1)
	ask := func(want string) {
		t.Helper()
		if got, err := w.client.Eligible(w.ctx(), w.query(saleID(1), a)); err != nil || got.Code != want {
			t.Fatalf("%+v, %v; want %s", got, err, want)
		}
	}
	k := DefaultKeys()
	w.host.SetIssuerKeys(k.TAC, k.Load)
	ask("63")
	w.host.SetIssuerKeys(k.Load, k.TAC)
	ask("00")
}

// TestWhatTheHostAuthorisedCounts: a TAC over other data than the ledger's does
// not confirm; a load that is proven stays so; a void that came before its
// authorisation is no authorisation.
func TestWhatTheHostAuthorisedCounts(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	w.void(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 9), "00")
	a := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 1), "00")
	got, err := w.client.VerifyCounter(w.ctx(), w.query(saleID(1), a), attempt(testNumber, 3, 60_00, 1, 2))
	if err != nil || got.Ledger != entry.LedgerOnly {
		t.Fatalf("%+v, %v", got, err)
	}
	other := a
	other.At = "20260115093016"
	w.confirm(saleID(1), other, tacOf(other), "63")
	w.confirm(saleID(1), other, tacOf(a), "00")
	w.confirm(saleID(1), a, entry.Hex{1, 2, 3, 4}, "63")
	s, err := w.host.Sale(w.ctx(), saleID(1))
	if err != nil || s != (SaleState{Paid: 50_00, Credited: 50_00, Disputed: 2}) {
		t.Fatalf("%+v, %v", s, err)
	}
}

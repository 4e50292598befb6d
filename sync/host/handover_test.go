package host

import (
	"database/sql"
	"testing"

	"buka/internal/entry"
)

// handedOver brings a kiosk's entry, as the fleet half does.
func (w *world) handedOver(b entry.HandedOver) {
	w.Helper()
	if err := w.host.Write(w.ctx(), func(tx *sql.Tx) error { return w.host.HandedOver(w.ctx(), tx, "K1", b, false) }); err != nil {
		w.Fatal(err)
	}
}

// TestAHandOverThatComesLate: a kiosk takes a rewrite, gives it back, takes it
// again and writes it before the host has read in its journal that it was given
// back. What is authorised since stays in doubt. Found by topup/sim.
func TestAHandOverThatComesLate(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.host.Credit(w.ctx(), saleID(1), testCard, 50_00); err != nil {
		t.Fatal(err)
	}
	from := testMerchant + "/" + testTerminal
	back := entry.HandedOver{Of: entry.Of{Sale: saleID(1)}, To: "host", From: from, STAN: w.stan}
	a := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 1), "00")
	w.handedOver(back)
	if s, err := w.host.Sale(w.ctx(), saleID(1)); err != nil || s.Open != 1 {
		t.Fatalf("the authorisation is gone: %+v, %v", s, err)
	}
	if _, list, err := w.host.OpenRewrites(w.ctx()); err != nil || len(list) != 0 {
		t.Fatalf("it is offered to others: %+v, %v", list, err)
	}
	back.STAN = w.stan // now it has come to nothing, and the journal says so
	w.handedOver(back)
	if s, err := w.host.Sale(w.ctx(), saleID(1)); err != nil || s.Open != 0 {
		t.Fatalf("the authorisation stays: %+v, %v", s, err)
	}
	if _, list, err := w.host.OpenRewrites(w.ctx()); err != nil || len(list) != 1 {
		t.Fatalf("it is not offered: %+v, %v", list, err)
	}
	w.confirm(saleID(1), a, tacOf(a), "00") // should it have lied
}

// TestOneSalePerSlot: while a load of one sale may be on the card, the same
// terminal gets none for another sale in that slot. Found by topup/sim.
func TestOneSalePerSlot(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	w.pay(w.payment(saleID(2), 50_00, testPIN), "00")
	first := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 1), "00")
	w.authorise(saleID(2), attempt(testNumber, 2, 10_00, 50_00, 2), "62")
	w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 3), "00")
	w.void(saleID(1), first, "00")
	w.authorise(saleID(2), attempt(testNumber, 2, 10_00, 50_00, 4), "62")
}

// TestATACOfAVoidAttempt: two loads in one second, of one slot, amount and
// terminal have one TAC. Of the attempt that was voided it is no proof. Found by
// topup/sim.
func TestATACOfAVoidAttempt(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	first := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 1), "00")
	says := func(a entry.Attempt, want entry.Opinion) {
		t.Helper()
		got, err := w.client.VerifyTAC(w.ctx(), w.query(saleID(1), a), entry.Proof{Asked: 3, TAC: tacOf(first)})
		if err != nil || got != want {
			t.Errorf("attempt %s: %v, %v; want %v", a.Random, got, err, want)
		}
	}
	says(first, entry.Verified)
	w.void(saleID(1), first, "00")
	second := w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, 2), "00")
	says(first, entry.Rejected)
	says(second, entry.Verified)
}

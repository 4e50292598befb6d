package station

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/topup"
)

// TestTheAuthoritysKeysAreItsOwn: a load authority that wants other working keys,
// of a probe and of a load, gets them; the PIN key of the payment host stays, for
// whoever is typing.
func TestTheAuthoritysKeysAreItsOwn(t *testing.T) {
	w := newHostTown(t)
	w.until("sales, and no sign-on to come", func(s topup.State) bool {
		return s.NoPayment() == "" && w.st.links.signOn.stands() && len(w.st.hosts.queues["sign-on"]) == 0
	})
	key := w.st.hosts.pinKey()
	if !w.st.links.payRing.Ready() {
		t.Fatal("no PIN key")
	}
	wants := func() {
		t.Helper()
		res, err := w.host.DB().ExecContext(t.Context(), "UPDATE working_keys SET wanted = 1 WHERE link <> 'payments'")
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := res.RowsAffected(); n != 1 {
			t.Fatalf("%d links", n)
		}
	}
	card, err := virtual.NewBank(virtual.BankOptions{PAN: bankPAN})
	if err != nil {
		t.Fatal(err)
	}
	for i, during := range []bool{false, true} {
		if !during {
			wants()
		}
		transit, bank := w.asks(50_00, card)
		w.phase(topup.PINEntry)
		if during {
			wants()
		}
		w.types("123456")
		w.phase(topup.Finished)
		for _, slot := range []virtual.Slot{bank, transit} {
			if err := slot.Remove(); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.purse.Balance(); got != 28_50+money.Fen(i+1)*50_00 {
			t.Errorf("balance %v", got)
		}
		var open int
		if err := w.host.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM working_keys WHERE wanted = 1").Scan(&open); err != nil || open != 0 {
			t.Errorf("%d sign-ons are still wanted, %v", open, err)
		}
		if now := w.st.hosts.pinKey(); !bytes.Equal(now.Cryptogram, key.Cryptogram) {
			t.Error("the payment host has drawn another PIN key")
		}
	}
	for _, name := range []string{paymentLink, loadLink} {
		d := w.st.links.demandsOf(name)
		d.mu.Lock()
		if d.wait != 0 {
			t.Errorf("the next demand of the %s waits for %v, as if it had not been content since", name, d.wait)
		}
		d.mu.Unlock()
	}
}

// TestWhatTheCoreHearsOfTheAuthoritysKeys: of a load authority of its own nothing
// that would have it sign on at the payment host. A batch that differs is the payment
// host's matter, and so is everything where there is one host.
func TestWhatTheCoreHearsOfTheAuthoritysKeys(t *testing.T) {
	for _, x := range []struct {
		own   bool
		code  string
		tells bool
	}{{true, "A0", false}, {true, "99", false}, {true, "22", false}, {true, "77", true}, {true, "25", true}, {false, "A0", true}} {
		loads := &noHost{confirms: x.code}
		l := &links{loads: clientOf(t, loads)}
		l.payments = l.loads
		if x.own {
			l.signOn = newLoadSignOn(l.signedOn.ring, slog.New(slog.DiscardHandler))
		}
		var got []topup.Event
		h := newHosts(l, func(ev topup.Event) { got = append(got, ev) }, time.Now, slog.New(slog.DiscardHandler))
		_, attempt := aProbe()
		for _, kind := range []topup.DutyKind{topup.Confirmation, topup.Void} {
			s := topup.Sale{ID: "4Q7ZK1M2N8P3R5T6", PayBatch: 1, Attempt: attempt, DoneBy: "card", OweVoids: []topup.OwedVoid{{STAN: 9, Attempt: attempt}}}
			h.perform(t.Context(), topup.Send{Duty: topup.Duty{Kind: kind, Sale: s.ID, STAN: 9}, Sale: s})
			sent, ok := got[len(got)-1].(topup.Sent)
			if !ok || sent.Answered != x.tells || x.tells && sent.Code != x.code {
				t.Errorf("%+v, %s: the core hears %+v", x, kind, got)
			}
		}
		if g, err := h.Authorise(t.Context(), topup.Load{Sale: "4Q7ZK1M2N8P3R5T6", STAN: 9, Batch: 1}, attempt); err == nil {
			t.Errorf("%+v: %+v", x, g)
		} else if no := new(refused); !errors.As(err, no) || x.tells != (no.code == x.code) || !x.tells && no.code != "not-sent" {
			t.Errorf("%+v: the core hears %q of a load", x, no.code)
		}
	}
}

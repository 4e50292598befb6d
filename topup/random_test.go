package topup_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"buka/cardio/pboc"
	"buka/internal/money"
	"buka/topup"
)

// TestMoneyIsConserved plays random histories with every fault of the model,
// then lets the faults end and asks: does everything come to rest, and is the
// money where it belongs?
func TestMoneyIsConserved(t *testing.T) {
	sales := 0
	for seed := range uint64(1500) {
		w := newWorld(seed, pboc.Judge)
		if err := play(w); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(w.log, "\n"))
		}
		sales += int(w.state.Durable.Opened)
	}
	t.Logf("%d sales", sales)
}

func play(w *world) error {
	for range 120 {
		if w.rng.IntN(3) == 0 {
			w.live()
		}
		if err := w.run(1 + w.rng.IntN(6)); err != nil {
			return err
		}
		if err := replays(w); err != nil {
			return err
		}
	}
	w.faults, w.up = false, true
	w.say("FAULTS END")
	for i := range 400 {
		if i == 0 {
			w.post(topup.LinkChanged{Up: true})
		}
		if i%8 == 4 {
			w.remove()
			w.present(w.cards[i/8%2])
		}
		if i%8 == 1 {
			for range len(w.timers) {
				w.fire()
			}
		}
		if err := w.run(500); err != nil {
			return err
		}
	}
	w.remove()
	for i := range 60 {
		if i == 30 { // what the host has denied is closed by a settlement
			w.post(topup.SettleAsked{Who: "schedule"})
		}
		w.fire()
		if err := w.run(500); err != nil {
			return err
		}
	}
	return conserved(w)
}

// replays checks that the entries alone give the durable state.
func replays(w *world) error {
	if w.rng.IntN(8) > 0 || len(w.events) > 0 && w.state.Durable.Kiosk != "" {
		return nil
	}
	d := topup.New().Durable
	for _, b := range w.kept {
		if err := d.Apply(b); err != nil {
			return err
		}
	}
	if w.timers == nil {
		return nil
	}
	if err := w.countsAgree(); err != nil {
		return err
	}
	a, err := d.Encode()
	if err != nil {
		return err
	}
	b, err := w.state.Durable.Encode()
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("the journal says\n%+v\nthe state says\n%+v", d, w.state.Durable)
	}
	back, err := topup.Decode(b)
	if err != nil {
		return err
	}
	if c, _ := back.Encode(); !bytes.Equal(b, c) {
		return fmt.Errorf("a checkpoint changes the state")
	}
	return nil
}

// conserved: what the bank has taken is on the cards, or still owned by an
// open rewrite that only people can decide.
func conserved(w *world) error {
	var added, open money.Fen
	for _, c := range w.cards {
		added += c.added
	}
	for _, s := range w.state.Durable.InOrder() {
		if p := w.payments[s.PaySTAN]; s.Conflict && w.settled[s.PayBatch] && p == nil {
			continue // another's reversal never came through: the settlement proves nothing about this one
		} else if s.Conflict && w.settled[s.PayBatch] && !p.reversed && p.amount == s.Paid {
			open += p.amount // its reversal never came through until the settlement: people refund it
			continue
		}
		if s.Unresolved() || s.Offered() && !w.state.Durable.Reversible(s.PayBatch) { // too late to reverse: to be written
			open += s.Amount
			continue
		}
		return fmt.Errorf("sale %s is still open: %+v", s.ID, s)
	}
	if w.state.Durable.Owed() != 0 {
		return fmt.Errorf("%d are still owed", w.state.Durable.Owed())
	}
	if w.funds < added || w.funds > added+open {
		return fmt.Errorf("the bank has %s, the cards got %s, open are %s", w.funds, added, open)
	}
	return nil
}

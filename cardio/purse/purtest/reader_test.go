package purtest_test

import (
	"context"
	"errors"
	"testing"

	"buka/cardio/pboc"
	"buka/cardio/purse"
	"buka/cardio/reader"
	"buka/cardio/virtual"
	"buka/internal/entry"
)

// On the reader stack that the product uses: the card is torn at the write, the
// reader cannot say which side of it, and the second tap finds out.
func TestTornOnAReader(t *testing.T) {
	f, err := pboc.New(pboc.Config{NotSent: reader.NotSent})
	if err != nil {
		t.Fatal(err)
	}
	for when, want := range map[virtual.When]entry.Outcome{virtual.Before: entry.NotDone, virtual.After: entry.Done} {
		ctx := context.Background()
		memory := reader.NewMemory(reader.Limits{}, "Front")
		defer memory.Close()
		card := used(t, virtual.PurseOptions{}, f).Purse
		host := newHSM()

		tap := func() (purse.Purse, reader.Card) {
			if !memory.Lies("Front", card) {
				if err := memory.Insert("Front", card); err != nil {
					t.Fatal(err)
				}
			}
			ch, err := memory.Open(ctx, "Front")
			if err != nil {
				t.Fatal(err)
			}
			p, err := purse.Open(ctx, ch, f)
			if err != nil {
				t.Fatal(err)
			}
			return p, ch
		}

		p, ch := tap()
		before, err := purse.Observe(ctx, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: 5000, Terminal: entry.Hex{1, 2, 3, 4, 5, 6}}, host)
		if err != nil {
			t.Fatal(err)
		}
		card.Tear(virtual.Tear{When: when, Match: virtual.IsCredit})
		w := prepared.Write(ctx)
		if w.Outcome != entry.Unknown || reader.NotSent(w.Err) || !errors.Is(w.Err, reader.ErrCardRemoved) {
			t.Fatalf("%+v", w)
		}
		if _, err := p.Balance(ctx); !reader.NotSent(err) {
			t.Errorf("a dark card: %v", err)
		}
		ch.Close()

		p, ch = tap()
		a := prepared.Attempt()
		e := entry.Evidence{SameCard: true, Before: before.Log}
		if e.Seen, err = purse.Observe(ctx, p, purse.AskFor(a.Slot)); err != nil {
			t.Fatal(err)
		}
		for _, proof := range e.Seen.Proofs {
			e.ProofSays = append(e.ProofSays, host.JudgeTAC(a, proof))
		}
		if v := pboc.Judge(a, e); v.Next == entry.StepProbe {
			probe, err := purse.Probe(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			c := host.JudgeCounter(a, probe)
			e.Counter = &c
		}
		if v := pboc.Judge(a, e); v.Outcome != want {
			t.Errorf("%+v from %+v, want %v", v, e, want)
		}
		ch.Close()
	}
}

// A write that the reader surely did not send is not done.
func TestWriteIntoAClosedTransaction(t *testing.T) {
	f, err := pboc.New(pboc.Config{NotSent: reader.NotSent})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	memory := reader.NewMemory(reader.Limits{}, "Front")
	defer memory.Close()
	card := used(t, virtual.PurseOptions{}, f).Purse
	if err := memory.Insert("Front", card); err != nil {
		t.Fatal(err)
	}
	ch, err := memory.Open(ctx, "Front")
	if err != nil {
		t.Fatal(err)
	}
	p, err := purse.Open(ctx, ch, f)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: 5000, Terminal: entry.Hex{1, 2, 3, 4, 5, 6}}, newHSM())
	if err != nil {
		t.Fatal(err)
	}
	ch.Close()
	if w := prepared.Write(ctx); w.Outcome != entry.NotDone || w.SW != 0 || card.Balance() != 7850 {
		t.Errorf("%+v, %v on the card", w, card.Balance())
	}
}

// The passenger put the other card there.
func TestBankCardOnTheTransitReader(t *testing.T) {
	for _, o := range []virtual.BankOptions{{PAN: "6225880000000001"}, {PAN: "4111111111111111", AID: []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}}} {
		bank, err := virtual.NewBank(o)
		if err != nil {
			t.Fatal(err)
		}
		bank.Reset()
		if _, err := purse.Open(context.Background(), wire{bank}, family(t)); !errors.Is(err, &purse.Refusal{Reason: purse.UnknownKind}) {
			t.Error(err)
		}
	}
}

package topup_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"buka/cardio/pboc"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

func lawCore() *topup.Core {
	return &topup.Core{Rules: topup.DefaultRules(), Judges: map[string]topup.Judge{"tunion": pboc.Judge}}
}

// recorder is a journal and the rest of the world at once: it sees in which
// order things happen.
type recorder struct {
	fail  bool
	acted []string
	stop  context.CancelFunc
}

func (r *recorder) Append(...entry.Body) error {
	if r.fail {
		return errors.New("disk full")
	}
	r.acted = append(r.acted, "append")
	return nil
}

func (r *recorder) Do(c topup.Command) {
	if _, ok := c.(topup.SignOn); ok {
		r.acted = append(r.acted, "do")
		r.stop()
	}
}

// TestRecordFirst: the engine appends before it acts, and an append that fails
// ends it without acting.
func TestRecordFirst(t *testing.T) {
	for _, fail := range []bool{false, true} {
		ctx, stop := context.WithCancel(t.Context())
		r := &recorder{fail: fail, stop: stop}
		e := topup.NewEngine(lawCore(), r, topup.New(), slog.New(slog.DiscardHandler))
		if err := e.Post(ctx, topup.Started{Version: "test"}); err != nil {
			t.Fatal(err)
		}
		err := e.Run(ctx, r)
		if _, failed := e.State(); failed == nil {
			t.Error("the engine does not say that it has ended")
		}
		switch {
		case fail && (len(r.acted) > 0 || errors.Is(err, context.Canceled)):
			t.Errorf("after a failed append: %v, %v", r.acted, err)
		case !fail && (len(r.acted) < 2 || r.acted[0] != "append" || r.acted[1] != "do"):
			t.Errorf("in this order: %v", r.acted)
		}
		stop()
	}
}

// TestFence: a fence is passed when what was posted before it has been taken.
func TestFence(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	e := topup.NewEngine(lawCore(), &recorder{}, topup.New(), slog.New(slog.DiscardHandler))
	if err := e.Post(ctx, topup.LinkChanged{Pay: true}); err != nil {
		t.Fatal(err)
	}
	passed, err := e.Fence(ctx)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-passed:
		t.Fatal("a fence was passed, and nothing has been taken")
	default:
	}
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, &recorder{stop: func() {}}) }()
	<-passed
	if s, _ := e.State(); !s.Live.PayUp {
		t.Error("a fence was passed, and what was posted before was not taken")
	}
	stop()
	<-ended
}

func TestAnApprovalOfAnotherAmountGoesBack(t *testing.T) {
	d := replayed(t, paid[:3])
	if err := d.Apply(entry.PaymentApproved{Of: testOf, Amount: 4900, Code: "00"}); err != nil {
		t.Fatal(err)
	}
	if s := d.Sales[testSale]; !s.OweReversal || s.Offered() {
		t.Errorf("%+v", s)
	}
}

// TestWhatEndsAReversal: the host's answers to the reversal of a payment that
// was approved, and of one whose outcome was never known.
func TestWhatEndsAReversal(t *testing.T) {
	approved := then(paid, entry.KOfferWithdrawn)
	unknown := then(paid[:3], entry.KPaymentUnknown)
	for name, row := range map[string]struct {
		after []entry.Kind
		code  string
		times int
		owed  bool
		open  bool // a case for people
	}{
		"done":                         {approved, "00", 1, false, false},
		"approved, and denied":         {approved, "25", 1, false, true},
		"approved, and invalid":        {approved, "12", 1, false, true},
		"approved, and credited":       {approved, "C0", 1, false, true},
		"unknown, and never there":     {unknown, "25", 1, false, false}, // until the settlement agrees
		"refused once":                 {approved, "94", 1, true, false},
		"refused three times":          {approved, "94", 3, false, true},
		"out of order for a long time": {approved, "96", 9, true, false},
	} {
		core := lawCore()
		state := topup.Replayed(replayed(t, row.after))
		duty := state.Durable.Sales[testSale].Duties()[0]
		for range row.times {
			r := core.Step(state, topup.Sent{Duty: duty, Answered: true, Code: row.code})
			if r.Err != nil {
				t.Fatal(name, r.Err)
			}
			state = r.State
		}
		s, open := state.Durable.Sales[testSale]
		if s.OweReversal != row.owed || s.Conflict != row.open || open != (row.owed || row.open || s.ExpectAbsent) || s.ExpectAbsent != (name == "unknown, and never there") {
			t.Errorf("%s: %+v", name, s)
		}
		if r := core.Step(state, topup.Sent{Duty: duty}); r.Err != nil || r.State.Durable.Sales[testSale].OweReversal != row.owed {
			t.Errorf("%s: silence changes it: %v", name, r.Err)
		}
	}
}

// TestOneHandOnARewrite: what the passenger's reader works on, the desk leaves
// alone, and the time of an offer does not end under a load.
func TestOneHandOnARewrite(t *testing.T) {
	core := lawCore()
	state := topup.Replayed(replayed(t, paid))
	facts := topup.CardFacts{Card: testCard, Balance: money.Fen(2850)}
	var commands []topup.Command
	step := func(e topup.Event) {
		r := core.Step(state, e)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		state, commands = r.State, r.Commands
	}
	step(topup.Started{Version: "test"})
	timed := false
	for _, c := range commands {
		if set, ok := c.(topup.SetTimer); ok && set.AfterMS == core.Rules.OfferMS {
			timed = true
		}
	}
	if !timed {
		t.Error("an offer that a restart finds has no end")
	}
	step(topup.CardPresented{Place: topup.Front, Session: 1})
	step(topup.CardRead{Place: topup.Front, Session: 1, ID: "NEWSALE000000001", Card: facts})
	if state.Live.Front.Phase != topup.Loading {
		t.Fatalf("the front is %s", state.Live.Front.Phase)
	}
	for _, do := range []string{"rewrite", "withdraw"} {
		step(topup.CardPresented{Place: topup.Desk, Session: 2})
		step(topup.CardRead{Place: topup.Desk, Session: 2, ID: "NEWSALE000000002", Card: facts})
		step(topup.DeskActed{Sale: testSale, Do: do, Who: "a"})
		if state.Live.Desk.Active() || !state.Durable.Sales[testSale].Offered() {
			t.Errorf("%s while the front loads: desk %+v, sale %+v", do, state.Live.Desk, state.Durable.Sales[testSale])
		}
		for _, c := range commands {
			switch c.(type) {
			case topup.ReadCard, topup.Load, topup.Send:
				t.Errorf("%s while the front loads: %T", do, c)
			}
		}
	}
}

// TestNoSaleOnACardInDoubt: while the desk asks what became of a write, the same
// card begins no sale at the front, and Apply would not have it written: by a
// clock that stands still, the new load's record and TAC are those of the one
// in doubt. Found by topup/sim.
func TestNoSaleOnACardInDoubt(t *testing.T) {
	core := lawCore()
	state := topup.Replayed(replayed(t, torn))
	facts := topup.CardFacts{Card: testCard, Balance: money.Fen(2850)}
	for _, e := range []topup.Event{
		topup.Started{}, topup.CardPresented{Place: topup.Desk, Session: 1},
		topup.CardRead{Place: topup.Desk, Session: 1, ID: "NEWSALE000000001", Card: facts},
		topup.DeskActed{Sale: testSale, Do: "prove", Who: "a"},
		topup.CardGone{Place: topup.Desk, Session: 1}, topup.CardPresented{Place: topup.Front, Session: 2},
		topup.CardRead{Place: topup.Front, Session: 2, ID: "NEWSALE000000002", Card: facts},
	} {
		r := core.Step(state, e)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		state = r.State
	}
	if n := len(state.Durable.Sales); n != 1 || state.Live.Front.Phase != topup.Declined {
		t.Errorf("%d sales are open, the front is %s", n, state.Live.Front.Phase)
	}
	d := replayed(t, torn)
	other := entry.Of{Sale: "NEWSALE000000002"}
	for _, b := range []entry.Body{
		entry.SaleOpened{Of: other, Card: testCard}, entry.AmountChosen{Of: other, Amount: 5000},
		entry.PaymentStarted{Of: other, Amount: 5000, STAN: 9, Slot: 2}, entry.PaymentApproved{Of: other, Amount: 5000},
		entry.LoadRequested{Of: other, Attempt: entry.Attempt{Card: testCard, Slot: 2, Amount: 5000}},
		entry.LoadAuthorised{Of: other, At: "20260115093015"},
	} {
		if err := d.Apply(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Apply(entry.WriteStarted{Of: other}); !errors.Is(err, topup.ErrUnlawful) {
		t.Errorf("a write to a card in doubt: %v", err)
	}
}

// TestWhatWasThereBefore: a record proves a write only if it was not there before
// it, so what a card shows before the write counts, not only what it showed when
// the sale was opened. After the write nothing is added, and of a write that this
// journal has never seen the end nor the beginning nothing is known. Found by
// topup/sim.
func TestWhatWasThereBefore(t *testing.T) {
	seen := entry.CardObserved{Card: testCard, Observed: entry.Observation{Log: []entry.LogRecord{{Number: 2, Type: 2, Amount: 5000}}}}
	for name, row := range map[string]struct {
		kinds []entry.Kind
		holds bool
	}{"offered": {paid, true}, "torn": {torn, false}} {
		d := replayed(t, row.kinds)
		if err := d.Apply(seen); err != nil {
			t.Fatal(err)
		}
		if got := len(d.Sales[testSale].Before.Log) == 1; got != row.holds {
			t.Errorf("%s: before the write the log held %+v", name, d.Sales[testSale].Before.Log)
		}
	}
	d := restored(t, paid)
	load := testAttempt
	load.At = "20260115093015"
	if err := d.Apply(entry.RestoreConfirmed{Sales: []entry.HostFact{{Sale: testSale, Paid: 5000, STAN: 5, Batch: 1, Slot: 2, Load: &load, ConfirmSTAN: 90, VoidSTAN: 91}}}); err != nil {
		t.Fatal(err)
	}
	if !d.Sales[testSale].Unseen || !d.Sales[testSale].Unresolved() {
		t.Errorf("an adopted write: %+v", d.Sales[testSale])
	}
}

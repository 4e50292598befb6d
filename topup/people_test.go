package topup_test

import (
	"testing"

	"buka/internal/entry"
	"buka/topup"
)

// people runs events over a replayed story and gives the sale afterwards.
func people(t *testing.T, kinds []entry.Kind, events ...topup.Event) (topup.Sale, *script) {
	t.Helper()
	s := &script{t: t, core: lawCore(), state: topup.Replayed(replayed(t, kinds))}
	s.on(topup.Started{}, topup.LinkChanged{Up: true}, topup.SignedOn{Batch: 1})
	s.on(events...)
	return s.sale(testSale), s
}

func acts(do, who string) topup.DeskActed { return topup.DeskActed{Sale: testSale, Do: do, Who: who} }

// TestTwoPeopleDecide: one is not enough, the same one twice neither, and who
// proposes something else begins anew.
func TestTwoPeopleDecide(t *testing.T) {
	conflict := then(paid, entry.KOfferWithdrawn, entry.KReversalConflict)
	for name, row := range map[string]struct {
		kinds   []entry.Kind
		events  []topup.Event
		decided bool
	}{
		"one":                      {torn, []topup.Event{acts("decide-credited", "a")}, false},
		"one, twice":               {torn, []topup.Event{acts("decide-credited", "a"), acts("decide-credited", "a")}, false},
		"nobody":                   {torn, []topup.Event{acts("decide-credited", ""), acts("decide-credited", "a")}, false},
		"two":                      {torn, []topup.Event{acts("decide-credited", "a"), acts("decide-credited", "b")}, true},
		"two of different minds":   {torn, []topup.Event{acts("decide-credited", "a"), acts("decide-paid-out", "b")}, false},
		"two, after another mind":  {torn, []topup.Event{acts("decide-credited", "a"), acts("decide-paid-out", "b"), acts("decide-paid-out", "a")}, true},
		"two about a conflict":     {conflict, []topup.Event{acts("decide-paid-out", "a"), acts("decide-paid-out", "b")}, true},
		"evidence waits":           {then(torn, entry.KEvidenceHeld), []topup.Event{acts("decide-credited", "a"), acts("decide-credited", "b")}, false},
		"the money is going back":  {then(paid, entry.KOfferWithdrawn), []topup.Event{acts("decide-credited", "a"), acts("decide-credited", "b")}, false},
		"nothing that can be done": {torn, []topup.Event{acts("decide-forget", "a"), acts("decide-forget", "b")}, false},
	} {
		if s, _ := people(t, row.kinds, row.events...); (s.ID == "") != row.decided {
			t.Errorf("%s: %+v", name, s)
		}
	}
	s, run := people(t, torn, acts("decide-credited", "a"))
	run.state = topup.Replayed(run.state.Durable)
	run.on(topup.Started{}, topup.LinkChanged{Up: true}, topup.SignedOn{Batch: 1}, acts("decide-credited", "b"))
	if s = run.sale(testSale); s.ID != "" {
		t.Errorf("a proposal was forgotten by a restart: %+v", s)
	}
}

// TestADecisionBarsTheWrite: decided to refund, the sale stays until the refund
// is committed, and its card is not written; a host that refuses the refund
// makes it a case again.
func TestADecisionBarsTheWrite(t *testing.T) {
	s, run := people(t, torn, acts("decide-refund", "a"), acts("decide-refund", "b"))
	if !s.Decided || !s.OweRefund || s.Unresolved() {
		t.Fatalf("%+v", s)
	}
	refund := wanted[topup.Send](run).Duty
	if refund.Kind != topup.Refund {
		t.Fatalf("%+v", refund)
	}
	run.on(topup.CardPresented{Place: topup.Front, Session: 1}, cardRead(1))
	run.phase(topup.Choosing)
	for code, want := range map[string]func(topup.Sale) bool{
		"00": func(s topup.Sale) bool { return s.ID == "" },
		"C0": func(s topup.Sale) bool { return s.Conflict && !s.Decided && !s.OweRefund && !s.Offered() },
		"25": func(s topup.Sale) bool { return s.Conflict },
		"96": func(s topup.Sale) bool { return s.OweRefund },
	} {
		r := run.core.Step(run.state, topup.Sent{Duty: refund, Answered: true, Code: code})
		if r.Err != nil || !want(r.State.Durable.Sales[testSale]) {
			t.Errorf("%s: %v, %+v", code, r.Err, r.State.Durable.Sales[testSale])
		}
	}
	if r := run.core.Step(run.state, topup.Sent{Duty: refund}); r.Err != nil || !r.State.Durable.Sales[testSale].OweRefund {
		t.Error("silence ends a refund")
	}
}

// TestRefund: of what cannot be reversed, not of what may be on the card.
func TestRefund(t *testing.T) {
	for name, row := range map[string]struct {
		kinds []entry.Kind
		owed  bool
	}{
		"conflict":          {then(paid, entry.KOfferWithdrawn, entry.KReversalConflict), true},
		"offered":           {paid, true},
		"shown not done":    {then(torn, entry.KWriteDisproven), true},
		"torn":              {torn, false},
		"evidence held":     {then(torn, entry.KEvidenceHeld), false},
		"reversal owed":     {then(paid, entry.KOfferWithdrawn), false},
		"payment unknown":   {then(paid[:3], entry.KPaymentUnknown), false},
		"written, not told": {then(started, entry.KWriteDone), false},
	} {
		s, run := people(t, row.kinds, acts("refund", "a"))
		if s.OweRefund != row.owed || row.owed && (s.Offered() || s.RefundSTAN == 0) {
			t.Errorf("%s: %+v", name, s)
		}
		if row.owed && len(s.OweVoids) == 0 {
			run.on(topup.Sent{Duty: topup.Duty{Kind: topup.Refund, Sale: testSale, STAN: s.RefundSTAN}, Answered: true, Code: "00"})
			if run.sale(testSale).ID != "" {
				t.Errorf("%s: it stays: %+v", name, run.sale(testSale))
			}
		}
	}
}

// TestHandOver: by the cashier, or when it has waited too long; never with
// something under way or owed.
func TestHandOver(t *testing.T) {
	for name, row := range map[string]struct {
		kinds []entry.Kind
		gone  bool
		mine  bool
	}{
		"offered":       {paid, true, false},
		"torn":          {torn, true, true},
		"not done":      {then(torn, entry.KWriteDisproven), false, false}, // its void first
		"evidence held": {then(torn, entry.KEvidenceHeld), false, false},
		"withdrawn":     {then(paid, entry.KOfferWithdrawn), false, false},
		"conflict":      {then(paid, entry.KOfferWithdrawn, entry.KReversalConflict), false, false},
	} {
		for _, waited := range []bool{false, true} {
			core := lawCore()
			core.Rules.HandOverMS = 1000
			s := &script{t: t, core: core, state: topup.Replayed(replayed(t, row.kinds))}
			s.on(topup.Started{})
			s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Idle}
			var ev topup.Event = acts("hand-over", "a")
			if waited {
				ev = topup.TimerFired{Name: "hand-over:" + string(testSale), Gen: s.state.Live.Timers["hand-over:"+string(testSale)]}
			}
			r := core.Step(s.state, ev)
			if r.Err != nil {
				t.Fatal(name, r.Err)
			}
			if _, open := r.State.Durable.Sales[testSale]; open == row.gone {
				t.Errorf("%s, waited %v: open %v", name, waited, open)
			}
			for _, b := range r.Entries {
				if h, ok := b.(entry.HandedOver); ok && h.Mine != row.mine {
					t.Errorf("%s: %+v", name, h)
				}
			}
		}
	}
}

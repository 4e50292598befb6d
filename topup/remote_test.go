package topup_test

import (
	"slices"
	"testing"

	"buka/internal/entry"
	"buka/topup"
)

const hostSale = entry.SaleID("HOSTSALE00000001")

func hostRewrite(attempt *entry.Attempt) topup.Remote {
	return topup.Remote{Sale: hostSale, Card: testCard, Amount: 2000, Origin: "lost", Attempt: attempt}
}

// inDoubt is a write that another journal has forgotten.
func inDoubt() *entry.Attempt {
	a := testAttempt
	a.Amount, a.At = 2000, "20260115093015"
	return &a
}

func wanted[C topup.Command](s *script) (found C) {
	s.t.Helper()
	for _, c := range s.did {
		if c, ok := c.(C); ok {
			return c
		}
	}
	s.t.Fatalf("no %T among %v", found, s.did)
	return found
}

func (s *script) sale(id entry.SaleID) topup.Sale { return s.state.Durable.Sales[id] }

func (s *script) tap(session uint64) {
	s.t.Helper()
	read := cardRead(session)
	read.ID = entry.SaleID("FRESHSALE0000001")
	s.on(topup.CardPresented{Place: topup.Front, Session: session}, read)
}

// TestARewriteOfTheHostInOneTap: it comes before a sale, is loaded into the slot
// that the card is at, and closes like any other.
func TestARewriteOfTheHostInOneTap(t *testing.T) {
	s := newScript(t)
	s.on(topup.RewritesKnown{Open: []topup.Remote{hostRewrite(nil)}})
	s.tap(1)
	if load := wanted[topup.Load](s); load.Sale != hostSale || load.Amount != 2000 {
		t.Fatalf("%+v", load)
	}
	s.on(topup.SlotMoved{Place: topup.Front, Session: 1, Sale: hostSale, Got: 7})
	load := wanted[topup.Load](s)
	a := entry.Attempt{Card: testCard, Slot: 7, Amount: 2000, STAN: load.STAN, At: "20260115093015", Random: entry.Hex{7}}
	s.on(topup.LoadAnswered{Place: topup.Front, Session: 1, Sale: hostSale, Attempt: a, Outcome: entry.Done, Code: "00"})
	wanted[topup.Write](s)
	s.on(topup.Wrote{Place: topup.Front, Sale: hostSale, Outcome: entry.Done, SW: 0x9000})
	s.phase(topup.Finished)
	d := wanted[topup.Send](s).Duty
	if d.Kind != topup.Confirmation {
		t.Fatalf("%+v", d)
	}
	if len(s.state.Live.Remote) != 0 {
		t.Error("it would be taken again from a list that is older than the write")
	}
	s.on(topup.Sent{Duty: d, Answered: true, Code: "00"})
	if len(s.state.Durable.Sales) != 0 {
		t.Errorf("%+v", s.state.Durable.Sales)
	}
}

// TestARewriteOfTheHostIsNeverGivenBackAsMoney: whatever ends it here, no
// reversal is owed, and it goes back to the host.
func TestARewriteOfTheHostIsNeverGivenBackAsMoney(t *testing.T) {
	for name, end := range map[string]func(*script){
		"stopped": func(s *script) {
			s.on(topup.CardFailed{Place: topup.Front, Session: 1, Sale: hostSale, Reason: "card-gone"}, topup.Stopped{Sale: hostSale})
		},
		"refused by the authority": func(s *script) {
			s.on(topup.LoadAnswered{Place: topup.Front, Session: 1, Sale: hostSale, Attempt: entry.Attempt{Card: testCard, Amount: 2000}, Outcome: entry.NotDone, Code: "62"})
		},
		"refused by the card": func(s *script) {
			s.on(topup.CardFailed{Place: topup.Front, Session: 1, Sale: hostSale, Reason: "at-limit"})
		},
		"the time of the offer": func(s *script) {
			s.on(topup.CardFailed{Place: topup.Front, Session: 1, Sale: hostSale, Reason: "card-gone"})
			s.on(topup.TimerFired{Name: "offer:" + string(hostSale), Gen: s.state.Live.Timers["offer:"+string(hostSale)]})
		},
		"a power cut": func(s *script) {
			s.state = topup.Replayed(s.state.Durable)
			s.on(topup.Started{})
		},
		"the cashier wants to withdraw": func(s *script) {
			s.on(topup.CardFailed{Place: topup.Front, Session: 1, Sale: hostSale, Reason: "card-gone"})
			s.on(topup.DeskActed{Sale: hostSale, Do: "withdraw", Who: "a"}, topup.DeskActed{Sale: hostSale, Do: "refund", Who: "a"},
				topup.DeskActed{Sale: hostSale, Do: "decide-paid-out", Who: "a"}, topup.DeskActed{Sale: hostSale, Do: "decide-paid-out", Who: "b"})
			if x := s.sale(hostSale); x.ID != "" && !x.Offered() {
				s.t.Errorf("the cashier has ended it: %+v", x)
			}
			s.on(topup.Stopped{Sale: hostSale})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			s.on(topup.RewritesKnown{Open: []topup.Remote{hostRewrite(nil)}})
			s.tap(1)
			end(s)
			if x := s.sale(hostSale); x.ID != "" {
				t.Errorf("it is still here: %+v (front %s)", x, s.state.Live.Front.Phase)
			}
			if name != "a power cut" && len(s.state.Live.Remote) != 1 {
				t.Error("the same machine does not offer it again")
			}
			for _, c := range s.did {
				if send, ok := c.(topup.Send); ok {
					t.Errorf("sent: %+v", send.Duty)
				}
			}
		})
	}
	d := topup.New().Durable
	for _, b := range []entry.Body{entry.SignedOn{Batch: 1}, entry.RewriteTaken{Of: entry.Of{Sale: hostSale}, Card: testCard, Amount: 2000, Batch: 1}} {
		if err := d.Apply(b); err != nil {
			t.Fatal(err)
		}
	}
	of := entry.Of{Sale: hostSale}
	for _, b := range []entry.Body{entry.OfferWithdrawn{Of: of}, entry.RefundRequested{Of: of, STAN: 1, Batch: 1}, entry.SaleClosed{Of: of},
		entry.Decided{Of: of, Decision: topup.PaidOut, People: []string{"a", "b"}}, entry.RewriteTaken{Of: of, Card: testCard, Amount: 2000, Batch: 1},
		entry.PaymentStarted{Of: of, Amount: 2000, STAN: 5, Batch: 1}} {
		if d.Apply(b) == nil {
			t.Errorf("%s was accepted", b.Kind())
		}
	}
}

// TestAWriteInDoubtTravels: a forgotten write is judged where the card is tapped;
// a record in its log proves nothing there, because nobody knows what was in it
// before. Not done, it is written only after the void of the old authorisation
// is committed.
func TestAWriteInDoubtTravels(t *testing.T) {
	s := newScript(t)
	a := inDoubt()
	s.on(topup.RewritesKnown{Open: []topup.Remote{hostRewrite(a)}})
	read := cardRead(1)
	read.Card.Observed.Log = []entry.LogRecord{{Number: a.Slot, Type: 2, Amount: a.Amount, Terminal: a.Terminal, At: a.At}}
	read.Card.Observed.NoProof = []entry.Slot{a.Slot + 1, a.Slot}
	s.on(topup.CardPresented{Place: topup.Front, Session: 1}, read)
	if x := s.sale(hostSale); !x.Unresolved() || x.OweConfirm {
		t.Fatalf("a record in its log was taken for proof: %+v", x)
	}
	wanted[topup.ProbeSlot](s)
	s.on(topup.CounterJudged{Place: topup.Front, Session: 1, Sale: hostSale, Counter: entry.Counter{Value: a.Slot, MAC1: entry.Verified, Fresh: true}})
	void := wanted[topup.Send](s).Duty
	if void.Kind != topup.Void {
		t.Fatalf("%+v", void)
	}
	for _, c := range s.did {
		if _, load := c.(topup.Load); load {
			t.Fatal("it is loaded before the void is committed")
		}
	}
	s.phase(topup.Holding)
	s.on(topup.Sent{Duty: void, Answered: true, Code: "00"})
	s.on(topup.TimerFired{Name: "again", Gen: s.state.Live.Timers["again"]}, cardRead(1))
	wanted[topup.Load](s)
}

// TestADoubtThatIsLeftGoesBack: the card leaves before anything is known; the
// host has it again as it was.
func TestADoubtThatIsLeftGoesBack(t *testing.T) {
	s := newScript(t)
	s.on(topup.RewritesKnown{Open: []topup.Remote{hostRewrite(inDoubt())}})
	s.tap(1)
	if !s.sale(hostSale).Unresolved() {
		t.Fatal(s.sale(hostSale))
	}
	s.on(topup.CardGone{Place: topup.Front, Session: 1}, topup.CardFailed{Place: topup.Front, Session: 1, Sale: hostSale, Reason: "card-gone"})
	if x := s.sale(hostSale); x.ID != "" {
		t.Errorf("%+v", x)
	}
}

// TestOurOwnTornWriteStays: a rewrite of the host that this kiosk tore is kept,
// with its evidence, until it is known or has waited too long.
func TestOurOwnTornWriteStays(t *testing.T) {
	s := newScript(t)
	s.core.Rules.HandOverMS = 1000
	s.on(topup.RewritesKnown{Open: []topup.Remote{hostRewrite(nil)}})
	s.tap(1)
	a := entry.Attempt{Card: testCard, Amount: 2000, STAN: 5, At: "20260115093015", Random: entry.Hex{7}}
	s.on(topup.LoadAnswered{Place: topup.Front, Session: 1, Sale: hostSale, Attempt: a, Outcome: entry.Done, Code: "00"},
		topup.Wrote{Place: topup.Front, Sale: hostSale})
	if x := s.sale(hostSale); !x.Mine() {
		t.Fatalf("%+v", x)
	}
	s.state = topup.Replayed(s.state.Durable)
	s.on(topup.Started{})
	if x := s.sale(hostSale); !x.Mine() {
		t.Fatalf("after a restart: %+v", x)
	}
	name := "hand-over:" + string(hostSale)
	r := s.core.Step(s.state, topup.TimerFired{Name: name, Gen: s.state.Live.Timers[name]})
	if r.Err != nil || len(r.State.Durable.Sales) != 0 || len(r.Entries) == 0 {
		t.Fatalf("%v: %+v", r.Err, r.State.Durable.Sales)
	}
	if b, ok := r.Entries[0].(entry.HandedOver); !ok || !b.Mine {
		t.Errorf("%+v", r.Entries[0])
	}
}

// TestWhatIsOfferedFirst: of several for one card, ours in doubt, then ours that
// is offered, then the host's in doubt, then the host's.
func TestWhatIsOfferedFirst(t *testing.T) {
	second := hostRewrite(inDoubt())
	second.Sale = "HOSTSALE00000002"
	all := []topup.Remote{hostRewrite(nil), second}
	s := newScript(t)
	s.on(topup.RewritesKnown{Open: all})
	s.tap(1)
	if s.sale(second.Sale).ID == "" || s.sale(hostSale).ID != "" {
		t.Error("the host's in doubt does not come first")
	}
	s = newScript(t)
	s.pay()
	s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Idle}
	s.on(topup.RewritesKnown{Open: all})
	s.tap(5)
	if s.state.Live.Front.Sale != "SALE000000000001" || len(s.state.Durable.Sales) != 1 {
		t.Errorf("ours does not come first: %s", s.state.Live.Front.Sale)
	}
}

// TestHeardOfWhileChoosing: a rewrite that comes while its card waits for an
// amount comes before the sale; one of another card does not.
func TestHeardOfWhileChoosing(t *testing.T) {
	s := newScript(t)
	s.tap(1)
	s.phase(topup.Choosing)
	other := hostRewrite(nil)
	other.Card.Number = "3105170010170900000"
	s.on(topup.RewritesKnown{Open: []topup.Remote{other}})
	s.phase(topup.Choosing)
	s.on(topup.RewritesKnown{Open: []topup.Remote{hostRewrite(nil)}})
	wanted[topup.Load](s)
	if !slices.Equal([]int{len(s.state.Durable.Sales)}, []int{1}) || s.sale(hostSale).ID == "" {
		t.Errorf("%+v", s.state.Durable.Sales)
	}
}

// TestDoableWhileChoosing: a rewrite that was known and could not be done yet, for
// want of link or sign-on, comes before the sale as soon as it can.
func TestDoableWhileChoosing(t *testing.T) {
	for name, events := range map[string][]topup.Event{
		"link":    {topup.LinkChanged{}, topup.LinkChanged{Up: true}},
		"sign-on": {topup.SignOnFailed{}, topup.SignedOn{Batch: 1}},
	} {
		s := newScript(t)
		s.on(events[0], topup.RewritesKnown{Open: []topup.Remote{hostRewrite(nil)}})
		s.state.Live.SignedOn = name == "link"
		s.tap(1)
		s.phase(topup.Choosing)
		s.on(events[1])
		wanted[topup.Load](s)
		if s.sale(hostSale).ID == "" {
			t.Errorf("%s: %+v", name, s.state.Durable.Sales)
		}
	}
}

// TestALateAnswerAboutASlotThatWasLeft: the fence has moved while the authority
// was being asked; the answer is about a slot that the sale has left, nothing is
// recorded of it, and the card is loaded again. Found by topup/sim.
func TestALateAnswerAboutASlotThatWasLeft(t *testing.T) {
	for _, outcome := range []entry.Outcome{entry.Done, entry.NotDone, entry.Unknown} {
		s := newScript(t)
		s.pay()
		s.on(topup.CardPresented{Place: topup.Front, Session: 2}, cardRead(2))
		sale := entry.SaleID("SALE000000000001")
		s.on(topup.SlotMoved{Place: topup.Front, Session: 2, Sale: sale, Got: 3})
		if s.sale(sale).Slot != 3 {
			t.Fatal("the fence has not moved")
		}
		late := testAttempt
		r := s.core.Step(s.state, topup.LoadAnswered{Place: topup.Front, Session: 2, Sale: sale, Attempt: late, Outcome: outcome, Code: "62"})
		if r.Err != nil || len(r.Entries) != 0 || !r.State.Durable.Sales[sale].Offered() {
			t.Fatalf("%v: %v, %v", outcome, r.Err, r.Entries)
		}
		for _, c := range r.Commands {
			if _, write := c.(topup.Write); write {
				t.Fatal("it is written")
			}
		}
		s.state = r.State
		s.phase(topup.Holding)
		s.on(topup.TimerFired{Name: "again", Gen: s.state.Live.Timers["again"]}, cardRead(2))
		if l := wanted[topup.Load](s); l.Slot != 3 {
			t.Errorf("slot %d", l.Slot)
		}
	}
}

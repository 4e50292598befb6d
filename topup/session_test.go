package topup_test

import (
	"testing"

	"buka/cardio/pboc"
	"buka/internal/entry"
	"buka/topup"
)

// script runs events through a fresh core that has signed on.
type script struct {
	t     *testing.T
	core  *topup.Core
	state topup.State
	did   []topup.Command // of the last event
}

func newScript(t *testing.T) *script {
	s := &script{t: t, core: &topup.Core{Rules: topup.DefaultRules(), Judges: map[string]topup.Judge{"tunion": pboc.Judge}}, state: topup.New()}
	s.on(topup.Started{}, topup.LinkChanged{Up: true}, topup.SignedOn{Batch: 1})
	return s
}

func (s *script) on(events ...topup.Event) {
	s.t.Helper()
	for _, e := range events {
		r := s.core.Step(s.state, e)
		if r.Err != nil {
			s.t.Fatalf("%T: %v", e, r.Err)
		}
		s.state, s.did = r.State, r.Commands
	}
}

func (s *script) phase(want topup.Phase) {
	s.t.Helper()
	if got := s.state.Live.Front.Phase; got != want {
		s.t.Fatalf("the phase is %s, not %s", got, want)
	}
}

// reads says whether the last event had the card of a session read.
func (s *script) reads(session uint64) {
	s.t.Helper()
	for _, c := range s.did {
		if r, ok := c.(topup.ReadCard); ok && r.Session == session {
			return
		}
	}
	s.t.Fatalf("the card of session %d is not read: %v", session, s.did)
}

func cardRead(session uint64) topup.CardRead {
	return topup.CardRead{Place: topup.Front, Session: session, ID: entry.SaleID("SALE000000000001"), Card: topup.CardFacts{Card: testCard, Balance: 2850}}
}

// A card that bounces on the reader is read again: the screen never waits for
// an answer about a presence that is over.
func TestABouncingCardIsReadAgain(t *testing.T) {
	s := newScript(t)
	s.on(topup.CardPresented{Place: topup.Front, Session: 1}, topup.CardGone{Place: topup.Front, Session: 1}, topup.CardPresented{Place: topup.Front, Session: 2})
	s.reads(2)
	s.on(topup.CardFailed{Place: topup.Front, Session: 1, Reason: "card-gone"})
	s.phase(topup.Reading)
	s.on(cardRead(2))
	s.phase(topup.Choosing)
}

// pay brings a script to the hold screen, without a card on the reader.
func (s *script) pay() {
	s.t.Helper()
	sale := entry.SaleID("SALE000000000001")
	s.on(topup.CardPresented{Place: topup.Front, Session: 1}, cardRead(1), topup.Chosen{Sale: sale, Amount: 5000})
	s.phase(topup.Probing)
	s.on(topup.Probed{Place: topup.Front, Session: 1, Sale: sale, Answered: true, Code: "00", Attempt: entry.Attempt{Card: testCard, Slot: 2}},
		topup.CardGone{Place: topup.Front, Session: 1}, topup.TenderSeen{Sale: sale}, topup.TenderReady{Sale: sale})
	s.phase(topup.Sending)
	s.on(topup.Paid{Sale: sale, STAN: s.state.Durable.Sales[sale].PaySTAN, Outcome: entry.Done, Amount: 5000, Code: "00"})
	s.phase(topup.Holding)
}

func TestABouncingCardAtHold(t *testing.T) {
	s := newScript(t)
	s.pay()
	s.on(topup.CardPresented{Place: topup.Front, Session: 2}, topup.CardGone{Place: topup.Front, Session: 2}, topup.CardPresented{Place: topup.Front, Session: 3}, cardRead(2))
	s.reads(3)
	s.on(topup.CardGone{Place: topup.Front, Session: 3}, cardRead(3))
	s.phase(topup.Holding)
}

// A late answer changes nothing (reference/iso8583.md §2.2).
func TestALatePaymentChangesNothing(t *testing.T) {
	s := newScript(t)
	s.pay()
	before, _ := s.state.Durable.Encode()
	sale := s.state.Durable.Sales["SALE000000000001"]
	s.on(topup.Paid{Sale: sale.ID, STAN: sale.PaySTAN, Outcome: entry.NotDone, Code: "51"}, topup.Paid{Sale: sale.ID, STAN: sale.PaySTAN, Outcome: entry.Unknown})
	if after, _ := s.state.Durable.Encode(); string(after) != string(before) {
		t.Error("a late answer has changed the state")
	}
}

// The money of a card at the desk stays while another passenger begins.
func TestTheDeskKeepsItsOffer(t *testing.T) {
	for _, atDesk := range []bool{true, false} {
		s := newScript(t)
		s.pay()
		if atDesk {
			s.on(topup.CardPresented{Place: topup.Desk, Session: 9}, topup.CardRead{Place: topup.Desk, Session: 9, Card: topup.CardFacts{Card: testCard}})
		}
		s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Idle}
		other := cardRead(10)
		other.ID, other.Card.Card.Number = "SALE000000000002", "3105170010170900000"
		s.on(topup.CardPresented{Place: topup.Front, Session: 10}, other)
		if offered := s.state.Durable.Sales["SALE000000000001"].Offered(); offered != atDesk {
			t.Errorf("card at the desk %v: the offer stands: %v", atDesk, offered)
		}
	}
}

// A card that bounces while it is read may be initialised twice before the first
// authorisation is known. The write names the one that was announced, and a
// worker that holds another does not send it. Found by topup/sim.
func TestTheWriteIsOfTheAnnouncedLoad(t *testing.T) {
	s := newScript(t)
	s.pay()
	sale := entry.SaleID("SALE000000000001")
	attempt := func(random byte) entry.Attempt {
		return entry.Attempt{Card: testCard, Slot: 2, Amount: 5000, Random: entry.Hex{0, 0, 0, random}, At: "20260115093015"}
	}
	answered := func(a entry.Attempt) topup.LoadAnswered {
		return topup.LoadAnswered{Place: topup.Front, Session: 2, Sale: sale, Attempt: a, Outcome: entry.Done, Code: "00"}
	}
	s.on(topup.CardPresented{Place: topup.Front, Session: 2}, cardRead(2), cardRead(2), answered(attempt(1)))
	var write topup.Write
	for _, c := range s.did {
		if w, ok := c.(topup.Write); ok {
			write = w
		}
	}
	if !write.Announces(sale, attempt(1)) || write.Announces(sale, attempt(2)) || write.Announces("SALE000000000002", attempt(1)) {
		t.Errorf("%+v", write)
	}
	s.on(answered(attempt(2)))
	for _, c := range s.did {
		if _, ok := c.(topup.Write); ok {
			t.Error("a second write goes out")
		}
	}
}

// The host has closed the batch while the money waits for the card: the kiosk
// signs on again and loads, and the money stays. Found by topup/sim.
func TestALoadAfterTheBatchWasClosed(t *testing.T) {
	s := newScript(t)
	s.pay()
	sale := entry.SaleID("SALE000000000001")
	s.on(topup.CardPresented{Place: topup.Front, Session: 2}, cardRead(2),
		topup.LoadAnswered{Place: topup.Front, Session: 2, Sale: sale, Attempt: entry.Attempt{Card: testCard, Slot: 2, Amount: 5000}, Outcome: entry.NotDone, Code: "77"})
	signsOn := false
	for _, c := range s.did {
		_, is := c.(topup.SignOn)
		signsOn = signsOn || is
	}
	s.phase(topup.Holding)
	if !signsOn || !s.state.Durable.Sales[sale].Offered() {
		t.Errorf("signs on: %v, sale %+v", signsOn, s.state.Durable.Sales[sale])
	}
}

// TestACardThatLiesThereIsAskedAgain: what could not be asked for want of the
// authority is asked when it is there, by the card that still lies there.
func TestACardThatLiesThereIsAskedAgain(t *testing.T) {
	for name, row := range map[string]struct {
		reason  string
		session uint64
		events  []topup.Event
		again   bool
	}{
		"signed on":               {"authority-wait", 3, []topup.Event{topup.SignedOn{Batch: 1}}, true},
		"the link is back":        {"authority-wait", 3, []topup.Event{topup.LinkChanged{}, topup.LinkChanged{Up: true}}, true},
		"the card has gone":       {"authority-wait", 0, []topup.Event{topup.SignedOn{Batch: 1}}, false},
		"the wrong card":          {"other-card", 3, []topup.Event{topup.SignedOn{Batch: 1}}, false},
		"the link has gone again": {"authority-wait", 3, []topup.Event{topup.LinkChanged{}}, false},
	} {
		s := newStepper(t, replayed(t, torn))
		s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Open, Reason: row.reason, Sale: testSale, Session: row.session}
		for _, e := range row.events {
			s.step(e)
		}
		read, ok := asked[topup.ReadCard](s)
		if ok != row.again || ok && read.Session != 3 {
			t.Errorf("%s: %+v", name, s.commands)
		}
	}
}

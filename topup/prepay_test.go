package topup_test

import (
	"testing"

	"buka/internal/entry"
	"buka/topup"
)

// What happens between the amount and the payment: nobody pays after a stop, and
// nobody types a PIN for nothing.

const nextSale = entry.SaleID("SALE000000000001")

// owing is a kiosk that owes a reversal of another card's sale, and a passenger
// whose card was probed.
func owing(t *testing.T) *stepper {
	t.Helper()
	s := newStepper(t, replayed(t, then(paid, entry.KOfferWithdrawn)))
	duty := s.state.Durable.Sales[testSale].Duties()[0]
	s.step(topup.Sent{Duty: duty}) // in vain; it is tried again later
	s.state.Live.Front = topup.Console{Place: topup.Front}
	other := entry.Card{Family: "tunion", Number: "3105170010170907985"}
	s.step(topup.CardPresented{Place: topup.Front, Session: 1})
	s.step(topup.CardRead{Place: topup.Front, Session: 1, ID: nextSale, Card: topup.CardFacts{Card: other, Balance: 2850}})
	s.step(topup.Chosen{Sale: nextSale, Amount: 5000})
	s.step(topup.Probed{Place: topup.Front, Session: 1, Sale: nextSale, Answered: true, Code: "00", Attempt: entry.Attempt{Card: other, Slot: 2}})
	return s
}

// TestAReversalGoesBeforeTheBankCard: the bank card is asked for when what is owed
// has ended; if it cannot be delivered, nobody is asked for a PIN.
func TestAReversalGoesBeforeTheBankCard(t *testing.T) {
	s := owing(t)
	send, ok := asked[topup.Send](s)
	if _, tender := asked[topup.TakeTender](s); !ok || tender || s.state.Live.Front.Phase != topup.Sending {
		t.Fatalf("%s, %+v", s.state.Live.Front.Phase, s.commands)
	}
	waits := s.state
	s.step(topup.Sent{Duty: send.Duty, Answered: true, Code: "00"})
	if _, tender := asked[topup.TakeTender](s); !tender || s.state.Live.Front.Phase != topup.Paying {
		t.Errorf("%s, %+v", s.state.Live.Front.Phase, s.commands)
	}
	s.state = waits
	s.step(topup.Sent{Duty: send.Duty})
	if _, tender := asked[topup.TakeTender](s); tender || s.state.Live.Front.Phase != topup.NoNetwork {
		t.Errorf("%s, %+v", s.state.Live.Front.Phase, s.commands)
	}
}

// TestStopBeforeAnythingIsSent: who stops while a reversal is waited for, with the
// PIN typed or not, pays nothing.
func TestStopBeforeAnythingIsSent(t *testing.T) {
	for _, typed := range []bool{false, true} {
		s := owing(t)
		if typed { // another reversal has come up since the bank card was asked for
			s.state.Live.Front.Phase = topup.PINEntry
			s.state.Live.Front.PAN = "622588******0001"
			s.step(topup.TenderReady{Sale: nextSale})
		}
		s.step(topup.Stopped{Sale: nextSale})
		if c := s.state.Live.Front; c.Phase != topup.Declined || c.Reason != "stopped" {
			t.Errorf("typed %v: %s %s", typed, c.Phase, c.Reason)
		}
		s.step(topup.Sent{Duty: s.state.Durable.Sales[testSale].Duties()[0], Answered: true, Code: "00"})
		if _, pays := asked[topup.Pay](s); pays {
			t.Errorf("typed %v: paid after the stop", typed)
		}
	}
}

// TestNoPINForNothing: what ends payments between the amount and the bank card
// ends the sale before the PIN; a sign-on that is under way does not.
func TestNoPINForNothing(t *testing.T) {
	for name, row := range map[string]struct {
		events []topup.Event
		want   topup.Phase
	}{
		"the link drops":            {[]topup.Event{topup.LinkChanged{}}, topup.NoNetwork},
		"the PIN pad goes":          {[]topup.Event{topup.DeviceChanged{Name: "pinpad", Why: "pinpad-missing"}, topup.TenderSeen{Sale: nextSale, PAN: "x"}}, topup.Declined},
		"a sign-on is under way":    {[]topup.Event{topup.SignOnAsked{}, topup.TenderSeen{Sale: nextSale, PAN: "x"}}, topup.PINEntry},
		"nothing happens":           {[]topup.Event{topup.TenderSeen{Sale: nextSale, PAN: "x"}}, topup.PINEntry},
		"the batch has been closed": {[]topup.Event{topup.SettleAsked{Who: "schedule"}}, topup.Declined},
	} {
		s := owing(t)
		send, _ := asked[topup.Send](s)
		s.step(topup.Sent{Duty: send.Duty, Answered: true, Code: "00"})
		for _, e := range row.events {
			s.step(e)
		}
		if got := s.state.Live.Front.Phase; got != row.want {
			t.Errorf("%s: %s", name, got)
		}
		if _, dropped := asked[topup.DropTender](s); dropped != (row.want != topup.PINEntry) {
			t.Errorf("%s: %+v", name, s.commands)
		}
	}
}

// TestAHostThatWantsSignOnsForEver: a message that is answered so each time is
// sent again in its own time, not after each sign-on at once.
func TestAHostThatWantsSignOnsForEver(t *testing.T) {
	s := newStepper(t, replayed(t, then(paid, entry.KOfferWithdrawn)))
	duty := s.state.Durable.Sales[testSale].Duties()[0]
	last := int64(0)
	for range 10 {
		s.step(topup.Sent{Duty: duty, Answered: true, Code: "77"})
		var wait int64
		for _, c := range s.commands {
			if set, ok := c.(topup.SetTimer); ok && set.Name == "retry" {
				wait = set.AfterMS
			}
		}
		if _, ok := asked[topup.SignOn](s); !ok || wait < last || wait < 500 {
			t.Fatalf("%d ms after %d: %+v", wait, last, s.commands)
		}
		last = wait
		s.step(topup.SignedOn{Batch: 1})
		if _, ok := asked[topup.Send](s); ok {
			t.Fatalf("sent at once: %+v", s.commands)
		}
		s.fire("retry")
		if _, ok := asked[topup.Send](s); !ok {
			t.Fatalf("not sent again: %+v", s.commands)
		}
	}
	s.step(topup.Sent{Duty: duty})
	s.step(topup.LinkChanged{})
	s.step(topup.LinkChanged{Up: true})
	if _, ok := asked[topup.Send](s); !ok {
		t.Errorf("the link is back, and nothing is sent: %+v", s.commands)
	}
}

// TestARefundOfWhatIsNotKnown waits for the settlement: then it is known what there
// is to refund, and both sides count it.
func TestARefundOfWhatIsNotKnown(t *testing.T) {
	begin := append(bodies(then(paid[:3], entry.KPaymentUnknown)...), entry.ReversalConflict{Of: testOf, Code: "30"})
	d := settling(t, begin...)
	if s := d.Sales[testSale]; s.MayRefund() || s.MayDecideFor(topup.Refunded) || !s.MayDecideFor(topup.PaidOut) {
		t.Errorf("before: %+v", s)
	}
	over := []entry.Body{closingOne, entry.SettlementStarted{Batch: 1, STAN: 9}}
	has := entry.BatchSettled{Batch: 1, Code: "00", Uploaded: true, Differs: []entry.Difference{{Sale: testSale, STAN: 5, Host: 5000}}}
	hasNot := entry.BatchSettled{Batch: 1, Code: "00"}
	d = settling(t, append(begin[:len(begin):len(begin)], over[0], over[1], has)...)
	if s := d.Sales[testSale]; !s.MayRefund() || s.Paid != 5000 {
		t.Errorf("the host has it: %+v", s)
	}
	d = settling(t, append(begin[:len(begin):len(begin)], over[0], over[1], hasNot)...)
	if s := d.Sales[testSale]; !s.Finished() || s.Conflict {
		t.Errorf("the host has it not: %+v", s)
	}
}

// TestWhatEndsAVoid: every answer that says there is nothing more to do.
func TestWhatEndsAVoid(t *testing.T) {
	for code, ends := range map[string]bool{"00": true, "25": true, "12": true, "C0": true, "96": false, "91": false, "30": false} {
		s := newStepper(t, replayed(t, then(paid, entry.KLoadRequested, entry.KLoadUnknown)))
		var void topup.Duty
		for _, d := range s.state.Durable.Sales[testSale].Duties() {
			void = d
		}
		s.step(topup.Sent{Duty: void, Answered: true, Code: code})
		if owes := len(s.state.Durable.Sales[testSale].OweVoids) > 0; void.Kind != topup.Void || owes == ends {
			t.Errorf("%s: %v, %+v", code, void, s.state.Durable.Sales[testSale])
		}
	}
}

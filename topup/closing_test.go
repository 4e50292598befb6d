package topup_test

import (
	"testing"

	"buka/topup"
)

// TestABatchClosesUnderAPassenger: whoever has sent nothing is told at once, before a
// PIN is typed for nothing; whose payment is under way goes on, and whose is not yet
// is refused when it would begin.
func TestABatchClosesUnderAPassenger(t *testing.T) {
	for phase, ends := range map[topup.Phase]bool{
		topup.CardBack: true, topup.Probing: true, topup.Paying: true, topup.PINEntry: true, topup.Choosing: false, topup.Sending: false,
	} {
		s := newStepper(t, replayed(t, nil))
		s.state.Durable = replayed(t, paid[:2])
		s.state.Live.Front = topup.Console{Place: topup.Front, Phase: phase, Sale: testSale, Amount: 5000, PAN: "622588******0001"}
		s.step(topup.SettleAsked{Who: "schedule"})
		_, dropped := asked[topup.DropTender](s)
		if c := s.state.Live.Front; (c.Phase == topup.Declined && c.Reason == "batch-closing") != ends || dropped != ends {
			t.Errorf("%s: %s (%s), tender dropped %v", phase, c.Phase, c.Reason, dropped)
		}
	}
	s := newStepper(t, replayed(t, nil))
	s.state.Durable = replayed(t, paid[:3])
	s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Sending, Sale: testSale, Amount: 5000}
	s.step(topup.SettleAsked{Who: "schedule"})
	if _, settles := asked[topup.Settle](s); settles || s.state.Live.Front.Phase != topup.Sending {
		t.Errorf("under a payment: %+v, %+v", s.commands, s.state.Live.Front)
	}
}

package topup_test

import (
	"testing"

	"buka/internal/entry"
	"buka/topup"
)

// TestWrongPINs: each other PIN goes out under a STAN of its own, and after as many
// as the rules allow the sale ends here, whatever the host would still take.
func TestWrongPINs(t *testing.T) {
	for _, most := range []int{1, 2, 3} {
		s := newStepper(t, replayed(t, nil))
		s.core.Rules.PINs = most
		s.state.Durable = replayed(t, paid[:3])
		s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Sending, Sale: testSale, Amount: 5000, PAN: "622588******0001"}
		used := map[uint32]bool{5: true}
		for n, stan := 1, uint32(5); ; n++ {
			s.step(topup.Paid{Sale: testSale, STAN: stan, Outcome: entry.NotDone, Code: "55"})
			_, again := asked[topup.RetryPIN](s)
			if again != (n < most) {
				t.Fatalf("of %d, after %d wrong ones: another PIN %v", most, n, again)
			}
			if !again {
				break
			}
			s.step(topup.TenderReady{Sale: testSale})
			pay, ok := asked[topup.Pay](s)
			if !ok || used[pay.STAN] {
				t.Fatalf("%+v", s.commands)
			}
			used[pay.STAN], stan = true, pay.STAN
		}
		_, dropped := asked[topup.DropTender](s)
		if c := s.state.Live.Front; !dropped || c.Phase != topup.Declined || s.state.Durable.Owed() != 0 || len(s.state.Durable.Sales) != 0 {
			t.Errorf("of %d: card and PIN dropped %v, %+v, %+v", most, dropped, c, s.state.Durable.Sales)
		}
	}
}

// TestNoOtherPINAfterAStop: who has pressed stop while the payment was under way is
// not asked for another PIN.
func TestNoOtherPINAfterAStop(t *testing.T) {
	s := newStepper(t, replayed(t, nil))
	s.state.Durable = replayed(t, paid[:3])
	s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Sending, Sale: testSale, Amount: 5000}
	s.step(topup.Stopped{Sale: testSale})
	s.step(topup.Paid{Sale: testSale, STAN: 5, Outcome: entry.NotDone, Code: "55"})
	if _, again := asked[topup.RetryPIN](s); again || s.state.Live.Front.Phase != topup.Declined {
		t.Errorf("%+v, %+v", s.commands, s.state.Live.Front)
	}
}

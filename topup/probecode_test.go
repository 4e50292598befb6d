package topup_test

import (
	"testing"

	"buka/topup"
)

// TestWhatAProbeSaysOfTheTerminal: the code of an eligibility answer is about the
// terminal too: sign on again, or take no payment at all.
func TestWhatAProbeSaysOfTheTerminal(t *testing.T) {
	for code, row := range map[string]struct {
		signOn bool
		why    string
	}{"77": {true, "network-down"}, "97": {false, "payment-not-set-up"}, "62": {false, ""}} {
		s := newStepper(t, replayed(t, nil))
		s.state.Durable = replayed(t, paid[:2])
		s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Probing, Sale: testSale}
		s.step(topup.Probed{Place: topup.Front, Sale: testSale, Answered: true, Code: code})
		_, signsOn := asked[topup.SignOn](s)
		if c := s.state.Live.Front; signsOn != row.signOn || s.state.NoPayment() != row.why || c.Phase != topup.Declined || c.Reason != "not-eligible" {
			t.Errorf("%s: sign-on %v, no payment because of %q, the screen is %s (%s)", code, signsOn, s.state.NoPayment(), c.Phase, c.Reason)
		}
	}
}

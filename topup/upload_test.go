package topup_test

import (
	"testing"

	"buka/topup"
)

// TestAnUploadThatIsRefused: a host that knows nothing of the settlement (25: put
// back from a copy, say) is told the totals again, under the same STAN, and not
// the payments alone for ever.
func TestAnUploadThatIsRefused(t *testing.T) {
	s := newStepper(t, replayed(t, paid[:2]))
	s.state.Live.Front = topup.Console{Place: topup.Front}
	s.step(topup.SettleAsked{Who: "schedule"})
	settle, _ := asked[topup.Settle](s)
	s.step(topup.Settled{Batch: 1, Answered: true, Code: "00"})
	if _, ok := asked[topup.Upload](s); !ok {
		t.Fatalf("%+v", s.commands)
	}
	s.step(topup.Uploaded{Batch: 1, Answered: true, Code: "25"})
	for range 5 {
		if again, ok := asked[topup.Settle](s); ok {
			if again.STAN != settle.STAN || !again.Repeat {
				t.Errorf("%+v", again)
			}
			return
		}
		if _, ok := asked[topup.Upload](s); ok {
			s.step(topup.Uploaded{Batch: 1, Answered: true, Code: "25"})
		}
		s.step(topup.SignedOn{Batch: 1})
		s.fire("settle")
	}
	t.Error("the totals are never told again")
}

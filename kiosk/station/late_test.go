package station

import (
	"log/slog"
	"runtime"
	"testing"

	"buka/sync/switchlink"
	"buka/topup"
)

// TestLateAnswers: what the kiosk has asked for is recorded; what it never did is
// not; a flood neither holds up the link nor grows anything.
func TestLateAnswers(t *testing.T) {
	w := newHostTown(t)
	w.until("sales", func(s topup.State) bool { return s.NoPayment() == "" })
	state, _ := w.st.Engine().State()
	until := state.Durable.STANUntil
	for _, stan := range []uint32{0, until + 1, switchlink.MaxSTAN, 1} { // in this order
		w.st.late(switchlink.Late{Kind: switchlink.KindPay, STAN: stan, Batch: 1, Code: "00", Amount: 50_00})
	}
	w.until("the one that may have been asked for", func(s topup.State) bool { return len(s.Durable.Late) > 0 })
	if state, _ := w.st.Engine().State(); len(state.Durable.Late) != 1 || state.Durable.Late[0] != (topup.LateAnswer{STAN: 1, Batch: 1}) {
		t.Errorf("recorded: %+v", state.Durable.Late)
	}

	s := &Station{lates: make(chan switchlink.Late, lateQueue), log: slog.New(slog.DiscardHandler)} // nobody takes them
	before := runtime.NumGoroutine()
	for i := range uint32(10_000) {
		s.late(switchlink.Late{STAN: i})
	}
	if after := runtime.NumGoroutine(); after > before+100 {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

func TestReserved(t *testing.T) {
	for _, x := range []struct {
		until, stan uint32
		want        bool
	}{{0, 0, false}, {0, 1, false}, {64, 64, true}, {64, 65, false}, {999_999, 999_999, true}, {1_000_063, 70, true}, {1_000_063, 0, false}} {
		if reserved(x.until, x.stan) != x.want {
			t.Errorf("%+v", x)
		}
	}
}

package station

import (
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
	"buka/ui"
)

// TestWhereASaleStands: in the words of the cashier's page, what people should look
// after before what goes on by itself.
func TestWhereASaleStands(t *testing.T) {
	for _, x := range []struct {
		sale topup.Sale
		want string
	}{
		{topup.Sale{Pay: topup.PayApproved}, ui.OpenOffered},
		{topup.Sale{Pay: topup.PayApproved, Write: topup.WriteUnknown}, ui.OpenUnknown},
		{topup.Sale{Pay: topup.PayApproved, Write: topup.WriteUnknown, Proofs: []entry.Proof{{}}, ProofSays: []entry.Opinion{entry.NoOpinion}}, ui.OpenEvidenceHeld},
		{topup.Sale{Pay: topup.PayUnknown, OweReversal: true}, ui.OpenReversalOwed},
		{topup.Sale{Pay: topup.PayUnknown, OweReversal: true, Long: true}, ui.OpenBackLong},
		{topup.Sale{Pay: topup.PayWithdrawn, OweReversal: true, Long: true}, ui.OpenBackLong},
		{topup.Sale{Pay: topup.PayWithdrawn, Conflict: true}, ui.OpenConflict},
		{topup.Sale{Pay: topup.PayWithdrawn, Conflict: true, OweRefund: true}, ui.OpenRefundOwed},
		{topup.Sale{Pay: topup.PayWithdrawn, OweRefund: true, Long: true}, ui.OpenBackLong},
		{topup.Sale{Pay: topup.PayReversed, ExpectAbsent: true}, ui.OpenExpectedAbsent},
		{topup.Sale{Pay: topup.PayApproved, Write: topup.WriteDone, OweConfirm: true}, ui.OpenConfirmOwed},
		{topup.Sale{Pay: topup.PayApproved, Write: topup.WriteUnknown, HandedOver: true}, ui.OpenHandedOver},
		{topup.Sale{Pay: topup.PayApproved, Write: topup.WriteAuthorised}, ui.OpenInProgress},
	} {
		if got := standing(x.sale); got != x.want {
			t.Errorf("%+v: %s, want %s", x.sale, got, x.want)
		}
	}
}

// TestWhatIsKnownAboutAPayment: no amount stands as paid that may not have been
// taken, or has gone back.
func TestWhatIsKnownAboutAPayment(t *testing.T) {
	for _, x := range []struct {
		sale topup.Sale
		want string
		paid money.Fen // 0: none is shown
	}{
		{topup.Sale{Pay: topup.PayApproved, Paid: 5000}, ui.PaidTaken, 5000},
		{topup.Sale{Pay: topup.PayApproved}, ui.PaidTaken, 5000},
		{topup.Sale{Pay: topup.PayWithdrawn, Paid: 5100, OweReversal: true}, ui.PaidTaken, 5100}, // of another amount than was asked
		{topup.Sale{Pay: topup.PayUnknown, OweReversal: true}, ui.PaidUnknown, 0},
		{topup.Sale{Pay: topup.PayUnknown, OweReversal: true, Long: true}, ui.PaidUnknown, 0},
		{topup.Sale{Pay: topup.PayUnknown, Conflict: true}, ui.PaidUnknown, 0},
		{topup.Sale{Pay: topup.PayWithdrawn, Conflict: true}, ui.PaidUnknown, 0}, // settled, and not one by one
		{topup.Sale{Pay: topup.PayWithdrawn, Conflict: true, Paid: 5000}, ui.PaidTaken, 5000},
		{topup.Sale{Pay: topup.PayReversed, ExpectAbsent: true}, ui.PaidDenied, 0},
		{topup.Sale{Pay: topup.PayReversed, OweVoids: []topup.OwedVoid{{}}}, ui.PaidReversed, 0},
		{topup.Sale{Pay: topup.PayReversed, Paid: 5000, PaidBack: 5000}, ui.PaidBack, 0},
		{topup.Sale{Pay: topup.PayApproved, Paid: 5000, Remote: true}, ui.PaidElsewhere, 0},
	} {
		x.sale.Amount = 5000
		known, amount := paid(x.sale)
		if known != x.want || (amount == nil) != (x.paid == 0) || amount != nil && *amount != x.paid {
			t.Errorf("%+v: %s %v, want %s %v", x.sale, known, amount, x.want, x.paid)
		}
	}
}

// TestWhatPeopleShouldLookAfterIsReported: a reversal that is owed for long is
// counted in the heartbeat, and stands on the desk.
func TestWhatPeopleShouldLookAfterIsReported(t *testing.T) {
	w := newHostTown(t)
	w.until("sales", func(s topup.State) bool { return s.NoPayment() == "" })
	if h := w.st.heartbeat(); h.Long != 0 {
		t.Fatalf("%d", h.Long)
	}
	state, _ := w.st.Engine().State()
	state.Durable.Sales = map[entry.SaleID]topup.Sale{
		"A000000000000000": {ID: "A000000000000000", Pay: topup.PayUnknown, OweReversal: true, Long: true},
		"B000000000000000": {ID: "B000000000000000", Pay: topup.PayUnknown, OweReversal: true},
	}
	open := w.st.deskState(state).Open
	if len(open) != 2 || open[0].State == open[1].State {
		t.Errorf("%+v", open)
	}
	if h := w.st.heartbeatOf(state, nil); h.Long != 1 || h.Owed != 2 {
		t.Errorf("%+v", h)
	}
}

// TestASettlementWithoutAnEndIsReported after a while, and no more when it is over.
func TestASettlementWithoutAnEndIsReported(t *testing.T) {
	w := newHostTown(t)
	now := time.Now()
	w.st.parts.Clock = func() time.Time { return now }
	state, _ := w.st.Engine().State()
	says := func() (told bool) {
		for _, d := range w.st.heartbeatOf(state, nil).Devices {
			told = told || d.Name == "settlement" && !d.OK && d.Code == "settlement-waits"
		}
		return told
	}
	closing := map[uint32]topup.Batch{1: {Number: 1, Phase: topup.BatchClosing}}
	for i, x := range []struct {
		batches map[uint32]topup.Batch
		after   time.Duration
		want    bool
	}{{nil, 0, false}, {closing, 0, false}, {closing, 4 * time.Minute, false}, {closing, time.Minute, true}, {nil, time.Second, false}, {closing, time.Second, false}} {
		now = now.Add(x.after)
		state.Durable.Batches = x.batches
		if got := says(); got != x.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

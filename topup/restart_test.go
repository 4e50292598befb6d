package topup_test

import (
	"testing"

	"buka/cardio/pboc"
	"buka/internal/entry"
	"buka/topup"
)

const testSale = entry.SaleID("TESTSALE00000001")

var (
	testOf      = entry.Of{Sale: testSale}
	testCard    = entry.Card{Family: "tunion", Number: "3105170010170907984"}
	testAttempt = entry.Attempt{Card: testCard, Slot: 2, OldBalance: 2850, Amount: 5000, Terminal: entry.Hex{1, 2, 3, 4, 5, 6}, Random: entry.Hex{1, 2, 3, 4}, STAN: 7}
	testProof   = entry.Proof{Asked: 3, TAC: entry.Hex{9, 9, 9, 9}}
	notDone     = entry.Counter{Value: 2, MAC1: entry.Verified, Fresh: true}
)

// story is the entries of one sale in their lawful order, by name.
var story = map[entry.Kind]entry.Body{
	entry.KSaleOpened:               entry.SaleOpened{Of: testOf, Card: testCard},
	entry.KAmountChosen:             entry.AmountChosen{Of: testOf, Amount: 5000},
	entry.KPaymentStarted:           entry.PaymentStarted{Of: testOf, Tender: "bank-card", Amount: 5000, STAN: 5, Batch: 1, Slot: 2},
	entry.KPaymentDeclined:          entry.PaymentDeclined{Of: testOf, Code: "51"},
	entry.KPaymentUnknown:           entry.PaymentUnknown{Of: testOf, Why: "no answer"},
	entry.KPaymentApproved:          entry.PaymentApproved{Of: testOf, Amount: 5000, Code: "00"},
	entry.KLoadRequested:            entry.LoadRequested{Of: testOf, Attempt: testAttempt},
	entry.KLoadAuthorised:           entry.LoadAuthorised{Of: testOf, At: "20260115093015"},
	entry.KLoadRefused:              entry.LoadRefused{Of: testOf, Code: "62"},
	entry.KLoadUnknown:              entry.LoadUnknown{Of: testOf, VoidSTAN: 8},
	entry.KWriteStarted:             entry.WriteStarted{Of: testOf, ConfirmSTAN: 9, VoidSTAN: 10},
	entry.KWriteDone:                entry.WriteDone{Of: testOf, SW: 0x9000},
	entry.KWriteRefused:             entry.WriteRefused{Of: testOf, SW: 0x6985},
	entry.KWriteUnknown:             entry.WriteUnknown{Of: testOf},
	entry.KEvidenceHeld:             entry.EvidenceHeld{Of: testOf, Proof: testProof},
	entry.KEvidenceRejected:         entry.EvidenceRejected{Of: testOf, Proof: testProof},
	entry.KWriteProven:              entry.WriteProven{Of: testOf, By: "tac"},
	entry.KWriteDisproven:           entry.WriteDisproven{Of: testOf, Counter: notDone},
	entry.KOfferWithdrawn:           entry.OfferWithdrawn{Of: testOf, Why: "stopped"},
	entry.KReversalAcknowledged:     entry.ReversalAcknowledged{Of: testOf, Code: "00"},
	entry.KReversalConflict:         entry.ReversalConflict{Of: testOf, Code: "C0"},
	entry.KConfirmationAcknowledged: entry.ConfirmationAcknowledged{Of: testOf, Code: "00"},
	entry.KVoidAcknowledged:         entry.VoidAcknowledged{Of: testOf, Code: "00", STAN: 10},
	entry.KRefundRequested:          entry.RefundRequested{Of: testOf, STAN: 20, Batch: 1, Who: "a"},
	entry.KRefundAcknowledged:       entry.RefundAcknowledged{Of: testOf, Code: "00"},
	entry.KHandedOver:               entry.HandedOver{Of: testOf, To: "host"},
	entry.KDecided:                  entry.Decided{Of: testOf, Decision: topup.PaidOut, People: []string{"a", "b"}},
}

// paid, written and torn are how a story begins.
var (
	paid    = []entry.Kind{entry.KSaleOpened, entry.KAmountChosen, entry.KPaymentStarted, entry.KPaymentApproved}
	started = append(paid[:len(paid):len(paid)], entry.KLoadRequested, entry.KLoadAuthorised, entry.KWriteStarted)
	torn    = append(started[:len(started):len(started)], entry.KWriteUnknown)
)

func then(begin []entry.Kind, more ...entry.Kind) []entry.Kind {
	return append(begin[:len(begin):len(begin)], more...)
}

func replayed(t *testing.T, kinds []entry.Kind) topup.Durable {
	t.Helper()
	d := topup.New().Durable
	if err := d.Apply(entry.SignedOn{Batch: 1}); err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if err := d.Apply(story[k]); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// TestRestartTable is the table of DESIGN §4.1: what a restart does, by the
// sale's last entry.
func TestRestartTable(t *testing.T) {
	open, offered, unresolved, reversal, confirm, void, closed :=
		func(s topup.Sale) bool { return s.ID != "" },
		topup.Sale.Offered, topup.Sale.Unresolved,
		func(s topup.Sale) bool { return s.OweReversal },
		func(s topup.Sale) bool { return s.OweConfirm },
		func(s topup.Sale) bool { return len(s.OweVoids) > 0 },
		func(s topup.Sale) bool { return s.ID == "" }
	refund := func(s topup.Sale) bool { return s.OweRefund }
	held := func(s topup.Sale) bool { _, ok := s.Held(); return ok && s.Unresolved() }
	type want []func(topup.Sale) bool
	for name, row := range map[string]struct {
		kinds []entry.Kind
		is    want
		not   want
	}{
		"sale-opened":               {paid[:1], want{closed}, nil},
		"amount-chosen":             {paid[:2], want{closed}, nil},
		"payment-declined":          {then(paid[:3], entry.KPaymentDeclined), want{closed}, nil},
		"load-refused, unpaid":      {then(paid[:2], entry.KLoadRefused), want{closed}, nil},
		"payment-started":           {paid[:3], want{open, reversal}, want{offered}},
		"payment-unknown":           {then(paid[:3], entry.KPaymentUnknown), want{open, reversal}, want{offered}},
		"payment-approved":          {paid, want{offered}, want{reversal, void}},
		"load-requested":            {then(paid, entry.KLoadRequested), want{offered, void}, want{unresolved, reversal}},
		"load-authorised":           {then(paid, entry.KLoadRequested, entry.KLoadAuthorised), want{offered, void}, want{unresolved, reversal}},
		"load-unknown":              {then(paid, entry.KLoadRequested, entry.KLoadUnknown), want{offered, void}, want{unresolved, reversal}},
		"write-started":             {started, want{unresolved}, want{offered, reversal, confirm}},
		"write-unknown":             {torn, want{unresolved}, want{offered, reversal, confirm}},
		"evidence-held":             {then(torn, entry.KEvidenceHeld), want{held}, want{offered, reversal, confirm}},
		"evidence-rejected":         {then(torn, entry.KEvidenceHeld, entry.KEvidenceRejected), want{unresolved}, want{held, offered, reversal}},
		"write-disproven":           {then(torn, entry.KWriteDisproven), want{offered, void}, want{unresolved, reversal}},
		"write-refused":             {then(started, entry.KWriteRefused), want{offered, void}, want{unresolved, reversal}},
		"write-done":                {then(started, entry.KWriteDone), want{confirm}, want{offered, unresolved, reversal}},
		"write-proven":              {then(torn, entry.KWriteProven), want{confirm}, want{offered, unresolved, reversal}},
		"offer-withdrawn":           {then(paid, entry.KOfferWithdrawn), want{reversal}, want{offered}},
		"handed-over":               {then(paid, entry.KHandedOver), want{closed}, nil},
		"reversal-acknowledged":     {then(paid, entry.KOfferWithdrawn, entry.KReversalAcknowledged), want{closed}, nil},
		"confirmation-acknowledged": {then(started, entry.KWriteDone, entry.KConfirmationAcknowledged), want{closed}, nil},
		"void-acknowledged":         {then(started, entry.KWriteRefused, entry.KVoidAcknowledged), want{offered}, want{void}},
		"reversal-conflict":         {then(paid, entry.KOfferWithdrawn, entry.KReversalConflict), want{open}, want{offered, reversal}},
		"refund-requested":          {then(paid, entry.KOfferWithdrawn, entry.KReversalConflict, entry.KRefundRequested), want{open, refund}, want{offered, reversal}},
		"refund-acknowledged":       {then(paid, entry.KOfferWithdrawn, entry.KReversalConflict, entry.KRefundRequested, entry.KRefundAcknowledged), want{closed}, nil},
		"refund refused":            {then(paid, entry.KRefundRequested, entry.KReversalConflict), want{open}, want{offered, reversal, refund}},
		"decided":                   {then(torn, entry.KDecided), want{closed}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			core := &topup.Core{Rules: topup.DefaultRules(), Judges: map[string]topup.Judge{"tunion": pboc.Judge}}
			r := core.Step(topup.Replayed(replayed(t, row.kinds)), topup.Started{Version: "test"})
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			s := r.State.Durable.Sales[testSale]
			for i, f := range row.is {
				if !f(s) {
					t.Errorf("expectation %d does not hold: %+v", i, s)
				}
			}
			for i, f := range row.not {
				if f(s) {
					t.Errorf("exclusion %d does not hold: %+v", i, s)
				}
			}
			for _, c := range r.Commands {
				if _, write := c.(topup.Write); write {
					t.Error("a restart writes")
				}
			}
		})
	}
}

// TestUnlawfulEntries: what the law forbids is refused, in Step and in replay.
func TestUnlawfulEntries(t *testing.T) {
	bad := map[string]struct {
		after []entry.Kind
		body  entry.Body
	}{
		"1: a write without its authorisation":            {then(paid, entry.KLoadRequested), story[entry.KWriteStarted]},
		"1: an approval nobody asked for":                 {paid[:2], story[entry.KPaymentApproved]},
		"2: a second payment":                             {paid, story[entry.KPaymentStarted]},
		"2: a second load after the first was done":       {then(started, entry.KWriteDone), story[entry.KLoadRequested]},
		"2: another amount than chosen":                   {paid[:2], entry.PaymentStarted{Of: testOf, Amount: 6000, STAN: 5}},
		"2: a load of another amount":                     {paid, entry.LoadRequested{Of: testOf, Attempt: entry.Attempt{Card: testCard, Slot: 2, Amount: 6000}}},
		"3: closing a paid sale":                          {paid, entry.SaleClosed{Of: testOf}},
		"3: closing an unknown write":                     {torn, entry.SaleClosed{Of: testOf}},
		"3: closing with a reversal owed":                 {then(paid, entry.KOfferWithdrawn), entry.SaleClosed{Of: testOf}},
		"4: reversing an unknown write":                   {torn, story[entry.KOfferWithdrawn]},
		"4: reversing a started write":                    {started, story[entry.KOfferWithdrawn]},
		"4: writing again":                                {torn, story[entry.KLoadRequested]},
		"4: not done without a verified MAC1":             {torn, entry.WriteDisproven{Of: testOf, Counter: entry.Counter{Value: 2, Fresh: true}}},
		"4: not done by a replayed answer":                {torn, entry.WriteDisproven{Of: testOf, Counter: entry.Counter{Value: 2, MAC1: entry.Verified}}},
		"4: not done by another counter":                  {torn, entry.WriteDisproven{Of: testOf, Counter: entry.Counter{Value: 3, MAC1: entry.Verified, Fresh: true}}},
		"5: not done while evidence is held":              {then(torn, entry.KEvidenceHeld), story[entry.KWriteDisproven]},
		"5: done by the log while evidence is held":       {then(torn, entry.KEvidenceHeld), entry.WriteProven{Of: testOf, By: "log"}},
		"5: rejecting what is not held":                   {torn, story[entry.KEvidenceRejected]},
		"6: a load of another slot":                       {paid, entry.LoadRequested{Of: testOf, Attempt: entry.Attempt{Card: testCard, Slot: 3, Amount: 5000}}},
		"6: moving the fence of an unknown write":         {torn, entry.FenceMoved{Of: testOf, From: 2, To: 3}},
		"7: acting on what is handed over":                {then(paid, entry.KHandedOver), story[entry.KLoadRequested]},
		"7: reversing what is handed over":                {then(paid, entry.KHandedOver), story[entry.KOfferWithdrawn]},
		"8: an acknowledgement of nothing":                {paid, story[entry.KReversalAcknowledged]},
		"8: a host that denies an approval as no problem": {then(paid, entry.KOfferWithdrawn), entry.ReversalAcknowledged{Of: testOf, Code: "25", ExpectAbsent: true}},
		"decided by one":                                  {torn, entry.Decided{Of: testOf, People: []string{"a"}}},
		"decided bars a write":                            {then(paid, entry.KDecided), story[entry.KLoadRequested]},
		"3: a refund of an unknown write":                 {torn, story[entry.KRefundRequested]},
		"3: a refund of what is on the card":              {then(started, entry.KWriteDone), story[entry.KRefundRequested]},
		"3: a refund while a reversal is owed":            {then(paid, entry.KOfferWithdrawn), story[entry.KRefundRequested]},
		"3: a second refund":                              {then(paid, entry.KRefundRequested), story[entry.KRefundRequested]},
		"3: a refund that nobody asked for":               {then(paid, entry.KOfferWithdrawn, entry.KReversalConflict), story[entry.KRefundAcknowledged]},
		"3: writing what is refunded":                     {then(paid, entry.KRefundRequested), story[entry.KLoadRequested]},
		"3: closing with a refund owed":                   {then(paid, entry.KRefundRequested), entry.SaleClosed{Of: testOf}},
		"7: handing over a write under way":               {started, story[entry.KHandedOver]},
		"7: handing over with a void owed":                {then(started, entry.KWriteRefused), story[entry.KHandedOver]},
		"7: handing over held evidence":                   {then(torn, entry.KEvidenceHeld), entry.HandedOver{Of: testOf, To: "host", Mine: true}},
		"7: handing over a write as none of ours":         {torn, story[entry.KHandedOver]},
		"7: handing over what goes back":                  {then(paid, entry.KRefundRequested), story[entry.KHandedOver]},
		"7: refunding what is handed over":                {then(paid, entry.KHandedOver), story[entry.KRefundRequested]},
		"7: deciding what is handed over":                 {then(paid, entry.KHandedOver), story[entry.KDecided]},
		"decided by one twice":                            {torn, entry.Decided{Of: testOf, Decision: topup.PaidOut, People: []string{"a", "a"}}},
		"decided by nobody":                               {torn, entry.Decided{Of: testOf, Decision: topup.PaidOut, People: []string{"", "a"}}},
		"decided while evidence is held":                  {then(torn, entry.KEvidenceHeld), story[entry.KDecided]},
		"decided in the middle of a write":                {started, story[entry.KDecided]},
		"decided while a reversal is owed":                {then(paid, entry.KOfferWithdrawn), story[entry.KDecided]},
		"decided as something that nobody knows":          {torn, entry.Decided{Of: testOf, Decision: "forget it", People: []string{"a", "b"}}},
		"decided to refund without a key":                 {torn, entry.Decided{Of: testOf, Decision: topup.Refunded, People: []string{"a", "b"}}},
		"an unknown write is written after a decision":    {then(torn, entry.KDecided), story[entry.KWriteDisproven]},
		"a confirmation of what was not restored":         {paid, entry.RestoreConfirmed{}},
		"STANs that are reserved already":                 {nil, entry.STANsReserved{Until: 0}},
	}
	for name, row := range bad {
		d := replayed(t, row.after)
		before, _ := d.Encode()
		if err := d.Apply(row.body); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if after, _ := d.Encode(); string(after) != string(before) {
			t.Errorf("%s: a refused entry has changed the state", name)
		}
	}
}

// TestAStopTooLateToReverse: the passenger stops after the batch was closed.
// The money can no longer be reversed, so the value stays to be written, and
// the kiosk must not wait for ever. Found by topup/sim.
func TestAStopTooLateToReverse(t *testing.T) {
	core := &topup.Core{Rules: topup.DefaultRules(), Judges: map[string]topup.Judge{"tunion": pboc.Judge}}
	s := topup.Replayed(replayed(t, paid))
	for _, e := range []topup.Event{
		topup.Started{}, topup.SignedOn{Batch: 2}, topup.CardPresented{Place: topup.Front, Session: 1}, topup.Stopped{Sale: testSale},
		topup.CardFailed{Place: topup.Front, Session: 1, Reason: "card-gone"},
	} {
		r := core.Step(s, e)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		s = r.State
	}
	if f := s.Live.Front; f.Phase != topup.Contact || !s.Durable.Sales[testSale].Offered() {
		t.Errorf("the console is %s, the sale %+v", f.Phase, s.Durable.Sales[testSale])
	}
}

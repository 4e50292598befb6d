package topup_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

// performSettle is the host at a settlement: what it has against what the kiosk
// says. It never counts anything but its own payments.
func (w *world) performSettle(c topup.Settle) {
	if !w.up || w.chance(20) {
		w.post(topup.Settled{Batch: c.Batch})
		return
	}
	balanced := w.hostTotals(c.Batch) == c.Totals
	if balanced {
		w.over(c.Batch)
	}
	e := topup.Settled{Batch: c.Batch, Answered: true, Code: "00", Balanced: balanced}
	if w.chance(20) {
		e = topup.Settled{Batch: c.Batch}
	}
	w.post(e)
}

// over closes a batch at the host.
func (w *world) over(batch uint32) {
	if w.settled[batch] = true; w.batch == batch {
		w.batch++
	}
}

func (w *world) hostTotals(batch uint32) (t entry.Totals) {
	for _, p := range w.payments {
		if p.batch == batch && !p.reversed {
			t.Debit += p.amount
			t.Debits++
		}
	}
	return t
}

// performUpload compares sale by sale.
func (w *world) performUpload(c topup.Upload) {
	if !w.up || w.chance(20) {
		w.post(topup.Uploaded{Batch: c.Batch})
		return
	}
	e := topup.Uploaded{Batch: c.Batch, Answered: true, Code: "00"}
	kiosk := map[uint32]topup.Item{}
	for _, i := range w.tally(c.Batch).Items() {
		kiosk[i.STAN] = i
	}
	for stan, p := range w.payments {
		if p.batch == c.Batch && !p.reversed && kiosk[stan].Amount != p.amount {
			e.Differs = append(e.Differs, entry.Difference{Sale: p.sale, STAN: stan, Kiosk: kiosk[stan].Amount, Host: p.amount})
		}
	}
	for stan, i := range kiosk {
		if p := w.payments[stan]; p == nil || p.reversed {
			e.Differs = append(e.Differs, entry.Difference{Sale: i.Sale, STAN: stan, Kiosk: i.Amount})
		}
	}
	w.over(c.Batch)
	w.post(e)
}

// tally counts a batch from the journal.
func (w *world) tally(batch uint32) *topup.Tally {
	t := topup.NewTally(batch)
	for _, b := range w.kept {
		t.Add(b)
	}
	return t
}

// countsAgree: the totals that the state keeps are a fold of the journal.
func (w *world) countsAgree() error {
	for _, b := range w.state.Durable.Unsettled() {
		if got := w.tally(b.Number).Totals(); got != b.Totals {
			return fmt.Errorf("batch %d: the journal adds up to %+v, the state says %+v", b.Number, got, b.Totals)
		}
	}
	return nil
}

// settling is a journal with a batch on its way.
func settling(t *testing.T, kinds ...entry.Body) topup.Durable {
	t.Helper()
	d := replayed(t, nil)
	for _, b := range kinds {
		if err := d.Apply(b); err != nil {
			t.Fatalf("%s: %v", b.Kind(), err)
		}
	}
	return d
}

func bodies(kinds ...entry.Kind) []entry.Body {
	list := make([]entry.Body, len(kinds))
	for i, k := range kinds {
		list[i] = story[k]
	}
	return list
}

var (
	closingOne = entry.BatchClosing{Batch: 1, Who: "schedule"}
	one        = entry.Totals{Debit: 5000, Debits: 1}
)

// TestUnlawfulSettlement: what may not be written down about a batch.
func TestUnlawfulSettlement(t *testing.T) {
	unknown := bodies(then(paid[:3], entry.KPaymentUnknown)...)
	for name, row := range map[string]struct {
		after []entry.Body
		body  entry.Body
	}{
		"closing what was never opened":     {nil, entry.BatchClosing{Batch: 2}},
		"closing twice":                     {[]entry.Body{closingOne}, closingOne},
		"totals without closing":            {nil, entry.SettlementStarted{Batch: 1, STAN: 9}},
		"totals that are not the journal's": {[]entry.Body{closingOne}, entry.SettlementStarted{Batch: 1, STAN: 9, Totals: one}},
		"totals without a STAN":             {[]entry.Body{closingOne}, entry.SettlementStarted{Batch: 1}},
		"a payment in a closing batch":      {append(bodies(paid[:2]...), closingOne), story[entry.KPaymentStarted]},
		"totals while a payment is under way": {append(bodies(paid[:3]...), closingOne),
			entry.SettlementStarted{Batch: 1, STAN: 9}},
		"totals while a reversal is owed": {append(unknown[:len(unknown):len(unknown)], closingOne), entry.SettlementStarted{Batch: 1, STAN: 9}},
		"totals while a refund is owed": {append(bodies(then(paid, entry.KRefundRequested)...), closingOne),
			entry.SettlementStarted{Batch: 1, STAN: 9, Totals: one}},
		"money back after the totals": {append(bodies(paid...), closingOne, entry.SettlementStarted{Batch: 1, STAN: 9, Totals: one}),
			story[entry.KOfferWithdrawn]},
		"a refund into what was announced": {append(bodies(paid...), closingOne, entry.SettlementStarted{Batch: 1, STAN: 9, Totals: one}),
			story[entry.KRefundRequested]},
		"over without totals": {[]entry.Body{closingOne}, entry.BatchSettled{Batch: 1}},
		"a payment in a batch that is over": {append([]entry.Body{closingOne, entry.SettlementStarted{Batch: 1, STAN: 9}, entry.BatchSettled{Batch: 1}}, bodies(paid[:2]...)...),
			story[entry.KPaymentStarted]},
		"expected absent, closed before the settlement": {append(unknown[:len(unknown):len(unknown)],
			entry.ReversalAcknowledged{Of: testOf, Code: "25", ExpectAbsent: true}), entry.SaleClosed{Of: testOf}},
		"people know twice":        {append(unknown[:len(unknown):len(unknown)], entry.ReversalPendingLong{Of: testOf}), entry.ReversalPendingLong{Of: testOf}},
		"a risk after the payment": {bodies(paid...), entry.RiskStruck{Of: testOf}},
	} {
		d := settling(t, row.after...)
		before, _ := d.Encode()
		if err := d.Apply(row.body); !errors.Is(err, topup.ErrUnlawful) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := d.Encode(); string(after) != string(before) {
			t.Errorf("%s: a refused entry has changed the state", name)
		}
	}
}

// TestExpectedAbsent: a payment that the host denied stays open, blocks nothing,
// and is what the settlement makes of it.
func TestExpectedAbsent(t *testing.T) {
	begin := append(bodies(then(paid[:3], entry.KPaymentUnknown)...), entry.ReversalAcknowledged{Of: testOf, Code: "25", ExpectAbsent: true},
		closingOne, entry.SettlementStarted{Batch: 1, STAN: 9})
	d := settling(t, begin...)
	s := d.Sales[testSale]
	if s.Finished() || len(s.Duties()) > 0 || s.Offered() || s.Conflict {
		t.Errorf("before: %+v", s)
	}
	for name, row := range map[string]struct {
		differs  []entry.Difference
		conflict bool
	}{
		"agreed":               {nil, false},
		"it stands":            {[]entry.Difference{{Sale: testSale, STAN: 5, Host: 5000}}, true},
		"another payment's":    {[]entry.Difference{{Sale: "OTHERSALE0000001", STAN: 6, Host: 5000}}, false},
		"a refund of the sale": {[]entry.Difference{{Sale: testSale, STAN: 5, Host: -5000}}, false},
	} {
		d := settling(t, append(begin[:len(begin):len(begin)], entry.BatchSettled{Batch: 1, Code: "00", Uploaded: true, Differs: row.differs})...)
		s := d.Sales[testSale]
		if s.Conflict != row.conflict || s.Finished() == row.conflict || s.MayRefund() != row.conflict || s.ExpectAbsent {
			t.Errorf("%s: %+v", name, s)
		}
		if len(d.Batches) > 0 || d.Sells() {
			t.Errorf("%s: the batch is not over: %+v", name, d.Batches)
		}
	}
}

// stepper drives a core by hand and keeps what each step asked for.
type stepper struct {
	t        *testing.T
	core     *topup.Core
	state    topup.State
	entries  []entry.Body
	commands []topup.Command
}

func newStepper(t *testing.T, d topup.Durable) *stepper {
	s := &stepper{t: t, core: lawCore(), state: topup.Replayed(d)}
	s.step(topup.Started{Version: "test"})
	s.step(topup.SignedOn{Batch: d.Batch})
	s.step(topup.LinkChanged{Up: true})
	return s
}

func (s *stepper) step(e topup.Event) {
	s.t.Helper()
	r := s.core.Step(s.state, e)
	if r.Err != nil {
		s.t.Fatal(r.Err)
	}
	s.state, s.entries, s.commands = r.State, r.Entries, r.Commands
}

func asked[C topup.Command](s *stepper) (c C, ok bool) {
	for _, c := range s.commands {
		if c, ok := c.(C); ok {
			return c, true
		}
	}
	return c, false
}

func (s *stepper) fire(name string) {
	s.t.Helper()
	s.step(topup.TimerFired{Name: name, Gen: s.state.Live.Timers[name]})
}

// TestASettlementWantsThePaymentHostAlone: with the load authority's link down
// nobody pays, what is owed to the bank goes out, and the batch settles, also
// when the host has opened the next one already.
func TestASettlementWantsThePaymentHostAlone(t *testing.T) {
	s := newStepper(t, replayed(t, paid))
	s.state.Live.Front = topup.Console{Place: topup.Front}
	s.step(topup.LinkChanged{Pay: true})
	if why := s.state.NoPayment(); why != "network-down" {
		t.Errorf("a payment could begin: %q", why)
	}
	open := s.state.Durable.Batch
	s.step(topup.SettleAsked{Who: "schedule"})
	reversal, ok := asked[topup.Send](s)
	if !ok || reversal.Duty.Kind != topup.Reversal {
		t.Fatalf("%+v", s.commands)
	}
	s.step(topup.SignedOn{Batch: open + 1})
	s.step(topup.Sent{Duty: reversal.Duty, Answered: true, Code: "00"})
	if settle, ok := asked[topup.Settle](s); !ok || settle.Batch != open {
		t.Fatalf("%+v", s.commands)
	}
	s.step(topup.LinkChanged{})
	s.step(topup.Settled{Batch: open})
	s.step(topup.LinkChanged{Pay: true})
	if settle, ok := asked[topup.Settle](s); ok { // its time has not come
		t.Errorf("%+v", settle)
	}
	s.fire("settle")
	if _, ok := asked[topup.Settle](s); !ok {
		t.Errorf("%+v", s.commands)
	}
}

// TestSettlement walks a batch to its end: the open offer goes back first, the
// totals come after the reversal, silence repeats them, a difference is
// uploaded, and the next batch begins.
func TestSettlement(t *testing.T) {
	s := newStepper(t, replayed(t, paid))
	s.state.Live.Front = topup.Console{Place: topup.Front} // nobody holds a card there
	s.step(topup.SettleAsked{Who: "schedule"})
	reversal, ok := asked[topup.Send](s)
	if _, settles := asked[topup.Settle](s); !ok || settles || reversal.Duty.Kind != topup.Reversal {
		t.Fatalf("%+v", s.commands)
	}
	if why := s.state.NoPayment(); why != "batch-closing" {
		t.Errorf("a payment may begin: %q", why)
	}
	s.step(topup.Sent{Duty: reversal.Duty, Answered: true, Code: "00"})
	settle, ok := asked[topup.Settle](s)
	if !ok || settle.Totals != (entry.Totals{}) || settle.Repeat || settle.Batch != 1 {
		t.Fatalf("%+v", s.commands)
	}
	s.step(topup.Settled{Batch: 1})
	if _, ok := asked[topup.SignOn](s); !ok {
		t.Error("it is not asked which batch is open")
	}
	s.fire("settle")
	if again, ok := asked[topup.Settle](s); !ok || !again.Repeat || again.STAN != settle.STAN {
		t.Fatalf("%+v", s.commands)
	}
	s.step(topup.Settled{Batch: 1, Answered: true, Code: "00"})
	if up, ok := asked[topup.Upload](s); !ok || up.STAN != settle.STAN {
		t.Fatalf("%+v", s.commands)
	}
	s.step(topup.Settled{Batch: 1, Answered: true, Code: "00", Balanced: true}) // late: it is an upload by now
	if len(s.state.Durable.Batches) == 0 {
		t.Error("an answer to the totals ended the upload")
	}
	s.step(topup.Uploaded{Batch: 1, Answered: true, Code: "00"})
	if s.state.NoPayment() != "batch-closing" || len(s.state.Durable.Batches) != 0 {
		t.Errorf("%q, %+v", s.state.NoPayment(), s.state.Durable.Batches)
	}
	s.step(topup.SignedOn{Batch: 1})
	if why := s.state.NoPayment(); why != "batch-closing" {
		t.Errorf("the host is slow, and a payment may begin: %q", why)
	}
	s.fire("sign-on")
	s.step(topup.SignedOn{Batch: 2})
	if why := s.state.NoPayment(); why != "" {
		t.Errorf("the next batch takes no payment: %q", why)
	}
}

// TestOfferInHandDelaysSettlement: who has just paid and holds the card may
// finish.
func TestOfferInHandDelaysSettlement(t *testing.T) {
	s := newStepper(t, replayed(t, paid))
	s.step(topup.SettleAsked{Who: "schedule"})
	if _, ok := asked[topup.Send](s); ok || s.state.Live.Front.Phase != topup.Holding {
		t.Fatalf("%+v", s.commands)
	}
	s.fire("offer:" + string(testSale))
	if _, ok := asked[topup.Send](s); !ok {
		t.Errorf("the offer's time is over, and its money stays: %+v", s.commands)
	}
}

// TestTheHostOpensAnotherBatch: what it left is settled all the same, and sales
// go on.
func TestTheHostOpensAnotherBatch(t *testing.T) {
	s := newStepper(t, replayed(t, then(started, entry.KWriteDone)))
	s.step(topup.SignedOn{Batch: 2})
	c, ok := asked[topup.Settle](s)
	if !ok || c.Batch != 1 || c.Totals != one || s.state.NoPayment() != "" {
		t.Fatalf("%+v, %q", s.commands, s.state.NoPayment())
	}
	again := newStepper(t, s.state.Durable)
	c, ok = asked[topup.Settle](again)
	if !ok || !c.Repeat || c.Batch != 1 {
		t.Errorf("after a restart: %+v", again.commands)
	}
}

// TestAReversalThatIsOwedForLong: people know, payments go on, it is still sent,
// and at last the settlement says how it ended.
func TestAReversalThatIsOwedForLong(t *testing.T) {
	s := newStepper(t, replayed(t, then(paid, entry.KOfferWithdrawn)))
	duty := s.state.Durable.Sales[testSale].Duties()[0]
	s.step(topup.Sent{Duty: duty})
	s.fire("patience:" + string(testSale))
	if !s.state.Durable.Sales[testSale].Long || s.state.NoPayment() != "" {
		t.Fatalf("%q, %+v", s.state.NoPayment(), s.state.Durable.Sales[testSale])
	}
	s.fire("retry")
	if c, ok := asked[topup.Send](s); !ok || !c.Repeat {
		t.Errorf("it is not sent any more: %+v", s.commands)
	}
	s.step(topup.SettleAsked{Who: "schedule"})
	c, ok := asked[topup.Settle](s)
	if !ok || c.Totals != one {
		t.Fatalf("%+v", s.commands)
	}
	s.step(topup.Sent{Duty: duty, Answered: true, Code: "00"}) // it changes the host's totals, and the upload will say so
	if !s.state.Durable.Sales[testSale].OweReversal {
		t.Error("what was announced has changed")
	}
	differ := s.state
	for host, open := range map[money.Fen]bool{0: false, 5000: true} {
		s.state = differ
		s.step(topup.Settled{Batch: 1, Answered: true, Code: "00"})
		s.step(topup.Uploaded{Batch: 1, Answered: true, Code: "00", Differs: []entry.Difference{{Sale: testSale, STAN: 5, Kiosk: 5000, Host: host}}})
		if got, is := s.state.Durable.Sales[testSale]; is != open || got.Conflict != open {
			t.Errorf("the host has %s: %+v", host, got)
		}
	}
}

// TestAStuckReversalHoldsUpNoOther: the next one goes out after one that was in
// vain.
func TestAStuckReversalHoldsUpNoOther(t *testing.T) {
	d := replayed(t, then(paid, entry.KOfferWithdrawn))
	other := entry.Of{Sale: "TESTSALE00000002"}
	for _, b := range []entry.Body{
		entry.SaleOpened{Of: other, Card: testCard}, entry.AmountChosen{Of: other, Amount: 1000},
		entry.PaymentStarted{Of: other, Amount: 1000, STAN: 6, Batch: 1}, entry.PaymentUnknown{Of: other},
	} {
		if err := d.Apply(b); err != nil {
			t.Fatal(err)
		}
	}
	s := newStepper(t, d)
	sent := map[entry.SaleID]int{}
	for range 6 {
		for c := range s.state.Live.Sending {
			sent[c.Sale]++
			s.step(topup.Sent{Duty: c, Answered: true, Code: "96"})
		}
		s.fire("retry")
	}
	if len(sent) != 2 || sent[testSale] != 3 {
		t.Errorf("%v", sent)
	}
}

// TestALateAnswerIsRecordedOnce and changes nothing.
func TestALateAnswerIsRecordedOnce(t *testing.T) {
	s := newStepper(t, replayed(t, then(paid[:3], entry.KPaymentUnknown)))
	before := s.state.Durable.Sales[testSale]
	late := topup.AnsweredLate{STAN: 5, Batch: 1, Code: "00", Amount: 5000}
	s.step(late)
	if len(s.entries) != 1 || s.entries[0].(entry.AnswerLate).Sale != testSale || len(s.commands) > 0 {
		t.Errorf("%+v, %+v", s.entries, s.commands)
	}
	s.step(late)
	if len(s.entries) > 0 {
		t.Errorf("twice: %+v", s.entries)
	}
	for i := range uint32(100) {
		s.step(topup.AnsweredLate{STAN: 100 + i, Batch: 1, Code: "51"})
	}
	if after := s.state.Durable.Sales[testSale]; fmt.Sprint(after) != fmt.Sprint(before) || len(s.state.Durable.Late) != 32 {
		t.Errorf("%+v, %d remembered", after, len(s.state.Durable.Late))
	}
}

// TestCardRefusesAfterApproval: the money goes back, reason 06, and nobody is
// offered anything.
func TestCardRefusesAfterApproval(t *testing.T) {
	s := newStepper(t, replayed(t, paid[:2]))
	s.state.Durable = replayed(t, paid[:3])
	s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.Sending, Sale: testSale, Amount: 5000}
	s.step(topup.Paid{Sale: testSale, STAN: 5, Outcome: entry.Done, Amount: 5000, Code: "00", Refused: true})
	c, ok := asked[topup.Send](s)
	if !ok || c.Why != "06" || c.Duty.Kind != topup.Reversal || s.state.Live.Front.Reason != "bank-card-refused" {
		t.Errorf("%+v, %+v", s.commands, s.state.Live.Front)
	}
	if sale := s.state.Durable.Sales[testSale]; sale.Offered() || !sale.OweReversal {
		t.Errorf("%+v", sale)
	}
}

// TestReasonsOfAReversal: no answer, an answer with a wrong MAC.
func TestReasonsOfAReversal(t *testing.T) {
	for why, bad := range map[string]bool{"98": false, "A0": true} {
		s := newStepper(t, replayed(t, nil))
		s.state.Durable = replayed(t, paid[:3])
		s.step(topup.Paid{Sale: testSale, STAN: 5, BadMAC: bad})
		if c, ok := asked[topup.Send](s); !ok || c.Why != why {
			t.Errorf("%s: %+v", why, s.commands)
		}
		if again := newStepper(t, s.state.Durable); again.state.Durable.Sales[testSale].BadMAC != bad {
			t.Errorf("%s: a restart forgets it", why)
		}
	}
}

// TestARuleEndsTheSale before any money moves; an alarm does not.
func TestARuleEndsTheSale(t *testing.T) {
	reasons := map[string]string{"alarm": "", "refuse": "risk-refused", "cashier": "risk-cashier"}
	for _, outcome := range slices.Sorted(maps.Keys(reasons)) {
		s := newStepper(t, replayed(t, nil))
		s.state.Durable = replayed(t, paid[:2])
		s.state.Live.Front = topup.Console{Place: topup.Front, Phase: topup.PINEntry, Sale: testSale, Amount: 5000, PAN: "x"}
		s.step(topup.RiskJudged{Sale: testSale, Rule: "large", Outcome: outcome})
		if len(s.entries) == 0 || s.entries[0].Kind() != entry.KRiskStruck || s.state.Live.Front.Reason != reasons[outcome] {
			t.Errorf("%s: %+v, %+v", outcome, s.entries, s.state.Live.Front)
		}
		s.step(topup.TenderReady{Sale: testSale})
		if _, pays := asked[topup.Pay](s); pays != (outcome == "alarm") {
			t.Errorf("%s: %+v", outcome, s.commands)
		}
	}
}

// TestOutOfService: a host that takes nothing from this terminal ends payments
// until a sign-on succeeds, and nothing else.
func TestOutOfService(t *testing.T) {
	s := newStepper(t, replayed(t, nil))
	s.state.Durable = replayed(t, paid[:3])
	s.step(topup.Paid{Sale: testSale, STAN: 5, Outcome: entry.NotDone, Code: "97"})
	if s.state.NoPayment() != "payment-not-set-up" {
		t.Errorf("%q", s.state.NoPayment())
	}
	s.fire("sign-on")
	if _, ok := asked[topup.SignOn](s); !ok {
		t.Errorf("%+v", s.commands)
	}
	s.step(topup.SignedOn{Batch: 1})
	if s.state.NoPayment() != "" {
		t.Errorf("%q", s.state.NoPayment())
	}
}

// TestEqualSumsAreNoProof: a reversal that was owed for long may have arrived in
// the end, and another payment of the same amount make up for it in the host's
// sum. Only an upload tells them apart. Found by topup/sim.
func TestEqualSumsAreNoProof(t *testing.T) {
	begin := append(bodies(then(paid, entry.KOfferWithdrawn)...), entry.ReversalPendingLong{Of: testOf},
		closingOne, entry.SettlementStarted{Batch: 1, STAN: 9, Totals: one})
	for uploaded, conflict := range map[bool]bool{false: true, true: false} {
		over := entry.BatchSettled{Batch: 1, Code: "00", Uploaded: uploaded}
		if uploaded {
			over.Differs = []entry.Difference{{Sale: testSale, STAN: 5, Kiosk: 5000}}
		}
		d := settling(t, append(begin[:len(begin):len(begin)], over)...)
		if s := d.Sales[testSale]; s.Conflict != conflict || s.OweReversal {
			t.Errorf("uploaded %v: %+v", uploaded, s)
		}
	}
}

// TestAContradictedPaymentIsNoProof: the host contradicts a payment that the
// kiosk counts, and denies another of the same amount. If it has the second and
// not the first, the sums are equal and one is charged for nothing. The first
// need not be open any more.
func TestAContradictedPaymentIsNoProof(t *testing.T) {
	denied := entry.Of{Sale: "TESTSALE00000002"}
	begin := append(bodies(then(paid, entry.KOfferWithdrawn, entry.KReversalConflict)...),
		entry.SaleOpened{Of: denied, Card: testCard}, entry.AmountChosen{Of: denied, Amount: 5000},
		entry.PaymentStarted{Of: denied, Amount: 5000, STAN: 6, Batch: 1}, entry.PaymentUnknown{Of: denied},
		entry.ReversalAcknowledged{Of: denied, Code: "25", ExpectAbsent: true})
	decided := append(begin[:len(begin):len(begin)], story[entry.KDecided], entry.SaleClosed{Of: testOf})
	for name, row := range map[string]struct {
		journal  []entry.Body
		uploaded bool
	}{
		"open": {begin, false}, "decided and closed": {decided, false}, "uploaded": {begin, true},
	} {
		d := settling(t, append(row.journal[:len(row.journal):len(row.journal)], closingOne, entry.SettlementStarted{Batch: 1, STAN: 9, Totals: one},
			entry.BatchSettled{Batch: 1, Code: "00", Uploaded: row.uploaded})...)
		if s := d.Sales[denied.Sale]; s.Conflict == row.uploaded || s.ExpectAbsent || s.Finished() != row.uploaded {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestARefundWithoutAnEnd holds up no settlement: people know, the batch is
// settled without it, and it is asked for again in the next one. If the host has
// it after all, the settlement says so and it is over.
func TestARefundWithoutAnEnd(t *testing.T) {
	for _, decided := range []bool{false, true} {
		last := story[entry.KRefundRequested]
		if decided {
			last = entry.Decided{Of: testOf, Decision: topup.Refunded, People: []string{"a", "b"}, RefundSTAN: 20, RefundBatch: 1}
		}
		s := newStepper(t, settling(t, append(bodies(paid...), last)...))
		duty := s.state.Durable.Sales[testSale].Duties()[0]
		s.step(topup.SettleAsked{Who: "schedule"})
		s.step(topup.Sent{Duty: duty})
		if _, ok := asked[topup.Settle](s); ok {
			t.Fatal("settled with a refund owed that nobody knows of")
		}
		s.fire("patience:" + string(testSale))
		c, ok := asked[topup.Settle](s)
		if !ok || c.Totals != one || !s.state.Durable.Sales[testSale].Long {
			t.Fatalf("%+v, %+v", s.commands, s.state.Durable.Sales[testSale])
		}
		s.fire("retry")
		s.step(topup.Sent{Duty: duty, Answered: true, Code: "00"}) // late: the totals are announced
		if sale := s.state.Durable.Sales[testSale]; !sale.OweRefund || sale.PaidBack != 0 {
			t.Errorf("%+v", sale)
		}
		announced := s.state
		s.step(topup.Settled{Batch: 1, Answered: true, Code: "00"})
		s.step(topup.Uploaded{Batch: 1, Answered: true, Code: "00", Differs: []entry.Difference{{Sale: testSale, STAN: 20, Host: -5000}}})
		if sale, open := s.state.Durable.Sales[testSale]; open {
			t.Errorf("the host has it: %+v", sale)
		}
		s.state = announced
		s.step(topup.Settled{Batch: 1, Answered: true, Code: "00", Balanced: true})
		if _, ok := asked[topup.Send](s); ok {
			t.Errorf("sent into a batch that is settled: %+v", s.commands)
		}
		s.step(topup.SignedOn{Batch: 2})
		send, ok := asked[topup.Send](s)
		if sale := s.state.Durable.Sales[testSale]; !ok || sale.RefundBatch != 2 || send.Duty.STAN == 20 || send.Duty.STAN != sale.RefundSTAN || sale.Long || sale.Decided != decided {
			t.Fatalf("%+v, %+v", s.commands, sale)
		}
		s.step(topup.Sent{Duty: duty, Answered: true, Code: "00"}) // of the old one
		if !s.state.Durable.Sales[testSale].OweRefund {
			t.Error("the answer to the old request ended the new one")
		}
		s.step(topup.Sent{Duty: send.Duty, Answered: true, Code: "00"})
		two := s.state.Durable.Batches[2].Totals
		if _, open := s.state.Durable.Sales[testSale]; open || two != (entry.Totals{Credit: 5000, Credits: 1}) {
			t.Errorf("decided %v: %+v", decided, two)
		}
	}
}

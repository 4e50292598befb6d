package topup

import (
	"errors"
	"fmt"
	"slices"

	"buka/internal/entry"
)

// ErrUnlawful says that an entry may not stand where it does: the law of money
// forbids it. From Step it is a defect of ours; from a journal, damage.
var ErrUnlawful = errors.New("against the law of money")

func unlawful(b entry.Body, format string, a ...any) error {
	return fmt.Errorf("%s: %s: %w", b.Kind(), fmt.Sprintf(format, a...), ErrUnlawful)
}

// Apply folds one entry in. It refuses what the law does not allow, and then
// leaves the state as it was.
func (d *Durable) Apply(body entry.Body) error {
	if d.Unconfirmed && aboutSale(body) { // DESIGN §4.4: the host must confirm first
		return unlawful(body, "the journal was restored, and the host has not confirmed it")
	}
	switch b := body.(type) {
	case entry.EpochBegun:
		d.Epoch, d.Kiosk = b.Epoch, b.Kiosk
		return nil
	case entry.Restored:
		return d.restored(b)
	case entry.RestoreConfirmed:
		return d.confirmed(b)
	case entry.SignedOn:
		d.signedOn(b)
		return nil
	case entry.BatchClosing:
		return d.closing(b)
	case entry.SettlementStarted:
		return d.announced(b)
	case entry.BatchSettled:
		return d.settled(b)
	case entry.AnswerLate:
		d.answeredLate(b)
		return nil
	case entry.STANsReserved:
		if b.Until <= d.STANUntil {
			return unlawful(b, "until %d, and %d are reserved", b.Until, d.STANUntil)
		}
		d.STANUntil = b.Until
		return nil
	case entry.StaffActed:
		return d.acted(b)
	case entry.CardObserved:
		d.observed(b)
		return nil
	case entry.Started, entry.Checkpoint:
		return nil
	case entry.SaleOpened:
		return d.open(b)
	case entry.RewriteTaken:
		return d.taken(b)
	}
	about, ok := body.(interface{ About() entry.SaleID })
	if !ok {
		return unlawful(body, "not an entry of this version")
	}
	s, ok := d.Sales[about.About()]
	if !ok {
		return unlawful(body, "no open sale %s", about.About())
	}
	if s.HandedOver {
		if _, closing := body.(entry.SaleClosed); !closing {
			return unlawful(body, "sale %s is handed over", s.ID)
		}
	}
	if s.Settled {
		if _, closing := body.(entry.SaleClosed); !closing {
			return unlawful(body, "sale %s was over before the restore", s.ID)
		}
	}
	if s.Decided && !afterDecision(body) { // law 3
		return unlawful(body, "two people have decided about sale %s", s.ID)
	}
	if err := d.mayFollow(body, s); err != nil {
		return err
	}
	was := s
	if err := s.apply(body); err != nil {
		return err
	}
	if err := d.tally(body, was, s); err != nil {
		return err
	}
	if _, closed := body.(entry.SaleClosed); closed {
		delete(d.Sales, s.ID)
		return nil
	}
	d.Sales[s.ID] = s
	return nil
}

// mayFollow holds an entry about a sale against the rest of the journal.
func (d *Durable) mayFollow(body entry.Body, s Sale) error {
	switch b := body.(type) {
	case entry.WriteStarted:
		if d.otherUnresolved(s) { // law 4
			return unlawful(body, "another write to the card of sale %s is unknown", s.ID)
		}
	case entry.PaymentStarted:
		if !d.sellsIn(b.Batch) {
			return unlawful(body, "batch %d takes no payments any more", b.Batch)
		}
	case entry.OfferWithdrawn:
		if d.frozen(s.PayBatch) {
			return unlawful(body, "the totals of batch %d are announced", s.PayBatch)
		}
	case entry.RefundRequested:
		if d.frozen(b.Batch) {
			return unlawful(body, "the totals of batch %d are announced", b.Batch)
		}
		if s.OweRefund && !d.over(s.RefundBatch) {
			return unlawful(body, "it is asked for under STAN %d of batch %d already", s.RefundSTAN, s.RefundBatch)
		}
	case entry.ReversalAcknowledged:
		if _, ok := d.Batches[s.PayBatch]; b.ExpectAbsent && !ok { // law 4: nothing would ever say so
			return unlawful(body, "batch %d is settled and cannot agree", s.PayBatch)
		}
	}
	return nil
}

// afterDecision says that an entry ends what a decided sale still owes.
func afterDecision(body entry.Body) bool {
	switch body.(type) {
	case entry.RefundRequested, entry.RefundAcknowledged, entry.ReversalPendingLong, entry.ReversalConflict, entry.VoidAcknowledged, entry.SaleClosed:
		return true
	}
	return false
}

// restored: what the entries so far say may be behind the truth, so it is
// unconfirmed, and batch and STAN come from a fresh sign-on.
func (d *Durable) restored(b entry.Restored) error {
	if len(b.Epoch) != 16 || (b.LastSeq > 0) != (string(b.Epoch) != string(d.Epoch)) || b.LastSeq > 0 && string(b.Was) != string(d.Epoch) {
		return unlawful(b, "epoch %s after %s in a journal of epoch %s, entry %d", b.Epoch, b.Was, d.Epoch, b.LastSeq)
	}
	d.Epoch, d.Batch, d.Unconfirmed, d.RestoredWhy = b.Epoch, 0, true, b.Why
	for _, batch := range d.Batches { // the host opens another one, and totals that were announced may be behind
		batch.Phase, batch.STAN = BatchClosing, 0
		d.put(batch)
	}
	return nil
}

// observed: what a card shows now was there before any write that is yet to come.
func (d *Durable) observed(b entry.CardObserved) {
	for id, s := range d.Sales {
		if s.Card == b.Card && !s.Unresolved() {
			s.Before = b.Observed
			d.Sales[id] = s
		}
	}
}

func (d *Durable) open(b entry.SaleOpened) error {
	if _, ok := d.Sales[b.Sale]; ok || b.Sale == "" {
		return unlawful(b, "sale id %q is taken", b.Sale)
	}
	d.Opened++
	d.Sales[b.Sale] = Sale{ID: b.Sale, Order: d.Opened, Card: b.Card, Before: b.Observed}
	return nil
}

// apply dispatches to the rule of each kind.
func (s *Sale) apply(body entry.Body) error {
	switch b := body.(type) {
	case entry.AmountChosen:
		if s.Pay != PayNone || b.Amount <= 0 {
			return unlawful(b, "amount %s, payment %d", b.Amount, s.Pay)
		}
		s.Amount = b.Amount
	case entry.PaymentStarted, entry.PaymentDeclined, entry.PaymentUnknown, entry.PaymentApproved, entry.OfferWithdrawn:
		return s.applyPayment(body)
	case entry.LoadRequested, entry.LoadAuthorised, entry.LoadRefused, entry.LoadUnknown, entry.FenceMoved:
		return s.applyLoad(body)
	case entry.WriteStarted, entry.WriteDone, entry.WriteRefused, entry.WriteUnknown:
		return s.applyWrite(body)
	case entry.EvidenceHeld, entry.EvidenceRejected, entry.WriteProven, entry.WriteDisproven:
		return s.applyEvidence(body)
	case entry.HandedOver, entry.Decided, entry.RefundRequested:
		return s.applyGivenUp(body)
	case entry.RiskStruck:
		if s.Pay != PayNone && s.Pay != PayDeclined {
			return unlawful(b, "payment %d has begun", s.Pay)
		}
	case entry.SaleClosed:
		if !s.Finished() {
			return unlawful(b, "sale %s has something open or owed", s.ID)
		}
	default:
		return s.applyAcknowledged(body)
	}
	return nil
}

func (s *Sale) applyPayment(body entry.Body) error {
	switch b := body.(type) {
	case entry.PaymentStarted:
		if s.Pay != PayNone && s.Pay != PayDeclined {
			return unlawful(b, "payment %d is not over", s.Pay)
		}
		if b.Amount != s.Amount || b.Amount <= 0 || b.STAN == 0 {
			return unlawful(b, "%s asked for a sale of %s", b.Amount, s.Amount)
		}
		s.Pay, s.Tender, s.PaySTAN, s.PayBatch, s.PAN, s.Slot = PayStarted, b.Tender, b.STAN, b.Batch, b.PAN, b.Slot
	case entry.PaymentDeclined:
		if s.Pay != PayStarted {
			return unlawful(b, "no payment was started")
		}
		s.Pay = PayDeclined
	case entry.PaymentUnknown:
		if s.Pay != PayStarted {
			return unlawful(b, "no payment was started")
		}
		s.Pay, s.OweReversal, s.BadMAC = PayUnknown, true, b.Reason == badMAC
	case entry.PaymentApproved:
		if s.Pay != PayStarted {
			return unlawful(b, "no payment was started")
		}
		s.Pay, s.RRN, s.Auth, s.Paid = PayApproved, b.RRN, b.Auth, b.Amount
		if b.Amount != s.Amount { // law 2: another amount than asked is reversed
			s.Pay, s.OweReversal = PayWithdrawn, true
		}
	case entry.OfferWithdrawn:
		if !s.Offered() || s.Remote { // law 4: an unknown write is not reversed; law 7: nor what is the host's
			return unlawful(b, "sale %s is not an offer (payment %d, write %d)", s.ID, s.Pay, s.Write)
		}
		s.Pay, s.OweReversal = PayWithdrawn, true
	}
	return nil
}

func (s *Sale) applyLoad(body entry.Body) error {
	switch b := body.(type) {
	case entry.LoadRequested:
		if !s.Offered() {
			return unlawful(b, "sale %s is not an offer (payment %d, write %d)", s.ID, s.Pay, s.Write)
		}
		if b.Attempt.Slot != s.Slot || b.Attempt.Card != s.Card || b.Attempt.Amount != s.Amount { // law 6
			return unlawful(b, "the attempt names slot %d, the sale slot %d", b.Attempt.Slot, s.Slot)
		}
		s.Write, s.Attempt, s.Proofs, s.ProofSays, s.Unseen = WriteRequested, b.Attempt, nil, nil, false
	case entry.LoadAuthorised:
		if s.Write != WriteRequested || b.At == "" {
			return unlawful(b, "no load was requested")
		}
		s.Write, s.Attempt.At = WriteAuthorised, b.At
	case entry.LoadRefused:
		if s.Write != WriteRequested && s.Pay == PayApproved {
			return unlawful(b, "no load was requested")
		}
		s.Write = WriteNone
		s.oweVoid(b.VoidSTAN)
	case entry.LoadUnknown:
		if s.Write != WriteRequested && s.Write != WriteAuthorised {
			return unlawful(b, "no load was requested")
		}
		s.Write = WriteNone
		s.oweVoid(b.VoidSTAN)
	case entry.FenceMoved:
		if !s.Offered() || b.From != s.Slot { // law 6: nothing of ours may be unknown
			return unlawful(b, "sale %s is not an offer for slot %d", s.ID, b.From)
		}
		s.Slot = b.To
	}
	return nil
}

func (s *Sale) applyWrite(body entry.Body) error {
	if b, ok := body.(entry.WriteStarted); ok {
		if s.Write != WriteAuthorised || s.Pay != PayApproved { // laws 1 and 2
			return unlawful(b, "no authorised load (payment %d, write %d)", s.Pay, s.Write)
		}
		s.Write, s.ConfirmSTAN, s.VoidSTAN = WriteStarted, b.ConfirmSTAN, b.VoidSTAN
		s.Attempts++
		return nil
	}
	if s.Write != WriteStarted {
		return unlawful(body, "no write was started")
	}
	switch b := body.(type) {
	case entry.WriteDone:
		s.Write, s.TAC, s.OweConfirm, s.DoneBy = WriteDone, b.TAC, true, "card"
	case entry.WriteRefused:
		s.Write = WriteRefused
		s.oweVoid(s.VoidSTAN)
	case entry.WriteUnknown:
		s.Write = WriteUnknown
	}
	return nil
}

func (s *Sale) applyEvidence(body entry.Body) error {
	if s.Write != WriteUnknown {
		return unlawful(body, "no write of sale %s is unknown", s.ID)
	}
	_, held := s.Held()
	switch b := body.(type) {
	case entry.EvidenceHeld:
		s.Proofs = append(slices.Clip(s.Proofs), b.Proof)
		s.ProofSays = append(slices.Clip(s.ProofSays), entry.NoOpinion)
	case entry.EvidenceRejected:
		for i, p := range s.Proofs {
			if p.Same(b.Proof) && s.ProofSays[i] == entry.NoOpinion {
				s.ProofSays = slices.Clone(s.ProofSays)
				s.ProofSays[i] = entry.Rejected
				return nil
			}
		}
		return unlawful(b, "that proof is not held")
	case entry.WriteProven:
		if held && b.By != "tac" { // law 5: held evidence comes first
			return unlawful(b, "evidence is held and not judged")
		}
		s.Write, s.TAC, s.OweConfirm, s.DoneBy = WriteDone, b.TAC, true, b.By
	case entry.WriteDisproven:
		c := b.Counter
		if held || c.MAC1 != entry.Verified || !c.Fresh || c.Value != s.Attempt.Slot { // law 4
			return unlawful(b, "counter %d, slot %d, MAC1 %d, fresh %v, held %v", c.Value, s.Attempt.Slot, c.MAC1, c.Fresh, held)
		}
		s.Write = WriteDisproven
		s.oweVoid(s.VoidSTAN)
	}
	return nil
}

func (s *Sale) applyAcknowledged(body entry.Body) error {
	switch b := body.(type) {
	case entry.ReversalAcknowledged:
		if !s.OweReversal {
			return unlawful(b, "no reversal is owed")
		}
		if b.ExpectAbsent && s.Pay != PayUnknown { // a host that denies an approval is a conflict
			return unlawful(b, "the payment was approved")
		}
		s.OweReversal, s.Long, s.Pay, s.ExpectAbsent, s.Paid = false, false, PayReversed, b.ExpectAbsent, 0
	case entry.ReversalPendingLong:
		if !s.owesBack() || s.Long {
			return unlawful(b, "no reversal or refund is owed that people do not know of")
		}
		s.Long = true
	case entry.ReversalConflict:
		if !s.owesBack() {
			return unlawful(b, "no reversal or refund is owed")
		}
		s.OweReversal, s.Long, s.OweRefund, s.Decided, s.Conflict = false, false, false, false, true // a refund that was decided and refused is open again
	case entry.ConfirmationAcknowledged:
		if !s.OweConfirm {
			return unlawful(b, "no confirmation is owed")
		}
		s.OweConfirm = false
	case entry.VoidAcknowledged:
		at := slices.IndexFunc(s.OweVoids, func(v OwedVoid) bool { return v.STAN == b.STAN })
		if at < 0 {
			return unlawful(b, "no void %d is owed", b.STAN)
		}
		s.OweVoids = slices.Concat(s.OweVoids[:at], s.OweVoids[at+1:])
	case entry.RefundAcknowledged:
		if !s.OweRefund {
			return unlawful(b, "nothing is to be refunded")
		}
		s.Pay, s.OweRefund, s.Long, s.PaidBack = PayReversed, false, false, s.Paid
	default:
		return unlawful(body, "not an entry about a sale")
	}
	return nil
}

func (s *Sale) oweVoid(stan uint32) {
	if stan != 0 {
		s.OweVoids = append(slices.Clip(s.OweVoids), OwedVoid{stan, s.Attempt})
	}
}

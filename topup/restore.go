package topup

import (
	"buka/internal/entry"
)

// Living with a restored journal (DESIGN §4.4). What it says of open sales may
// be behind the truth: the entries that were lost may have written, reversed or
// sold. Every approval and every authorisation went through the host, so the
// host's ledgers know of each; what they cannot know is whether an authorised
// load was written, and that the card tells. Until the host has answered,
// nothing about a sale may be recorded, and nothing is sold.

// aboutSale says that an entry begins or changes a sale.
func aboutSale(body entry.Body) bool {
	_, about := body.(interface{ About() entry.SaleID })
	return about
}

// aboutMoney says that an event could only answer what nobody has asked since
// the restore.
func aboutMoney(ev Event) bool {
	switch ev.(type) {
	case Probed, LoadAnswered, SlotMoved, Wrote, Proved, TACJudged, CounterJudged, TenderSeen, TenderReady, TenderFailed, Paid, Sent, Chosen,
		SettleAsked, Settled, Uploaded, RiskJudged:
		return true
	}
	return false
}

// confirmed takes the host's answer: one fact for each open sale, no more.
func (d *Durable) confirmed(b entry.RestoreConfirmed) error {
	if !d.Unconfirmed {
		return unlawful(b, "nothing was restored")
	}
	if len(b.Sales) != len(d.Sales) {
		return unlawful(b, "%d facts about %d open sales", len(b.Sales), len(d.Sales))
	}
	right := make(map[entry.SaleID]Sale, len(d.Sales))
	for _, f := range b.Sales {
		s, ok := d.Sales[f.Sale]
		if _, twice := right[f.Sale]; !ok || twice {
			return unlawful(b, "a fact about sale %q", f.Sale)
		}
		if err := s.correct(f); err != nil {
			return err
		}
		right[f.Sale] = s
	}
	for _, was := range d.InOrder() {
		if err := d.tally(b, was, right[was.ID]); err != nil {
			return err
		}
	}
	d.Sales, d.Unconfirmed, d.RestoredWhy = right, false, ""
	return nil
}

// correct makes the sale what the host shows it to be.
func (s *Sale) correct(f entry.HostFact) error {
	expected := s.ExpectAbsent
	s.correctCount(f)
	switch {
	case f.Closed:
		s.clearOwed()
		s.Settled = true
	case f.Owned:
		s.clearOwed()
		s.HandedOver = true
	case f.Credited && f.Returned && f.Paid == 0: // the host itself says both
		s.clearOwed()
		s.Pay, s.Conflict = PayWithdrawn, true
	case f.Credited:
		s.clearOwed()
		s.Pay, s.Write, s.DoneBy = PayApproved, WriteDone, "host"
	case f.Paid > 0 && expected: // the host has what it denied
		s.clearOwed()
		s.Pay, s.ExpectAbsent, s.Conflict = PayWithdrawn, false, true
	case f.Paid > 0:
		return s.correctPaid(f)
	case f.Returned:
		s.clearOwed()
		s.Pay, s.Write, s.Conflict = PayReversed, WriteNone, false
	case s.Pay == PayApproved && !s.Remote: // the host denies an approval
		s.clearOwed()
		s.Conflict = true
	}
	return nil
}

func (s *Sale) clearOwed() {
	s.OweReversal, s.Long, s.OweConfirm, s.OweRefund, s.OweVoids = false, false, false, false, nil
}

// correctCount makes what the batches count of the sale what the host has.
func (s *Sale) correctCount(f entry.HostFact) {
	if s.Remote || s.PaidBack > 0 {
		return
	}
	if s.Paid = f.Paid; f.Paid > 0 && f.STAN != 0 {
		s.PaySTAN, s.PayBatch = f.STAN, f.Batch
	}
}

// correctPaid: a payment stands at the host. What this journal knows to be
// going back goes on going back; else the value is a rewrite.
func (s *Sale) correctPaid(f entry.HostFact) error {
	if s.Write == WriteDone || s.Decided || s.Conflict || s.OweReversal || s.OweRefund {
		return nil // it was over before the entries that are lost, and the host has it
	}
	if !s.Remote {
		s.Pay, s.PaySTAN, s.PayBatch, s.RRN, s.Auth = PayApproved, f.STAN, f.Batch, f.RRN, f.Auth
		if f.PAN != "" {
			s.PAN = f.PAN
		}
		if s.Slot == 0 || f.Load == nil {
			s.Slot = max(s.Slot, f.Slot)
		}
		if s.Amount == 0 {
			s.Amount = f.Paid
		}
		if s.Amount != f.Paid { // law 2
			s.Pay, s.OweReversal = PayWithdrawn, true
			return nil
		}
	}
	return s.correctLoad(f)
}

// correctLoad: of the loads that were authorised only the newest can have been
// written, and if no kiosk has said that it was not, it may have been.
func (s *Sale) correctLoad(f entry.HostFact) error {
	known := f.Load != nil && string(f.Load.Random) == string(s.Attempt.Random) && f.Load.Slot == s.Attempt.Slot
	switch {
	case f.Load == nil && (s.Write == WriteNone || s.Write == WriteRequested || s.Write == WriteRefused || s.Write == WriteDisproven):
		if s.Write == WriteRequested { // never authorised
			s.Write = WriteNone
		}
	case f.Load == nil: // the host has lost what it authorised
		s.Conflict = true
	case f.Voided:
		s.Write, s.Slot, s.OweVoids = WriteNone, f.Load.Slot, nil
	case known && (s.Write == WriteUnknown || s.Write == WriteRefused || s.Write == WriteDisproven || s.Write == WriteNone && len(s.OweVoids) > 0):
	case f.Load.Card != s.Card || f.Load.Amount != s.Amount || f.VoidSTAN == 0 || f.ConfirmSTAN == 0:
		s.Conflict = true
	default:
		s.adopt(*f.Load, f.ConfirmSTAN, f.VoidSTAN)
		s.Attempts = max(s.Attempts, 1)
	}
	return nil
}

// adopt makes a write that this journal has never seen the sale's unknown one.
func (s *Sale) adopt(a entry.Attempt, confirm, void uint32) {
	s.Write, s.Attempt, s.Slot, s.Proofs, s.ProofSays, s.Unseen = WriteUnknown, a, a.Slot, nil, nil, true
	s.ConfirmSTAN, s.VoidSTAN, s.OweVoids = confirm, void, nil
}

// askHost asks what the host knows. It is asked until it answers.
func (st *step) askHost() {
	open := make([]entry.SaleID, 0, len(st.Durable.Sales))
	for _, s := range st.Durable.InOrder() {
		open = append(open, s.ID)
	}
	st.do(ConfirmRestore{Open: open})
}

func (st *step) restoreAnswered(e RestoreAnswered) {
	if !st.Durable.Unconfirmed {
		return
	}
	if !e.OK {
		st.timer(timerRestore, 2_000)
		return
	}
	body := e.Facts
	st.skip(body.LastSTAN)
	body.Sales = make([]entry.HostFact, len(e.Facts.Sales))
	for i, f := range e.Facts.Sales {
		if f.Load != nil && !f.Voided {
			f.ConfirmSTAN, f.VoidSTAN = st.stan(), st.stan()
		}
		body.Sales[i] = f
	}
	if !st.covers(body.Sales) { // an answer to another question
		st.timer(timerRestore, 2_000)
		return
	}
	st.record(body)
	st.Live.SignedOn = false // the host has opened a new batch
	st.do(SignOn{STAN: st.stan()})
	st.settleOpen()
	st.touched = true
}

// covers says that there is one fact for each open sale.
func (st *step) covers(facts []entry.HostFact) bool {
	seen := map[entry.SaleID]bool{}
	for _, f := range facts {
		if _, open := st.Durable.Sales[f.Sale]; !open || seen[f.Sale] {
			return false
		}
		seen[f.Sale] = true
	}
	return len(seen) == len(st.Durable.Sales)
}

// skip goes on behind a STAN that the host has seen. The numbers are a ring: one
// that is more than half of it ahead lies behind.
func (st *step) skip(last uint32) {
	now := wire(st.Live.STAN)
	if ahead := (last + stanMax - now) % stanMax; last != 0 && (now == 0 || ahead <= stanMax/2) {
		st.Live.STAN += ahead
	}
	if st.Durable.STANUntil < st.Live.STAN {
		st.reserve()
	}
}

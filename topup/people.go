package topup

import (
	"slices"
	"strings"

	"buka/internal/entry"
)

// What people decide when the machine may not: to hand a rewrite to the host,
// to refund what cannot be reversed, and, two of them together, what an unknown
// write or a host that contradicts us shall count as.

// Decisions of two people, by what the passenger has afterwards.
const (
	Credited = "credited" // the value on the card
	PaidOut  = "paid-out" // the money in hand
	Refunded = "refund"   // the money on the bank card: a refund is owed
)

// Decisions lists them.
func Decisions() []string { return []string{Credited, PaidOut, Refunded} }

// applyGivenUp: the entries after which this kiosk never writes for the sale
// again.
func (s *Sale) applyGivenUp(body entry.Body) error {
	switch b := body.(type) {
	case entry.HandedOver:
		if !s.MayHandOver() || b.Mine != s.Mine() {
			return unlawful(b, "sale %s cannot be handed over (payment %d, write %d, owed %d)", s.ID, s.Pay, s.Write, len(s.Duties()))
		}
		s.HandedOver = true
	case entry.RefundRequested:
		if !s.MayRefund() && !s.OweRefund || b.STAN == 0 || b.Batch == 0 { // law 4: not while a write is unknown
			return unlawful(b, "sale %s cannot be refunded (payment %d, write %d)", s.ID, s.Pay, s.Write)
		}
		if !s.Decided { // then it is asked for again
			s.Pay, s.Conflict = PayWithdrawn, false
		}
		s.Long = false
		s.OweRefund, s.RefundSTAN, s.RefundBatch = true, b.STAN, b.Batch
	case entry.Decided:
		people := slices.Clone(b.People)
		slices.Sort(people)
		if slices.Contains(people, "") || len(slices.Compact(people)) < 2 {
			return unlawful(b, "%q decided by %q", b.Decision, b.People)
		}
		if !s.MayDecideFor(b.Decision) {
			return unlawful(b, "sale %s has something under way (payment %d, write %d)", s.ID, s.Pay, s.Write)
		}
		if (b.Decision == Refunded) != (b.RefundSTAN != 0 && b.RefundBatch != 0) {
			return unlawful(b, "refund STAN %d for %q", b.RefundSTAN, b.Decision)
		}
		s.Decided, s.OweRefund, s.RefundSTAN, s.RefundBatch = true, b.RefundSTAN != 0, b.RefundSTAN, b.RefundBatch
	}
	return nil
}

// acted: somebody's proposal waits for another person.
func (d *Durable) acted(b entry.StaffActed) error {
	if b.Decision == "" {
		return nil
	}
	s, ok := d.Sales[b.Sale]
	if d.Unconfirmed || !ok || b.Who == "" || !s.MayDecideFor(b.Decision) {
		return unlawful(b, "%q proposes %q for sale %s", b.Who, b.Decision, b.Sale)
	}
	s.Proposal, s.ProposedBy = b.Decision, b.Who
	d.Sales[b.Sale] = s
	return nil
}

// refund gives back what can no longer be reversed.
func (st *step) refund(c *Console, s Sale, who string) {
	st.record(entry.RefundRequested{Of: entry.Of{Sale: s.ID}, STAN: st.stan(), Batch: st.Durable.Batch, Who: who})
	st.timer(timerOffer+string(s.ID), 0)
	st.last(c, Declined, "money-back-pending", s.ID)
	st.flush()
}

// decide takes the first person's proposal, or another's agreement to it. Who
// proposes something else begins anew.
func (st *step) decide(c *Console, s Sale, decision, who string) {
	if s.Proposal != decision || s.ProposedBy == who {
		st.record(entry.StaffActed{Who: who, Did: "proposes", Sale: s.ID, Decision: decision})
		c.Phase, c.Notice = Idle, "second-person"
		return
	}
	b := entry.Decided{Of: entry.Of{Sale: s.ID}, Decision: decision, People: []string{s.ProposedBy, who}}
	if decision == Refunded {
		b.RefundSTAN, b.RefundBatch = st.stan(), st.Durable.Batch
	}
	st.record(b)
	st.timer(timerOffer+string(s.ID), 0)
	st.last(c, Contact, "with-staff", s.ID)
	st.flush()
}

// givenUp says what a button that needs no card asks for; nil: it may not be.
func (st *step) givenUp(c *Console, s Sale, do, who string) func() {
	decision, deciding := strings.CutPrefix(do, "decide-")
	switch {
	case deciding && s.MayDecideFor(decision) && who != "" && (decision != Refunded || st.Durable.Sells()):
		return func() { st.decide(c, s, decision, who) }
	case do == "refund" && s.MayRefund() && st.Durable.Sells():
		return func() { st.refund(c, s, who) }
	case do == "hand-over" && s.MayHandOver() && !s.Remote:
		return func() {
			st.handOver(s, "by "+who)
			st.last(c, Contact, "with-staff", s.ID)
		}
	}
	return nil
}

// waits starts the time after which a rewrite goes to the host.
func (st *step) waits(s Sale) {
	if st.core.Rules.HandOverMS > 0 && s.Rewrite() {
		st.timer(timerHandOver+string(s.ID), st.core.Rules.HandOverMS)
	}
}

// waitedLong: nobody has come for it. While something is under way it waits on.
func (st *step) waitedLong(id entry.SaleID) {
	s, ok := st.Durable.Sales[id]
	switch {
	case !ok || !s.Rewrite():
	case st.using(id) || !s.MayHandOver():
		st.timer(timerHandOver+string(id), 60_000)
	default:
		st.handOver(s, "waited too long")
		if c := &st.Live.Front; c.Sale == id {
			st.clear(c)
		}
	}
}

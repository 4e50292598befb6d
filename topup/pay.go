package topup

import (
	"buka/internal/answers"
	"buka/internal/entry"
)

// tenderSeen: the bank card was read; the PIN pad keeps its own time.
func (st *step) tenderSeen(e TenderSeen) {
	c := &st.Live.Front
	if c.Phase != Paying || c.Sale != e.Sale {
		return
	}
	if why := st.hopeless(); why != "" { // since the card was asked for: no PIN for nothing
		st.noPayment(c, why)
		return
	}
	c.PAN = e.PAN
	if c.Notice != "wrong-pin" { // which stands beside the next try
		c.Notice = ""
	}
	if !e.NoPIN {
		c.Phase = PINEntry
		st.calm(c)
	}
	st.touched = true
}

func (st *step) tenderFailed(e TenderFailed) {
	c := &st.Live.Front
	if c.Sale != e.Sale || c.Phase != Paying && c.Phase != PINEntry {
		return
	}
	st.touched = true
	if softTender[e.Reason] { // another card, or the same one again
		if c.Phase == PINEntry {
			st.timer(timerIdle, st.core.Rules.IdleMS)
		}
		c.Phase, c.Notice = Paying, e.Reason
		st.do(TakeTender{Sale: c.Sale, Amount: c.Amount})
		return
	}
	st.last(c, Declined, e.Reason, c.Sale)
}

// softTender lists what a passenger can mend by presenting a bank card again.
var softTender = map[string]bool{
	"card-gone": true, "bank-card-unread": true, "two-cards": true, "transit-card": true, "use-chip": true, "wrong-pin": true,
}

// tenderReady: money may move now. A reversal that is owed goes first.
func (st *step) tenderReady(e TenderReady) {
	c := &st.Live.Front
	if c.Sale != e.Sale || c.Phase != PINEntry && (c.Phase != Paying || c.PAN == "") {
		return
	}
	c.Phase = Sending
	st.calm(c)
	if st.owesReversal() {
		st.hurry()
		return
	}
	st.pay(c)
}

// owesReversal says that a payment has to wait.
func (st *step) owesReversal() bool {
	for _, s := range st.Durable.Sales {
		if s.OweReversal && !s.Long {
			return true
		}
	}
	return false
}

func (st *step) pay(c *Console) {
	s := st.Durable.Sales[c.Sale]
	if why := st.NoPayment(); why == reasonClosing || st.Live.OutOfService { // since the amount was chosen
		st.noPayment(c, why)
		return
	}
	stan := st.stan()
	st.record(entry.PaymentStarted{
		Of: entry.Of{Sale: s.ID}, Tender: "bank-card", Amount: s.Amount, STAN: stan, Batch: st.Durable.Batch,
		PAN: c.PAN, Slot: c.Probe.Slot,
	})
	st.do(Pay{Sale: s.ID, Card: s.Card, Slot: c.Probe.Slot, Amount: s.Amount, STAN: stan, Batch: st.Durable.Batch})
}

// reversalTried goes on with a payment that waited for a reversal: before the
// bank card was asked for, or after.
func (st *step) reversalTried(s Sale, ended bool) {
	c := &st.Live.Front
	if c.Phase != Sending || st.Durable.Sales[c.Sale].Pay == PayStarted {
		return
	}
	switch {
	case st.owesReversal() && !ended && !s.Long:
		st.noPayment(c, "network-down")
	case st.owesReversal(): // another one is waited for
		st.hurry()
	case c.PAN == "":
		st.takeTender(c)
	default:
		st.pay(c)
	}
}

// hopeless is NoPayment for a sale that has come as far as its payment: a sign-on
// that is under way will be over before the PIN is.
func (st *step) hopeless() string {
	if why := st.NoPayment(); why != "network-down" || !st.Live.HostUp || st.Durable.Batch == 0 {
		return why
	}
	return ""
}

// noPayment ends a sale whose payment has become impossible before it was sent.
func (st *step) noPayment(c *Console, why string) {
	st.do(DropTender{Sale: c.Sale})
	phase := Declined
	if why == "network-down" {
		phase = NoNetwork
	}
	st.last(c, phase, why, c.Sale)
}

func (st *step) paid(e Paid) {
	s, ok := st.Durable.Sales[e.Sale]
	if !ok || s.Pay != PayStarted || s.PaySTAN != e.STAN {
		return // late: the outcome was settled without it
	}
	c := &st.Live.Front
	of := entry.Of{Sale: s.ID}
	switch e.Outcome {
	case entry.Done:
		st.record(entry.PaymentApproved{Of: of, Amount: e.Amount, RRN: e.RRN, Code: e.Code, Auth: e.Auth, Chip: e.Chip})
		st.do(DropTender{Sale: s.ID})
		if e.Amount != s.Amount {
			st.last(c, Declined, "money-back-pending", s.ID)
			st.flush()
			return
		}
		if e.Refused {
			st.cardRefused(c, s.ID)
			return
		}
		st.hold(c)
	case entry.NotDone:
		st.record(entry.PaymentDeclined{Of: of, Code: e.Code})
		st.outOfStep(e.Code)
		st.declined(c, e.Code)
	default:
		b := entry.PaymentUnknown{Of: of, Why: e.Why}
		if e.BadMAC {
			b.Reason = badMAC
		}
		st.record(b)
		st.do(DropTender{Sale: s.ID})
		st.last(c, Declined, "money-back-pending", s.ID)
		st.flush()
	}
}

// cardRefused: the host has approved, and then the bank card said no or was
// gone. The money goes back before anybody could be credited for it.
func (st *step) cardRefused(c *Console, id entry.SaleID) {
	if !st.giveBack(id, "refused by the bank card") { // its batch was left meanwhile
		st.last(c, Contact, "conflict", id)
		return
	}
	st.last(c, Declined, "bank-card-refused", id)
	st.flush()
}

// declined shows why, or asks for the PIN again.
func (st *step) declined(c *Console, code string) {
	means := st.core.means(code)
	if means.Action == answers.NewPIN {
		if c.PINs++; c.PINs < st.core.Rules.PINs && !c.Stop {
			c.Phase, c.Notice = PINEntry, "wrong-pin"
			st.do(RetryPIN{Sale: c.Sale, Amount: c.Amount})
			return
		}
	}
	st.do(DropTender{Sale: c.Sale})
	if code == "not-sent" {
		st.last(c, NoNetwork, "network-down", c.Sale)
		return
	}
	reason := means.Reason
	if means.Outcome != entry.NotDone { // another means of payment has codes of its own
		reason = "bank-declined"
	}
	st.last(c, Declined, reason, c.Sale)
}

// hold asks for the card: the money is here.
func (st *step) hold(c *Console) {
	s := st.Durable.Sales[c.Sale]
	st.offer(s)
	if c.Stop {
		st.withdraw(c, "stopped", "stopped-money-back")
		return
	}
	c.Phase, c.Notice = Holding, ""
	if c.Session != 0 { // the card has stayed; hold is shown until it was read
		st.do(ReadCard{Place: c.Place, Session: c.Session})
	}
}

// offer starts the time that an offer stands.
func (st *step) offer(s Sale) { st.timer(timerOffer+string(s.ID), st.core.Rules.OfferMS) }

// holdEnds: nobody holds a card for ever. An offer that was taken up again after
// its time gets a time of its own; else its batch would never be settled.
func (st *step) holdEnds() {
	c := &st.Live.Front
	s, ok := st.Durable.Sales[c.Sale]
	if _, runs := st.Live.Timers[timerOffer+string(s.ID)]; ok && c.Phase == Holding && s.Offered() && !runs {
		st.offer(s)
	}
}

// withdraw gives the money back; the entry is durable before the reversal.
func (st *step) withdraw(c *Console, why, reason string) {
	id := c.Sale
	if st.Durable.Sales[id].Remote {
		st.later(c, "collect-later")
		return
	}
	st.waits(st.Durable.Sales[id])
	st.do(ReleaseCard{Place: c.Place})
	if !st.giveBack(id, why) { // too late to reverse: the value stays to be written, and the console is free again
		st.last(c, Contact, "conflict", id)
		return
	}
	st.last(c, Declined, reason, id)
	st.flush()
}

// giveBack withdraws an offer if its batch is open: later a reversal is no
// longer possible, and the value stays to be written.
func (st *step) giveBack(id entry.SaleID, why string) bool {
	s := st.Durable.Sales[id]
	if !s.Offered() || s.Remote || !st.Durable.Reversible(s.PayBatch) {
		return false
	}
	st.record(entry.OfferWithdrawn{Of: entry.Of{Sale: id}, Why: why})
	st.timer(timerOffer+string(id), 0)
	st.timer(timerHandOver+string(id), 0)
	return true
}

// withdrawOthers ends every offer that nobody works on: another card's sale
// begins. One whose card lies at the desk is the cashier's.
func (st *step) withdrawOthers() {
	for _, s := range st.Durable.InOrder() {
		atDesk := st.Live.Desk.Sale == s.ID && st.Live.Desk.Session != 0
		if s.Offered() && !st.busyElsewhere(s.ID) && !atDesk {
			st.giveBack(s.ID, "another sale")
		}
	}
	st.flush()
}

// offerEnds: the time is over. While a console works on it, it waits.
func (st *step) offerEnds(id entry.SaleID) {
	s, ok := st.Durable.Sales[id]
	switch {
	case !ok:
		return
	case st.busyElsewhere(id): // a write that comes to nothing makes it an offer again
		st.timer(timerOffer+string(id), 5_000)
		return
	case !s.Offered():
		return
	}
	if c := &st.Live.Front; c.Phase == Holding && c.Sale == id {
		st.withdraw(c, "time", "timeout-money-back")
		return
	}
	if st.giveBack(id, "time") {
		st.flush()
	}
}

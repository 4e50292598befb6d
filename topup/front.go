package topup

import (
	"slices"

	"buka/internal/entry"
)

func (st *step) cardPresented(e CardPresented) {
	c := st.Live.console(e.Place)
	c.Session = e.Session
	switch {
	case c.idle() || c.Last():
		st.anew(c)
		st.read(c)
	case c.Phase == Reading: // it came again while it was read
		st.do(ReadCard{Place: c.Place, Session: c.Session})
	case c.Phase == CardBack:
		st.probe(c)
	case c.Phase == Holding:
		c.Phase = Loading
		st.do(ReadCard{Place: c.Place, Session: c.Session})
	}
	st.touched = true
}

func (st *step) read(c *Console) {
	c.Phase = Reading
	if c.Place == Front {
		st.timer(timerLast, 0)
	}
	st.do(ReadCard{Place: c.Place, Session: c.Session})
}

func (st *step) cardGone(e CardGone) {
	c := st.Live.console(e.Place)
	if c.Session != e.Session {
		return
	}
	c.Session = 0
	st.touched = true
	if c.Place == Desk && !c.Active() && c.Phase != Reading {
		st.flush() // a proof that it has shown, and that nobody has acted on, goes to the authority
		c.Card = nil
		if c.Phase == Idle {
			c.Sale = ""
		}
	}
}

// cardRead decides what a card is here for: something unfinished comes first.
func (st *step) cardRead(e CardRead) {
	c := st.Live.console(e.Place)
	facts := e.Card
	switch {
	case c.Phase == Holding && c.Session == e.Session:
		c.Phase = Loading
		st.cardForLoad(c, e)
		return
	case c.Phase == Loading:
		st.cardForLoad(c, e)
		return
	case c.Place == Desk && c.Phase == Finished && c.Session == e.Session && c.Card != nil && c.Card.Card == facts.Card:
		c.Card, st.touched = &facts, true // as it is after the write
		return
	case c.Phase != Reading || c.Session != e.Session:
		return
	}
	if st.Durable.Unconfirmed {
		st.do(ReleaseCard{Place: c.Place})
		st.clear(c)
		return
	}
	c.Card = &facts
	if s, ok := st.unfinished(facts.Card); ok {
		st.keep(s, facts)
		if c.Place == Desk {
			c.Phase, c.Sale = Idle, s.ID
			return
		}
		c.Sale, c.Amount, c.Later = s.ID, s.Amount, true
		st.resume(c, s)
		return
	}
	if st.openElsewhere(facts.Card) {
		st.do(ReleaseCard{Place: c.Place})
		if c.Place == Desk {
			c.Phase, c.Sale, c.Notice = Idle, "", "busy-elsewhere"
			return
		}
		st.last(c, Declined, "reader-busy", "")
		return
	}
	if c.Place == Front && facts.Refused != "" {
		st.do(ReleaseCard{Place: Front})
		st.last(c, Declined, facts.Refused, "")
		return
	}
	if r, ok := st.remote(facts.Card); ok {
		st.collect(c, r, facts)
		return
	}
	if c.Place == Desk {
		c.Phase, c.Sale = Idle, ""
		if len(facts.Observed.Proofs) > 0 {
			st.record(entry.CardObserved{Card: facts.Card, Observed: facts.Observed})
		}
		return
	}
	if st.Live.Devices["journal"] != "" {
		st.do(ReleaseCard{Place: Front})
		st.last(c, Declined, "journal-failed", "")
		return
	}
	st.withdrawOthers()
	if st.Durable.STANUntil < st.Live.STAN+stanBlock/4 {
		st.reserve()
	}
	st.record(entry.SaleOpened{Of: entry.Of{Sale: e.ID}, Card: facts.Card, Observed: facts.Observed, Place: string(e.Place)})
	c.Phase, c.Sale, c.Old = Choosing, e.ID, facts.Balance
	st.timer(timerIdle, st.core.Rules.IdleMS)
}

// unfinished finds what is open on this card: what is unknown first, because
// nothing else may be written before that is settled, and then the oldest.
func (st *step) unfinished(card entry.Card) (offered Sale, ok bool) {
	for _, s := range st.Durable.InOrder() {
		switch {
		case s.Card != card || st.busyElsewhere(s.ID):
		case s.Unresolved():
			return s, true
		case s.Offered() && !ok:
			offered, ok = s, true
		}
	}
	return offered, ok
}

// openElsewhere says that the other console works on something of this card.
// No sale begins on it before that has ended: its load could not be told from
// the one in doubt (same slot, amount, terminal and, by a clock that stands
// still, time).
func (st *step) openElsewhere(card entry.Card) bool {
	for _, s := range st.Durable.Sales {
		if s.Card == card && (s.Unresolved() || s.Offered()) && st.busyElsewhere(s.ID) {
			return true
		}
	}
	return false
}

func (st *step) busyElsewhere(id entry.SaleID) bool {
	f, d := st.Live.Front, st.Live.Desk
	return f.Sale == id && f.Active() || d.Sale == id && d.Active()
}

// keep makes durable what the card showed and INITIALIZE might wipe.
func (st *step) keep(s Sale, facts CardFacts) {
	for _, p := range facts.Observed.Proofs {
		st.holdProof(s, p)
	}
	if newToUs(s.Before, facts.Observed) {
		st.record(entry.CardObserved{Card: facts.Card, Observed: facts.Observed})
	}
}

// holdProof holds a proof that may be about the sale's unknown write.
func (st *step) holdProof(s Sale, p entry.Proof) {
	if !s.Unresolved() || p.Asked != s.Slot && p.Asked != s.Slot+1 {
		return
	}
	if slices.ContainsFunc(st.Durable.Sales[s.ID].Proofs, p.Same) {
		return
	}
	st.record(entry.EvidenceHeld{Of: entry.Of{Sale: s.ID}, Proof: p})
}

func newToUs(before, now entry.Observation) bool {
	for _, p := range now.Proofs {
		if !slices.ContainsFunc(before.Proofs, p.Same) {
			return true
		}
	}
	for _, r := range now.Log {
		if !slices.ContainsFunc(before.Log, r.Same) {
			return true
		}
	}
	return false
}

// resume goes on with a sale whose card is here.
func (st *step) resume(c *Console, s Sale) {
	if s.Unresolved() {
		st.resolve(c)
		return
	}
	st.load(c)
}

func (st *step) chosen(e Chosen) {
	c := &st.Live.Front
	if c.Phase != Choosing || c.Sale != e.Sale || c.Card == nil {
		return
	}
	st.touched = true
	if !slices.Contains(st.core.Rules.Choices, e.Amount) {
		c.Notice = "at-limit"
		return
	}
	if c.Card.Balance+e.Amount > st.core.Rules.MaxBalance {
		c.Notice = "at-limit"
		return
	}
	st.record(entry.AmountChosen{Of: entry.Of{Sale: c.Sale}, Amount: e.Amount})
	c.Amount, c.Notice = e.Amount, ""
	st.calm(c)
	switch why := st.NoPayment(); {
	case why != "":
		st.refuseFor(c, why)
	case c.Session == 0:
		c.Phase = CardBack
		st.timer(timerIdle, st.core.Rules.IdleMS)
	default:
		st.probe(c)
	}
}

func (st *step) probe(c *Console) {
	s := st.Durable.Sales[c.Sale]
	c.Phase, c.Notice = Probing, ""
	st.calm(c)
	st.do(ProbeCard{Place: c.Place, Session: c.Session, Sale: s.ID, Card: s.Card, Amount: s.Amount, STAN: st.stan(), Batch: st.Durable.Batch})
}

// probed: no payment before eligibility (DESIGN §4.2).
func (st *step) probed(e Probed) {
	c := st.Live.console(e.Place)
	if c.Phase != Probing || c.Sale != e.Sale {
		return
	}
	st.do(ReleaseCard{Place: c.Place})
	st.outOfStep(e.Code)
	switch {
	case !e.Answered:
		st.refuse(c, NoNetwork, "network-down", "no-answer")
	case e.Code != "00":
		st.refuse(c, Declined, "not-eligible", e.Code)
	default:
		c.Probe = e.Attempt
		st.takeTender(c)
	}
}

// takeTender asks for the bank card, unless it is known that no payment could
// follow: a reversal that is owed is tried first, and nobody types a PIN for
// nothing.
func (st *step) takeTender(c *Console) {
	switch why := st.hopeless(); {
	case why != "":
		st.refuseFor(c, why)
	case st.owesReversal():
		c.Phase, c.PAN = Sending, ""
		st.hurry()
	default:
		c.Phase = Paying
		st.do(TakeTender{Sale: c.Sale, Amount: c.Amount})
		st.timer(timerIdle, st.core.Rules.IdleMS)
	}
}

// refuseFor ends a sale that cannot be paid now.
func (st *step) refuseFor(c *Console, why string) {
	if why == "network-down" {
		st.refuse(c, NoNetwork, why, "offline")
		return
	}
	st.refuse(c, Declined, why, "device")
}

// refuse ends a sale before any payment.
func (st *step) refuse(c *Console, p Phase, reason, code string) {
	st.record(entry.LoadRefused{Of: entry.Of{Sale: c.Sale}, Code: code})
	st.last(c, p, reason, c.Sale)
}

// cardFailed: a command to the card came to nothing, and nothing was written.
func (st *step) cardFailed(e CardFailed) {
	c := st.Live.console(e.Place)
	st.touched = true
	switch c.Phase {
	case Reading:
		if c.Session == e.Session || c.Session == 0 { // else a newer reading is under way
			st.unread(c, e.Reason)
		}
	case Probing:
		if c.Sale != e.Sale {
			return
		}
		if e.Reason == "card-gone" || e.Reason == "other-card" || e.Reason == "card-unread" {
			c.Phase, c.Notice = CardBack, e.Reason
			st.timer(timerIdle, st.core.Rules.IdleMS)
			if c.Session != 0 && c.Session != e.Session { // it is back already
				st.probe(c)
			}
			return
		}
		st.refuse(c, Declined, e.Reason, "card")
	case Holding:
		if c.Session == e.Session && c.Sale != "" {
			st.loadFailed(c, e.Reason)
		}
	case Loading:
		st.loadFailed(c, e.Reason)
		if c.Phase == Holding && c.Session != 0 && c.Session != e.Session { // it is back already
			st.timer(timerAgain, 300)
		}
	case Resolving:
		if c.Sale == e.Sale {
			st.unresolved(c, e.Reason)
		}
	}
}

// unread: the card could not be read, or is none for us.
func (st *step) unread(c *Console, reason string) {
	if reason == "card-gone" || c.Place == Desk {
		st.anew(c)
		c.Notice = reason
		st.settle(c)
		return
	}
	st.last(c, Declined, reason, "")
}

func (st *step) stopped(e Stopped) {
	c := &st.Live.Front
	if c.Sale != e.Sale || c.Sale == "" {
		return
	}
	st.touched = true
	switch c.Phase {
	case Choosing, CardBack, Probing, Paying, PINEntry:
		st.stop(c, "stopped")
	case Holding:
		st.withdraw(c, "stopped", "stopped-money-back")
	case Sending:
		if st.Durable.Sales[c.Sale].Pay != PayStarted { // it still waits for a reversal
			st.stop(c, "stopped")
			return
		}
		c.Stop = true
	case Loading:
		c.Stop = true
	case Writing, Resolving:
	default:
		st.clear(c)
	}
}

// stop ends a sale for which no payment has been sent.
func (st *step) stop(c *Console, reason string) {
	st.do(DropTender{Sale: c.Sale})
	st.do(ReleaseCard{Place: Front})
	st.last(c, Declined, reason, c.Sale)
}

// timeUp: nobody answered. What has been paid stays an offer until its own
// time is over.
func (st *step) timeUp(c *Console) {
	switch c.Phase {
	case Choosing, CardBack, Paying:
		st.stop(c, "timeout")
	}
}

func (st *step) moreTime(e MoreTime) {
	c := &st.Live.Front
	if c.Sale != e.Sale || !c.Warn {
		return
	}
	c.Warn = false
	st.timer(timerWarn, 0)
	st.timer(timerIdle, st.core.Rules.IdleMS)
	st.touched = true
}

func (st *step) dismissed(e Dismissed) {
	if c := &st.Live.Front; c.Last() && c.Sale == e.Sale {
		st.clear(c)
	}
}

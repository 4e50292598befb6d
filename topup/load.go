package topup

import "buka/internal/entry"

// cardForLoad: a card was put back while money waits for it.
func (st *step) cardForLoad(c *Console, e CardRead) {
	if c.Session != e.Session {
		if c.Session == 0 {
			st.backToHold(c, "card-gone")
		} else {
			st.do(ReadCard{Place: c.Place, Session: c.Session})
		}
		return
	}
	s := st.Durable.Sales[c.Sale]
	switch {
	case e.Card.Card != s.Card:
		st.do(ReleaseCard{Place: c.Place})
		st.backToHold(c, "other-card")
	case c.Stop:
		st.withdraw(c, "stopped", "stopped-money-back")
	default:
		facts := e.Card
		c.Card = &facts
		st.keep(s, facts)
		st.load(c)
	}
}

func (st *step) load(c *Console) {
	s := st.Durable.Sales[c.Sale]
	if s.Remote && len(s.OweVoids) > 0 { // somebody else's authorisation stands until its void is committed
		st.do(ReleaseCard{Place: c.Place})
		st.backToHold(c, "authority-wait")
		again := int64(500)
		if len(st.Live.Waits) > 0 { // it was in vain already
			again = 3_000
		}
		st.timer(timerAgain, again)
		st.hurry()
		return
	}
	c.Phase, c.Notice = Loading, ""
	st.calm(c)
	st.timer(timerAgain, 0)
	st.do(Load{
		Place: c.Place, Session: c.Session, Sale: s.ID, Card: s.Card, Slot: s.Slot, Amount: s.Amount,
		STAN: st.stan(), Batch: st.Durable.Batch,
	})
}

// backToHold waits for the card again; nothing was written.
func (st *step) backToHold(c *Console, notice string) {
	if c.Place == Desk {
		c.Phase = Idle
	} else {
		c.Phase = Holding
	}
	c.Notice = notice
	st.touched = true
	if c.Stop {
		st.withdraw(c, "stopped", "stopped-money-back")
	}
}

// loadAnswered: three entries in one commit, and then the write (DESIGN §4.2).
func (st *step) loadAnswered(e LoadAnswered) {
	c := st.Live.console(e.Place)
	s, ok := st.Durable.Sales[e.Sale]
	if !ok || !s.Offered() {
		return // a forgotten authorisation is void once the journal has passed the sale
	}
	of := entry.Of{Sale: s.ID}
	attempt := e.Attempt
	attempt.At = ""
	if e.Outcome == entry.NotDone && e.Code == "not-sent" {
		st.do(ReleaseCard{Place: c.Place})
		st.backToHold(c, "authority-wait")
		st.timer(timerAgain, 3_000)
		return
	}
	if attempt.Slot != s.Slot { // an answer about a slot that the sale has left: its authorisation is forgotten
		if c.Phase == Loading && c.Sale == e.Sale && c.Session == e.Session {
			st.do(ReleaseCard{Place: c.Place})
			st.backToHold(c, "authority-wait")
			st.timer(timerAgain, 3_000)
		}
		return
	}
	st.record(entry.LoadRequested{Of: of, Attempt: attempt})
	current := c.Phase == Loading && c.Sale == e.Sale && c.Session == e.Session && !c.Stop && !st.Durable.otherUnresolved(s)
	switch {
	case e.Outcome == entry.Done && current:
		st.record(entry.LoadAuthorised{Of: of, At: e.Attempt.At})
		st.record(entry.WriteStarted{Of: of, ConfirmSTAN: st.stan(), VoidSTAN: st.stan()})
		c.Phase, c.Old = Writing, e.Attempt.OldBalance
		st.do(Write{Place: c.Place, Session: c.Session, Sale: s.ID, Random: attempt.Random})
	case e.Outcome == entry.NotDone:
		st.record(entry.LoadRefused{Of: of, Code: e.Code, Paid: true})
		if s.Remote && over[e.Code] { // the list was older than the host
			st.forget(s.ID)
		}
		step := st.outOfStep(e.Code) // a closed batch is no reason to give money back
		if c.Sale != e.Sale || c.Phase != Loading {
			return
		}
		st.do(ReleaseCard{Place: c.Place})
		if step || st.outage(e.Code) {
			st.backToHold(c, "authority-wait")
			st.timer(timerAgain, 3_000)
			return
		}
		st.moneyBack(c, "refused by the authority", "load-refused-money-back")
	default: // no answer, or one that comes too late to be used
		st.record(entry.LoadUnknown{Of: of, Why: "no answer in time", VoidSTAN: st.stan()})
		st.do(ReleaseCard{Place: c.Place})
		if c.Sale == e.Sale && c.Phase == Loading {
			st.backToHold(c, "authority-wait")
			st.timer(timerAgain, 3_000)
		}
		st.flush()
	}
}

// moneyBack ends an offer that cannot be written; if its batch is closed, it
// is a case for the desk.
func (st *step) moneyBack(c *Console, why, reason string) {
	id := c.Sale
	if st.Durable.Sales[id].Remote {
		st.later(c, "collect-later")
		return
	}
	if st.giveBack(id, why) {
		st.last(c, Declined, reason, id)
		st.flush()
		return
	}
	st.waits(st.Durable.Sales[id])
	st.last(c, Contact, "conflict", id)
}

// slotMoved: somebody else has filled the slot. Nothing of ours is unknown, so
// the fence may move (law 6); the authority verifies the counter's MAC1 with
// the load itself.
func (st *step) slotMoved(e SlotMoved) {
	c := st.Live.console(e.Place)
	s := st.Durable.Sales[e.Sale]
	if c.Phase != Loading || c.Sale != e.Sale || !s.Offered() {
		return
	}
	if e.Got < s.Slot || c.Stop {
		st.do(ReleaseCard{Place: c.Place})
		st.moneyBack(c, "the card's counter went back", "load-refused-money-back")
		return
	}
	st.record(entry.FenceMoved{Of: entry.Of{Sale: s.ID}, From: s.Slot, To: e.Got})
	if c.Session == e.Session {
		st.load(c)
		return
	}
	st.backToHold(c, "card-gone")
}

// cardRefusals are what the right card itself may answer to INITIALIZE: it will
// not be written today. Any other refusal may be about another card in its
// place, and money never goes back because of that.
var cardRefusals = map[string]bool{"at-limit": true, "card-pin": true, "not-eligible": true}

func (st *step) loadFailed(c *Console, reason string) {
	st.do(ReleaseCard{Place: c.Place})
	if cardRefusals[reason] {
		st.moneyBack(c, reason, "load-refused-money-back")
		c.Notice = reason // what of the card it was
		return
	}
	if reason == "unknown-kind" || reason == "unknown-issuer" {
		reason = "other-card"
	}
	st.backToHold(c, reason)
}

// wrote takes the outcome of the one write.
func (st *step) wrote(e Wrote) {
	c := st.Live.console(e.Place)
	s, ok := st.Durable.Sales[e.Sale]
	if !ok || s.Write != WriteStarted {
		return
	}
	of := entry.Of{Sale: s.ID}
	st.do(ReleaseCard{Place: c.Place})
	switch e.Outcome {
	case entry.Done:
		st.record(entry.WriteDone{Of: of, TAC: e.TAC, SW: e.SW})
		st.written(c, s.ID)
	case entry.NotDone:
		st.record(entry.WriteRefused{Of: of, SW: e.SW, Why: e.Why})
		st.flush()
		if e.SW == 0x9302 || s.Attempts >= st.core.Rules.Writes { // 9302 may lock the card: never again by itself
			st.moneyBack(c, "refused by the card", "write-refused-money-back")
			return
		}
		st.backToHold(c, "paid-not-written")
	default:
		st.record(entry.WriteUnknown{Of: of, SW: e.SW, Why: e.Why})
		st.timer(timerOffer+string(s.ID), 0)
		st.last(c, Open, "write-unknown", s.ID)
		st.waits(st.Durable.Sales[s.ID])
	}
}

// written: the value is on the card and the proof is in the journal.
func (st *step) written(c *Console, id entry.SaleID) {
	s := st.Durable.Sales[id]
	st.timer(timerOffer+string(id), 0)
	st.forget(id)
	if c.Sale == id {
		c.Amount, c.Old = s.Amount, s.Attempt.OldBalance
		reason := ""
		if c.Later {
			reason = "finished"
		}
		if c.Phase == Resolving {
			reason = "already-there"
		}
		st.last(c, Finished, reason, id)
		if c.Place == Desk && c.Session != 0 { // what the cashier sees of the card has changed
			st.do(ReadCard{Place: Desk, Session: c.Session})
		}
	}
	st.flush()
}

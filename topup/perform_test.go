package topup_test

import (
	"fmt"

	"buka/internal/entry"
	"buka/topup"
)

// perform is the rest of the world doing what the core asked for.
func (w *world) perform(c topup.Command) {
	switch c := c.(type) {
	case topup.ReadCard, topup.ProbeCard, topup.Load, topup.Write, topup.Prove, topup.ProbeSlot:
		w.performCard(c)
	case topup.TakeTender:
		if w.chance(10) {
			w.post(topup.TenderFailed{Sale: c.Sale, Reason: "pin-cancelled"})
			return
		}
		w.post(topup.TenderSeen{Sale: c.Sale, PAN: "622588******0001"})
		w.post(topup.TenderReady{Sale: c.Sale})
	case topup.RetryPIN:
		w.post(topup.TenderReady{Sale: c.Sale})
	case topup.Pay:
		w.performPay(c)
	case topup.Send:
		w.performSend(c)
	case topup.SignOn:
		if w.up {
			w.post(topup.SignedOn{Batch: w.batch})
		}
	case topup.Settle:
		w.performSettle(c)
	case topup.Upload:
		w.performUpload(c)
	case topup.VerifyTAC:
		e := topup.TACJudged{Sale: c.Sale, Proof: c.Proof}
		if w.up && !w.chance(20) {
			e.Opinion = entry.Rejected
			if string(c.Proof.TAC) == string(tac(c.Attempt)) {
				e.Opinion = entry.Verified
			}
		}
		w.post(e)
	}
}

func (w *world) performPay(c topup.Pay) {
	p := topup.Paid{Sale: c.Sale, STAN: c.STAN, Amount: c.Amount, Outcome: entry.Done, Code: "00"}
	switch {
	case !w.up:
		w.post(topup.Paid{Sale: c.Sale, STAN: c.STAN, Outcome: entry.NotDone, Code: "not-sent"})
		return
	case w.chance(8): // the request is lost
		p.Outcome = entry.Unknown
	case w.chance(8):
		p.Outcome, p.Code = entry.NotDone, "55"
	default:
		if w.payments[c.STAN] != nil {
			panic("a STAN was used twice")
		}
		if w.early[c.STAN] {
			p.Outcome, p.Code = entry.NotDone, "12"
			break
		}
		if w.settled[c.Batch] {
			panic("a payment goes out in a batch that is over")
		}
		w.payments[c.STAN] = &modelPayment{amount: c.Amount, batch: c.Batch, sale: c.Sale}
		w.funds += c.Amount
		if w.chance(10) { // the answer is lost
			p.Outcome = entry.Unknown
		}
		if w.chance(3) {
			p.Amount = c.Amount - 100
			w.payments[c.STAN].amount, w.funds = p.Amount, w.funds-100
		}
		p.Refused = w.chance(3)
	}
	w.post(p)
}

func (w *world) performSend(c topup.Send) {
	e := topup.Sent{Duty: c.Duty, Answered: w.up, Code: "00"}
	if !w.up || w.chance(15) {
		w.post(topup.Sent{Duty: c.Duty})
		return
	}
	if c.Duty.Kind == topup.Reversal {
		p := w.payments[c.Duty.STAN]
		switch {
		case p == nil:
			w.early[c.Duty.STAN] = true
			e.Code = "25"
		case w.settled[p.batch]:
			e.Code = "64"
		case !p.reversed:
			p.reversed = true
			w.funds -= p.amount
		}
	}
	if w.chance(15) {
		e = topup.Sent{Duty: c.Duty}
	}
	w.post(e)
}

func (w *world) initialise(a entry.Attempt) entry.Attempt {
	c := w.inField
	a.Card = entry.Card{Family: "tunion", Number: c.number}
	a.Slot, a.OldBalance, a.Terminal = c.counter, c.balance, entry.Hex("t")
	a.Random = entry.Hex(fmt.Sprint(w.rng.Uint32()))
	if c.wipes {
		c.proof = nil
	}
	return a
}

func (w *world) performCard(cmd topup.Command) {
	var place topup.Place
	var session uint64
	var sale entry.SaleID
	switch c := cmd.(type) {
	case topup.ReadCard:
		place, session = c.Place, c.Session
	case topup.ProbeCard:
		place, session, sale = c.Place, c.Session, c.Sale
	case topup.Load:
		place, session, sale = c.Place, c.Session, c.Sale
	case topup.Prove:
		place, session, sale = c.Place, c.Session, c.Sale
	case topup.ProbeSlot:
		place, session, sale = c.Place, c.Session, c.Sale
	case topup.Write:
		w.performWrite(c)
		return
	}
	if w.inField == nil || session != w.session || w.chance(4) {
		w.post(topup.CardFailed{Place: place, Session: session, Sale: sale, Reason: "card-gone"})
		w.remove()
		return
	}
	card := w.inField
	switch c := cmd.(type) {
	case topup.ReadCard:
		n := card.log[0].Number
		obs := entry.Observation{Balance: card.balance, Log: card.log}
		p, none := card.prove(n+1, n)
		if obs.NoProof = none; p != nil {
			obs.Proofs = []entry.Proof{*p}
		}
		w.nextID++
		w.post(topup.CardRead{Place: place, Session: session, ID: entry.SaleID(fmt.Sprintf("SALE%012d", w.nextID)),
			Card: topup.CardFacts{Card: entry.Card{Family: "tunion", Number: card.number}, Observed: obs, Balance: card.balance}})
	case topup.ProbeCard:
		if card.number != c.Card.Number {
			w.post(topup.CardFailed{Place: place, Session: session, Sale: sale, Reason: "other-card"})
			return
		}
		w.post(topup.Probed{Place: place, Session: session, Sale: sale, Answered: w.up, Code: "00", Attempt: w.initialise(entry.Attempt{Amount: c.Amount})})
	case topup.Load:
		w.performLoad(c)
	case topup.Prove:
		p, none := card.prove(c.Numbers...)
		w.post(topup.Proved{Place: place, Session: session, Sale: sale, Proof: p, NoProof: none})
	case topup.ProbeSlot:
		a := w.initialise(entry.Attempt{Amount: 1})
		e := topup.CounterJudged{Place: place, Session: session, Sale: sale, Counter: entry.Counter{Value: a.Slot}}
		if w.up && !w.chance(15) {
			e.Counter.MAC1, e.Counter.Fresh = entry.Verified, true
			rows := w.ledger[card.number+fmt.Sprint(c.Attempt.Slot)]
			e.Counter.Ledger = entry.LedgerOthers
			if len(rows) == 1 && string(rows[0].Random) == string(c.Attempt.Random) {
				e.Counter.Ledger = entry.LedgerOnly
			}
		}
		w.post(e)
	}
}

func (w *world) performLoad(c topup.Load) {
	if w.inField.number != c.Card.Number {
		w.post(topup.CardFailed{Place: c.Place, Session: c.Session, Sale: c.Sale, Reason: "other-card"})
		return
	}
	a := w.initialise(entry.Attempt{Amount: c.Amount, STAN: c.STAN})
	if a.Slot != c.Slot {
		w.post(topup.SlotMoved{Place: c.Place, Session: c.Session, Sale: c.Sale, Got: a.Slot})
		return
	}
	e := topup.LoadAnswered{Place: c.Place, Session: c.Session, Sale: c.Sale, Attempt: a, Outcome: entry.Unknown}
	switch {
	case !w.up:
		e.Outcome, e.Code = entry.NotDone, "not-sent"
	case w.chance(8): // lost on the way up
	default:
		a.At = entry.Stamp(fmt.Sprintf("2026%010d", len(w.log)))
		key := a.Card.Number + fmt.Sprint(a.Slot)
		w.ledger[key] = append(w.ledger[key], a)
		if !w.chance(8) {
			e.Attempt, e.Outcome, e.Code = a, entry.Done, "00"
			w.ready = &a
		}
	}
	w.post(e)
}

func (w *world) performWrite(c topup.Write) {
	e := topup.Wrote{Place: c.Place, Sale: c.Sale, Outcome: entry.Unknown}
	if w.inField == nil || w.ready == nil || c.Session != w.session {
		e.Outcome = entry.NotDone
		w.post(e)
		return
	}
	a := *w.ready
	w.ready = nil
	switch {
	case w.chance(15): // torn before
		w.remove()
	case w.chance(15): // torn after
		w.inField.load(a)
		w.remove()
	case w.chance(5):
		e.Outcome, e.SW = entry.NotDone, 0x6985
	default:
		w.inField.load(a)
		e.Outcome, e.SW, e.TAC = entry.Done, 0x9000, tac(a)
	}
	w.post(e)
}

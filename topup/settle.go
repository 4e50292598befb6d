package topup

import (
	"slices"

	"buka/internal/entry"
)

// Settlement is what is known of the settlement that is under way; a crash
// forgets it, and the totals are sent again.
type Settlement struct {
	Batch  uint32 `cbor:"1,keyasint"`
	Flying bool   `cbor:"2,keyasint"` // a message is
	Upload bool   `cbor:"3,keyasint"` // the totals did not balance
	Tries  int    `cbor:"-"`          // answers that did not end it, and silences
}

const timerSettle = "settle" // a settlement without an end is tried again

// settleAsked closes the batch that is open.
func (st *step) settleAsked(e SettleAsked) {
	d := st.Durable
	if b, ok := d.Batches[d.Batch]; !ok || b.Phase != BatchOpen || d.Unconfirmed {
		return // none is, or it is closed already
	}
	st.closeBatch(d.Batch, e.Who)
	c := &st.Live.Front
	switch c.Phase { // refused in time: before the passenger types a PIN for nothing
	case CardBack, Probing, Paying, PINEntry:
		st.stop(c, reasonClosing)
	}
	st.touched = true
}

// reasonClosing is the message key: no payment until the next batch is open.
const reasonClosing = "batch-closing"

func (st *step) closeBatch(number uint32, who string) {
	st.record(entry.BatchClosing{Batch: number, Who: who})
}

// batchChanged closes what the host has left for another batch.
func (st *step) batchChanged(open uint32) {
	for _, b := range st.Durable.Unsettled() {
		if b.Phase == BatchOpen && b.Number != open {
			st.closeBatch(b.Number, "host")
		}
	}
}

// settlement takes the oldest batch that is closing one step on.
func (st *step) settlement() {
	if st.Durable.Unconfirmed || len(st.Durable.Batches) == 0 || st.err != nil {
		return
	}
	list := st.Durable.Unsettled()
	if i := slices.IndexFunc(list, func(b Batch) bool { return b.Phase == BatchSettling }); i >= 0 {
		st.sendSettlement(list[i]) // one at a time
		return
	}
	for _, b := range list {
		if b.Phase == BatchClosing && st.emptied(b.Number) && st.Live.PayUp && st.Live.SignedOn {
			st.record(entry.SettlementStarted{Batch: b.Number, STAN: st.stan(), Totals: b.Totals})
			st.Live.Settling = Settlement{Batch: b.Number}
			st.sendSettlement(st.Durable.Batches[b.Number])
			return
		}
	}
}

// emptied ends the offers of a closing batch that nobody has in hand, and says
// whether anything of it is still under way or owed.
func (st *step) emptied(batch uint32) bool {
	empty, withdrawn := true, false
	for _, s := range st.Durable.InOrder() {
		if s.Offered() && s.PayBatch == batch && !s.Remote {
			switch {
			case st.inHandNow(s.ID):
				empty = false
			case st.giveBack(s.ID, "batch closing"):
				withdrawn = true
			}
		}
		empty = empty && !st.Durable.Sales[s.ID].movesIn(batch)
	}
	if withdrawn {
		st.flush()
	}
	return empty
}

// inHandNow says that somebody waits for this offer or works on it.
func (st *step) inHandNow(id entry.SaleID) bool {
	for _, c := range []*Console{&st.Live.Front, &st.Live.Desk} {
		if c.Sale == id && (c.Active() || c.Phase == Holding || c.Phase == Reading) {
			return true
		}
	}
	return false
}

// sendSettlement sends the totals, or has all payments sent, again and again
// until the host has answered.
func (st *step) sendSettlement(b Batch) {
	l := &st.Live.Settling
	if l.Batch != b.Number { // after a restart: it may have been sent before
		*l = Settlement{Batch: b.Number, Tries: 1}
	}
	if _, waits := st.Live.Timers[timerSettle]; waits || l.Flying || !st.Live.PayUp || !st.Live.SignedOn {
		return
	}
	l.Flying = true
	if l.Upload {
		st.do(Upload{STAN: b.STAN, Batch: b.Number})
		return
	}
	st.do(Settle{STAN: b.STAN, Batch: b.Number, Totals: b.Totals, Repeat: l.Tries > 0})
}

// answersSettlement says whether an answer is about the settlement under way.
func (st *step) answersSettlement(batch uint32, upload bool) bool {
	l := &st.Live.Settling
	if batch != l.Batch || upload != l.Upload || !st.Durable.frozen(batch) {
		return false
	}
	l.Flying, st.touched = false, true
	return true
}

func (st *step) settledBy(e Settled) {
	if !st.answersSettlement(e.Batch, false) {
		return
	}
	switch {
	case !e.Answered || !approved(e.Code):
		st.settlementFailed(e.Answered, e.Code)
	case e.Balanced:
		st.batchOver(entry.BatchSettled{Batch: e.Batch, Code: e.Code})
	default:
		st.Live.Settling.Upload = true // after as many tries as before: totals and upload may be refused in turn
	}
}

func (st *step) uploaded(e Uploaded) {
	if !st.answersSettlement(e.Batch, true) {
		return
	}
	if !e.Answered || !approved(e.Code) {
		if e.Answered && !st.outage(e.Code) { // it may know nothing of these totals: they are told again first
			st.Live.Settling.Upload = false
		}
		st.settlementFailed(e.Answered, e.Code)
		return
	}
	st.batchOver(entry.BatchSettled{Batch: e.Batch, Code: e.Code, Uploaded: true, Differs: e.Differs})
}

// settlementFailed tries again later, and asks which batch is open: the host may
// have gone on, and then so may sales.
func (st *step) settlementFailed(answered bool, code string) {
	l := &st.Live.Settling
	l.Tries++
	st.timer(timerSettle, min(int64(500)<<min(l.Tries, 7), 60_000))
	if (!answered || !st.outOfStep(code)) && st.Durable.Batch == l.Batch {
		st.do(SignOn{STAN: st.stan()})
	}
}

// batchOver: the next sign-on tells the next batch.
func (st *step) batchOver(b entry.BatchSettled) {
	st.record(b)
	st.Live.Settling = Settlement{}
	st.timer(timerSettle, 0)
	if st.Durable.Batch == b.Batch {
		st.do(SignOn{STAN: st.stan()})
	}
	st.flush()
}

// answeredLate records what came after its time, once. Nothing follows from it.
func (st *step) answeredLate(e AnsweredLate) {
	if slices.Contains(st.Durable.Late, LateAnswer{e.STAN, e.Batch}) {
		return
	}
	b := entry.AnswerLate{STAN: e.STAN, Batch: e.Batch, Code: e.Code, Amount: e.Amount, RRN: e.RRN}
	for _, s := range st.Durable.Sales {
		if s.PaySTAN == e.STAN && s.PayBatch == e.Batch && !s.Remote {
			b.Sale = s.ID
		}
	}
	st.record(b)
}

// riskJudged writes down that a rule struck. One that refuses ends the sale
// before any payment.
func (st *step) riskJudged(e RiskJudged) {
	s, ok := st.Durable.Sales[e.Sale]
	if !ok || s.Pay != PayNone && s.Pay != PayDeclined {
		return
	}
	st.record(entry.RiskStruck{Of: entry.Of{Sale: s.ID}, Rule: e.Rule, Outcome: e.Outcome})
	c := &st.Live.Front
	if c.Sale != s.ID || c.Phase != Paying && c.Phase != PINEntry && c.Phase != Sending {
		return
	}
	if reason, ends := riskReasons[e.Outcome]; ends {
		st.do(DropTender{Sale: s.ID})
		st.last(c, Declined, reason, s.ID)
	}
}

// riskReasons are the message keys of outcomes that end a sale.
var riskReasons = map[string]string{"refuse": "risk-refused", "cashier": "risk-cashier"}

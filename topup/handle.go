package topup

import "buka/internal/entry"

// handle gives each event to the part of the sale that it belongs to.
func (st *step) handle(ev Event) {
	if st.Durable.Unconfirmed && aboutMoney(ev) {
		return
	}
	switch e := ev.(type) {
	case Started:
		st.started(e)
	case SignedOn:
		st.signedOn(e)
	case SignOnFailed:
		st.timer(timerSignOn, 2_000)
	case RestoreAnswered:
		st.restoreAnswered(e)
	case RewritesKnown:
		st.rewritesKnown(e)
	case SignOnAsked:
		st.signOnAgain()
	case LinkChanged:
		st.linkChanged(e)
	case DeviceChanged:
		st.deviceChanged(e)
	case TimerFired:
		if e.Gen != 0 && st.Live.Timers[e.Name] == e.Gen {
			delete(st.Live.Timers, e.Name)
			st.timerFired(e.Name)
		}
	case CardPresented:
		st.cardPresented(e)
	case CardGone:
		st.cardGone(e)
	case CardRead:
		st.cardRead(e)
	case CardFailed:
		st.cardFailed(e)
	case Probed:
		st.probed(e)
	case LoadAnswered:
		st.loadAnswered(e)
	case SlotMoved:
		st.slotMoved(e)
	case Wrote:
		st.wrote(e)
	case Proved:
		st.proved(e)
	case TACJudged:
		st.tacJudged(e)
	case CounterJudged:
		st.counterJudged(e)
	case TenderSeen:
		st.tenderSeen(e)
	case TenderReady:
		st.tenderReady(e)
	case TenderFailed:
		st.tenderFailed(e)
	case Paid:
		st.paid(e)
	case Sent:
		st.sent(e)
	case SettleAsked:
		st.settleAsked(e)
	case Settled:
		st.settledBy(e)
	case Uploaded:
		st.uploaded(e)
	case AnsweredLate:
		st.answeredLate(e)
	case RiskJudged:
		st.riskJudged(e)
	case Chosen:
		st.chosen(e)
	case Stopped:
		st.stopped(e)
	case MoreTime:
		st.moreTime(e)
	case Dismissed:
		st.dismissed(e)
	case LanguageChosen:
		st.Live.Front.Lang = e.Lang
		st.settle(&st.Live.Front)
		st.touched = true
	case DeskActed:
		st.deskActed(e)
	}
}

// started says what becomes of each sale that the journal left open (DESIGN
// §4.1). The console shows the passenger who may still stand there the one
// thing that concerns them.
func (st *step) started(e Started) {
	st.record(entry.Started{Version: e.Version})
	st.reserve()
	st.do(SignOn{STAN: st.stan()})
	if st.Durable.Unconfirmed { // of what is open here nothing is sure
		st.askHost()
		return
	}
	st.settleOpen()
}

// settleOpen says what becomes of each open sale after a restart.
func (st *step) settleOpen() {
	var last Sale
	for _, s := range st.Durable.InOrder() {
		of := entry.Of{Sale: s.ID}
		switch {
		case s.Settled || s.HandedOver || s.Decided: // over, whatever the journal says of the way there
		case s.Pay == PayStarted:
			st.record(entry.PaymentUnknown{Of: of, Why: "restart"})
		case s.Write == WriteStarted:
			st.record(entry.WriteUnknown{Of: of, Why: "restart"})
			last = st.Durable.Sales[s.ID]
		case s.Write == WriteRequested || s.Write == WriteAuthorised:
			st.record(entry.LoadUnknown{Of: of, Why: "restart", VoidSTAN: st.stan()})
			last = st.Durable.Sales[s.ID]
		case s.Offered():
			last = s
		}
	}
	for _, s := range st.Durable.InOrder() {
		if s.Offered() {
			st.offer(s)
		}
		st.waits(s)
		st.patience(s)
	}
	switch f := &st.Live.Front; {
	case last.ID == "", last.Remote && last.Offered(): // what the host owns goes back to it
	case last.Offered():
		f.Phase, f.Sale, f.Amount = Holding, last.ID, last.Amount
	default:
		st.last(f, Open, "write-unknown", last.ID)
	}
	st.flush()
}

// clockDriftMS is how far the clocks may drift apart until it is written down
// again. The host tells its time in whole seconds.
const clockDriftMS = 5_000

func (st *step) signedOn(e SignedOn) {
	st.Live.SignedOn, st.Live.OutOfService = true, false
	if e.Batch != 0 && e.Batch == st.Durable.LastSettled { // the host has not opened the next one yet
		st.timer(timerSignOn, 2_000)
	}
	st.batchChanged(e.Batch)
	drift := e.OffsetMS - st.Durable.OffsetMS
	if e.Batch != st.Durable.Batch || max(drift, -drift) > clockDriftMS {
		st.record(entry.SignedOn{Batch: e.Batch, HostAtMS: e.HostAtMS, OffsetMS: e.OffsetMS})
	}
	st.skip(e.LastSTAN) // a journal that was restored may lag behind
	st.touched = true
	st.collectLate()
	st.flush()
	st.askAgain()
}

// askAgain asks about a card that lies there since before the authority was in
// reach: nobody may be there to take it away and hold it there anew.
func (st *step) askAgain() {
	if f := &st.Live.Front; f.Phase == Open && f.Reason == "authority-wait" && f.Session != 0 && st.Live.SignedOn {
		st.anew(f)
		st.read(f)
	}
}

func (st *step) linkChanged(e LinkChanged) {
	l, pay := &st.Live, e.Up || e.Pay
	back := e.Up && !l.HostUp || pay && !l.PayUp
	st.touched = back || l.HostUp != e.Up || l.PayUp != pay
	l.HostUp, l.PayUp = e.Up, pay
	if c := &l.Front; !e.Up && (c.Phase == CardBack || c.Phase == Paying) { // before a PIN is typed for nothing
		st.noPayment(c, "network-down")
	}
	if !pay {
		return
	}
	if back {
		clear(l.Waits)
	}
	if !l.SignedOn {
		st.do(SignOn{STAN: st.stan()})
		return
	}
	st.collectLate()
	st.flush()
	if e.Up {
		st.askAgain()
	}
}

func (st *step) deviceChanged(e DeviceChanged) {
	why := e.Why
	if e.OK {
		why = ""
	} else if why == "" {
		why = "missing"
	}
	st.touched = st.Live.Devices[e.Name] != why
	st.Live.Devices[e.Name] = why
}

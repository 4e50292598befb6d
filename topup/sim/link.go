package sim

import (
	"buka/internal/entry"
	"buka/topup"
)

// onLink is a request to the host, and what the kiosk hears of it.
func (w *World) onLink(cmd topup.Command, how Fault) {
	switch c := cmd.(type) {
	case topup.Pay:
		w.onPay(c, how)
	case topup.Send:
		w.onSend(c, how)
	case topup.VerifyTAC:
		w.onVerify(c, how)
	case topup.Settle:
		w.onSettle(c, how)
	case topup.Upload:
		w.onUpload(c, how)
	case topup.ConfirmRestore:
		w.onConfirmRestore(c, how)
	}
}

func (w *World) onPay(c topup.Pay, how Fault) {
	s := w.sale(c.Sale)
	if s.Pay != topup.PayStarted || s.PaySTAN != c.STAN {
		w.fail(violation("a payment of sale %s goes out, and the journal has payment %d, STAN %d", c.Sale, s.Pay, s.PaySTAN))
		return
	}
	unknown := topup.Paid{Sale: c.Sale, STAN: c.STAN, Why: "no answer"}
	e := topup.Paid{Sale: c.Sale, STAN: c.STAN, Outcome: entry.NotDone}
	switch {
	case !w.up:
		e.Code = "not-sent"
	case w.ill[illPay]:
		e.Code = unreachable
	case how == fRequestLost:
		e = unknown
	case how == fRequestLate:
		w.net = append(w.net, c)
		e = unknown
	case how == fHostFails:
		e.Code = "96"
	case how == fDeclined:
		e.Code = "51"
	case how == fWrongPIN:
		e.Code = "55"
	case how == fNewKeys:
		e.Code = newKeys
	default:
		w.takes("pay", c.Batch, c.STAN, string(c.Sale))
		e.Amount, e.Code = w.host.pay(w.index, c, how == fPartial)
		if e.Code == "00" {
			e.Outcome = entry.Done
		}
		if e.Refused = how == fCardRefuses && e.Code == "00"; e.Refused {
			w.truthOf(c.Sale).refused = true
		}
		if how == fHostUnsure {
			e = unknown
		}
		unknown.BadMAC = how == fBadMAC
	}
	if how == fAnswerLate { // nobody waits for it any more: it is only recorded
		w.late = append(w.late, topup.AnsweredLate{STAN: c.STAN, Batch: c.Batch, Code: e.Code, Amount: e.Amount})
		how = fAnswerLost
	}
	w.answered(e, unknown, how)
}

// newKeys is what a host answers that has other keys by now.
const newKeys = "A0"

// answered gives the kiosk an answer, or what it makes of one that is lost,
// late or comes twice.
func (w *World) answered(e, nothing topup.Event, how Fault) {
	switch how {
	case fAnswerLost, fBadMAC:
		e = nothing
	case fAnswerLate:
		w.late = append(w.late, e)
		e = nothing
	case fAnswerTwice:
		w.late = append(w.late, e)
	}
	w.feed(e)
}

func (w *World) onSend(c topup.Send, how Fault) {
	s := w.sale(c.Duty.Sale)
	if c.Duty.Kind == topup.Reversal && (s.Unresolved() || s.Write == topup.WriteDone) {
		w.fail(violation("a reversal of sale %s goes out, and the journal says payment %d, write %d", c.Duty.Sale, s.Pay, s.Write))
		return
	}
	nothing := topup.Sent{Duty: c.Duty}
	e := topup.Sent{Duty: c.Duty, Answered: true}
	money := c.Duty.Kind == topup.Reversal || c.Duty.Kind == topup.Refund // else it goes to the load authority
	switch {
	case !w.up, how == fRequestLost:
		e = nothing
	case w.ill[illPay] && money, w.ill[illAuthority] && !money:
		e.Code = unreachable
	case how == fHostFails:
		e.Code = "96"
	case how == fNewKeys:
		e.Code = newKeys
	case how == fHostDenies:
		e.Code = "25"
		w.truthOf(c.Duty.Sale).lied = true
	default:
		if how == fRequestTwice {
			w.net = append(w.net, c)
		}
		e.Code = w.owed(c)
	}
	w.answered(e, nothing, how)
}

// arrives is a request that reaches the host when nobody waits for the answer.
func (w *World) arrives(cmd topup.Command) {
	switch c := cmd.(type) {
	case topup.Pay:
		w.takes("pay", c.Batch, c.STAN, string(c.Sale))
		amount, code := w.host.pay(w.index, c, false)
		w.feed(topup.AnsweredLate{STAN: c.STAN, Batch: c.Batch, Code: code, Amount: amount})
	case topup.Send:
		w.owed(c)
	case topup.Settle:
		w.host.settle(w.index, c.Batch, c.Totals)
	case topup.Upload:
		w.host.upload(w.index, c.Batch, w.items)
	}
}

func (w *World) onVerify(c topup.VerifyTAC, how Fault) {
	nothing := topup.TACJudged{Sale: c.Sale, Proof: c.Proof}
	e := nothing
	if w.authorityUp() && how != fRequestLost {
		e.Opinion = entry.Rejected
		if sameTAC(c.Proof.TAC, c.Attempt) && !w.host.void(c.Attempt) {
			e.Opinion = entry.Verified
		}
	}
	w.answered(e, nothing, how)
}

package topup

import "buka/internal/entry"

// flush sends what is owed, each kind one at a time: a reversal never waits
// for a confirmation, nor a confirmation for a reversal.
func (st *step) flush() {
	if st.Durable.Unconfirmed {
		return
	}
	busy := map[DutyKind]bool{}
	for d := range st.Live.Sending {
		busy[d.Kind] = true
	}
	for _, s := range st.Durable.InOrder() {
		for _, d := range s.Duties() {
			if !busy[d.Kind] {
				busy[d.Kind] = true
				st.send(s, d)
			}
		}
		if !busy[verification] && st.resolver(s.ID) == nil {
			if _, held := s.Held(); held {
				st.verifyHeld(s)
			}
		}
	}
}

func (st *step) send(s Sale, d Duty) {
	why := "06" // the payment was approved and could not be completed here
	if s.Pay == PayUnknown {
		why = "98" // no answer in time
	}
	st.Live.Sending[d] = true
	st.do(Send{Duty: d, Sale: s, Repeat: st.Live.Tries[d] > 0, Why: why})
}

// retry waits longer each time, up to half a minute, and for ever.
func (st *step) retry(d Duty) {
	st.Live.Tries[d]++
	st.timer(timerRetry, min(int64(500)<<min(st.Live.Tries[d], 6), 30_000))
}

// sent: only an answer that says committed ends an obligation (law 8).
func (st *step) sent(e Sent) {
	d := e.Duty
	delete(st.Live.Sending, d)
	s, ok := st.Durable.Sales[d.Sale]
	if !ok || !owes(s, d) {
		return
	}
	ended := false
	if e.Answered {
		st.outOfStep(e.Code)
		ended = st.acknowledge(s, d, e.Code)
	}
	if ended {
		delete(st.Live.Tries, d)
		st.flush()
	} else {
		st.retry(d)
	}
	if d.Kind == Reversal {
		st.reversalTried(ended)
	}
	st.touched = true
}

func owes(s Sale, d Duty) bool {
	for _, o := range s.Duties() {
		if o == d {
			return true
		}
	}
	return false
}

// recorded lists what says that a confirmation is committed at the host. 63, 25
// and 12 say that it is not believed: a case for people there, with all of our
// evidence; nothing that we could send would add to it.
var recorded = map[string]bool{"00": true, "63": true, "25": true, "12": true}

// outOfStep signs on again where the host says that we are not.
func (st *step) outOfStep(code string) bool {
	switch code {
	case "22", "77", "97", "99", "A0", "A7":
		if st.Live.SignedOn {
			st.Live.SignedOn = false
			st.do(SignOn{STAN: st.stan()})
		}
		return true
	}
	return false
}

// acknowledge records that an obligation has ended, if the code says so.
func (st *step) acknowledge(s Sale, d Duty, code string) bool {
	of := entry.Of{Sale: s.ID}
	switch d.Kind {
	case Confirmation:
		if !recorded[code] {
			return false
		}
		st.record(entry.ConfirmationAcknowledged{Of: of, Code: code})
	case Void:
		if code != "00" && code != "25" && code != "C0" { // 25: there is nothing to void; C0: the sale is confirmed
			return false
		}
		st.record(entry.VoidAcknowledged{Of: of, Code: code, STAN: d.STAN})
	case Reversal:
		return st.reversed(s, d, code)
	case Refund:
		return st.refunded(s, d, code)
	}
	return true
}

// refunded: 00 says that the host holds no money of the sale any more. A host
// that has no such payment, or has it as credited, is a case for people.
func (st *step) refunded(s Sale, d Duty, code string) bool {
	of := entry.Of{Sale: s.ID}
	switch {
	case code == "00":
		st.record(entry.RefundAcknowledged{Of: of, Code: code})
	case code == "12" || code == "25" || code == "64" || code == "C0",
		st.Live.Tries[d]+1 >= st.core.Rules.Conflicts && declineReason(code) != "bank-unreachable":
		st.record(entry.ReversalConflict{Of: of, Code: code})
	default:
		return false
	}
	return true
}

// reversed: 12 and 25 end the sending only for a payment whose outcome we
// never knew; a host that denies or contradicts an approval is a case for
// people, and sales go on (DESIGN §4.5).
func (st *step) reversed(s Sale, d Duty, code string) bool {
	of := entry.Of{Sale: s.ID}
	denied := code == "12" || code == "25"
	switch {
	case code == "00":
		st.record(entry.ReversalAcknowledged{Of: of, Code: code})
	case denied && s.Pay == PayUnknown:
		st.record(entry.ReversalAcknowledged{Of: of, Code: code, ExpectAbsent: true})
	case denied, code == "C0", st.Live.Tries[d]+1 >= st.core.Rules.Conflicts && declineReason(code) != "bank-unreachable":
		st.record(entry.ReversalConflict{Of: of, Code: code})
	default:
		return false
	}
	return true
}

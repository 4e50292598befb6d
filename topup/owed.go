package topup

import (
	"slices"

	"buka/internal/answers"
	"buka/internal/entry"
)

// kinds of what is owed. Each has one message under way at a time: a reversal
// never waits for a confirmation, nor a confirmation for a reversal.
var kinds = [...]DutyKind{Reversal, Confirmation, Void, Refund}

// flush sends what is owed, of each kind the one whose turn it is: the oldest,
// or the one after that which was sent in vain last, so that one that cannot be
// delivered holds up no other.
func (st *step) flush() {
	if st.Durable.Unconfirmed {
		return
	}
	st.refundAnew()
	var queue [len(kinds)]turn
	checking := false
	for d := range st.Live.Sending {
		if i := slices.Index(kinds[:], d.Kind); i >= 0 {
			queue[i].busy = true
		}
		checking = checking || d.Kind == verification
	}
	for _, s := range st.Durable.InOrder() {
		for _, d := range s.Duties() {
			if !st.Live.Waits[d] && !st.settlesIt(s, d) {
				queue[slices.Index(kinds[:], d.Kind)].offer(s, d, st.Live.InVain[d.Kind])
			}
		}
		if _, held := s.Held(); held && !checking && st.resolver(s.ID) == nil {
			st.verifyHeld(s)
		}
	}
	for _, q := range queue {
		if q.found && !q.busy {
			st.send(q.sale, q.duty)
		}
	}
}

// hurry sends what is owed without waiting for its next time.
func (st *step) hurry() {
	clear(st.Live.Waits)
	st.flush()
}

// turn finds the message of a kind that goes next.
type turn struct {
	busy, found, passed, after bool
	sale                       Sale
	duty                       Duty
}

func (t *turn) offer(s Sale, d, inVain Duty) {
	if !t.found || t.passed && !t.after {
		t.after = t.passed
		t.found, t.sale, t.duty = true, s, d
	}
	t.passed = t.passed || d == inVain
}

// settlesIt says that a settlement under way will say how this ended, or one that
// is over has: what the batch counts no longer changes.
func (st *step) settlesIt(s Sale, d Duty) bool {
	return d.Kind == Reversal && st.Durable.frozen(s.PayBatch) ||
		d.Kind == Refund && (st.Durable.frozen(s.RefundBatch) || st.Durable.over(s.RefundBatch))
}

// refundAnew asks for refunds again, in the batch that is open now, that were in
// vain until their own was settled. The host gives a payment back once, whatever
// it is asked under.
func (st *step) refundAnew() {
	if !st.Durable.Sells() || !st.Live.SignedOn {
		return
	}
	for _, s := range st.Durable.InOrder() {
		if s.OweRefund && st.Durable.over(s.RefundBatch) {
			st.record(entry.RefundRequested{Of: entry.Of{Sale: s.ID}, STAN: st.stan(), Batch: st.Durable.Batch, Who: "settlement"})
		}
	}
}

// Reasons of a reversal (DE39).
const (
	noAnswer     = "98"
	badMAC       = "A0" // the answer's MAC is wrong
	notCompleted = "06" // approved, and could not be completed here
)

func (st *step) send(s Sale, d Duty) {
	why := notCompleted
	switch {
	case s.BadMAC:
		why = badMAC
	case s.Pay == PayUnknown:
		why = noAnswer
	}
	if d.Kind == Reversal || d.Kind == Refund {
		st.patience(s)
	}
	st.Live.Sending[d] = true
	st.do(Send{Duty: d, Sale: s, Repeat: st.Live.Tries[d] > 0, Why: why})
}

// patience starts the time after which people know that money is still owed back,
// and neither payments nor a settlement wait for it any more (law 10).
func (st *step) patience(s Sale) {
	name := timerPatience + string(s.ID)
	if _, runs := st.Live.Timers[name]; !runs && s.owesBack() && !s.Long && st.core.Rules.PatienceMS > 0 {
		st.timer(name, st.core.Rules.PatienceMS)
	}
}

// pendingLong hands a reversal or a refund to people. It is sent on.
func (st *step) pendingLong(id entry.SaleID) {
	if s, ok := st.Durable.Sales[id]; ok && s.owesBack() && !s.Long {
		st.record(entry.ReversalPendingLong{Of: entry.Of{Sale: id}})
		st.waitedFor(Duty{Kind: Reversal})
	}
}

// waitedFor goes on with a payment that waits for a reversal that nobody has to
// wait for any more.
func (st *step) waitedFor(d Duty) {
	if d.Kind == Reversal {
		st.reversalTried(Sale{}, true)
	}
}

// retry waits longer each time, up to half a minute, and for ever.
func (st *step) retry(d Duty) {
	st.Live.Tries[d]++
	st.Live.InVain[d.Kind], st.Live.Waits[d] = d, true
	st.timer(timerRetry, min(int64(500)<<min(st.Live.Tries[d], 6), 30_000))
}

// sent: only an answer that says committed ends an obligation (law 8).
func (st *step) sent(e Sent) {
	d := e.Duty
	delete(st.Live.Sending, d)
	s, ok := st.Durable.Sales[d.Sale]
	if !ok || !owes(s, d) || st.settlesIt(s, d) {
		st.waitedFor(d)
		st.flush() // a settlement may have ended it, and the next one waits for its turn
		return
	}
	ended := false
	if e.Answered {
		st.outOfStep(e.Code)
		ended = st.acknowledge(s, d, e.Code)
	}
	if ended {
		delete(st.Live.Tries, d)
		delete(st.Live.Waits, d)
		if d.Kind == Reversal || d.Kind == Refund {
			st.timer(timerPatience+string(s.ID), 0)
		}
		st.flush()
	} else {
		st.retry(d)
	}
	if d.Kind == Reversal {
		st.reversalTried(s, ended)
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

// voided lists what says that a void has no more to do: done, nothing to void,
// not of this sale, and the sale is confirmed.
var voided = map[string]bool{"00": true, "25": true, "12": true, "C0": true}

// outOfStep signs on again where the host says that we are not, and takes no
// more payments where it takes none from us.
func (st *step) outOfStep(code string) bool {
	switch st.core.means(code).Action {
	case answers.SignOn:
		st.signOnAgain()
		return true
	case answers.OutOfService:
		st.Live.SignedOn, st.Live.OutOfService = false, true
		st.timer(timerSignOn, outOfServiceMS)
		return true
	}
	return false
}

// signOnAgain asks once, however often the host says so.
func (st *step) signOnAgain() {
	if st.Live.SignedOn {
		st.Live.SignedOn = false
		st.do(SignOn{STAN: st.stan()})
	}
}

// outOfServiceMS is how long the terminal waits before it asks a host that takes
// nothing from it to let it sign on.
const outOfServiceMS = 30_000

// approved says that the host has done what it was asked for.
func approved(code string) bool { return code == "00" }

// outage says that a code is about the network or the host's own state: the
// same message may be taken later.
func (st *step) outage(code string) bool {
	switch st.core.means(code).Action {
	case answers.RetryLater, answers.SignOn, answers.OutOfService:
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
		if !voided[code] {
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
		st.Live.Tries[d]+1 >= st.core.Rules.Conflicts && !st.outage(code):
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
	case denied && s.Pay == PayUnknown && st.canAgree(s):
		st.record(entry.ReversalAcknowledged{Of: of, Code: code, ExpectAbsent: true})
	case denied, code == "C0", st.Live.Tries[d]+1 >= st.core.Rules.Conflicts && !st.outage(code):
		st.record(entry.ReversalConflict{Of: of, Code: code})
	default:
		return false
	}
	return true
}

// canAgree says that a settlement is still to come that says whether the host
// holds a payment that it denies.
func (st *step) canAgree(s Sale) bool {
	_, ok := st.Durable.Batches[s.PayBatch]
	return ok
}

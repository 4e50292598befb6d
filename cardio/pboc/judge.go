package pboc

import (
	"bytes"
	"slices"

	"buka/cardio/purse"
	"buka/internal/entry"
)

// Judge says what became of an unknown write, from what the card and the
// authority have shown (DESIGN §4.3). It is a pure function: the same evidence
// gives the same verdict, in the kiosk, in a replay and in the exhaustive check.
//
// Evidence that nobody has verified yet stops everything else. A TAC of another
// load, a balance, an empty log and an unverified counter decide nothing.
func Judge(a entry.Attempt, e entry.Evidence) entry.Verdict {
	if !e.SameCard {
		return next(entry.StepWaitCard)
	}
	if v, decided := judgeProofs(e); decided {
		return v
	}
	if len(Unasked(a, e.Seen)) > 0 {
		return next(entry.StepProve)
	}
	if slices.ContainsFunc(e.Seen.Log, func(r entry.LogRecord) bool { return newRecordOf(a, r, e.Before) }) {
		return entry.Verdict{Outcome: entry.Done, By: "log"}
	}
	v := judgeCounter(a, e.Counter)
	if v.By == "ledger" && filledByOthers(a, e) {
		return next(entry.StepNothing)
	}
	return v
}

// judgeProofs decides by a TAC of this attempt. Any proof without an opinion is
// to be verified first, whatever number it was asked under: cards differ in
// what they count, and only the authority knows whose TAC it is.
func judgeProofs(e entry.Evidence) (entry.Verdict, bool) {
	open := false
	for i := range e.Seen.Proofs {
		opinion := entry.NoOpinion
		if i < len(e.ProofSays) {
			opinion = e.ProofSays[i]
		}
		switch opinion {
		case entry.Verified:
			return entry.Verdict{Outcome: entry.Done, By: "tac"}, true
		case entry.Rejected: // an earlier load left it
		default:
			open = true
		}
	}
	return next(entry.StepVerify), open
}

// Unasked gives the numbers that PROVE is still to be asked for, in order: N+1,
// then N, without those that the card has answered or refused.
func Unasked(a entry.Attempt, seen entry.Observation) []entry.Slot {
	var ask []entry.Slot
	for _, n := range []entry.Slot{a.Slot + 1, a.Slot} {
		answered := slices.ContainsFunc(seen.Proofs, func(p entry.Proof) bool { return p.Asked == n })
		if !answered && !slices.Contains(seen.NoProof, n) {
			ask = append(ask, n)
		}
	}
	return ask
}

// newRecordOf says that a record is this attempt's and was not there before it.
// The number is compared too: a load of the same amount in the same second of a
// clock that starts in 1970 is another load.
func newRecordOf(a entry.Attempt, r entry.LogRecord, before []entry.LogRecord) bool {
	return (r.Number == a.Slot || r.Number == a.Slot+1) &&
		r.Type == purse.TypeLoad &&
		r.Amount == a.Amount &&
		bytes.Equal(r.Terminal, a.Terminal) &&
		r.At == a.At && a.At != "" &&
		!slices.ContainsFunc(before, r.Same)
}

// judgeCounter weighs a probing INITIALIZE. Only a fresh one under a verified
// MAC1 counts; a counter that moved on does not say who moved it, unless the
// host's ledger does.
func judgeCounter(a entry.Attempt, c *entry.Counter) entry.Verdict {
	switch {
	case c == nil:
		return next(entry.StepProbe)
	case c.MAC1 == entry.NoOpinion:
		return next(entry.StepAuthority)
	case c.MAC1 != entry.Verified || !c.Fresh:
		return next(entry.StepNothing)
	case c.Value == a.Slot:
		return entry.Verdict{Outcome: entry.NotDone, By: "counter"}
	case c.Value > a.Slot && c.Ledger == entry.LedgerOnly:
		return entry.Verdict{Outcome: entry.Done, By: "ledger"}
	}
	return next(entry.StepNothing)
}

// filledByOthers says that the card's log contradicts the host's ledger: it has
// another's new load for every slot that the counter has passed. The host then
// is not the only authority of this card, whatever it believes.
func filledByOthers(a entry.Attempt, e entry.Evidence) bool {
	others := entry.Slot(0)
	for _, r := range e.Seen.Log {
		if r.Type == purse.TypeLoad && r.Number >= a.Slot && r.Number <= e.Counter.Value && !slices.ContainsFunc(e.Before, r.Same) {
			others++
		}
	}
	return others >= e.Counter.Value-a.Slot
}

func next(s entry.Step) entry.Verdict { return entry.Verdict{Outcome: entry.Unknown, Next: s} }

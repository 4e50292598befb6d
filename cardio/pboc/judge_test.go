package pboc

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"buka/internal/entry"
	"buka/internal/money"
)

var attempt = entry.Attempt{
	Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Slot: 2, OldBalance: 2850, Amount: 5000,
	Terminal: entry.Hex{0x11, 0x22, 0x33, 0x44, 0x55, 0x66}, At: "20260115093015",
}

// own is the record that the attempt leaves; numbers differ by card.
func own(number entry.Slot) entry.LogRecord {
	return entry.LogRecord{Number: number, Type: 2, Amount: 5000, Terminal: attempt.Terminal, At: attempt.At}
}

func proof(asked entry.Slot) entry.Proof {
	return entry.Proof{Asked: asked, TAC: entry.Hex{1, 2, 3, byte(asked)}}
}

// asked is an observation in which PROVE gave nothing.
func asked(log ...entry.LogRecord) entry.Observation {
	return entry.Observation{Balance: 7850, NoProof: []entry.Slot{3, 2}, Log: log}
}

func proven(p ...entry.Proof) entry.Observation {
	return entry.Observation{Proofs: p, NoProof: []entry.Slot{3, 2}}
}

func counter(value entry.Slot, mac1 entry.Opinion, fresh bool, l entry.Ledger) *entry.Counter {
	return &entry.Counter{Value: value, MAC1: mac1, Fresh: fresh, Ledger: l}
}

func TestJudge(t *testing.T) {
	done := func(by string) entry.Verdict { return entry.Verdict{Outcome: entry.Done, By: by} }
	notDone := entry.Verdict{Outcome: entry.NotDone, By: "counter"}
	changed := func(f func(*entry.LogRecord)) entry.LogRecord { r := own(2); f(&r); return r }
	good := counter(2, entry.Verified, true, entry.LedgerSilent)

	for _, c := range []struct {
		name string
		e    entry.Evidence
		want entry.Verdict
	}{
		{"another card, whatever it shows", entry.Evidence{Seen: proven(proof(3)), ProofSays: []entry.Opinion{entry.Verified}}, next(entry.StepWaitCard)},
		{"nothing asked yet", entry.Evidence{SameCard: true}, next(entry.StepProve)},
		{"N+1 asked only", entry.Evidence{SameCard: true, Seen: entry.Observation{NoProof: []entry.Slot{3}}}, next(entry.StepProve)},
		{"a stale proof under N+1, N not asked", entry.Evidence{SameCard: true, Seen: entry.Observation{Proofs: []entry.Proof{proof(3)}}, ProofSays: []entry.Opinion{entry.Rejected}}, next(entry.StepProve)},

		{"verified TAC", entry.Evidence{SameCard: true, Seen: proven(proof(3)), ProofSays: []entry.Opinion{entry.Verified}}, done("tac")},
		{"verified TAC beside an open one", entry.Evidence{SameCard: true, Seen: proven(proof(3), proof(2)), ProofSays: []entry.Opinion{entry.NoOpinion, entry.Verified}}, done("tac")},
		{"verified TAC, N not asked", entry.Evidence{SameCard: true, Seen: entry.Observation{Proofs: []entry.Proof{proof(3)}}, ProofSays: []entry.Opinion{entry.Verified}}, done("tac")},
		{"proof without an opinion", entry.Evidence{SameCard: true, Seen: proven(proof(3))}, next(entry.StepVerify)},
		{"proof without an opinion stops the log", entry.Evidence{SameCard: true, Seen: entry.Observation{Proofs: []entry.Proof{proof(2)}, NoProof: []entry.Slot{3}, Log: []entry.LogRecord{own(2)}}}, next(entry.StepVerify)},
		{"proof without an opinion stops the counter", entry.Evidence{SameCard: true, Seen: proven(proof(2)), Counter: good}, next(entry.StepVerify)},
		{"proof under an odd number is verified too", entry.Evidence{SameCard: true, Seen: proven(proof(4)), Counter: good}, next(entry.StepVerify)},
		{"second proof is open", entry.Evidence{SameCard: true, Seen: proven(proof(3), proof(2)), ProofSays: []entry.Opinion{entry.Rejected}}, next(entry.StepVerify)},

		{"TAC of an earlier load, nothing else", entry.Evidence{SameCard: true, Seen: proven(proof(2)), ProofSays: []entry.Opinion{entry.Rejected}}, next(entry.StepProbe)},
		{"TAC of an earlier load, own record", entry.Evidence{SameCard: true, Seen: entry.Observation{Proofs: []entry.Proof{proof(2)}, NoProof: []entry.Slot{3}, Log: []entry.LogRecord{own(2)}}, ProofSays: []entry.Opinion{entry.Rejected}}, done("log")},

		{"record N", entry.Evidence{SameCard: true, Seen: asked(own(2))}, done("log")},
		{"record N+1", entry.Evidence{SameCard: true, Seen: asked(own(3))}, done("log")},
		{"record below newer ones", entry.Evidence{SameCard: true, Seen: asked(changed(func(r *entry.LogRecord) { r.Number = 4 }), own(2))}, done("log")},
		{"record N+2", entry.Evidence{SameCard: true, Seen: asked(own(4))}, next(entry.StepProbe)},
		{"record N-1", entry.Evidence{SameCard: true, Seen: asked(own(1))}, next(entry.StepProbe)},
		{"record was there before", entry.Evidence{SameCard: true, Seen: asked(own(2)), Before: []entry.LogRecord{own(2)}}, next(entry.StepProbe)},
		{"record like one before, another number", entry.Evidence{SameCard: true, Seen: asked(own(3), own(2)), Before: []entry.LogRecord{own(2)}}, done("log")},
		{"other type", entry.Evidence{SameCard: true, Seen: asked(changed(func(r *entry.LogRecord) { r.Type = 6 }))}, next(entry.StepProbe)},
		{"other amount", entry.Evidence{SameCard: true, Seen: asked(changed(func(r *entry.LogRecord) { r.Amount++ }))}, next(entry.StepProbe)},
		{"other terminal", entry.Evidence{SameCard: true, Seen: asked(changed(func(r *entry.LogRecord) { r.Terminal = entry.Hex{1, 2, 3, 4, 5, 6} }))}, next(entry.StepProbe)},
		{"a second later", entry.Evidence{SameCard: true, Seen: asked(changed(func(r *entry.LogRecord) { r.At = "20260115093016" }))}, next(entry.StepProbe)},

		{"new balance alone", entry.Evidence{SameCard: true, Seen: asked()}, next(entry.StepProbe)},
		{"counter still N", entry.Evidence{SameCard: true, Seen: asked(), Counter: good}, notDone},
		{"counter still N, stale proof rejected", entry.Evidence{SameCard: true, Seen: proven(proof(2)), ProofSays: []entry.Opinion{entry.Rejected}, Counter: good}, notDone},
		{"counter not asked about", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(2, entry.NoOpinion, true, entry.LedgerSilent)}, next(entry.StepAuthority)},
		{"counter under a wrong MAC1", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(2, entry.Rejected, true, entry.LedgerSilent)}, next(entry.StepNothing)},
		{"counter replayed", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(2, entry.Verified, false, entry.LedgerSilent)}, next(entry.StepNothing)},
		{"moved, ledger silent", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(3, entry.Verified, true, entry.LedgerSilent)}, next(entry.StepNothing)},
		{"moved, others too", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(3, entry.Verified, true, entry.LedgerOthers)}, next(entry.StepNothing)},
		{"moved, only ours", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(3, entry.Verified, true, entry.LedgerOnly)}, done("ledger")},
		{"moved far, only ours", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(9, entry.Verified, true, entry.LedgerOnly)}, done("ledger")},
		{"moved, only ours, and the log names another", entry.Evidence{SameCard: true, Seen: asked(changed(func(r *entry.LogRecord) { r.Amount = 1000 })), Counter: counter(3, entry.Verified, true, entry.LedgerOnly)}, next(entry.StepNothing)},
		{"moved, only ours, and the log names another under N+1", entry.Evidence{SameCard: true, Seen: asked(changed(func(r *entry.LogRecord) { r.Number, r.Amount = 3, 1000 })), Counter: counter(3, entry.Verified, true, entry.LedgerOnly)}, next(entry.StepNothing)},
		{"moved by two, only ours, and the log names one other", entry.Evidence{SameCard: true, Seen: asked(changed(func(r *entry.LogRecord) { r.Number, r.Amount = 3, 1000 })), Counter: counter(4, entry.Verified, true, entry.LedgerOnly)}, done("ledger")},
		{"moved, only ours, and the log has the load before", entry.Evidence{SameCard: true, Seen: asked(own(1)), Before: []entry.LogRecord{own(1)}, Counter: counter(3, entry.Verified, true, entry.LedgerOnly)}, done("ledger")},
		{"moved, only ours, replayed", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(3, entry.Verified, false, entry.LedgerOnly)}, next(entry.StepNothing)},
		{"counter went back", entry.Evidence{SameCard: true, Seen: asked(), Counter: counter(1, entry.Verified, true, entry.LedgerOnly)}, next(entry.StepNothing)},
	} {
		if got := Judge(attempt, c.e); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestJudgeNeedsAStamp(t *testing.T) {
	a := attempt
	a.At = "" // was never authorised
	r := own(2)
	r.At = ""
	if v := Judge(a, entry.Evidence{SameCard: true, Seen: asked(r)}); v != next(entry.StepProbe) {
		t.Error(v)
	}
}

func TestUnasked(t *testing.T) {
	for _, c := range []struct {
		seen entry.Observation
		want []entry.Slot
	}{
		{entry.Observation{}, []entry.Slot{3, 2}},
		{entry.Observation{NoProof: []entry.Slot{3}}, []entry.Slot{2}},
		{entry.Observation{Proofs: []entry.Proof{proof(2)}}, []entry.Slot{3}},
		{entry.Observation{NoProof: []entry.Slot{7, 2, 3}}, nil},
	} {
		if got := Unasked(attempt, c.seen); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.seen, got, c.want)
		}
	}
}

// drawEvidence draws from a small world, so that near misses are common.
func drawEvidence(t *rapid.T) entry.Evidence {
	slot := rapid.Map(rapid.IntRange(1, 4), func(n int) entry.Slot { return entry.Slot(n) })
	opinion := rapid.SampledFrom([]entry.Opinion{entry.NoOpinion, entry.Verified, entry.Rejected})
	record := rapid.Custom(func(t *rapid.T) entry.LogRecord {
		r := own(slot.Draw(t, "number"))
		switch rapid.IntRange(0, 6).Draw(t, "differs") {
		case 0:
			r.Amount = 100
		case 1:
			r.Type = 9
		case 2:
			r.At = "20260115093016"
		case 3:
			r.Terminal = nil
		}
		return r
	})
	prove := rapid.Map(slot, proof)
	e := entry.Evidence{
		SameCard: rapid.IntRange(0, 9).Draw(t, "same card") > 0,
		Seen: entry.Observation{
			Balance: money.Fen(rapid.SampledFrom([]int64{2850, 7850, 0}).Draw(t, "balance")),
			Log:     rapid.SliceOfN(record, 0, 3).Draw(t, "log"),
			Proofs:  rapid.SliceOfN(prove, 0, 3).Draw(t, "proofs"),
			NoProof: rapid.SliceOfN(slot, 0, 4).Draw(t, "no proof"),
		},
		Before:    rapid.SliceOfN(record, 0, 3).Draw(t, "before"),
		ProofSays: rapid.SliceOfN(opinion, 0, 4).Draw(t, "opinions"),
	}
	if rapid.Bool().Draw(t, "probed") {
		e.Counter = counter(slot.Draw(t, "value"), opinion.Draw(t, "mac1"), rapid.Bool().Draw(t, "fresh"),
			rapid.SampledFrom([]entry.Ledger{entry.LedgerSilent, entry.LedgerOnly, entry.LedgerOthers}).Draw(t, "ledger"))
	}
	return e
}

func says(e entry.Evidence, i int) entry.Opinion {
	if i < len(e.ProofSays) {
		return e.ProofSays[i]
	}
	return entry.NoOpinion
}

func TestJudgeKeepsTheLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvidence(t)
		v := Judge(attempt, e)
		open, verified := false, false
		for i := range e.Seen.Proofs {
			open = open || says(e, i) == entry.NoOpinion
			verified = verified || says(e, i) == entry.Verified
		}
		sound := e.Counter != nil && e.Counter.MAC1 == entry.Verified && e.Counter.Fresh
		switch {
		case (v.Outcome == entry.Unknown) != (v.By == ""), v.Outcome != entry.Unknown && v.Next != entry.StepNothing:
			t.Fatalf("a verdict is either decided or not: %+v", v)
		case v.Outcome != entry.Unknown && !e.SameCard:
			t.Fatalf("another card decided: %+v", v)
		case v.Outcome == entry.NotDone && (open || verified):
			t.Fatalf("not done against a proof: %+v", e)
		case v.Outcome == entry.NotDone && (!sound || e.Counter.Value != attempt.Slot):
			t.Fatalf("not done without an answer that cannot be replayed: %+v", e)
		case v.Outcome == entry.Done && open && !verified:
			t.Fatalf("decided while evidence is held: %+v", e)
		}
		if v.Outcome == entry.Done && !verified {
			fresh := func(r entry.LogRecord) bool {
				return (r.Same(own(2)) || r.Same(own(3))) && !slices.ContainsFunc(e.Before, r.Same)
			}
			byLog := slices.ContainsFunc(e.Seen.Log, fresh)
			byLedger := sound && e.Counter.Value > attempt.Slot && e.Counter.Ledger == entry.LedgerOnly && !filledByOthers(attempt, e)
			if !byLog && !byLedger {
				t.Fatalf("done by counters, balance or nothing: %+v", e)
			}
		}
		if again := Judge(attempt, e); again != v {
			t.Fatalf("not pure: %+v, %+v", v, again)
		}
		e.Seen.Balance += 5000
		if other := Judge(attempt, e); other != v {
			t.Fatalf("the balance decided: %+v, %+v", v, other)
		}
	})
}

// A verdict of done stands whatever else is learnt of the same card, but for one
// by the ledger, which a log may contradict; one of not done falls only when
// proof of the contrary turns up.
func TestJudgeIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvidence(t)
		v := Judge(attempt, e)
		if e.Counter == nil {
			e.Counter = drawEvidence(t).Counter
		}
		e.Seen.NoProof = append(e.Seen.NoProof, 3, 2)
		e.Seen.Log = append(e.Seen.Log, drawEvidence(t).Seen.Log...)
		after := Judge(attempt, e)
		if v.Outcome == entry.Done && v.By != "ledger" && after.Outcome != entry.Done {
			t.Fatalf("%+v became %+v", v, after)
		}
		if v.Outcome == entry.NotDone && after.Outcome == entry.Unknown {
			t.Fatalf("%+v became %+v", v, after)
		}
	})
}

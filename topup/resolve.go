package topup

import (
	"slices"

	"buka/internal/entry"
)

// resolve finds out what became of an unknown write (DESIGN §4.3). The card
// was just read, and what INITIALIZE might wipe is durable.
func (st *step) resolve(c *Console) {
	s := st.Durable.Sales[c.Sale]
	c.Phase, c.Notice = Resolving, ""
	st.calm(c)
	c.Seen = entry.Evidence{
		SameCard: c.Card != nil && c.Card.Card == s.Card,
		Before:   s.Before.Log,
	}
	if c.Card != nil {
		c.Seen.Seen = c.Card.Observed
		if s.Unseen { // nobody here knows what its log held before: no record can be called new
			c.Seen.Before = c.Card.Observed.Log
		}
	}
	st.judge(c)
}

// judge asks the family, and does what it wants next.
func (st *step) judge(c *Console) {
	s := st.Durable.Sales[c.Sale]
	if !s.Unresolved() || s.Write != WriteUnknown {
		return
	}
	judge, ok := st.core.Judges[s.Card.Family]
	if !ok {
		st.unresolved(c, "unknown-kind")
		return
	}
	c.Seen.Seen.Proofs, c.Seen.ProofSays = s.Proofs, s.ProofSays
	v := judge(s.Attempt, c.Seen)
	of := entry.Of{Sale: s.ID}
	switch {
	case v.Outcome == entry.Done:
		st.record(entry.WriteProven{Of: of, By: v.By, TAC: provenTAC(s)})
		st.do(ReleaseCard{Place: c.Place})
		st.written(c, s.ID)
	case v.Outcome == entry.NotDone && c.Seen.Counter != nil:
		st.record(entry.WriteDisproven{Of: of, Counter: *c.Seen.Counter})
		st.disproven(c)
	case v.Next == entry.StepVerify:
		st.verifyHeld(st.Durable.Sales[s.ID])
	case v.Next == entry.StepProve:
		st.do(Prove{Place: c.Place, Session: c.Session, Sale: s.ID, Card: s.Card, Numbers: unasked(s.Attempt.Slot, c.Seen.Seen)})
	case v.Next == entry.StepProbe:
		st.do(ProbeSlot{Place: c.Place, Session: c.Session, Sale: s.ID, Attempt: s.Attempt, STAN: st.stan(), Batch: st.Durable.Batch})
	case v.Next == entry.StepAuthority:
		st.unresolved(c, "authority-wait")
	case v.Next == entry.StepWaitCard:
		st.unresolved(c, "other-card")
	default:
		st.unresolved(c, "conflict")
	}
}

func provenTAC(s Sale) entry.Hex {
	if len(s.Proofs) > 0 {
		return s.Proofs[len(s.Proofs)-1].TAC
	}
	return nil
}

// unasked gives the numbers of DESIGN §4.3 that the card was not asked for:
// N+1, then N.
func unasked(n entry.Slot, seen entry.Observation) []entry.Slot {
	var list []entry.Slot
	for _, want := range []entry.Slot{n + 1, n} {
		asked := slices.Contains(seen.NoProof, want) ||
			slices.ContainsFunc(seen.Proofs, func(p entry.Proof) bool { return p.Asked == want })
		if !asked {
			list = append(list, want)
		}
	}
	return list
}

func (st *step) disproven(c *Console) {
	s := st.Durable.Sales[c.Sale]
	st.offer(s)
	st.flush()
	switch {
	case c.Place == Desk:
		c.Phase, c.Notice = Idle, "not-written"
		st.do(ReleaseCard{Place: c.Place})
	case c.Session != 0:
		st.load(c)
	default:
		st.backToHold(c, "card-gone")
	}
}

// unresolved leaves everything as it is and says so.
func (st *step) unresolved(c *Console, reason string) {
	st.do(ReleaseCard{Place: c.Place})
	phase := Open
	if reason == "conflict" || reason == "unknown-kind" {
		phase = Contact
	}
	st.last(c, phase, reason, c.Sale)
}

func (st *step) proved(e Proved) {
	c := st.Live.console(e.Place)
	if c.Phase != Resolving || c.Sale != e.Sale {
		if s, ok := st.Durable.Sales[e.Sale]; ok && e.Proof != nil {
			st.holdProof(s, *e.Proof)
		}
		return
	}
	c.Seen.Seen.NoProof = slices.Concat(c.Seen.Seen.NoProof, e.NoProof)
	if e.Proof != nil {
		st.holdProof(st.Durable.Sales[e.Sale], *e.Proof)
	}
	st.judge(c)
}

// verifyHeld has the authority judge the first held proof.
func (st *step) verifyHeld(s Sale) {
	p, ok := s.Held()
	if !ok || !s.Unresolved() {
		return
	}
	duty := Duty{Kind: verification, Sale: s.ID}
	if st.Live.Sending[duty] {
		return
	}
	st.Live.Sending[duty] = true
	st.do(VerifyTAC{Sale: s.ID, Attempt: s.Attempt, Proof: p, STAN: st.stan(), Batch: st.Durable.Batch})
}

// verification is no obligation, but it is in flight like one.
const verification DutyKind = "verification"

func (st *step) tacJudged(e TACJudged) {
	duty := Duty{Kind: verification, Sale: e.Sale}
	delete(st.Live.Sending, duty)
	s, ok := st.Durable.Sales[e.Sale]
	if !ok || !s.Unresolved() || s.Write != WriteUnknown {
		return
	}
	held, ok := s.Held()
	if !ok || !held.Same(e.Proof) {
		return
	}
	c := st.resolver(e.Sale)
	of := entry.Of{Sale: s.ID}
	switch e.Opinion {
	case entry.Verified:
		st.record(entry.WriteProven{Of: of, By: "tac", TAC: e.Proof.TAC})
		if c == nil {
			c = &st.Live.Front
		} else {
			st.do(ReleaseCard{Place: c.Place})
		}
		st.written(c, s.ID)
	case entry.Rejected:
		st.record(entry.EvidenceRejected{Of: of, Proof: e.Proof})
		if c != nil {
			st.judge(c)
		}
	default:
		st.retry(duty)
		if c != nil {
			st.unresolved(c, "authority-wait")
		}
	}
}

// resolver gives the console that is resolving a sale now.
func (st *step) resolver(id entry.SaleID) *Console {
	for _, c := range []*Console{&st.Live.Front, &st.Live.Desk} {
		if c.Sale == id && c.Phase == Resolving {
			return c
		}
	}
	return nil
}

func (st *step) counterJudged(e CounterJudged) {
	c := st.Live.console(e.Place)
	if c.Phase != Resolving || c.Sale != e.Sale {
		return
	}
	counter := e.Counter
	c.Seen.Counter = &counter
	st.judge(c)
}

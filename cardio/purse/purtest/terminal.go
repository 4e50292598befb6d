package purtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"buka/cardio/purse"
	"buka/internal/entry"
	"buka/internal/money"
)

// amount is what every load of the suite is about, in fen.
const amount money.Fen = 5000

var terminalID = entry.Hex{0x11, 0x22, 0x33, 0x44, 0x55, 0x66}

// terminal is a sale in small. What it keeps between presentations is what the
// journal would.
type terminal struct {
	t     testing.TB
	h     Harness
	card  Card
	host  Host
	truth Host // the same, when the other one is made to fail

	attempt entry.Attempt
	before  []entry.LogRecord
	open    bool // the attempt's write is unknown
	done    bool
	proofs  []entry.Proof
	says    []entry.Opinion
	moved   money.Fen // by other terminals since the attempt, in fen
	away    money.Fen // by other terminals since the beginning
	by      string    // what decided

	other      Card // took the card's place once; nil: none did
	otherStart money.Fen
}

// elsewhere does something to the card at another terminal.
func (m *terminal) elsewhere(do func(testing.TB, Card)) {
	before := m.card.Balance()
	do(m.t, m.card)
	m.moved += m.card.Balance() - before
	m.away += m.card.Balance() - before
}

func newTerminal(t testing.TB, h Harness) *terminal {
	card, host := h.New(t)
	return &terminal{t: t, h: h, card: card, host: host, truth: host}
}

// line presents the card; hit 0 hits nothing.
func (m *terminal) line(hit int, fault Fault) *line {
	return &line{ch: m.card.Present(), card: m.card, isWrite: m.h.IsWrite, hit: hit, fault: fault, other: func() purse.Channel {
		card, selected := m.h.Other(m.t)
		m.other, m.otherStart = card, card.Balance()
		if fault == OtherSelected {
			return selected()
		}
		return card.Present()
	}}
}

var (
	errOtherCard = errors.New("this is another card")
	errPeople    = errors.New("the evidence decides nothing: people must")
)

// visit is one presentation: what is unknown comes first, then the load. An
// error ends it as a card that leaves does.
func (m *terminal) visit(l *line) error {
	ctx := context.Background()
	p, err := purse.Open(ctx, l, m.h.Family)
	if err != nil {
		return err
	}
	if n := p.Info().Card.Number; n != m.card.Number() {
		if !l.fired {
			m.t.Fatalf("read number %s of card %s", n, m.card.Number())
		}
		return errOtherCard
	}
	ask := purse.AskNewest
	if m.open {
		ask = purse.AskFor(m.attempt.Slot)
	}
	seen, err := purse.Observe(ctx, p, ask)
	m.hold(seen.Proofs...)
	if err != nil {
		return err
	}
	if m.open {
		if err := m.resolve(ctx, p, seen); err != nil {
			return err
		}
	}
	if m.open || m.done {
		return nil
	}
	return m.load(ctx, p, seen, l)
}

func (m *terminal) hold(proofs ...entry.Proof) {
	for _, p := range proofs {
		known := false
		for _, q := range m.proofs {
			known = known || p.Same(q)
		}
		if m.open && !known {
			m.proofs = append(m.proofs, p)
			m.says = append(m.says, entry.NoOpinion)
		}
	}
}

// load goes all the way and compares what the write says with the card.
func (m *terminal) load(ctx context.Context, p purse.Purse, seen entry.Observation, l *line) error {
	prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: amount, Terminal: terminalID, STAN: 7}, m.host)
	if err != nil {
		return err
	}
	held := m.card.Balance()
	m.attempt, m.before, m.proofs, m.says, m.moved = prepared.Attempt(), seen.Log, nil, nil, 0
	r := prepared.Write(ctx)
	if again := prepared.Write(ctx); l.writes > 1 || again.Outcome != r.Outcome {
		m.t.Fatalf("%d writes went out for one attempt; %v, then %v", l.writes, r.Outcome, again.Outcome)
	}
	m.open, m.done = r.Outcome == entry.Unknown, r.Outcome == entry.Done
	m.compare("the write", r.Outcome, held)
	if m.done && len(r.TAC) == 0 && r.Err == nil {
		m.t.Fatal("done without a TAC and without a reason")
	}
	lied := l.fired && l.fault.lies() // the host will say so, and people will look
	if m.done && len(r.TAC) != 0 && !lied && m.truth.JudgeTAC(m.attempt, entry.Proof{TAC: r.TAC}) != entry.Verified {
		m.t.Fatalf("the TAC %v of the write is not about it", r.TAC)
	}
	return nil
}

// compare fails if an outcome contradicts the card's memory.
func (m *terminal) compare(what string, o entry.Outcome, before money.Fen) {
	m.t.Helper()
	moved := m.card.Balance() - before
	if moved != 0 && moved != amount || o == entry.Done && moved == 0 || o == entry.NotDone && moved != 0 {
		m.t.Fatalf("%s: %v, and the card moved by %v", what, o, moved)
	}
}

// resolve follows the judge until it has decided or wants what is not to be had.
func (m *terminal) resolve(ctx context.Context, p purse.Purse, seen entry.Observation) error {
	e := entry.Evidence{SameCard: true, Seen: seen, Before: m.before}
	for range 12 {
		e.Seen.Proofs, e.ProofSays = m.proofs, m.says
		v := m.h.Judge(m.attempt, e)
		if v.Outcome != entry.Unknown {
			m.compare("the judge, by "+v.By, v.Outcome, m.attempt.OldBalance+m.moved)
			m.by = v.By
			m.open, m.done = false, v.Outcome == entry.Done
			return nil
		}
		switch v.Next {
		case entry.StepVerify:
			for i, p := range m.proofs {
				if m.says[i] == entry.NoOpinion {
					m.says[i] = m.host.JudgeTAC(m.attempt, p)
					break
				}
			}
		case entry.StepProve:
			proof, none, err := purse.ProveAny(ctx, p, m.h.Unasked(m.attempt, e.Seen))
			e.Seen.NoProof = append(e.Seen.NoProof, none...)
			if proof != nil {
				m.hold(*proof)
			}
			if err != nil {
				return err
			}
		case entry.StepProbe:
			probe, err := purse.Probe(ctx, p)
			if err != nil {
				return err
			}
			c := m.host.JudgeCounter(m.attempt, probe)
			e.Counter = &c
		case entry.StepAuthority:
			return errSilent
		default:
			return fmt.Errorf("%w: %+v", errPeople, e)
		}
	}
	return errors.New("the judge never came to an end")
}

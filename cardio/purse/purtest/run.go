package purtest

import (
	"context"
	"errors"
	"testing"

	"buka/cardio/purse"
	"buka/internal/entry"
	"buka/internal/money"
)

// Run puts a family through the suite.
func Run(t *testing.T, h Harness) {
	t.Run("read", func(t *testing.T) { read(t, h) })
	t.Run("load", func(t *testing.T) { load(t, h) })
	t.Run("not written", func(t *testing.T) { notWritten(t, h) })
	t.Run("late grant", func(t *testing.T) { lateGrant(t, h) })
	t.Run("every command of a load", func(t *testing.T) { everyCommand(t, h) })
	for _, r := range recoveries(h) {
		t.Run("every command of the recovery "+r.name, func(t *testing.T) { everyRecovery(t, h, r) })
	}
	t.Run("loaded elsewhere", func(t *testing.T) { loadedElsewhere(t, h) })
	t.Run("replayed", func(t *testing.T) { replayed(t, h) })
	t.Run("silent authority", func(t *testing.T) { silentAuthority(t, h) })
	for reason, card := range h.Refused {
		t.Run(string(reason), func(t *testing.T) { refused(t, h, reason, card) })
	}
}

const start money.Fen = 7850

func read(t *testing.T, h Harness) {
	m := newTerminal(t, h)
	ctx := context.Background()
	p, err := purse.Open(ctx, m.line(0, 0), h.Family)
	if err != nil {
		t.Fatal(err)
	}
	if err := purse.Check(p.Info(), "20260115"); err != nil {
		t.Error(err)
	}
	seen, err := purse.Observe(ctx, p, nil)
	if err != nil || seen.Balance != start || len(seen.Log) == 0 {
		t.Errorf("%+v %v", seen, err)
	}
	log, err := p.Log(ctx)
	if err != nil || len(purse.Loads(log)) != len(seen.Log) {
		t.Errorf("%+v %v", log, err)
	}
	if _, err := p.Prove(ctx, 1<<16); !errors.Is(err, purse.ErrNoProof) {
		t.Error(err)
	}
	if m.card.Balance() != start {
		t.Error("reading changed the card")
	}
}

func load(t *testing.T, h Harness) {
	m := newTerminal(t, h)
	for i := range 3 { // slot by slot
		m.done = false
		if err := m.visit(m.line(0, 0)); err != nil || !m.done {
			t.Fatal(m.done, err)
		}
		if got, want := m.card.Balance(), start+amount*money.Fen(i+1); got != want {
			t.Fatalf("%v on the card, want %v", got, want)
		}
	}
	// The newest record and the proof are those of the last load.
	ctx := context.Background()
	p, err := purse.Open(ctx, m.line(0, 0), h.Family)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := purse.Observe(ctx, p, nil)
	if err != nil || len(seen.Proofs) != 1 || m.host.JudgeTAC(m.attempt, seen.Proofs[0]) != entry.Verified {
		t.Errorf("%+v %v", seen, err)
	}
	if r := seen.Log[0]; r.Amount != amount || r.At != m.attempt.At || r.Terminal.String() != terminalID.String() {
		t.Errorf("%+v", r)
	}
}

// notWritten: everything that must stop a load short of the write, or make the
// card refuse it.
func notWritten(t *testing.T, h Harness) {
	ctx := context.Background()
	m := newTerminal(t, h)
	l := m.line(0, 0)
	p, err := purse.Open(ctx, l, h.Family)
	if err != nil {
		t.Fatal(err)
	}
	r := purse.LoadRequest{Amount: amount, Terminal: terminalID}
	probe, err := purse.Probe(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if c := m.host.JudgeCounter(probe, probe); c.MAC1 != entry.Verified || !c.Fresh || c.Value != probe.Slot {
		t.Errorf("probe: %+v", c)
	}
	if c := m.host.JudgeCounter(probe, probe); c.Fresh {
		t.Error("a replayed probe is fresh")
	}

	if _, err := p.Prepare(ctx, r, nil); !errors.Is(err, purse.ErrNoAuthority) {
		t.Error(err)
	}
	moved := probe.Slot + 1
	r.Slot = &moved
	var sm *purse.SlotMoved
	if _, err := p.Prepare(ctx, r, m.host); !errors.As(err, &sm) || sm.Got != probe.Slot {
		t.Error(err)
	}
	r.Slot = nil
	no := errors.New("declined")
	var ae *purse.AuthorityError
	_, err = p.Prepare(ctx, r, purse.AuthorityFunc(func(context.Context, entry.Attempt) (purse.Grant, error) { return purse.Grant{}, no }))
	if !errors.As(err, &ae) || !errors.Is(err, no) || ae.Attempt.Slot != probe.Slot {
		t.Error(err)
	}
	for _, g := range []purse.Grant{{}, {At: "20260115093015"}, {At: "2026011509301x", MAC2: make(entry.Hex, 4)}, {At: "20260115093015", MAC2: make(entry.Hex, 5)}} {
		_, err = p.Prepare(ctx, r, purse.AuthorityFunc(func(context.Context, entry.Attempt) (purse.Grant, error) { return g, nil }))
		if !errors.Is(err, purse.ErrGrant) {
			t.Errorf("%+v: %v", g, err)
		}
	}
	wrong := purse.AuthorityFunc(func(ctx context.Context, a entry.Attempt) (purse.Grant, error) {
		g, err := m.host.Authorise(ctx, a)
		g.MAC2 = entry.Hex{g.MAC2[0] ^ 1, g.MAC2[1], g.MAC2[2], g.MAC2[3]}
		return g, err
	})
	prepared, err := p.Prepare(ctx, r, wrong)
	if err != nil {
		t.Fatal(err)
	}
	if w := prepared.Write(ctx); w.Outcome != entry.NotDone || w.Err == nil {
		t.Errorf("a wrong MAC2: %+v", w)
	}
	if prepared, err = p.Prepare(ctx, r, m.host); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	before := l.writes
	if w := prepared.Write(over); w.Outcome != entry.NotDone || l.writes != before {
		t.Errorf("after its time: %+v, %d writes", w, l.writes-before)
	}
	if m.card.Balance() != start {
		t.Error("value was written")
	}
}

// refused: the reason is found before anything is written.
func refused(t *testing.T, h Harness, reason purse.Reason, newCard func(testing.TB) (Card, Host)) {
	card, host := newCard(t)
	before := card.Balance()
	ctx := context.Background()
	err := func() error {
		p, err := purse.Open(ctx, card.Present(), h.Family)
		if err != nil {
			return err
		}
		if err := purse.Check(p.Info(), "20260115"); err != nil {
			return err
		}
		_, err = p.Prepare(ctx, purse.LoadRequest{Amount: amount, Terminal: terminalID}, host)
		return err
	}()
	if !errors.Is(err, &purse.Refusal{Reason: reason}) {
		t.Fatalf("%v, want a refusal: %s", err, reason)
	}
	if w, ok := purse.Words(err); !ok || w.Key() != "refused."+string(reason) || w.Sentence("zh") == "" || w.Sentence("en") == w.Sentence("zh") {
		t.Errorf("no words for %v", err)
	}
	if card.Balance() != before {
		t.Error("a refused card was written")
	}
}

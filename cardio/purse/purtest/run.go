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

// Run puts a family through the suite.
func Run(t *testing.T, h Harness) {
	t.Run("read", func(t *testing.T) { read(t, h) })
	t.Run("load", func(t *testing.T) { load(t, h) })
	t.Run("not written", func(t *testing.T) { notWritten(t, h) })
	t.Run("every command lost", func(t *testing.T) { everyCommandLost(t, h) })
	t.Run("lost twice", func(t *testing.T) { lostTwice(t, h) })
	t.Run("ridden away", func(t *testing.T) { riddenAway(t, h) })
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
	if c := m.host.JudgeCounter(probe); c.MAC1 != entry.Verified || !c.Fresh || c.Value != probe.Slot {
		t.Errorf("probe: %+v", c)
	}
	if c := m.host.JudgeCounter(probe); c.Fresh {
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

// maxCommands bounds the commands of one presentation.
const maxCommands = 80

// everyCommandLost loses the nth command of a load in every way, for every n,
// and lets the next presentations heal it: exactly one credit in the end.
func everyCommandLost(t *testing.T, h Harness) {
	for _, loss := range losses {
		for n := 1; ; n++ {
			m := newTerminal(t, h)
			l := m.line(n, loss)
			err := m.visit(l)
			if !l.fired {
				break // the load needs fewer commands
			}
			if n > maxCommands {
				t.Fatalf("more than %d commands", maxCommands)
			}
			m.heal(fmt.Sprintf("%v at command %d (%v)", loss, n, err))
		}
	}
}

// lostTwice loses the write, and then each command of what finds out about it.
// What the terminal knows after the first loss is the same for every kind, but
// for whether the card has carried it out.
func lostTwice(t *testing.T, h Harness) {
	write := writeIndex(t, h)
	for _, first := range []Loss{NeverArrived, NoAnswer} {
		for _, second := range []Loss{NeverArrived, NoAnswer, Nonsense} {
			for n := 1; ; n++ {
				m := newTerminal(t, h)
				if err := m.visit(m.line(write, first)); err != nil || !m.open {
					t.Fatalf("%v at the write: open %v, %v", first, m.open, err)
				}
				l := m.line(n, second)
				err := m.visit(l)
				if !l.fired {
					break
				}
				if n > maxCommands {
					t.Fatalf("more than %d commands", maxCommands)
				}
				m.heal(fmt.Sprintf("%v at the write, then %v at command %d (%v)", first, second, n, err))
			}
		}
	}
}

// riddenAway loses the write and then everything that the card could show of
// it: only the counter, and what the host knows of its slots, are left.
func riddenAway(t *testing.T, h Harness) {
	if h.Ride == nil {
		return
	}
	write := writeIndex(t, h)
	for _, loss := range losses {
		m := newTerminal(t, h)
		if err := m.visit(m.line(write, loss)); err != nil || !m.open {
			t.Fatalf("%v at the write: open %v, %v", loss, m.open, err)
		}
		written := m.card.Balance() > start
		for range 12 {
			h.Ride(t, m.card)
		}
		m.moved = m.card.Balance() - m.attempt.OldBalance
		if written {
			m.moved -= amount
		}
		if err := m.visit(m.line(0, 0)); err != nil || m.open || !m.done {
			t.Fatalf("%v: open %v, done %v, %v", loss, m.open, m.done, err)
		}
		if got, want := m.card.Balance(), start+amount+m.moved; got != want {
			t.Fatalf("%v: %v on the card, want %v", loss, got, want)
		}
	}
}

// heal presents the card until its load is done, and checks the value.
func (m *terminal) heal(what string) {
	m.t.Helper()
	for range 4 {
		if m.done {
			break
		}
		if err := m.visit(m.line(0, 0)); err != nil {
			m.t.Fatalf("%s: healing: %v", what, err)
		}
	}
	if !m.done || m.card.Balance() != start+amount {
		m.t.Fatalf("%s: done %v, open %v, %v on the card, want %v", what, m.done, m.open, m.card.Balance(), start+amount)
	}
}

// writeIndex counts the commands up to the write.
func writeIndex(t *testing.T, h Harness) int {
	m := newTerminal(t, h)
	at := 0
	l := m.line(0, 0)
	l.isWrite = func(cmd []byte) bool {
		if h.IsWrite(cmd) {
			at = l.count
			return true
		}
		return false
	}
	if err := m.visit(l); err != nil || at == 0 {
		t.Fatal("no write was seen: ", err)
	}
	return at
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

package purtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"buka/cardio/purse"
	"buka/internal/entry"
)

// shared is a host that is not the only authority of its cards, and knows it.
type shared struct{ Host }

func (s shared) JudgeCounter(a, probe entry.Attempt) entry.Counter {
	c := s.Host.JudgeCounter(a, probe)
	if c.Ledger == entry.LedgerOnly {
		c.Ledger = entry.LedgerSilent
	}
	return c
}

// loadedElsewhere: another authority fills a slot while the write is unknown.
// A verdict must be true, whether the host knows of the other or believes that
// it is alone; without one the terminal never writes again.
func loadedElsewhere(t *testing.T, h Harness) {
	if h.Elsewhere == nil {
		return
	}
	for _, alone := range []bool{true, false} {
		for _, r := range recoveries(h) {
			m := r.begin(t, h)()
			if !alone {
				m.host = shared{m.host}
			}
			m.elsewhere(h.Elsewhere)
			for range 12 { // a host that believes to be alone would be deceived
				if !alone && h.Ride != nil {
					m.elsewhere(h.Ride)
				}
			}
			held := m.card.Balance()
			l := m.line(0, 0)
			err := m.visit(l) // compares each verdict with the card
			if err != nil && !errors.Is(err, errPeople) {
				t.Errorf("%s: %v", r.name, err)
			}
			if l.writes > 0 || m.card.Balance() != held || err != nil && !m.open {
				t.Errorf("%s: %d writes, %v became %v, open %v", r.name, l.writes, held, m.card.Balance(), m.open)
			}
		}
	}
}

// forgetful is a host that does not know any more what it has seen.
type forgetful struct{ Host }

func (f forgetful) JudgeCounter(a, probe entry.Attempt) entry.Counter {
	c := f.Host.JudgeCounter(a, probe)
	c.Fresh = true
	return c
}

// tape is an emulator that says again what a card once said: to the same
// command, or else to one with the same header.
type tape struct {
	isWrite func([]byte) bool
	said    map[string][]byte
	writes  int
}

func (r *tape) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	if r.isWrite(cmd) {
		r.writes++
	}
	if answer := r.said[string(cmd)]; answer != nil {
		return answer, nil
	}
	if answer := r.said[string(cmd[:4])]; answer != nil {
		return answer, nil
	}
	return []byte{0x69, 0x85}, nil
}

// replayed: a probe was answered, the load was written, torn, and then somebody
// comes with an emulator that says all of that again. The host here has
// forgotten what it saw: that a probe is random must be enough.
func replayed(t *testing.T, h Harness) {
	begin := recovery{"torn before", TornBefore, false}.begin(t, h)
	dry := begin()
	l := dry.line(0, 0)
	if err := dry.visit(l); err != nil || !dry.done {
		t.Fatal(dry.done, err)
	}
	write := 0
	for i, cmd := range l.commands {
		if h.IsWrite(cmd) {
			write = i + 1
		}
	}
	m := begin()
	m.host = forgetful{m.host}
	l = m.line(write, TornAfter)
	l.said = map[string][]byte{}
	if err := m.visit(l); err != nil || !m.open {
		t.Fatal(m.open, err)
	}
	emulator := &tape{isWrite: h.IsWrite, said: l.said}
	for range 2 {
		err := m.visit(&line{ch: emulator, card: m.card, isWrite: h.IsWrite})
		if !errors.Is(err, errPeople) || !m.open || emulator.writes > 0 {
			t.Fatalf("open %v, %d writes, %v", m.open, emulator.writes, err)
		}
	}
	m.host = m.truth
	m.heal("replayed, and then the true card")
}

// silent is an authority that does not answer its nth call.
type silent struct {
	Host
	nth, calls int
}

var errSilent = errors.New("purtest: the authority does not answer")

func (s *silent) mute() bool { s.calls++; return s.calls == s.nth }

func (s *silent) Authorise(ctx context.Context, a entry.Attempt) (purse.Grant, error) {
	if s.mute() {
		return purse.Grant{}, errSilent
	}
	return s.Host.Authorise(ctx, a)
}

func (s *silent) JudgeTAC(a entry.Attempt, p entry.Proof) entry.Opinion {
	if s.mute() {
		return entry.NoOpinion
	}
	return s.Host.JudgeTAC(a, p)
}

func (s *silent) JudgeCounter(a, probe entry.Attempt) entry.Counter {
	if s.mute() {
		return entry.Counter{Value: probe.Slot}
	}
	return s.Host.JudgeCounter(a, probe)
}

// silentAuthority loses each call to the authority: nothing is decided on that
// visit that the evidence at hand does not decide, and later all is.
func silentAuthority(t *testing.T, h Harness) {
	for _, r := range recoveries(h) {
		begin := r.begin(t, h)
		for n := 1; ; n++ {
			m := begin()
			s := &silent{Host: m.host, nth: n}
			m.host = s
			err := m.visit(m.line(0, 0))
			if s.calls < n {
				break
			}
			m.heal(fmt.Sprintf("%s, call %d to the authority lost (%v)", r.name, n, err))
		}
	}
}

// lateGrant: a grant serves only the INITIALIZE that it answers. One that comes
// after another INITIALIZE is never sent to the card.
func lateGrant(t *testing.T, h Harness) {
	ctx := context.Background()
	r := purse.LoadRequest{Amount: amount, Terminal: terminalID}
	for name, between := range map[string]func(purse.Purse) error{
		"a probe":            func(p purse.Purse) error { _, err := purse.Probe(ctx, p); return err },
		"the same load anew": func(p purse.Purse) error { _, err := p.Challenge(ctx, r); return err },
	} {
		// The grant is there, and another INITIALIZE comes before the write.
		m := newTerminal(t, h)
		l := m.line(0, 0)
		p, err := purse.Open(ctx, l, h.Family)
		if err != nil {
			t.Fatal(err)
		}
		prepared, err := p.Prepare(ctx, r, m.host)
		if err != nil {
			t.Fatal(err)
		}
		if err := between(p); err != nil {
			t.Fatal(err)
		}
		if w := prepared.Write(ctx); w.Outcome != entry.NotDone || l.writes > 0 {
			t.Errorf("%s after the grant: %+v, %d writes", name, w, l.writes)
		}
		// The other INITIALIZE comes while the authority thinks.
		late := purse.AuthorityFunc(func(ctx context.Context, a entry.Attempt) (purse.Grant, error) {
			g, err := m.host.Authorise(ctx, a)
			return g, errors.Join(err, between(p))
		})
		if prepared, err = p.Prepare(ctx, r, late); err == nil {
			if w := prepared.Write(ctx); w.Outcome != entry.NotDone || l.writes > 0 {
				t.Errorf("%s before the grant: %+v, %d writes", name, w, l.writes)
			}
		}
		// The card is as good as before.
		if prepared, err = p.Prepare(ctx, r, m.host); err != nil {
			t.Fatal(err)
		}
		if w := prepared.Write(ctx); w.Outcome != entry.Done || m.card.Balance() != start+amount {
			t.Errorf("%s, and then a load: %+v, %v on the card", name, w, m.card.Balance())
		}
	}
}

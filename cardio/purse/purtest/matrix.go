package purtest

import (
	"fmt"
	"slices"
	"testing"
)

// maxCommands bounds the commands of one presentation.
const maxCommands = 80

// faults are those that can befall a card of the harness.
func (h Harness) faults() []Fault {
	var list []Fault
	for _, f := range Faults() {
		if h.Other != nil || f != OtherCard && f != OtherSelected {
			list = append(list, f)
		}
	}
	return list
}

// everyCommand lets the nth command of a load meet every fault, for every n,
// and lets the next presentations heal it: exactly one credit in the end.
func everyCommand(t *testing.T, h Harness) {
	cases := 0
	for _, fault := range h.faults() {
		for n := 1; ; n++ {
			m := newTerminal(t, h)
			l := m.line(n, fault)
			err := m.visit(l)
			if !l.fired {
				break // the load needs fewer commands
			}
			if n > maxCommands {
				t.Fatalf("more than %d commands", maxCommands)
			}
			m.heal(fmt.Sprintf("%v at command %d (%v)", fault, n, err))
			cases++
		}
	}
	t.Logf("%d cases", cases)
}

// recovery is a way in which a write became unknown, and what is left of it.
type recovery struct {
	name  string
	first Fault // at the write. What the terminal knows after it is the same for every fault: nothing
	rides bool  // the log and the proof are overwritten meanwhile
}

func recoveries(h Harness) []recovery {
	list := []recovery{{"torn before", TornBefore, false}, {"torn after", TornAfter, false}}
	if h.Ride != nil {
		list = append(list, recovery{"torn before and ridden away", TornBefore, true}, recovery{"torn after and ridden away", TornAfter, true})
	}
	return list
}

// torn gives a terminal whose write is unknown.
func (r recovery) torn(t testing.TB, h Harness, write int) *terminal {
	t.Helper()
	m := newTerminal(t, h)
	if err := m.visit(m.line(write, r.first)); err != nil || !m.open {
		t.Fatalf("%v at the write: open %v, %v", r.first, m.open, err)
	}
	if !r.rides {
		return m
	}
	for range 12 {
		m.elsewhere(h.Ride)
	}
	return m
}

// begin gives such terminals again and again.
func (r recovery) begin(t testing.TB, h Harness) func() *terminal {
	write := writeIndex(t, h)
	if h.Copy == nil {
		return func() *terminal { return r.torn(t, h, write) }
	}
	first := r.torn(t, h, write)
	return func() *terminal {
		m := *first
		m.card, m.host = h.Copy(t, first.card, first.host)
		m.truth = m.host
		m.proofs, m.says = slices.Clone(first.proofs), slices.Clone(first.says)
		return &m
	}
}

// everyRecovery lets every command of what finds out about an unknown write
// meet every fault.
func everyRecovery(t *testing.T, h Harness, r recovery) {
	begin, cases := r.begin(t, h), 0
	for _, fault := range h.faults() {
		for n := 1; ; n++ {
			m := begin()
			l := m.line(n, fault)
			err := m.visit(l)
			if !l.fired {
				break
			}
			if n > maxCommands {
				t.Fatalf("more than %d commands", maxCommands)
			}
			m.heal(fmt.Sprintf("%s, then %v at command %d (%v)", r.name, fault, n, err))
			cases++
		}
	}
	t.Logf("%d cases", cases)
}

// RunNear is the matrix for the commands that near names and their neighbours,
// for cards that bring faults about themselves. It says how many cases it ran.
func RunNear(t *testing.T, h Harness, faults []Fault, near func(cmd []byte) bool) (cases int) {
	plain := func() *terminal { return newTerminal(t, h) }
	starts := map[string]func() *terminal{"load": plain}
	for _, r := range recoveries(h) {
		starts[r.name] = r.begin(t, h)
	}
	for name, begin := range starts {
		dry := begin()
		l := dry.line(0, 0)
		if err := dry.visit(l); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range l.commands {
			if !near(l.commands[i]) {
				continue
			}
			for _, fault := range faults {
				m := begin()
				hit := m.line(i+1, fault)
				err := m.visit(hit)
				what := fmt.Sprintf("%s: %v at command %d, %X (%v)", name, fault, i+1, l.commands[i][:2], err)
				if !hit.fired {
					t.Fatalf("%s: it was not hit", what)
				}
				m.heal(what)
				cases++
			}
		}
	}
	return cases
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
	if want := start + amount + m.away; !m.done || m.card.Balance() != want {
		m.t.Fatalf("%s: done %v, open %v, %v on the card, want %v", what, m.done, m.open, m.card.Balance(), want)
	}
	if m.other != nil && m.other.Balance() != m.otherStart {
		m.t.Fatalf("%s: the other card was changed by %v", what, m.other.Balance()-m.otherStart)
	}
}

// writeIndex counts the commands up to the write.
func writeIndex(t testing.TB, h Harness) int {
	m := newTerminal(t, h)
	l := m.line(0, 0)
	if err := m.visit(l); err != nil {
		t.Fatal(err)
	}
	for i, cmd := range l.commands {
		if h.IsWrite(cmd) {
			return i + 1
		}
	}
	t.Fatal("no write was seen")
	return 0
}

package sim

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"buka/cardio/apdu"
	"buka/cardio/pboc"
	"buka/internal/entry"
)

// small is a world of the real family.
func small(o Options) Options {
	o.Judge = pboc.Judge
	o.Outcome = func(sw uint16) entry.Outcome { return pboc.WriteOutcome(apdu.SW(sw)) }
	return o
}

// future is how a state may go on: the names of all states that one action
// leads to, without its own (an action that changes nothing that counts), and
// whether the law breaks.
func future(w *World, c *canon) (own sum, next string) {
	c.write(w)
	own = c.name(w)
	var names []sum
	for _, a := range w.Actions(nil) {
		v := w.Clone()
		var name sum
		if v.do(a); v.failed == nil {
			c.write(v)
			name = c.name(v)
		}
		if name != own {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b sum) int { return bytes.Compare(a[:], b[:]) })
	return own, fmt.Sprint(slices.Compact(names))
}

// TestMergedStatesGoOnAlike: states that have one name in the search may go on
// in the same ways, so a search that expands one of them has expanded all
// (stuttering bisimulation). Every third state of the search in which every field
// counts is held against the first one of its name; and both searches meet the
// same names.
func TestMergedStatesGoOnAlike(t *testing.T) {
	for _, o := range []Options{
		{Cards: 1, Sales: 1, Faults: 1}, {Cards: 1, Sales: 2}, {Cards: 2, Sales: 1},
		{Cards: 1, Sales: 1, Desk: true},
	} {
		o = small(o)
		var c canon
		futures := map[sum]string{}
		compared, merged := 0, 0
		v := Explore(Bound{Options: o, Whole: true, Raw: true, met: func(w *World, first bool) {
			if !first {
				return
			}
			c.write(w)
			if _, ok := futures[c.name(w)]; ok {
				if merged++; merged%3 != 0 {
					return // one in three is enough in a test
				}
			}
			own, next := future(w, &c)
			if old, ok := futures[own]; !ok {
				futures[own] = next
			} else if compared++; old != next {
				t.Fatalf("%d cards, %d sales, %d faults: two states of one name go on in different ways:\n%s\n%s", o.Cards, o.Sales, o.Faults, old, next)
			}
		}})
		r := Explore(Bound{Options: o, Raw: true})
		if v.Err != nil || r.Err != nil || !v.Complete || !r.Complete {
			t.Fatalf("%+v\n%+v", v, r)
		}
		if r.States != len(futures) {
			t.Errorf("%d cards, %d sales, %d faults: %d states are visited, and there are %d", o.Cards, o.Sales, o.Faults, r.States, len(futures))
		}
		t.Logf("%d cards, %d sales, %d faults: %d states have %d names; %d compared", o.Cards, o.Sales, o.Faults, v.States, r.States, compared)
	}
}

// TestMergedStatesGoOnAlikeFar does the same in larger searches, for a sample of
// the names: each time that one of them is reached again, what is there goes on
// as what was there first.
func TestMergedStatesGoOnAlikeFar(t *testing.T) {
	for _, o := range []Options{
		{Cards: 1, Sales: 1, Faults: 2}, {Cards: 1, Sales: 2, Faults: 1}, {Cards: 2, Sales: 2, Faults: 2},
		{Cards: 2, Sales: 1, Faults: 1, Desk: true}, {Cards: 2, Sales: 1, Faults: 2, Wide: true},
		{Cards: 2, Sales: 2, Faults: 2, Settles: 2},
	} {
		o = small(o)
		var c canon
		futures := map[sum]string{}
		compared := 0
		v := Explore(Bound{Options: o, States: 6000, Raw: true, met: func(w *World, first bool) {
			if c.write(w); c.name(w)[1]%32 != 0 {
				return
			}
			own, next := future(w, &c)
			if old, ok := futures[own]; !ok {
				futures[own] = next
			} else if compared++; old != next {
				t.Fatalf("%+v: two states of one name go on in different ways:\n%s\n%s", o, old, next)
			}
		}})
		if v.Err != nil || compared < 300 {
			t.Errorf("%d compared: %+v", compared, v)
		}
		t.Logf("%d cards, %d sales, %d faults: %d of %d names were reached again %d times", o.Cards, o.Sales, o.Faults, len(futures), v.States, compared)
	}
}

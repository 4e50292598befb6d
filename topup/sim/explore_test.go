package sim

import (
	"strings"
	"testing"
)

// TestExploreKinds searches every kind of card, the desk, the wider faults and
// two cards to their end.
func TestExploreKinds(t *testing.T) {
	list := []Options{
		{Cards: 2, Sales: 2}, {Cards: 2, Sales: 1, Faults: 1}, {Cards: 1, Sales: 1, Desk: true}, {Cards: 1, Sales: 1, Faults: 1, Wide: true},
	}
	for v := range uint64(8) {
		list = append(list, Options{Cards: 1, Sales: 1, Faults: 1, Variety: v})
	}
	for _, o := range list {
		v := Explore(Bound{Options: small(o)})
		if v.Err != nil || !v.Complete {
			t.Fatalf("%+v\n%+v\n%s", o, v, strings.Join(v.History, "\n"))
		}
		t.Logf("%d cards, %d sales, %d faults, desk %v, wide %v, variety %d: %d states, %d transitions", o.Cards, o.Sales, o.Faults, o.Desk, o.Wide, o.Variety, v.States, v.Transitions)
	}
}

// TestOrderIsNoMatter: depth first, breadth first and by a seed, a search visits
// as many states and goes as many ways.
func TestOrderIsNoMatter(t *testing.T) {
	o := small(Options{Cards: 1, Sales: 1, Faults: 1})
	first := Explore(Bound{Options: o})
	for _, b := range []Bound{{Options: o, Depth: 500}, {Options: o, Seed: 7}} {
		v := Explore(b)
		if v.Err != nil || !v.Complete || v.States != first.States {
			t.Errorf("%+v, and %+v", v, first)
		}
	}
}

package sim

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// leftOut lists what the canonical form leaves out, and why; * stands for any
// text.
var leftOut = []struct{ path, why string }{
	{"World.kiosk.loop.State.Durable*", "is what the journal has (canon.agrees)"},
	{"World.kiosk.loop.State.Live.Gen", "numbers timers; whether one is the present one counts"},
	{"World.kiosk.loop.State.Live.Rev", "numbers screens"},
	{"World.kiosk.loop.State.Live.Tries*", "counts refusals without a known reason: the model's host has none"},
	{"World.kiosk.loop.State.Live.Devices{}", "which words say that a device is missing"},
	{"World.kiosk.loop.since", "when the next checkpoint is due; a checkpoint changes nothing"},
	{"*.Live.Desk.Probe.*", "the desk asks for no eligibility"},
	{"*.Front.Probe.*", "of the eligibility probe only the slot goes on"},
	{"*.Front.Card.*", "while one chooses, only which amounts fit; the card is read again afterwards"},
	{"*.Desk.Card.*", "for people"},
	{"*.Seen.Counter*", "a counter decides at once"},
	{"*.Seen.Before*", "a record older than every slot in question"},
	{"*.Seen.Seen.*", "a record older than every slot in question, the balance"},
	{"*.Act", "for people"}, {"*.Lang", "for people"}, {"*.Later", "for people"}, {"*.Notice", "for people"}, {"*.Old", "for people"},
	{"*.Reason", "for people"}, {"*.Warn", "for people"}, {"*.PAN", "for people"}, {"*.Desk.Amount", "for people"},
	{"*.Front.Amount", "the sale has it"},
	{"*.Front.Place", "never changes"}, {"*.Desk.Place", "never changes"},

	{"*.Algorithm", "the model's cards have one"}, {"*.KeyVersion", "the model's cards have one"}, {"*.Family", "there is one"},
	{"*.STAN", "names a message that nothing refers to"},
	{"*.VoidSTAN", "unused until the void is owed"}, {"*.STANUntil", "a reservation is one more entry beside others"},
	{"*ttempt.Terminal", "the kiosk's own"}, {"*.held.Terminal", "the kiosk's own"}, {"World.cards[].heard.*", "the kiosk's own, as the card heard it"},
	{"*.disk.Kiosk", "never changes"}, {"*.disk.Opened", "the order of sales counts"},
	{"*.disk.OffsetMS", "for people"}, {"*.disk.RestoredWhy", "for people"},
	{"*.disk.Sales{}.Auth", "for people"}, {"*.disk.Sales{}.RRN", "for people"}, {"*.disk.Sales{}.Tender", "for people"},
	{"*.disk.Sales{}.DoneBy", "for people"}, {"*.disk.Sales{}.TAC", "for people and the authority"},
	{"*.disk.Sales{}.Refund*", "no refund in this model"}, {"*.disk.Sales{}.Unseen", "after a restore only"},
	{"*.disk.Sales{}.Before.*", "the balance; numbers without proof: nothing compares them"},

	{"*(Send).Sale.*", "the host looks at the batch, at what is voided, and at whether the money was approved"},
	{"*.Repeat", "the model's host knows repeats by their key"}, {"*(Send).Why", "for people"},
	{"*(Pay).Slot", "after a restore only"}, {"*(Pay).Card.Number", "the sale's"},
	{"*.Batch", "the model's host asks for the batch of payments only"},
	{"*.queue[]*.Place", "the queue is the place's"}, {"*.tender[]*.Amount", "the sale's"},

	{"World.cards[].log shorter", "a record older than every slot in question"},
	{"World.cards[].chains", "with Options.Purse only"}, {"World.cards[].once", "with Options.Purse only"}, {"World.cards[].short", "with Options.Purse only"},
	{"World.host.fleet.*", "with Options.Fleet only"}, {"World.host.ledger[].attempt*", "with Options.Fleet only"},
	{"World.host.ledger[].kiosk", "there is one"},
	{"World.host.payments[].backIn", "no refund in this model"}, {"World.host.payments[].slot", "with Options.Fleet only"},
	{"World.host.early[].*", "there is one kiosk, and its STANs are not used again in a later batch"},
	{"World.host.terminals[].*", "the highest STANs"},
	{"World.truth[].home", "there is one kiosk"},
	{"World.kiosk.book[].*", "of a closed sale that both sides count alike"}, {"World.kiosk.book shorter", "of a closed sale that both sides count alike"},
	{"World.kiosk.links[](Settle).Totals.*", "the journal's"},
	{"World.kiosk.loop.State.Live.Settling.Tries", "how long until it is tried again"},
	{"*.disk.BatchesEver", "the order of batches counts"}, {"*.disk.Late*", "for people"}, {"*.disk.Sales{}.BadMAC", "which reason a reversal gives, for people"},
	{"World.kiosk.crashed", "only within an action"}, {"World.kiosk.journal", "only within an action"}, {"World.draining", "unused here"},
	{"World.kiosk.maxSTAN", "the check of STANs"},
	{"World.nextID", "the next name"}, {"World.random", "the next name"}, {"World.session", "the next name"},
}

// covers says whether a pattern is of a path.
func covers(pattern, path string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(path, parts[0]) {
		return false
	}
	path = path[len(parts[0]):]
	for i, p := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(path, p)
		}
		at := strings.Index(path, p)
		if at < 0 {
			return false
		}
		path = path[at+len(p):]
	}
	return path == ""
}

// sample collects states of searches that between them use everything, from
// near the beginning and from far on.
func sample(t *testing.T) (list []*World) {
	for _, o := range []Options{
		{Cards: 1, Sales: 1, Faults: 2}, {Cards: 2, Sales: 2, Faults: 1, Amounts: 2},
		{Cards: 1, Sales: 1, Faults: 1, Allowed: Faults{fRequestLate: true}}, {Cards: 1, Sales: 1, Faults: 1, Desk: true}, {Cards: 2, Sales: 1, Faults: 1, Wide: true, Variety: 3},
		{Cards: 1, Sales: 1, Faults: 1, Settles: 2},
	} {
		for _, depth := range []int{0, 30} { // depth first, breadth first
			n, every := 0, 47
			switch {
			case o.Allowed != nil:
				every = 3
			case o.Desk:
				every = 19
			}
			v := Explore(Bound{Options: small(o), Depth: depth, States: 3000, Raw: true, met: func(w *World, first bool) {
				if n++; first && n%every == 0 {
					list = append(list, w.Clone())
				}
			}})
			if v.Err != nil {
				t.Fatal(v.Err)
			}
		}
	}
	return list
}

// TestEveryFieldCounts changes each field of each part of many states, one at a
// time: the name must change for at least one of them, or the field is in
// leftOut.
func TestEveryFieldCounts(t *testing.T) {
	counts := map[string]bool{}
	var c canon
	for _, w := range sample(t) {
		c.write(w)
		name := c.name(w)
		walk("World", reflect.ValueOf(w).Elem(), func(path string, put func()) {
			if counts[path] {
				return
			}
			counts[path] = counts[path] || changes(&c, w, name, put)
		})
	}
	t.Logf("%d fields", len(counts))
	used := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(counts)) {
		if counts[path] {
			continue
		}
		i := slices.IndexFunc(leftOut, func(l struct{ path, why string }) bool { return covers(l.path, path) })
		if i < 0 {
			t.Errorf("%s does not change the name of any state: is it forgotten?", path)
			continue
		}
		used[leftOut[i].path] = true
	}
	for _, l := range leftOut {
		if !used[l.path] {
			t.Errorf("%s is listed as left out (%s) and covers nothing more than others do", l.path, l.why)
		}
	}
}

// changes says whether a change gives the state another name. A state that is
// nonsense after it may be more than the form can write: it is another one.
func changes(c *canon, w *World, name sum, put func()) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = true
		}
	}()
	put()
	c.write(w)
	return c.name(w) != name
}

// walk visits all fields below v, which is addressable, and gives each one's
// path and how to change it. The change is taken back after the visit.
func walk(path string, v reflect.Value, visit func(path string, put func())) {
	change := func(at string, to func() reflect.Value) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		visit(at, func() { v.Set(to()) })
		v.Set(old)
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			field := reflect.NewAt(f.Type, unsafe.Pointer(v.Field(i).UnsafeAddr())).Elem()
			walk(path+"."+f.Name, field, visit)
		}
	case reflect.Pointer:
		if v.IsNil() || constant[v.Type().Elem().String()] {
			return
		}
		change(path+" nil", func() reflect.Value { return reflect.Zero(v.Type()) })
		inside(path, v, v.Elem(), func(e reflect.Value) reflect.Value { return e.Addr() }, visit)
	case reflect.Interface:
		if !v.IsNil() {
			inside(path+"("+v.Elem().Type().Name()+")", v, v.Elem(), func(e reflect.Value) reflect.Value { return e }, visit)
		}
	case reflect.Slice:
		walkSlice(path, v, change, visit)
	case reflect.Array:
		for i := range v.Len() {
			walk(path+"[]", v.Index(i), visit)
		}
	case reflect.Map:
		walkMap(path, v, change, visit)
	case reflect.Bool:
		change(path, func() reflect.Value { return reflect.ValueOf(!v.Bool()).Convert(v.Type()) })
	case reflect.String:
		change(path, func() reflect.Value { return reflect.ValueOf(v.String() + "1").Convert(v.Type()) })
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		change(path, func() reflect.Value { return reflect.ValueOf(v.Int() + 1).Convert(v.Type()) })
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		change(path, func() reflect.Value { return reflect.ValueOf(v.Uint() + 1).Convert(v.Type()) })
	}
}

// constant are parts that never change while a world lives.
var constant = map[string]bool{"topup.Core": true, "sim.Options": true, "sim.Counts": true, "sim.journal": true}

// inside walks a copy of what is behind a pointer or an interface, which others
// may share, with the copy in its place.
func inside(path string, v, elem reflect.Value, wrap func(reflect.Value) reflect.Value, visit func(string, func())) {
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	e := reflect.New(elem.Type()).Elem()
	e.Set(elem)
	walk(path, e, func(at string, put func()) {
		visit(at, func() { put(); v.Set(wrap(e)) })
		v.Set(old)
	})
}

func walkSlice(path string, v reflect.Value, change func(string, func() reflect.Value), visit func(string, func())) {
	if v.Len() == 0 {
		return
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		change(path, func() reflect.Value {
			b := slices.Clone(v.Bytes())
			b[len(b)-1]++
			return reflect.ValueOf(b).Convert(v.Type())
		})
		return
	}
	change(path+" shorter", func() reflect.Value { return v.Slice(0, v.Len()-1) })
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(own, v)
	v.Set(own)
	for i := range own.Len() {
		walk(path+"[]", own.Index(i), visit)
	}
	v.Set(old)
}

func walkMap(path string, v reflect.Value, change func(string, func() reflect.Value), visit func(string, func())) {
	copied := func() reflect.Value {
		m := reflect.MakeMap(v.Type())
		for _, k := range v.MapKeys() {
			m.SetMapIndex(k, v.MapIndex(k))
		}
		return m
	}
	for _, k := range v.MapKeys() {
		change(path+" without", func() reflect.Value {
			m := copied()
			m.SetMapIndex(k, reflect.Value{})
			return m
		})
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		e := reflect.New(v.Type().Elem()).Elem()
		e.Set(v.MapIndex(k))
		walk(path+"{}", e, func(at string, put func()) {
			visit(at, func() {
				put()
				m := copied()
				m.SetMapIndex(k, e)
				v.Set(m)
			})
			v.Set(old)
		})
	}
}

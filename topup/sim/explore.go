package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
)

// Bound of a search.
type Bound struct {
	Options
	Depth  int    // actions in a row; 0: no bound
	States int    // that are visited; 0: no bound
	Whole  bool   // every field counts (canon.go), for comparison
	Seed   uint64 // another order of trying; what a search without end visits of its bound depends on it
	Raw    bool   // a violation's history is not made short, nor told

	Progress func(Visit) // if set, called now and then

	met func(w *World, first bool) // each state that is reached, for tests
}

// Visit is what a search found.
type Visit struct {
	States      int  `json:"states"`
	Transitions int  `json:"transitions"`
	Depth       int  `json:"depth"` // of the deepest state that was visited
	Violations  int  `json:"violations"`
	Complete    bool `json:"complete,omitempty"` // every state within the bound was visited

	Err     error    `json:"-"`
	Actions []Action `json:"-"` // the shortest history that leads to it
	History []string `json:"-"` // in words
	Script  string   `json:"-"` // as a scenario
}

const progressEvery = 1_000_000 // transitions

// gcPercent lets the heap grow more between collections: nearly all of it is
// garbage at once.
const gcPercent = 800

// search visits states until none is left.
type search struct {
	b     Bound
	c     canon
	seen  sums
	rests sums // from here everything comes to rest
	visit Visit
}

// Explore visits every state of core, cards, host and what is under way,
// within the bound, and from each one lets all faults end.
//
// It goes depth first, so that only the states of one history are in memory,
// and of all others the names; with a bound on depth, and to find the shortest
// history of a violation, breadth first.
func Explore(b Bound) Visit {
	b.Brisk = true
	b.Kiosks = 1
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	s := &search{b: b, c: canon{whole: b.Whole}}
	if b.Depth > 0 {
		s.breadthFirst()
	} else {
		s.depthFirst()
	}
	s.visit.States = s.seen.n
	if s.visit.Err == nil || b.Raw {
		return s.visit
	}
	if b.Depth == 0 {
		s.visit.Actions = shortest(b, s.visit.Actions)
	}
	s.tell()
	return s.visit
}

// begin gives the first state.
func (s *search) begin() *World {
	w := New(&s.b.Options)
	s.enter(w)
	return w
}

// enter says whether a state is new, and then checks it.
func (s *search) enter(w *World) bool {
	s.c.write(w)
	first := s.seen.add(s.c.name(w))
	if s.b.met != nil {
		s.b.met(w, first)
		s.c.write(w)
	}
	if !first {
		return false
	}
	if !s.c.agrees() {
		w.fail(violation("1: the kiosk goes by a state that is not in its journal"))
	}
	if err := s.comesToRest(w); err != nil {
		w.fail(err)
	}
	return true
}

// frame is one state of the history that is being tried.
type frame struct {
	w       *World
	actions []Action
	next    int
}

func (s *search) depthFirst() {
	stack := []frame{{w: s.begin()}}
	stack[0].actions = stack[0].w.Actions(nil)
	var spare [][]Action
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if f.next == len(f.actions) {
			spare = append(spare, f.actions[:0])
			stack = stack[:len(stack)-1]
			continue
		}
		f.next++
		w := f.w
		if f.next < len(f.actions) {
			w = w.Clone()
		} else {
			f.w = nil // its last action needs no copy
		}
		if s.visit.Transitions++; s.b.Progress != nil && s.visit.Transitions%progressEvery == 0 {
			s.visit.States = s.seen.n
			s.b.Progress(s.visit)
		}
		w.do(f.actions[f.next-1])
		if w.failed == nil && !s.enter(w) {
			continue
		}
		if w.failed != nil {
			s.broken(w.failed, path(stack))
			return
		}
		s.visit.Depth = max(s.visit.Depth, len(stack))
		if s.b.States > 0 && s.seen.n >= s.b.States {
			return
		}
		var list []Action
		if n := len(spare); n > 0 {
			list, spare = spare[n-1], spare[:n-1]
		}
		list = w.Actions(list)
		if s.b.Seed != 0 {
			rng := rand.New(rand.NewPCG(s.b.Seed, uint64(s.seen.n)))
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		stack = append(stack, frame{w: w, actions: list})
	}
	s.visit.Complete = true
}

// path is the history that a stack stands for.
func path(stack []frame) []Action {
	list := make([]Action, len(stack))
	for i, f := range stack {
		list[i] = f.actions[f.next-1]
	}
	return list
}

func (s *search) broken(err error, history []Action) {
	s.visit.Violations, s.visit.Err, s.visit.Actions = 1, err, history
}

// comesToRest lets all faults end, once with every card coming back and once
// with none. The canonical form of w has just been written. Faults and sales
// that may still come count for nothing here: there will be none.
func (s *search) comesToRest(w *World) error {
	back, never := s.c.restName(restBack, 0), s.c.restName(restNever, 0)
	if !s.rests.has(back) {
		if err := s.drain(w.Clone()); err != nil {
			return err
		}
		s.rests.add(back)
	}
	if s.rests.has(never) {
		return nil
	}
	c := w.Clone()
	for i := range c.cards {
		c.cards[i].never = true
	}
	if err := s.drain(c); err != nil {
		return fmt.Errorf("when nobody comes back: %w", err)
	}
	s.rests.add(never)
	return nil
}

// drain goes on until it meets a state that is known to rest.
func (s *search) drain(c *World) error {
	presents := 0
	c.faults = 0
	var passed []sum
	for range drainMax {
		if !c.drainStep(&presents) && c.failed == nil {
			c.failed = c.atRest()
			break
		}
		if c.failed != nil {
			break
		}
		s.c.write(c)
		name := s.c.restName(restBack, presents)
		if s.rests.has(name) {
			break
		}
		passed = append(passed, name)
	}
	switch {
	case c.failed != nil:
		return c.failed
	case len(passed) == drainMax:
		return violation("it does not come to rest")
	}
	for _, name := range passed {
		s.rests.add(name)
	}
	return nil
}

// tell puts the history into words.
func (s *search) tell() {
	var err error
	s.visit.History, err = Tell(&s.b.Options, s.visit.Actions)
	if err == nil { // with cards that come back it would have ended well
		s.visit.History = append(s.visit.History, "no card comes back")
		err = s.visit.Err
	}
	s.visit.Err = err
	s.visit.Script = Script(&s.b.Options, s.visit.Actions)
}

// shortestMax bounds the search for the shortest history, in states.
const shortestMax = 400_000

// shortest looks for the shortest history that breaks the law, breadth first.
// When that ends without one it makes the one that is known shorter.
func shortest(b Bound, known []Action) []Action {
	b.States = shortestMax
	s := &search{b: b, c: canon{whole: b.Whole}}
	if s.breadthFirst(); s.visit.Err != nil && len(s.visit.Actions) <= len(known) {
		return s.visit.Actions
	}
	return shrink(&b.Options, known)
}

// origin is how a state was first reached.
type origin struct {
	from   int32
	action Action
}

// breadthFirst keeps all states of one depth, and of the others how they were
// reached: the first violation has the shortest history.
func (s *search) breadthFirst() {
	type node struct {
		w  *World
		id int32
	}
	level := []node{{s.begin(), 0}}
	origins := []origin{{from: -1}}
	history := func(id int32) (list []Action) {
		for ; id > 0; id = origins[id].from {
			list = append(list, origins[id].action)
		}
		slices.Reverse(list)
		return list
	}
	var actions []Action
	for depth := 0; len(level) > 0; depth++ {
		if s.visit.Depth = depth; s.b.Depth > 0 && depth >= s.b.Depth {
			return
		}
		var next []node
		for i, n := range level {
			level[i].w = nil
			actions = n.w.Actions(actions[:0])
			for _, a := range actions {
				s.visit.Transitions++
				w := n.w.Clone()
				w.do(a)
				if w.failed == nil && !s.enter(w) {
					continue
				}
				origins = append(origins, origin{n.id, a})
				id := int32(len(origins) - 1)
				if w.failed != nil {
					s.broken(w.failed, history(id))
					return
				}
				if s.b.States > 0 && s.seen.n >= s.b.States {
					return
				}
				next = append(next, node{w, id})
			}
		}
		level = next
	}
	s.visit.Complete = true
}

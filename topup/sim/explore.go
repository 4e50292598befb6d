package sim

import (
	"errors"
	"fmt"
)

// Bound of a search.
type Bound struct {
	Options
	Depth  int // actions in a row; 0: no bound
	States int // that are visited; 0: no bound
}

// Visit is what a search found.
type Visit struct {
	States      int  `json:"states"`
	Transitions int  `json:"transitions"`
	Depth       int  `json:"depth"` // of the deepest state that was visited
	Violations  int  `json:"violations"`
	Complete    bool `json:"complete,omitempty"` // every state within the bound was visited

	Err     error    `json:"-"`
	History []string `json:"-"` // the shortest
}

// origin is how a state was first reached.
type origin struct {
	from   int32
	action Action
}

// search is breadth first: the first violation has the shortest history.
type search struct {
	b       Bound
	seen    map[sum]struct{}
	rests   map[sum]struct{} // from here everything comes to rest
	origins []origin
	visit   Visit
}

type node struct {
	w  *World
	id int32
}

// Explore visits every state of core, cards, host and what is under way,
// within the bound, and from each one lets all faults end.
func Explore(b Bound) Visit {
	b.Brisk = true
	s := &search{b: b, seen: map[sum]struct{}{}, rests: map[sum]struct{}{}}
	first := New(&s.b.Options)
	level := []node{{first, 0}}
	s.seen[first.sum(0)] = struct{}{}
	s.origins = append(s.origins, origin{from: -1})
	for depth := 0; len(level) > 0 && s.visit.Err == nil; depth++ {
		s.visit.Depth = depth
		if b.Depth > 0 && depth >= b.Depth {
			break
		}
		var cut bool
		if level, cut = s.expand(level); cut {
			break
		}
	}
	s.visit.States = len(s.seen)
	s.visit.Complete = len(level) == 0 && s.visit.Err == nil
	return s.visit
}

// expand gives the states one action further on; cut: the bound is reached.
func (s *search) expand(level []node) (next []node, cut bool) {
	var actions []Action
	for i, n := range level {
		level[i].w = nil
		actions = n.w.Actions(actions[:0])
		for _, a := range actions {
			s.visit.Transitions++
			w := n.w.Clone()
			if w.do(a); w.failed != nil {
				s.broken(n.id, a)
				return nil, true
			}
			name := w.sum(0)
			if _, ok := s.seen[name]; ok {
				continue
			}
			s.seen[name] = struct{}{}
			s.origins = append(s.origins, origin{n.id, a})
			if !s.comesToRest(w) {
				s.broken(n.id, a)
				return nil, true
			}
			if s.b.States > 0 && len(s.seen) >= s.b.States {
				return append(next, n), true
			}
			next = append(next, node{w, int32(len(s.origins) - 1)})
		}
	}
	return next, false
}

// comesToRest drains a copy, until it meets a state that is known to rest.
func (s *search) comesToRest(w *World) bool {
	c := w.Clone()
	c.faults = 0
	var path []sum
	presents := 0
	for range drainMax {
		name := c.sum(1 + presents)
		if _, ok := s.rests[name]; ok {
			break
		}
		path = append(path, name)
		if !c.drainStep(&presents) {
			if c.failed == nil {
				c.failed = c.atRest()
			}
			break
		}
		if c.failed != nil {
			break
		}
	}
	if c.failed != nil || len(path) == drainMax {
		return false
	}
	for _, name := range path {
		s.rests[name] = struct{}{}
	}
	return true
}

func (s *search) broken(from int32, last Action) {
	history := []Action{last}
	for i := from; i > 0; i = s.origins[i].from {
		history = append([]Action{s.origins[i].action}, history...)
	}
	s.visit.Violations = 1
	s.visit.History, s.visit.Err = Tell(&s.b.Options, history)
	if !errors.Is(s.visit.Err, ErrViolation) {
		s.visit.Err = fmt.Errorf("%w: it does not come to rest", ErrViolation)
	}
}

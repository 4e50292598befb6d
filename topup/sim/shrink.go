package sim

import (
	"errors"
	"slices"
)

const shrinkMax = 3_000_000 // actions of one shrinking

// replay does a history, leaving out what is not possible, and then lets
// everything come to rest.
func replay(o *Options, history []Action) error {
	w := New(o)
	for _, a := range history {
		if w.Do(a); w.failed != nil {
			return w.failed
		}
	}
	return w.Drain()
}

// shrink leaves out of a history what it does not need to break the law
// (delta debugging: Zeller and Hildebrandt, 2002).
func shrink(o *Options, history []Action) []Action {
	done := 0
	for size := len(history) / 2; size > 0; {
		removed := false
		for from := 0; from < len(history); {
			to := min(from+size, len(history))
			shorter := append(append([]Action(nil), history[:from]...), history[to:]...)
			if done += len(shorter); done > shrinkMax {
				return history
			}
			if errors.Is(replay(o, shorter), ErrViolation) {
				history, removed = shorter, true
				continue
			}
			from = to
		}
		if size == 1 && !removed {
			break
		}
		if size > 1 {
			size /= 2
		}
	}
	return history
}

// Tell says in words what a history does, and how it ends.
func Tell(o *Options, history []Action) ([]string, error) {
	w := New(o)
	var lines []string
	for _, a := range history {
		if !w.possible(a) {
			continue
		}
		lines = append(lines, w.Describe(a))
		if w.Do(a); w.failed != nil {
			return lines, w.failed
		}
	}
	lines = append(lines, "all faults end")
	return lines, w.Drain()
}

// Retell does what Tell has said, and gives the first line that was not possible
// and was left out; "" if there was none. Without any such the history is one of
// this program.
func Retell(o *Options, lines []string) (missing string, err error) {
	w := New(o)
	for _, line := range lines {
		list := w.Actions(nil)
		i := slices.IndexFunc(list, func(a Action) bool { return w.Describe(a) == line })
		if i < 0 {
			if missing == "" {
				missing = line
			}
			continue
		}
		if w.Do(list[i]); w.failed != nil {
			return missing, w.failed
		}
	}
	return missing, w.Drain()
}

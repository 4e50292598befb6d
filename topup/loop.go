package topup

import (
	"fmt"

	"buka/internal/entry"
)

const checkpointEvery = 64 // entries between checkpoints

// Loop is law 1 by construction: an event, a step, its entries in one commit,
// and only then the commands. The Engine runs it over real devices, topup/sim
// over a model of the world. It is not safe for concurrent use.
type Loop struct {
	Core    *Core
	Journal Journal
	State   State // after the last event that was taken

	// Appended, if set, is told after each durable commit and before any
	// command runs; true cuts the loop off there, as a power cut would.
	Appended func([]entry.Body) bool

	since int // entries after the last checkpoint
}

// Take takes one event. show, if set, is given the new state once it is
// durable; do is given the commands after that. After an error the loop must
// not be used again: what it announced may or may not be durable, and only a
// restart can tell.
func (l *Loop) Take(ev Event, show func(State), do func(Command)) error {
	r := l.Core.Step(l.State, ev)
	if r.Err != nil {
		return r.Err
	}
	if len(r.Entries) > 0 {
		bodies := r.Entries
		if l.since += len(bodies); l.since >= checkpointEvery && !urgent(r.Commands) {
			data, err := r.State.Durable.Encode()
			if err != nil {
				return fmt.Errorf("encode checkpoint: %w", err)
			}
			bodies, l.since = append(bodies, entry.Checkpoint{State: data}), 0
		}
		if err := l.Journal.Append(bodies...); err != nil {
			return fmt.Errorf("append to the journal: %w", err)
		}
		if l.Appended != nil && l.Appended(bodies) {
			return ErrStopped
		}
	}
	l.State = r.State
	if show != nil {
		show(r.State)
	}
	for _, c := range r.Commands {
		do(c)
	}
	return nil
}

// urgent says that a card waits for what follows: no time for a checkpoint.
func urgent(commands []Command) bool {
	for _, c := range commands {
		if _, ok := c.(Write); ok {
			return true
		}
	}
	return false
}

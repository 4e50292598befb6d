package switchlink

import (
	"sync"
	"time"
)

// State of the link. Up means that a real request was just answered, not that
// a connection stands.
type State struct {
	Up         bool
	Since      time.Time // of this Up or not Up
	LastAnswer time.Time // zero: never
}

// stateBoard holds the state and tells one listener about changes, from a
// goroutine of its own. A slow listener misses states between, never the last.
type stateBoard struct {
	mu      sync.Mutex
	now     State
	changed chan struct{} // capacity 1
}

func newStateBoard() *stateBoard {
	return &stateBoard{now: State{Since: time.Now()}, changed: make(chan struct{}, 1)}
}

func (b *stateBoard) get() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *stateBoard) up(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.LastAnswer = at
	b.turn(true, at)
}

func (b *stateBoard) down(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(false, at)
}

func (b *stateBoard) turn(up bool, at time.Time) {
	if b.now.Up == up {
		return
	}
	b.now.Up, b.now.Since = up, at
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// tell calls listen on every change until done.
func (b *stateBoard) tell(done <-chan struct{}, listen func(State)) {
	for {
		select {
		case <-done:
			return
		case <-b.changed:
			listen(b.get())
		}
	}
}

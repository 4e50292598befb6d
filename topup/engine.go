package topup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"buka/internal/entry"
)

// Journal appends entries in one commit and returns after they are durable.
type Journal interface {
	Append(bodies ...entry.Body) error
}

// Doer runs commands. It must not block: each device and link has an owner of
// its own, and the outcome comes back through Engine.Post.
type Doer interface{ Do(Command) }

// ErrStopped says that the engine does not run: nothing may be decided.
var ErrStopped = errors.New("the sale engine has stopped")

const queueMax = 1024

// Engine is the thin shell: one goroutine owns the state.
type Engine struct {
	loop   Loop // the owner goroutine's
	log    *slog.Logger
	events chan Event
	timers map[string]*time.Timer

	// Appended, if set, is told after each durable commit and before any
	// command runs; true cuts the engine off there, as a power cut would.
	Appended func([]entry.Body) bool

	mu     sync.Mutex
	state  State
	failed error
	watch  map[int]func()
	nextID int
}

// NewEngine makes an engine over a replayed state; Run starts it.
func NewEngine(core *Core, journal Journal, state State, log *slog.Logger) *Engine {
	return &Engine{
		loop: Loop{Core: core, Journal: journal, State: state}, log: log, state: state,
		events: make(chan Event, queueMax), timers: map[string]*time.Timer{}, watch: map[int]func(){},
	}
}

// Post hands an event in. It gives up when ctx ends: a queue that is full for
// that long means an engine that has stopped.
func (e *Engine) Post(ctx context.Context, ev Event) error {
	select {
	case e.events <- ev:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("post %T: %w", ev, context.Cause(ctx))
	}
}

// fence is no event of the sale: it marks a place in the queue.
type fence struct{ passed chan struct{} }

func (fence) event() {}

// Fence is closed when all that was posted before it has been taken. An engine
// that stops before leaves it open.
func (e *Engine) Fence(ctx context.Context) (<-chan struct{}, error) {
	f := fence{make(chan struct{})}
	return f.passed, e.Post(ctx, f)
}

// Run is the loop: event, step, append, commands. It ends with ctx, with a
// failed append (what it announced may or may not be durable: only a restart
// can tell) or with a breach of the law.
func (e *Engine) Run(ctx context.Context, doer Doer) error {
	defer e.stopTimers()
	e.loop.Appended = func(b []entry.Body) bool { return e.Appended != nil && e.Appended(b) }
	for {
		select {
		case <-ctx.Done():
			e.fail(ErrStopped)
			return context.Cause(ctx)
		case ev := <-e.events:
			if f, ok := ev.(fence); ok {
				close(f.passed)
				continue
			}
			if err := e.take(ctx, ev, doer); err != nil {
				e.fail(err)
				return err
			}
		}
	}
}

func (e *Engine) take(ctx context.Context, ev Event, doer Doer) error {
	err := e.loop.Take(ev, func(s State) {
		e.mu.Lock()
		e.state = s
		e.mu.Unlock()
	}, func(c Command) {
		if t, ok := c.(SetTimer); ok {
			e.setTimer(ctx, t)
			return
		}
		doer.Do(c)
	})
	if err == nil {
		e.tell()
	}
	return err
}

func (e *Engine) setTimer(ctx context.Context, t SetTimer) {
	if old, ok := e.timers[t.Name]; ok {
		old.Stop()
		delete(e.timers, t.Name)
	}
	if t.AfterMS > 0 {
		e.timers[t.Name] = time.AfterFunc(time.Duration(t.AfterMS)*time.Millisecond, func() {
			_ = e.Post(ctx, TimerFired{Name: t.Name, Gen: t.Gen}) // fails only when the engine ends
		})
	}
}

func (e *Engine) stopTimers() {
	for _, t := range e.timers {
		t.Stop()
	}
}

func (e *Engine) fail(err error) {
	e.mu.Lock()
	e.failed = err
	e.mu.Unlock()
	if !errors.Is(err, ErrStopped) {
		e.log.Error("the sale engine has stopped", "err", err)
	}
	e.tell()
}

// State gives the state after the last step, and why the engine stopped, if
// it did. The state must not be changed.
func (e *Engine) State() (State, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state, e.failed
}

// Watch calls f after every step, until cancel. f must not block.
func (e *Engine) Watch(f func()) (cancel func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := e.nextID
	e.nextID++
	e.watch[id] = f
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.watch, id)
	}
}

func (e *Engine) tell() {
	e.mu.Lock()
	list := make([]func(), 0, len(e.watch))
	for _, f := range e.watch {
		list = append(list, f)
	}
	e.mu.Unlock()
	for _, f := range list {
		f()
	}
}

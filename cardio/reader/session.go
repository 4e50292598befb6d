package reader

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Limits bound every wait of a source. The zero value means the defaults.
type Limits struct {
	Open     time.Duration // until the card is ours: default 3 s
	Transmit time.Duration // one command, if its context allows more: default 10 s
	Close    time.Duration // until the driver has let go: default 2 s
}

func (l Limits) orDefault() Limits {
	if l.Open <= 0 {
		l.Open = 3 * time.Second
	}
	if l.Transmit <= 0 {
		l.Transmit = 10 * time.Second
	}
	if l.Close <= 0 {
		l.Close = 2 * time.Second
	}
	return l
}

// conn is a connected card as its driver sees it. Its calls may block without
// limit; only the worker of one session makes them. Errors are *Error.
type conn interface {
	transmit(cmd []byte) ([]byte, error)
	release()
}

// dialer connects. It may block without limit; quit tells it that nobody waits
// any more, if it can listen.
type dialer func(quit <-chan struct{}) (c conn, atr []byte, err error)

type job struct {
	cmd   []byte
	reply chan<- answer
}

type answer struct {
	data []byte
	err  error
}

// session is a Card whose blocking calls run on a worker of its own.
type session struct {
	reader string
	limits Limits
	atr    []byte

	jobs  chan job
	quit  chan struct{} // closed: the worker ends as soon as it can
	ended chan struct{} // closed by the worker when the driver has let go
	turn  chan struct{} // capacity 1: one caller at a time

	abandoned func(ended <-chan struct{}) // tells the source; at most once
	stop      sync.Once
	leave     sync.Once

	mu   sync.Mutex
	over error // the kind of the error that ended it, nil while it lives
}

// startSession opens a card. The worker owns the connection from the first call
// to the last, so an abandoned one cleans up after itself when it comes back.
func startSession(ctx context.Context, reader string, limits Limits, dial dialer, abandoned func(<-chan struct{})) (*session, error) {
	s := &session{
		reader: reader, limits: limits,
		jobs: make(chan job), quit: make(chan struct{}), ended: make(chan struct{}),
		turn: make(chan struct{}, 1), abandoned: abandoned,
	}
	type dialled struct {
		atr []byte
		err error
	}
	ready := make(chan dialled, 1)
	go func() {
		defer close(s.ended)
		c, atr, err := dial(s.quit)
		ready <- dialled{atr, err}
		if err == nil {
			s.work(c)
		}
	}()
	timer := time.NewTimer(limits.Open)
	defer timer.Stop()
	var cause error
	kind := ErrBusy
	select {
	case d := <-ready:
		if d.err != nil {
			return nil, d.err
		}
		s.atr = slices.Clone(d.atr)
		return s, nil
	case <-timer.C:
	case <-ctx.Done():
		cause = context.Cause(ctx)
		if !errors.Is(cause, context.DeadlineExceeded) {
			kind = ErrTimeout
		}
	}
	s.end(kind)
	s.awaitEnd(min(s.limits.Close, openGrace))
	return nil, &Error{Op: "open", Reader: reader, Kind: kind, Cause: cause, Unsent: true}
}

// work is the worker's loop.
func (s *session) work(c conn) {
	defer c.release()
	for {
		select {
		case <-s.quit:
			return
		case j := <-s.jobs:
			data, err := c.transmit(j.cmd)
			j.reply <- answer{data, err}
		}
	}
}

func (s *session) ATR() []byte { return slices.Clone(s.atr) }

func (s *session) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if len(cmd) < 4 {
		return nil, unsent(s.reader, ErrUsage, nil)
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, unsent(s.reader, ErrTimeout, context.Cause(ctx))
	}
	if over := s.isOver(); over != nil {
		return nil, unsent(s.reader, ErrClosed, over)
	}
	if ctx.Err() != nil {
		return nil, unsent(s.reader, ErrTimeout, context.Cause(ctx))
	}
	reply := make(chan answer, 1)
	select {
	case s.jobs <- job{slices.Clone(cmd), reply}:
	case <-s.quit:
		return nil, unsent(s.reader, ErrClosed, nil)
	case <-ctx.Done():
		return nil, unsent(s.reader, ErrTimeout, context.Cause(ctx))
	}
	timer := time.NewTimer(s.limits.Transmit)
	defer timer.Stop()
	var cause error
	select {
	case a := <-reply:
		if a.err != nil {
			s.end(a.err)
		}
		return a.data, a.err
	case <-timer.C:
	case <-ctx.Done():
		cause = context.Cause(ctx)
	case <-s.quit: // closed under us
		cause = ErrClosed
	}
	select {
	case a := <-reply: // it came in the same instant: better to know
		if a.err != nil {
			s.end(a.err)
		}
		return a.data, a.err
	default:
	}
	err := &Error{Op: "transmit", Reader: s.reader, Kind: ErrTimeout, Cause: cause}
	s.end(err)
	s.leaveBehind()
	return nil, err
}

// isOver tells why the session has ended, nil if it lives.
func (s *session) isOver() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// end lets the worker go; the first reason stays.
func (s *session) end(why error) {
	s.mu.Lock()
	if s.over == nil {
		s.over = why
	}
	s.mu.Unlock()
	s.stop.Do(func() { close(s.quit) })
}

// leaveBehind tells the source that the worker has not come back, unless it
// just did.
func (s *session) leaveBehind() {
	select {
	case <-s.ended:
	default:
		s.leave.Do(func() { s.abandoned(s.ended) })
	}
}

// openGrace is how long a failed Open waits for its worker before it calls the
// reader hung.
const openGrace = 100 * time.Millisecond

// awaitEnd waits a bounded time for the worker, and leaves it behind after.
func (s *session) awaitEnd(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.ended:
		return true
	case <-timer.C:
	}
	select {
	case <-s.ended: // both in the same instant
		return true
	default:
		s.leaveBehind()
		return false
	}
}

// Close does not wait for a worker that a Transmit has already left behind.
func (s *session) Close() error {
	limit := s.limits.Close
	if errors.Is(s.isOver(), ErrTimeout) {
		limit = 0
	}
	s.end(ErrClosed)
	if !s.awaitEnd(limit) {
		return &Error{Op: "close", Reader: s.reader, Kind: ErrTimeout}
	}
	return nil
}

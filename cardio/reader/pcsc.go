package reader

import (
	"context"
	"sync"
	"time"

	"github.com/ebfe/scard"
)

// PCSC is a Source over the machine's smart card service. One goroutine
// watches all readers on a context of its own; every open card has a worker
// with a context of its own, so that neither ever waits for the other.
type PCSC struct {
	limits Limits
	board  *board
	hangs  *hangs
	quit   chan struct{}
	ended  chan struct{} // the watcher has gone
	stop   sync.Once

	mu       sync.Mutex
	watching *scard.Context // what Close cancels; nil between contexts
	live     map[*session]bool
	done     bool
}

var _ Source = (*PCSC)(nil)

// watchTurn admits one watcher in the process: the binding keeps reader names
// in a map by name, and a second watcher of the same reader would free memory
// that the first is using. The next source begins when the last has ended.
var watchTurn = make(chan struct{}, 1)

// NewPCSC starts watching. It never fails: without a service the first event is
// ServiceDown, and the watch goes on trying until Close.
func NewPCSC(limits Limits) *PCSC {
	p := &PCSC{
		limits: limits.orDefault(), board: newBoard(),
		quit: make(chan struct{}), ended: make(chan struct{}), live: map[*session]bool{},
	}
	p.hangs = newHangs(p.board)
	go p.watch()
	return p
}

// Events implements Source.
func (p *PCSC) Events() <-chan Event { return p.board.events }

// Readers implements Source.
func (p *PCSC) Readers() []State { return p.board.list() }

// Open implements Source. It asks the service itself, not what the watcher
// last saw. ErrBusy means that the card was not ours within the limit: another
// program holds it, or a driver hangs.
func (p *PCSC) Open(ctx context.Context, reader string) (Card, error) {
	if p.hangs.full(reader) {
		return nil, &Error{Op: "open", Reader: reader, Kind: ErrBusy, Cause: errHung, Unsent: true}
	}
	s, err := startSession(ctx, reader, p.limits,
		func(<-chan struct{}) (conn, []byte, error) { return dialPCSC(reader) },
		func(ended <-chan struct{}) { p.hangs.watch(reader, ended) })
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		s.end(ErrClosed)
		return nil, &Error{Op: "open", Reader: reader, Kind: ErrClosed, Unsent: true}
	}
	p.live[s] = true
	go func() {
		<-s.ended
		p.mu.Lock()
		delete(p.live, s)
		p.mu.Unlock()
	}()
	return s, nil
}

// Close implements Source. It waits a bounded time for the watcher, whose wait
// it cancels until the cancel is heard: one that comes before the wait begins
// is lost.
func (p *PCSC) Close() error {
	p.mu.Lock()
	p.done = true
	for s := range p.live {
		s.end(ErrClosed)
	}
	p.mu.Unlock()
	p.stop.Do(func() { close(p.quit) })
	defer p.board.close()
	limit := time.NewTimer(p.limits.Close + watchWait)
	defer limit.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		p.cancelWatch()
		select {
		case <-p.ended:
			return nil
		case <-limit.C:
			return &Error{Op: "close", Reader: "smart card service", Kind: ErrTimeout}
		case <-again.C:
		}
	}
}

// cancelWatch ends the wait of the watcher, if it is in one. SCardCancel is the
// one call that may be made on a context from another thread.
func (p *PCSC) cancelWatch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watching != nil {
		p.watching.Cancel()
	}
}

func (p *PCSC) setWatching(c *scard.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watching = c
}

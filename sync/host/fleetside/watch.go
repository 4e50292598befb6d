package fleetside

import (
	"sync"
	"time"
)

// watch tells listeners that something changed: never how much, and at most
// once for changes that come close together.
type watch struct {
	dirty chan struct{}

	mu     sync.Mutex
	next   int
	subs   map[int]func()
	closed bool
}

func newWatch() *watch { return &watch{dirty: make(chan struct{}, 1), subs: map[int]func(){}} }

func (w *watch) notify() {
	select {
	case w.dirty <- struct{}{}:
	default: // a telling is due already
	}
}

func (w *watch) tell() {
	w.mu.Lock()
	list := make([]func(), 0, len(w.subs))
	for _, fn := range w.subs {
		list = append(list, fn)
	}
	w.mu.Unlock()
	for _, fn := range list {
		fn()
	}
}

func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subs = map[int]func(){}
	w.closed = true
}

// Subscribe has fn called after every change that a page shows: a journal that
// grew, a heartbeat with news, a link gone up or down, a conflict. The calls
// come from one goroutine; fn must not block. cancel may be called twice; one
// call of fn may still be under way when it returns.
func (s *Side) Subscribe(fn func()) (cancel func()) {
	w := s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return func() {}
	}
	id := w.next
	w.next++
	w.subs[id] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subs, id)
	}
}

// watchLoop tells of changes, and finds the kiosks that have fallen silent:
// nothing else would.
func (s *Side) watchLoop() {
	tick := time.NewTicker(max(s.cfg.Absent/5, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.watch.dirty:
			s.watch.tell()
		case now := <-tick.C:
			if s.fellSilent(now) {
				s.watch.tell()
			}
		}
	}
}

func (s *Side) fellSilent(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	any := false
	for name, p := range s.kiosks {
		if p.up && !s.fresh(p, now) {
			p.up, any = false, true
			s.log.Warn("fleet side: kiosk is silent", "kiosk", name, "last_seen", p.seen)
		}
	}
	return any
}

package reader

import (
	"maps"
	"slices"
	"sync"
)

// board holds what is known of all readers and tells a listener the difference
// to what it was told before. So the number of waiting events is bounded by the
// number of readers, the watcher never waits for the listener, and a listener
// that was away ends with the truth.
type board struct {
	events chan Event

	mu      sync.Mutex
	now     picture
	told    picture
	hung    map[string]bool // outlives a reader's absence
	cause   error           // why the service is down
	serial  uint64
	wake    chan struct{} // capacity 1
	quit    chan struct{}
	pumped  chan struct{}
	closing sync.Once
}

type picture struct {
	service service
	readers map[string]State
}

type service uint8

const (
	serviceUnknown service = iota
	serviceUp
	serviceDown
)

func newBoard() *board {
	b := &board{
		events: make(chan Event, 16),
		now:    picture{readers: map[string]State{}},
		told:   picture{readers: map[string]State{}},
		hung:   map[string]bool{},
		wake:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
		pumped: make(chan struct{}),
	}
	go b.pump()
	return b
}

// change applies f to the present picture and wakes the pump.
func (b *board) change(f func(p *picture)) {
	b.mu.Lock()
	f(&b.now)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// setService records that the service answers (err nil) or not; without it no
// reader is known.
func (b *board) setService(err error) {
	b.change(func(p *picture) {
		b.cause = err
		if err == nil {
			p.service = serviceUp
			return
		}
		p.service = serviceDown
		clear(p.readers)
	})
}

// setReaders records the list of names; a new one has no card yet.
func (b *board) setReaders(names []string) {
	b.change(func(p *picture) {
		for name := range p.readers {
			if !slices.Contains(names, name) {
				delete(p.readers, name)
			}
		}
		for _, name := range names {
			if _, ok := p.readers[name]; !ok {
				p.readers[name] = State{Reader: name, Hung: b.hung[name]}
			}
		}
	})
}

// sight is one look at one reader.
type sight struct {
	present bool
	fresh   bool // another presence than the one last recorded
	atr     []byte
	cards   int
	mute    bool
	busy    bool
}

// setSight records a look; a reader that is not listed is left alone. It
// returns the serial of the presence.
func (b *board) setSight(name string, s sight) uint64 {
	var serial uint64
	b.change(func(p *picture) {
		st, ok := p.readers[name]
		if !ok {
			return
		}
		if s.present && (!st.Present || s.fresh) {
			b.serial++
			st.Serial = b.serial
		}
		st.Present, st.Cards, st.Mute, st.Busy = s.present, s.cards, s.mute, s.busy
		st.ATR = s.atr
		if !s.present {
			st.ATR, st.Cards, st.Mute = nil, 0, false
		}
		p.readers[name] = st
		serial = st.Serial
	})
	return serial
}

func (b *board) setHung(name string, hung bool) {
	b.change(func(p *picture) {
		delete(b.hung, name)
		if hung {
			b.hung[name] = true
		}
		if st, ok := p.readers[name]; ok {
			st.Hung = hung
			p.readers[name] = st
		}
	})
}

func (b *board) state(name string) (st State, known bool, up bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st, known = b.now.readers[name]
	return st, known, b.now.service == serviceUp
}

func (b *board) list() []State {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]State, 0, len(b.now.readers))
	for _, name := range slices.Sorted(maps.Keys(b.now.readers)) {
		st := b.now.readers[name]
		st.ATR = slices.Clone(st.ATR)
		list = append(list, st)
	}
	return list
}

func (b *board) pump() {
	defer close(b.pumped)
	defer close(b.events)
	for {
		b.mu.Lock()
		e, ok := b.next()
		b.mu.Unlock()
		if !ok {
			select {
			case <-b.wake:
			case <-b.quit:
				return
			}
			continue
		}
		select {
		case b.events <- e:
		case <-b.quit:
			return
		}
	}
}

func (b *board) close() {
	b.closing.Do(func() { close(b.quit) })
	<-b.pumped
}

package reader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// maxCards bounds the cards that lie on one reader in memory.
const maxCards = 8

// Memory is a Source whose readers and cards live in this process. It behaves
// as PC/SC does, down to the unknown outcome of a command whose card has left.
type Memory struct {
	limits Limits
	board  *board
	hangs  *hangs

	mu    sync.Mutex
	down  bool
	slots map[string]*slot
	live  map[*session]bool
	done  bool
}

// slot is one reader. Its turn is what SCardBeginTransaction is in PC/SC.
type slot struct {
	turn  chan struct{}
	cards []laid
}

// laid is a card on a reader, with what its reset answered: asking it again
// could wait for a card that hangs.
type laid struct {
	dev Device
	atr []byte
}

// find is the place of a card in the pile, -1 if it is not there.
func (s *slot) find(d Device) int {
	return slices.IndexFunc(s.cards, func(l laid) bool { return l.dev == d })
}

var _ Source = (*Memory)(nil)

// NewMemory makes a source with these readers, service up and no cards.
func NewMemory(limits Limits, readers ...string) *Memory {
	m := &Memory{
		limits: limits.orDefault(), board: newBoard(),
		slots: map[string]*slot{}, live: map[*session]bool{},
	}
	m.hangs = newHangs(m.board)
	m.board.setService(nil)
	for _, name := range readers {
		m.slots[name] = newSlot()
	}
	m.relist()
	return m
}

func newSlot() *slot { return &slot{turn: make(chan struct{}, 1)} }

// relist tells the board the readers and their cards; m.mu is held or not yet
// needed.
func (m *Memory) relist() {
	names := make([]string, 0, len(m.slots))
	for name := range m.slots {
		names = append(names, name)
	}
	m.board.setReaders(names)
	for name := range m.slots {
		m.show(name, false)
	}
}

// show tells the board what lies on one reader.
func (m *Memory) show(name string, fresh bool) {
	s := m.slots[name]
	if m.down || s == nil {
		return
	}
	look := sight{fresh: fresh, present: len(s.cards) > 0, cards: len(s.cards), busy: len(s.turn) > 0}
	if look.present {
		look.atr = s.cards[0].atr
	}
	m.board.setSight(name, look)
}

// Events implements Source.
func (m *Memory) Events() <-chan Event { return m.board.events }

// Readers implements Source.
func (m *Memory) Readers() []State { return m.board.list() }

// AddReader plugs a reader in; one that is there already stays as it is.
func (m *Memory) AddReader(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slots[name] == nil {
		m.slots[name] = newSlot()
	}
	if !m.down {
		m.relist()
	}
}

// RemoveReader unplugs a reader with whatever lies on it.
func (m *Memory) RemoveReader(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.slots, name)
	if !m.down {
		m.relist()
	}
}

// SetService stops (false) or starts the smart card service. While it is down
// no reader is known; cards stay where they lie.
func (m *Memory) SetService(up bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = !up
	if !up {
		m.board.setService(ErrNoService)
		return
	}
	m.board.setService(nil)
	m.relist()
}

// Insert lays a card on a reader and powers it. A second card on the same
// reader is reported as such, and neither can be opened.
func (m *Memory) Insert(reader string, d Device) error {
	if err := m.fits(reader, d); err != nil {
		return err
	}
	d.Reset()
	card := laid{d, slices.Clone(d.ATR())}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fitsLocked(reader, d); err != nil {
		return err
	}
	s := m.slots[reader]
	s.cards = append(s.cards, card)
	m.show(reader, len(s.cards) == 1)
	return nil
}

func (m *Memory) fits(reader string, d Device) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fitsLocked(reader, d)
}

func (m *Memory) fitsLocked(reader string, d Device) error {
	s := m.slots[reader]
	switch {
	case s == nil:
		return &Error{Op: "insert", Reader: reader, Kind: ErrReaderGone, Unsent: true}
	case s.find(d) >= 0:
		return fmt.Errorf("insert %q: this card lies there already", reader)
	case len(s.cards) == maxCards:
		return fmt.Errorf("insert %q: %d cards lie there", reader, maxCards)
	}
	return nil
}

// Remove takes a card away; one that is not there is no error, it may have left
// by itself.
func (m *Memory) Remove(reader string, d Device) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(reader, d)
}

func (m *Memory) take(reader string, d Device) {
	s := m.slots[reader]
	if s == nil {
		return
	}
	i := s.find(d)
	if i < 0 {
		return
	}
	s.cards = slices.Delete(s.cards, i, i+1)
	m.show(reader, i == 0) // the next in the pile is another presence
}

// Lies reports whether this card is on that reader.
func (m *Memory) Lies(reader string, d Device) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slots[reader]
	return s != nil && s.find(d) >= 0
}

// Open implements Source.
func (m *Memory) Open(ctx context.Context, reader string) (Card, error) {
	if m.hangs.full(reader) {
		return nil, &Error{Op: "open", Reader: reader, Kind: ErrBusy, Cause: errHung, Unsent: true}
	}
	s, err := startSession(ctx, reader, m.limits,
		func(quit <-chan struct{}) (conn, []byte, error) { return m.dial(reader, quit) },
		func(ended <-chan struct{}) { m.hangs.watch(reader, ended) })
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done {
		s.end(ErrClosed)
		return nil, &Error{Op: "open", Reader: reader, Kind: ErrClosed, Unsent: true}
	}
	m.live[s] = true
	go func() {
		<-s.ended
		m.mu.Lock()
		delete(m.live, s)
		m.mu.Unlock()
	}()
	return s, nil
}

// errHung says why a reader that has hung too often is not opened.
var errHung = errors.New("too many calls into its driver have not come back: unplug the reader and plug it in again")

// Close implements Source.
func (m *Memory) Close() error {
	m.mu.Lock()
	m.done = true
	for s := range m.live {
		s.end(ErrClosed)
	}
	m.mu.Unlock()
	m.board.close()
	return nil
}

package virtual

import (
	"errors"
	"fmt"
	"sync"

	"buka/cardio/reader"
)

// ErrSlotTaken says that a card lies in the slot already.
var ErrSlotTaken = errors.New("a card lies in this slot already: remove it first")

// Slot is a place for one virtual card, on a reader in memory or on vpcd.
// A card that is torn leaves its slot by itself.
type Slot interface {
	// Insert lays the card down. A reader behind vpcd sees it when its pcscd
	// polls, and when it comes up.
	Insert(p Program) error
	// Remove takes away what lies there; an empty slot is no error.
	Remove() error
	Present() bool
}

// memorySlot is a place on a reader in memory. Several may share one reader:
// two cards in one field.
type memorySlot struct {
	memory *reader.Memory
	name   string
	mu     sync.Mutex
	card   Program
}

// NewMemorySlot makes a place on that reader.
func NewMemorySlot(m *reader.Memory, name string) Slot {
	return &memorySlot{memory: m, name: name}
}

func (s *memorySlot) Insert(p Program) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.card != nil && s.memory.Lies(s.name, s.card) {
		return fmt.Errorf("reader %q: %w", s.name, ErrSlotTaken)
	}
	if err := s.memory.Insert(s.name, p); err != nil {
		return err
	}
	s.card = p
	return nil
}

func (s *memorySlot) Remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.card != nil {
		s.memory.Remove(s.name, s.card)
		s.card = nil
	}
	return nil
}

func (s *memorySlot) Present() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.card != nil && s.memory.Lies(s.name, s.card)
}

package virtual

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Store is where cards keep their EEPROM. Save is the commit of a card: when it
// returns nil the bytes survive whatever happens, when it fails the old ones
// stand. Load of a card that was never saved fails with fs.ErrNotExist.
type Store interface {
	Load(card string) ([]byte, error)
	Save(card string, eeprom []byte) error
}

// MemoryStore keeps EEPROMs for the life of the process.
type MemoryStore struct {
	mu    sync.Mutex
	cards map[string][]byte
}

// NewMemoryStore makes an empty store.
func NewMemoryStore() *MemoryStore { return &MemoryStore{cards: map[string][]byte{}} }

// Load implements Store.
func (s *MemoryStore) Load(card string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.cards[card]
	if !ok {
		return nil, fmt.Errorf("card %q: %w", card, fs.ErrNotExist)
	}
	return slices.Clone(b), nil
}

// Save implements Store.
func (s *MemoryStore) Save(card string, eeprom []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cards[card] = slices.Clone(eeprom)
	return nil
}

// maxEEPROM bounds a card's file in bytes.
const maxEEPROM = 1 << 16

// DirStore keeps one file for each card in a directory: written beside, synced,
// renamed over, directory synced.
type DirStore struct {
	dir string
	mu  sync.Mutex
}

// NewDirStore makes the directory if it is not there.
func NewDirStore(dir string) (*DirStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("card store: %w", err)
	}
	return &DirStore{dir: dir}, nil
}

func (s *DirStore) path(card string) (string, error) {
	if card == "" || len(card) > 100 || card != filepath.Base(card) || card[0] == '.' {
		return "", fmt.Errorf("card store: %q is no card name", card)
	}
	return filepath.Join(s.dir, card+".json"), nil
}

// Load implements Store.
func (s *DirStore) Load(card string) ([]byte, error) {
	path, err := s.path(card)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("card store: %w", err)
	}
	if info.Size() > maxEEPROM {
		return nil, fmt.Errorf("card store: %s has %d bytes", path, info.Size())
	}
	return os.ReadFile(path)
}

// Save implements Store.
func (s *DirStore) Save(card string, eeprom []byte) error {
	path, err := s.path(card)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := path + ".new"
	if err := writeSynced(fresh, eeprom); err != nil {
		return fmt.Errorf("card store: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("card store: %w", err)
	}
	dir, err := os.Open(s.dir)
	if err != nil {
		return fmt.Errorf("card store: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
)

// maxBodies bounds one commit.
const maxBodies = 4096

// Store is a journal that is open for appending. One process has it at a time.
type Store struct {
	Reader
	file     *os.File // shared with bbolt, which closes it
	bolt     *bolt.DB
	pageSize int
	clock    func() time.Time
	log      *slog.Logger
	step     func(name string) error
	keep     sync.Mutex // one of Archive, Compact at a time

	use sync.RWMutex // held for reading by every call, for writing by Close

	write      sync.Mutex // one append at a time
	mu         sync.Mutex // guards the fields below
	closed     bool
	failed     error
	tail       point
	checkpoint uint64
	secured    int64 // the file has blocks up to here
}

// Tail gives number and hash of the last entry, without touching the disk.
func (s *Store) Tail() (seq uint64, hash entry.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tail.seq, s.tail.hash
}

// Failed gives the error that ended appending, nil while it is possible.
func (s *Store) Failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Append adds entries in one commit and returns when it is on the disk. The
// entries stand in the order of the bodies. After an error that is ErrFailed
// the entries may be durable or not, and nothing more can be added until the
// store has been opened again; after any other error nothing was written.
func (s *Store) Append(bodies ...entry.Body) ([]entry.Entry, error) {
	if len(bodies) == 0 || len(bodies) > maxBodies {
		return nil, fmt.Errorf("append %d entries: from 1 to %d are possible", len(bodies), maxBodies)
	}
	for _, b := range bodies {
		if b.Kind() == entry.KRestored { // the mark of the epoch belongs to it
			return nil, fmt.Errorf("append %s: only a restore writes it", entry.KRestored)
		}
	}
	s.write.Lock()
	defer s.write.Unlock()
	tail, checkpoint := s.tail, s.checkpoint // only changed under s.write
	list := make([]entry.Entry, 0, len(bodies))
	raws := make([][]byte, 0, len(bodies))
	now := s.clock()
	for _, body := range bodies {
		e, raw, hash, err := entry.Seal(tail.seq+1, tail.hash, now, body)
		if err != nil {
			return nil, err
		}
		tail = point{e.Seq, hash}
		if e.Kind == entry.KCheckpoint {
			checkpoint = e.Seq
		}
		list, raws = append(list, e), append(raws, raw)
	}
	if err := s.commitEntries(raws, tail, checkpoint); err != nil {
		return nil, err
	}
	return list, nil
}

// commitEntries writes sealed entries that end at tail. The caller holds
// s.write.
func (s *Store) commitEntries(raws [][]byte, tail point, checkpoint uint64) error {
	first := tail.seq - uint64(len(raws)) + 1
	err := s.commit(func(tx *bolt.Tx) error {
		entries, marks := tx.Bucket(bucketEntries), tx.Bucket(bucketMarks)
		entries.FillPercent = 1 // keys only ever grow: a page that was split is never added to again
		for i, raw := range raws {
			if err := entries.Put(seqKey(first+uint64(i)), raw); err != nil {
				return err
			}
		}
		if checkpoint != s.checkpoint {
			if err := marks.Put(keyCheckpoint, seqKey(checkpoint)); err != nil {
				return err
			}
		}
		return marks.Put(keyTail, tail.bytes())
	})
	if err != nil {
		return fmt.Errorf("append entries %d to %d: %w", first, tail.seq, err)
	}
	s.mu.Lock()
	s.tail, s.checkpoint = tail, checkpoint
	s.mu.Unlock()
	return nil
}

// SetMark keeps number and hash of the last entry that the host has
// acknowledged. It may go back, when the host asks for entries again.
func (s *Store) SetMark(seq uint64, hash entry.Hash) error {
	s.write.Lock()
	defer s.write.Unlock()
	mark := point{seq, hash}
	if seq > 0 {
		if _, _, own, err := s.Entry(seq); err != nil {
			return err
		} else if own != hash {
			return fmt.Errorf("the host acknowledged another entry %d than the one in this journal", seq)
		}
	}
	return s.commit(func(tx *bolt.Tx) error {
		if seq == 0 {
			return tx.Bucket(bucketMarks).Delete(keyAck)
		}
		return tx.Bucket(bucketMarks).Put(keyAck, mark.bytes())
	})
}

// commit runs one bbolt transaction. Any error ends appending for good: after
// a failed fsync nobody knows what is on the disk.
func (s *Store) commit(act func(*bolt.Tx) error) error {
	s.use.RLock()
	defer s.use.RUnlock()
	s.mu.Lock()
	failed, closed := s.failed, s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if failed != nil {
		return failed
	}
	err := guarded("commit", func() error { return s.bolt.Update(act) })
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	s.mu.Lock()
	s.failed = err
	s.mu.Unlock()
	s.log.Error("journal cannot be written", "path", s.path, "err", err)
	return err
}

// LastCheckpoint gives the last checkpoint; false if there is none yet.
func (s *Store) LastCheckpoint() (entry.Entry, bool, error) {
	s.mu.Lock()
	seq := s.checkpoint
	s.mu.Unlock()
	if seq == 0 {
		return entry.Entry{}, false, nil
	}
	e, _, _, err := s.Entry(seq)
	return e, err == nil, err
}

// Stats of the journal as it is now.
func (s *Store) Stats() (st Stats, err error) {
	err = s.look(func(v view) error {
		st, err = v.stats(s.file)
		return err
	})
	if err == nil && st.UsedBytes > 0 {
		b := s.bolt.Stats()
		st.FreeRatio = float64(b.FreePageN+b.PendingPageN) * float64(s.pageSize) / float64(st.UsedBytes)
	}
	return st, at(s.path, err)
}

// Close waits for the calls that are under way and gives the file free.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.use.Lock()
	defer s.use.Unlock()
	return guarded("close", s.bolt.Close)
}

// state runs a function on the state as of now, held still by a read
// transaction.
func (s *Store) state(fn func(view) error) error {
	s.use.RLock()
	defer s.use.RUnlock()
	return s.held(fn)
}

// held is state for a caller that holds s.use.
func (s *Store) held(fn func(view) error) error {
	for try := 0; ; try++ {
		tx, err := s.bolt.Begin(false)
		if errors.Is(err, bolt.ErrDatabaseNotOpen) {
			return ErrClosed
		}
		if err != nil {
			return err
		}
		v := viewOf(tx, s.file, s.pageSize)
		if v.freelist == noFreelist && try < 3 { // commits came in between
			tx.Rollback()
			continue
		}
		defer tx.Rollback()
		return fn(v)
	}
}

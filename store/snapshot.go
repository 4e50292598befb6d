package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"buka/internal/entry"
)

// Snapshot is a private copy of a journal as it was at one moment. Reading it
// never gets in the way of the kiosk: it holds no lock, however long somebody
// looks at it.
type Snapshot struct {
	Reader
	file  *os.File // has no name any more
	found metas
	tail  point
}

// snapshotWait is how long OpenSnapshot waits for a kiosk that is just
// starting or another command that is just copying.
var snapshotWait = 3 * time.Second

// OpenSnapshot copies the journal at path, live or not: from the station that
// has it open (ServeSnapshots), or else from the file under its lock. A plain
// copy of a live file could mix pages of several commits. It gives ErrAbsent,
// ErrLost, ErrLocked or *ErrDamaged; what is damaged further inside, reading
// and Verify say. The copy lies in the directory for temporary files until
// Close.
func OpenSnapshot(path string) (*Snapshot, error) {
	if there, err := exists(path); err != nil {
		return nil, err
	} else if !there {
		if begun, _ := exists(idPath(path)); begun {
			return nil, fmt.Errorf("%s: %w", path, ErrLost)
		}
		return nil, fmt.Errorf("%s: %w", path, ErrAbsent)
	}
	tmp, err := os.CreateTemp("", "journal-snapshot-*")
	if err != nil {
		return nil, fmt.Errorf("room for a copy of the journal: %w", err)
	}
	if err := os.Remove(tmp.Name()); err != nil { // it goes when it is closed, or when we die
		tmp.Close()
		return nil, fmt.Errorf("room for a copy of the journal: %w", err)
	}
	s := &Snapshot{file: tmp}
	s.Reader = Reader{path: path, archives: archivesOf(path), look: func(fn func(view) error) error { return fn(s.found.current.view(tmp)) }}
	if err := s.load(); err != nil {
		tmp.Close()
		return nil, at(path, err)
	}
	return s, nil
}

func (s *Snapshot) load() (err error) {
	for deadline := time.Now().Add(snapshotWait); ; time.Sleep(50 * time.Millisecond) {
		err = copyFile(s.file, s.path)
		if errors.Is(err, ErrLocked) {
			err = fetch(s.file, SocketPath(s.path))
		}
		if err == nil {
			break
		}
		if !errors.Is(err, ErrLocked) || time.Now().After(deadline) {
			return err
		}
	}
	if s.found, err = checkFile(s.file); err != nil {
		return err
	}
	return s.look(func(v view) (err error) {
		s.tail, err = v.tail()
		return err
	})
}

// copyFile copies a journal that nobody writes to.
func copyFile(to *os.File, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	defer from.Close()
	if err := lock(from, unix.LOCK_SH); err != nil {
		return err
	}
	if still, err := isStill(from, path); err != nil {
		return err
	} else if !still {
		return ErrLocked // another file took its name: look again
	}
	return restart(to, func() error {
		_, err := io.Copy(to, from)
		return err
	})
}

// restart writes a file from its beginning.
func restart(to *os.File, write func() error) error {
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := errors.Join(to.Truncate(0), write()); err != nil {
		return fmt.Errorf("copy the journal: %w", err)
	}
	return nil
}

// Tail gives number and hash of the last entry in the snapshot.
func (s *Snapshot) Tail() (seq uint64, hash entry.Hash) { return s.tail.seq, s.tail.hash }

// LastCheckpoint gives the last checkpoint; false if there is none yet.
func (s *Snapshot) LastCheckpoint() (e entry.Entry, ok bool, err error) {
	var seq uint64
	err = s.look(func(v view) error {
		seq, _, err = v.checkpoint()
		return err
	})
	if err != nil || seq == 0 {
		return entry.Entry{}, false, at(s.path, err)
	}
	e, _, _, err = s.Entry(seq)
	return e, err == nil, err
}

// Verify reads the whole file: the two meta pages, every page, every entry,
// the marks; then bbolt's own check looks at it as a second opinion. ctx ends
// the first part.
func (s *Snapshot) Verify(ctx context.Context, progress func(done, total uint64)) error {
	if s.found.damaged >= 0 {
		d := damaged(0, "meta page %d is damaged: the last commit may be missing from what can be read", s.found.damaged)
		d.Advice = "copy the data directory aside, then start the kiosk: it finds the last entries in the file and keeps them, or says why not"
		return at(s.path, d)
	}
	if err := s.Reader.Verify(ctx, progress); err != nil {
		return err
	}
	begun, err := s.Begun()
	if err != nil {
		return err
	}
	is := identity{Epoch: begun.Epoch.String(), Kiosk: begun.Kiosk}
	if _, err := is.check(s.path, s.wasEpoch()); errors.As(err, new(*ErrDamaged)) {
		return at(s.path, err) // a file that is not there or cannot be read says nothing about the journal
	}
	return at(s.path, s.secondOpinion())
}

// wasEpoch gives the epoch before the last restore, "" if there was none.
func (s *Snapshot) wasEpoch() (was string) {
	_ = s.look(func(v view) error {
		o, err := v.origin()
		was = o.was.String()
		return err
	})
	return was
}

func (s *Snapshot) secondOpinion() error {
	return guarded("check the file", func() error {
		file, err := reopen(s.file)
		if err != nil {
			return err
		}
		db, err := bolt.Open(s.path, 0, &bolt.Options{ReadOnly: true, Timeout: time.Second,
			OpenFile: func(string, int, fs.FileMode) (*os.File, error) { return file, nil }})
		if err != nil {
			file.Close()
			return damaged(0, "bbolt cannot open it: %w", err)
		}
		defer db.Close()
		return db.View(func(tx *bolt.Tx) (first error) {
			for err := range tx.Check() {
				if first == nil {
					first = damaged(0, "bbolt says: %w", err)
				}
			}
			return first
		})
	})
}

// reopen gives the same open file again, for bbolt to close.
func reopen(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the copy again: %w", err)
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// Stats of the journal at the moment of the snapshot; FileBytes is the copy's.
func (s *Snapshot) Stats() (st Stats, err error) {
	err = s.look(func(v view) error {
		st, err = v.stats(s.file)
		return err
	})
	return st, at(s.path, err)
}

// Close gives the copy's room back.
func (s *Snapshot) Close() error { return s.file.Close() }

// fetch asks the station that has the journal open. ErrLocked: none answers.
func fetch(to *os.File, socket string) error {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return fmt.Errorf("%w (no station answers at %s: %v)", ErrLocked, socket, err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(streamTime))
	size, err := readGreeting(conn)
	if err != nil {
		return fmt.Errorf("ask the station for its journal: %w", err)
	}
	return restart(to, func() error {
		_, err := io.CopyN(to, conn, size)
		return err
	})
}

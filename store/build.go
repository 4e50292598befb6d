package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
)

// builder writes a whole journal file entry by entry, under a name that is not
// the journal's. It syncs once, at the end: until then the file is nothing.
type builder struct {
	bolt       *bolt.DB
	at         point
	is         origin
	checkpoint uint64
	raws       [][]byte
	size       int
}

const (
	buildEntries = 4096
	buildBytes   = 4 << 20
)

// newBuilder begins a file that goes on from an anchor, in an empty file that
// the caller has locked and that bbolt closes.
func newBuilder(file *os.File, a anchor) (*builder, error) {
	options := boltOptions()
	options.OpenFile = func(string, int, fs.FileMode) (*os.File, error) { return file, nil }
	options.NoSync = true // the file has no name yet; finish syncs it
	db, err := bolt.Open(file.Name(), 0o600, options)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	db.AllocSize = growBytes
	db.NoGrowSync = true
	b := &builder{bolt: db, at: a.point(), is: originOf(a)}
	err = db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucket(bucketEntries); err != nil {
			return err
		}
		marks, err := tx.CreateBucket(bucketMarks)
		if err != nil || a.Seq == 0 {
			return err
		}
		raw, err := entry.Marshal(a)
		if err != nil {
			return err
		}
		return marks.Put(keyAnchor, raw)
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

// add takes the entry that follows; raw must not change until the next flush.
func (b *builder) add(raw []byte) (entry.Entry, error) {
	e, err := b.at.next(seqKey(b.at.seq+1), raw)
	if err != nil {
		return e, err
	}
	if err := b.is.follow(e); err != nil {
		return e, err
	}
	if e.Kind == entry.KCheckpoint {
		b.checkpoint = e.Seq
	}
	b.raws = append(b.raws, raw)
	if b.size += len(raw); len(b.raws) >= buildEntries || b.size >= buildBytes {
		return e, b.flush()
	}
	return e, nil
}

func (b *builder) flush() error {
	if len(b.raws) == 0 {
		return nil
	}
	first := b.at.seq - uint64(len(b.raws)) + 1
	err := b.bolt.Update(func(tx *bolt.Tx) error {
		entries := tx.Bucket(bucketEntries)
		entries.FillPercent = 1
		for i, raw := range b.raws {
			if err := entries.Put(seqKey(first+uint64(i)), raw); err != nil {
				return err
			}
		}
		return nil
	})
	clear(b.raws)
	b.raws, b.size = b.raws[:0], 0
	return err
}

// finish writes the marks and makes the file durable. ack with number 0: none.
func (b *builder) finish(ack point) error {
	if err := b.flush(); err != nil {
		return err
	}
	err := b.bolt.Update(func(tx *bolt.Tx) error {
		marks := tx.Bucket(bucketMarks)
		err := errors.Join(marks.Put(keyTail, b.at.bytes()), marks.Put(keyCheckpoint, seqKey(b.checkpoint)))
		if b.is.restored > 0 {
			err = errors.Join(err, marks.Put(keyEpoch, seqKey(b.is.restored)))
		}
		if ack.seq > 0 {
			err = errors.Join(err, marks.Put(keyAck, ack.bytes()))
		}
		return err
	})
	if err != nil {
		return err
	}
	b.bolt.NoSync, b.bolt.NoGrowSync = false, false
	return b.bolt.Sync()
}

func (b *builder) close() error { return guarded("close", b.bolt.Close) }

// freshFile makes an empty locked file beside the journal, over what a crash
// may have left under its name.
func freshFile(path string) (*os.File, error) {
	if err := removeIfThere(path); err != nil {
		return nil, fmt.Errorf("remove what a crash left: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(file, lockExclusive); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// inPlace reads a journal file where it lies, without a copy. Nobody may write
// to it meanwhile.
func inPlace(path string) (*Snapshot, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{file: file}
	s.Reader = Reader{path: path, archives: archivesOf(path), look: func(fn func(view) error) error { return fn(s.found.current.view(file)) }}
	if s.found, err = checkFile(file); err == nil {
		err = s.look(func(v view) (err error) {
			s.tail, err = v.tail()
			return err
		})
	}
	if err != nil {
		file.Close()
		return nil, at(path, err)
	}
	return s, nil
}

// room gives the bytes that a directory's disk has left for us, and an error
// if it has less than want.
func room(dir string, want int64) error {
	free, err := roomOf(dir)
	if err != nil {
		return err
	}
	if free < uint64(max(want, 0)) {
		return fmt.Errorf("%w (%s has %d bytes left, %d are wanted)", ErrNoRoom, filepath.Clean(dir), free, want)
	}
	return nil
}

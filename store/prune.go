package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
)

// ArchivePolicy says what Archive may take out of the journal. Whatever it
// says, only entries stay out that the host has acknowledged and that lie
// before the last checkpoint: nothing that a restart or the host needs.
type ArchivePolicy struct {
	Age   time.Duration // only entries that are older; 0: of any age
	Keep  uint64        // the newest so many stay
	Least uint64        // nothing is done for fewer than these; 0: 1
}

const (
	archiveMost = 1 << 15 // entries of one archive
	pruneMost   = 1 << 10 // entries that one commit removes: appends wait for so long
)

// Archive moves old entries to compressed files beside the journal and gives
// how many. An archive is durable and has been read back before the first of
// its entries leaves the journal; they leave in commits that move the anchor
// with them. A crash anywhere leaves each entry in the journal, in an archive,
// or in both, and the next call goes on.
func (s *Store) Archive(ctx context.Context, p ArchivePolicy) (moved uint64, err error) {
	s.keep.Lock()
	defer s.keep.Unlock()
	a, limit, err := s.archivable(p)
	if err != nil || limit < a.Seq+max(p.Least, 1) {
		return 0, at(s.path, err)
	}
	for a.Seq < limit {
		span, err := s.archived(ctx, a, min(limit, a.Seq+archiveMost))
		if err != nil {
			return moved, at(s.path, err)
		}
		for a.Seq < min(span.last, limit) {
			to := min(span.last, limit, a.Seq+pruneMost)
			next, err := s.prune(ctx, a, to, span)
			if err != nil {
				return moved, at(s.path, err)
			}
			moved += next.Seq - a.Seq
			a = next
		}
	}
	return moved, nil
}

// archivable gives the anchor and the last entry that the policy lets go.
func (s *Store) archivable(p ArchivePolicy) (a anchor, limit uint64, err error) {
	tail, _ := s.Tail()
	ack, _, err := s.Mark()
	if err != nil {
		return a, 0, err
	}
	s.mu.Lock()
	checkpoint := s.checkpoint
	s.mu.Unlock()
	err = s.look(func(v view) error {
		a, err = v.anchor()
		return err
	})
	// The entry that the host acknowledged last stays, so does the checkpoint.
	limit = min(ack, checkpoint, tail-min(tail, p.Keep)+1)
	if err != nil || limit < 1 || limit-1 <= a.Seq {
		return a, a.Seq, err
	}
	limit--
	if p.Age > 0 {
		limit, err = s.olderThan(a, limit, p.Age)
	}
	return a, limit, err
}

// olderThan ends before the first entry that is too young. A time in the future
// is of a clock that was wrong; the entry counts as old.
func (s *Store) olderThan(a anchor, limit uint64, age time.Duration) (uint64, error) {
	now := s.clock()
	last := a.Seq
	err := s.Each(a.Seq+1, func(e entry.Entry, _ []byte) error {
		if old := now.Sub(e.Time()); e.Seq > limit || old >= 0 && old < age {
			return errStop
		}
		last = e.Seq
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return last, err
}

// archived gives a verified archive that begins after the anchor: the one that
// a crash left, or a new one up to an entry.
func (s *Store) archived(ctx context.Context, a anchor, to uint64) (archiveSpan, error) {
	span, err := s.archives.holding(a.Seq + 1)
	switch {
	case err == nil && s.fits(span, a) == nil:
		return span, syncDir(s.archives.dir) // whoever named it may have failed to sync that
	case err == nil: // of another past, or damaged: it is in nobody's way there
		if _, err := setAside(s.path, filepath.Join(s.archives.dir, span.name), "an archive that does not belong to the journal"); err != nil {
			return span, err
		}
	case !errors.Is(err, ErrNoArchive):
		return span, err
	}
	span = archiveSpan{name: archiveName(a.Seq+1, to), first: a.Seq + 1, last: to}
	if err := makeDir(s.archives.dir); err != nil {
		return span, err
	}
	path := filepath.Join(s.archives.dir, span.name)
	if err := s.writeArchive(ctx, path+".new", a, to); err != nil {
		return span, errors.Join(fmt.Errorf("write archive %s: %w", span.name, err), removeIfThere(path+".new"))
	}
	if err := s.step("archive-written"); err != nil {
		return span, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return span, err
	}
	if err := syncDir(s.archives.dir); err != nil {
		return span, err
	}
	if err := s.step("archive-named"); err != nil {
		return span, err
	}
	return span, s.fits(span, a)
}

func (s *Store) writeArchive(ctx context.Context, path string, a anchor, to uint64) (err error) {
	w, err := newArchive(path, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	err = s.Each(a.Seq+1, func(e entry.Entry, raw []byte) error {
		if e.Seq > to {
			return errStop
		}
		return errors.Join(w.add(raw), ctx.Err())
	})
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	return w.finish()
}

// fits reads an archive back: it follows from the anchor, and its last entry
// is the journal's own. As both are chains, so are all between.
func (s *Store) fits(span archiveSpan, a anchor) error {
	return s.archives.with(span, func(f archiveFile) error {
		if f.index.First > a.Seq+1 {
			return damaged(f.index.First, "it does not follow from entry %d", a.Seq)
		}
		is := originOf(a)
		var mine entry.Hash
		err := s.look(func(v view) error {
			p, err := v.before(f.index.Last + 1)
			mine = p.hash
			return err
		})
		if err != nil {
			return err
		}
		if f.index.Hash != mine {
			return damaged(f.index.Last, "it is not the journal's entry")
		}
		if f.index.First < a.Seq+1 {
			is.epoch = [16]byte(f.index.Epoch) // its beginning was read when it was written
		}
		_, err = f.each(is, func(entry.Entry, []byte) error { return nil })
		return err
	})
}

// prune removes the entries after the anchor up to one that an archive holds,
// in one commit. Each is compared with the archive right before it goes.
func (s *Store) prune(ctx context.Context, a anchor, to uint64, span archiveSpan) (anchor, error) {
	next, err := s.compared(a, to, span)
	if err != nil {
		return a, err
	}
	b, err := entry.Marshal(next)
	if err != nil {
		return a, err
	}
	if err := ctx.Err(); err != nil {
		return a, err
	}
	s.write.Lock()
	defer s.write.Unlock()
	err = s.commit(func(tx *bolt.Tx) error {
		entries := tx.Bucket(bucketEntries)
		for seq := a.Seq + 1; seq <= next.Seq; seq++ {
			if err := entries.Delete(seqKey(seq)); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMarks).Put(keyAnchor, b)
	})
	if err != nil {
		return a, fmt.Errorf("take entries %d to %d out of the journal: %w", a.Seq+1, next.Seq, err)
	}
	return next, s.step("archive-pruned")
}

// compared gives the anchor after an entry, if journal and archive agree.
func (s *Store) compared(a anchor, to uint64, span archiveSpan) (anchor, error) {
	is, p := originOf(a), a.point()
	archived := anchor{Seq: to} // any hash: it is compared here
	err := s.look(func(v view) error {
		return v.each(a.Seq+1, func(e entry.Entry, raw []byte) error {
			if e.Seq > to {
				return errStop
			}
			if _, err := p.next(seqKey(e.Seq), raw); err != nil {
				return err
			}
			return is.follow(e)
		})
	})
	if err != nil {
		return a, err
	}
	next := anchor{p.seq, p.hash, is.kiosk, is.epoch[:]}
	if next.Seq != to {
		return a, damaged(next.Seq+1, "the entry is missing")
	}
	archived.Hash = next.Hash
	q := a.point()
	for q.seq < to {
		raws, err := s.archives.read(q.seq+1, archived, pruneMost, 16<<20)
		if err != nil {
			return a, err
		}
		for _, raw := range raws {
			if _, err := q.next(seqKey(q.seq+1), raw); err != nil {
				return a, inArchive(span.name, err)
			}
		}
		if len(raws) == 0 {
			return a, fmt.Errorf("entry %d: %w", q.seq+1, ErrNoArchive)
		}
	}
	if q != p {
		return a, inArchive(span.name, damaged(q.seq, "it is not the journal's entry"))
	}
	return next, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

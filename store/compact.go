package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"buka/internal/entry"
)

// CompactReport says what Compact did.
type CompactReport struct {
	Before, After int64         // bytes of the file
	Copied        uint64        // last entry that was copied beside appends
	Late          uint64        // entries that came meanwhile and were copied while appends waited
	Took, Blocked time.Duration // in all; while appends and readers waited
}

// ErrBusy: the journal is being read, and compaction does not make anybody
// wait. Try again later.
var ErrBusy = errors.New("somebody reads the journal: try again later")

const (
	lateMost   = 4096                   // entries that may be copied while appends wait
	readerWait = 200 * time.Millisecond // for those who read, at the end
)

func compactPath(path string) string { return path + ".compact" }

// Compact writes the journal anew without its free pages and puts that file in
// place of the old one. Appends go on while it copies; they wait only for the
// entries that came meanwhile, and the change of names. Until the new file has
// taken the name, after it was read back whole and synced, the old one is the
// journal; both hold every entry, so a crash or an error at any point loses
// nothing. Readers that take long make it give up with ErrBusy.
func (s *Store) Compact(ctx context.Context) (rep CompactReport, err error) {
	s.keep.Lock()
	defer s.keep.Unlock()
	began := time.Now()
	before, err := s.Stats()
	if err != nil {
		return rep, err
	}
	rep.Before = before.FileBytes
	if err := room(filepath.Dir(s.path), before.UsedBytes+2*WorstSale); err != nil {
		return rep, err
	}
	path := compactPath(s.path)
	b, file, err := s.copyOut(ctx, path)
	if err != nil {
		return rep, errors.Join(fmt.Errorf("compact the journal: %w", err), removeIfThere(path))
	}
	rep.Copied = b.at.seq
	if err = s.step("compact-copied"); err == nil {
		err = s.swap(b, file, &rep)
	}
	if err != nil {
		return rep, errors.Join(fmt.Errorf("compact the journal: %w", err), b.close(), removeIfThere(path))
	}
	after, err := s.Stats()
	rep.After, rep.Took = after.FileBytes, time.Since(began)
	return rep, err
}

// copyOut copies what is there now, and reads the copy back.
func (s *Store) copyOut(ctx context.Context, path string) (b *builder, file *os.File, err error) {
	file, err = freshFile(path)
	if err != nil {
		return nil, nil, err
	}
	var a anchor
	if err := s.look(func(v view) (err error) { a, err = v.anchor(); return err }); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	if b, err = newBuilder(file, a); err != nil {
		return nil, nil, err
	}
	to, _ := s.Tail()
	err = s.Each(a.Seq+1, func(e entry.Entry, raw []byte) error {
		if e.Seq > to {
			return errStop
		}
		_, err := b.add(raw)
		return errors.Join(err, ctx.Err())
	})
	if err == nil || errors.Is(err, errStop) {
		err = b.finish(point{})
	}
	if err == nil {
		err = verifyBuilt(ctx, path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, b.close())
	}
	return b, file, nil
}

// verifyBuilt reads a file back that was built beside a journal. Its archives
// are not read: nothing about them has changed.
func verifyBuilt(ctx context.Context, path string) error {
	snap, err := inPlace(path)
	if err != nil {
		return err
	}
	defer snap.Close()
	return at(path, snap.look(func(v view) error { return v.verify(ctx, nil) }))
}

// swap brings the copy up to date and makes it the journal.
func (s *Store) swap(b *builder, file *os.File, rep *CompactReport) error {
	if err := s.catchUp(b, lateMost); err != nil { // most of what came meanwhile, while appends go on
		return err
	}
	blocked := time.Now()
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.Failed(); err != nil {
		return err
	}
	if !s.useAlone() {
		return ErrBusy
	}
	defer s.use.Unlock()
	defer func() { rep.Blocked = time.Since(blocked) }()
	tail := s.tail
	if tail.seq-b.at.seq > lateMost {
		return ErrBusy
	}
	rep.Late = tail.seq - rep.Copied
	if err := s.lastEntries(b); err != nil {
		return err
	}
	if err := s.step("compact-complete"); err != nil {
		return err
	}
	if b.at != tail || b.checkpoint != s.checkpoint {
		return fmt.Errorf("the copy ends with entry %d and the journal with %d", b.at.seq, tail.seq)
	}
	if err := os.Rename(compactPath(s.path), s.path); err != nil {
		return err
	}
	old := s.bolt
	s.bolt, s.file, s.pageSize, s.secured = b.bolt, file, b.bolt.Info().PageSize, 0
	err := syncDir(filepath.Dir(s.path))
	if err == nil {
		err = s.step("compact-renamed")
	}
	if err != nil { // either file may have the name; both are whole, and nothing may be added to one of them
		s.mu.Lock()
		s.failed = fmt.Errorf("%w: compaction: %w", ErrFailed, err)
		s.mu.Unlock()
	}
	if err := guarded("close", old.Close); err != nil {
		s.log.Warn("the old file of the journal was not closed", "err", err)
	}
	return nil
}

// useAlone waits a little for the calls that are under way.
func (s *Store) useAlone() bool {
	for deadline := time.Now().Add(readerWait); ; time.Sleep(time.Millisecond) {
		if s.use.TryLock() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// catchUp copies the entries that came since, and syncs them.
func (s *Store) catchUp(b *builder, enough uint64) error {
	for {
		tail, _ := s.Tail()
		if tail-b.at.seq <= enough/64 {
			break
		}
		err := s.Each(b.at.seq+1, func(e entry.Entry, raw []byte) error {
			if e.Seq > tail {
				return errStop
			}
			_, err := b.add(raw)
			return err
		})
		if err != nil && !errors.Is(err, errStop) {
			return err
		}
	}
	return b.finish(point{})
}

// lastEntries copies the rest and the mark of the host. The caller holds all
// locks.
func (s *Store) lastEntries(b *builder) error {
	var ack point
	err := s.held(func(v view) (err error) {
		if ack, err = v.acknowledged(); err != nil {
			return err
		}
		if b.at.seq == s.tail.seq {
			return nil
		}
		return v.each(b.at.seq+1, func(_ entry.Entry, raw []byte) error {
			_, err := b.add(raw)
			return err
		})
	})
	if err != nil {
		return err
	}
	return b.finish(ack)
}

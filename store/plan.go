package store

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"buka/internal/entry"
)

// planned is a restore before anything is changed.
type planned struct {
	path     string
	archives *archives
	damaged  *salvage  // nil: the file is gone
	backup   *Snapshot // nil: none can be used
	from     anchor    // the new journal begins after this entry
	rep      RestoreReport
}

func (p *planned) close() error {
	var err error
	if p.damaged != nil {
		err = p.damaged.close()
	}
	if p.backup != nil {
		err = errors.Join(err, p.backup.Close())
	}
	return err
}

func plan(ctx context.Context, path string, o RestoreOptions) (*planned, error) {
	p := &planned{path: path, archives: archivesOf(path)}
	p.rep.Kiosk = o.Kiosk
	if id, err := readID(idPath(path)); err == nil {
		_ = p.rep.Was.UnmarshalText([]byte(id.Epoch))
		if p.rep.Kiosk == "" {
			p.rep.Kiosk = id.Kiosk
		}
	}
	s, err := openSalvage(path)
	switch {
	case err == nil:
		p.damaged = s
		p.rep.Mark, p.rep.Highest = s.mark.seq, s.highest()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := p.well(ctx); err == nil && !o.Force {
		return nil, errors.Join(ErrWell, p.close())
	}
	if err := p.chooseBackup(ctx, o); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if err := p.chooseStart(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if p.rep.Kiosk == "" {
		return nil, errors.Join(errors.New("whose journal is this? give the kiosk's id"), p.close())
	}
	return p, nil
}

// well says whether the journal that is here verifies as it is.
func (p *planned) well(ctx context.Context) error {
	snap, err := inPlace(p.path)
	if err != nil {
		return err
	}
	defer snap.Close()
	if snap.found.damaged >= 0 {
		return damaged(0, "a meta page is damaged")
	}
	return snap.Reader.Verify(ctx, nil) // bbolt's opinion would want the lock that we hold
}

// chooseStart compares the ways to begin (the backup; the archives alone; entry
// 1 of the damaged file) and takes the one that leads furthest.
func (p *planned) chooseStart() error {
	type way struct {
		from, last point
		start      anchor
		is         origin
		backup     bool
	}
	var ways []way
	if p.backup != nil {
		w := way{backup: true}
		err := p.backup.look(func(v view) (err error) {
			if w.start, err = v.anchor(); err == nil {
				w.is, err = v.origin()
			}
			return err
		})
		if err != nil {
			return err
		}
		w.from = p.backup.tail
		ways = append(ways, w)
	}
	if a, err := p.archivesEnd(); err == nil && a.Seq > 0 {
		ways = append(ways, way{start: a, is: originOf(a), from: a.point()})
	}
	ways = append(ways, way{})
	best := -1
	for i := range ways {
		w := &ways[i]
		var err error
		if w.last, err = p.extend(w.from, func(e entry.Entry, _ []byte) error { return w.is.follow(e) }); err != nil {
			return err
		}
		if w.last.seq > 0 && p.rep.Kiosk != "" && w.is.kiosk != p.rep.Kiosk {
			continue
		}
		if best < 0 || p.better(w.is, w.last, ways[best].is, ways[best].last) {
			best = i
		}
	}
	if best < 0 {
		best = len(ways) - 1
		ways[best] = way{}
	}
	w := ways[best]
	if !w.backup && p.backup != nil {
		err := p.backup.Close()
		p.backup = nil
		if err != nil {
			return err
		}
	}
	if p.backup != nil {
		p.rep.From, p.rep.FromSeq = filepath.Base(p.backup.path), p.backup.tail.seq
	}
	p.from = w.start
	p.rep.LastSeq, p.rep.LastHash = w.last.seq, w.last.hash
	if w.last.seq > 0 {
		p.rep.Was, p.rep.Kiosk = w.is.epoch[:], w.is.kiosk
	}
	p.rep.Lost = p.damaged == nil || !p.damaged.whole || p.damaged.bad > 0 || p.damaged.mark != w.last
	return nil
}

// better: of the epoch that was last here, then with more entries.
func (p *planned) better(is origin, last point, than origin, thanLast point) bool {
	a, b := string(is.epoch[:]) == string(p.rep.Was), string(than.epoch[:]) == string(p.rep.Was)
	if a != b {
		return a
	}
	return last.seq > thanLast.seq
}

// archivesEnd gives the anchor of a journal of which only the archives are
// left.
func (p *planned) archivesEnd() (a anchor, err error) {
	var at point
	var is origin
	for {
		s, err := p.archives.holding(at.seq + 1)
		if err != nil {
			break
		}
		err = p.archives.with(s, func(f archiveFile) (err error) {
			if f.index.First != at.seq+1 || f.index.Prev != at.hash {
				return damaged(at.seq+1, "it does not follow from entry %d", at.seq)
			}
			if is, err = f.each(is, func(entry.Entry, []byte) error { return nil }); err == nil {
				at, a = point{f.index.Last, f.index.Hash}, f.index.end()
			}
			return err
		})
		if err != nil {
			break
		}
	}
	return a, nil
}

// extend calls fn for every entry that follows p in the archives and in the
// damaged file.
func (p *planned) extend(from point, fn func(e entry.Entry, raw []byte) error) (point, error) {
	for {
		begin := from
		var err error
		if from, err = p.extendByArchive(from, fn); err != nil {
			return from, err
		}
		if p.damaged != nil {
			if from, err = p.damaged.follow(from, fn); err != nil {
				return from, err
			}
		}
		if from == begin {
			return from, nil
		}
	}
}

func (p *planned) extendByArchive(from point, fn func(e entry.Entry, raw []byte) error) (point, error) {
	s, err := p.archives.holding(from.seq + 1)
	if err != nil {
		return from, nil
	}
	var failed error
	_ = p.archives.with(s, func(f archiveFile) error { // what does not follow is not taken
		for i, b := range f.index.Blocks {
			if i+1 < len(f.index.Blocks) && f.index.Blocks[i+1].First <= from.seq+1 || b.First > from.seq+1 {
				continue
			}
			_, err := f.block(i, func(e entry.Entry, raw []byte) error {
				if e.Seq <= from.seq {
					return nil
				}
				if _, err := from.next(seqKey(from.seq+1), raw); err != nil {
					return err
				}
				failed = fn(e, raw)
				return failed
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return from, failed
}

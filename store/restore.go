package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"buka/internal/entry"
)

// RestoreOptions say what Restore may use.
type RestoreOptions struct {
	Options
	Backups []string // directories of backups; none: only what the damaged files still hold
	Why     string   // what was found wrong, for the journal
	// Force restores over a journal that verifies, for a person who knows why.
	Force bool
}

// RestoreReport says what was put back, or would be.
type RestoreReport struct {
	From     string // name of the backup; "": none could be used
	FromSeq  uint64 // its last entry
	LastSeq  uint64 // last entry that was put back: of the backup, and of what the damaged files hold after it
	LastHash entry.Hash
	Mark     uint64 // what the damaged file says that its last entry was; 0: it does not say
	Highest  uint64 // highest number that is seen in it, joined to the chain or not
	Lost     bool   // entries after LastSeq may have been there
	Epoch    [16]byte
	Was      entry.Hex // epoch before; empty: not known
	Kiosk    string
	Aside    string   // directory under AsideName that has the damaged file now
	Passed   []string // backups that could not be used, and why
}

// ErrWell: there is nothing to restore.
var ErrWell = errors.New("the journal verifies: there is nothing to restore")

func restorePath(path string) string { return path + ".restore" }

// Restore puts a journal together from the newest backup that verifies, the
// archives, and every entry of the damaged file that follows from them in the
// chain; ends it with an entry `restored` that begins a new epoch; puts the
// damaged file aside whole, and the new one in its place. Nothing is deleted.
// If nothing can be used it begins an empty journal, which says so too.
//
// It takes the lock of the journal. A crash at any point leaves the damaged
// journal in place, or the restored one.
func Restore(ctx context.Context, path string, o RestoreOptions) (RestoreReport, error) {
	return withPlan(ctx, path, o, func(p *planned, o RestoreOptions) error {
		if err := p.carryOut(ctx, o); err != nil {
			return fmt.Errorf("restore the journal: %w", err)
		}
		o.Logger.Warn("the journal was restored", "from", p.rep.From, "entries", p.rep.LastSeq, "lost", p.rep.Lost, "aside", p.rep.Aside, "because", o.Why)
		return nil
	})
}

// PlanRestore says what Restore would do, and changes nothing.
func PlanRestore(ctx context.Context, path string, o RestoreOptions) (RestoreReport, error) {
	return withPlan(ctx, path, o, func(*planned, RestoreOptions) error { return nil })
}

// withPlan has a restoration that was planned under all locks carried out.
func withPlan(ctx context.Context, path string, o RestoreOptions, then func(*planned, RestoreOptions) error) (RestoreReport, error) {
	o.Options = o.withDefaults()
	unlock, err := lockAll(path, o)
	if err != nil {
		return RestoreReport{}, err
	}
	defer unlock()
	p, err := plan(ctx, path, o)
	if err != nil {
		return RestoreReport{}, at(path, err)
	}
	err = errors.Join(then(p, o), p.close())
	return p.rep, err
}

// lockAll takes the directory against another restore, and the journal against
// a kiosk.
func lockAll(path string, o RestoreOptions) (unlock func(), err error) {
	dir, err := openLocked(filepath.Dir(path), o.LockWait)
	if err != nil {
		return nil, err
	}
	file, err := openLocked(path, o.LockWait)
	if errors.Is(err, fs.ErrNotExist) {
		return func() { dir.Close() }, nil
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return func() { file.Close(); dir.Close() }, nil
}

// carryOut writes the new file and changes the names.
func (p *planned) carryOut(ctx context.Context, o RestoreOptions) error {
	if p.backup != nil && p.from.Seq > 0 {
		if err := p.bringArchives(ctx); err != nil {
			return err
		}
	}
	fresh := restorePath(p.path)
	if err := p.build(fresh, o); err != nil {
		return errors.Join(err, removeIfThere(fresh))
	}
	if err := verifyBuilt(ctx, fresh); err != nil {
		return errors.Join(err, removeIfThere(fresh))
	}
	if err := o.step("restore-verified"); err != nil {
		return err
	}
	if p.damaged != nil {
		aside, err := linkAside(p.path, o.Why, o.Clock())
		if err != nil {
			return err
		}
		p.rep.Aside = aside
		if err := o.step("restore-aside"); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, p.path); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(p.path)); err != nil {
		return err
	}
	if err := o.step("restore-renamed"); err != nil {
		return err
	}
	err := writeID(idPath(p.path), identity{Epoch: hexEpoch(p.rep.Epoch), Kiosk: p.rep.Kiosk})
	return errors.Join(err, removeIfThere(markPath(p.path)))
}

// bringArchives puts the archives in place that the backup goes on from. One
// that is damaged or of another past is put aside.
func (p *planned) bringArchives(ctx context.Context) error {
	if p.archives.verify(ctx, p.from, func(uint64) {}) == nil {
		return nil
	}
	spans, err := p.archives.list()
	if err != nil {
		return err
	}
	for _, s := range spans {
		if p.backup.archives.with(s, func(archiveFile) error { return nil }) == nil && sameArchive(p.archives, p.backup.archives, s) {
			continue
		}
		if _, err := setAside(p.path, filepath.Join(p.archives.dir, s.name), "an archive that is damaged or is not of the backup that was restored"); err != nil {
			return err
		}
	}
	if _, err := copyArchives(ctx, p.backup.archives, p.archives, p.from.Seq, whole); err != nil {
		return err
	}
	return p.archives.verify(ctx, p.from, func(uint64) {})
}

// sameArchive says whether two copies of an archive are whole and the same.
func sameArchive(a, b *archives, s archiveSpan) bool {
	var x, y archiveIndex
	err1 := a.with(s, func(f archiveFile) error { x = f.index; return whole(f) })
	err2 := b.with(s, func(f archiveFile) error { y = f.index; return nil })
	return err1 == nil && err2 == nil && x.Prev == y.Prev && x.Hash == y.Hash
}

// build writes the new journal under a name of its own.
func (p *planned) build(path string, o RestoreOptions) error {
	file, err := freshFile(path)
	if err != nil {
		return err
	}
	b, err := newBuilder(file, p.from)
	if err != nil {
		return err
	}
	add := func(_ entry.Entry, raw []byte) error {
		_, err := b.add(raw)
		return err
	}
	if p.backup != nil {
		err = p.backup.Each(p.from.Seq+1, add)
	}
	if err == nil {
		_, err = p.extend(b.at, add)
	}
	if err == nil && (b.at.seq != p.rep.LastSeq || b.at.hash != p.rep.LastHash) {
		err = fmt.Errorf("entries up to %d were found, and %d could be copied", p.rep.LastSeq, b.at.seq)
	}
	if err == nil {
		err = p.end(b, o)
	}
	if err == nil {
		err = b.finish(point{})
	}
	return errors.Join(err, b.close())
}

// end adds what says that the journal was restored.
func (p *planned) end(b *builder, o RestoreOptions) error {
	rand.Read(p.rep.Epoch[:])
	now := o.Clock()
	r := entry.Restored{Epoch: p.rep.Epoch[:], Was: p.rep.Was, LastSeq: p.rep.LastSeq, Backup: p.rep.From,
		Why: clip(o.Why), Lost: p.rep.Lost}
	if p.rep.LastSeq > 0 {
		r.LastHash = p.rep.LastHash[:]
	} else if err := seal(b, now, entry.EpochBegun{Epoch: p.rep.Epoch[:], Kiosk: p.rep.Kiosk}); err != nil {
		return err
	}
	return seal(b, now, r)
}

func seal(b *builder, now time.Time, body entry.Body) error {
	_, raw, _, err := entry.Seal(b.at.seq+1, b.at.hash, now, body)
	if err == nil {
		_, err = b.add(raw)
	}
	return err
}

// clip bounds a text for the journal.
func clip(s string) string {
	if len(s) > 400 {
		return s[:400] + " …"
	}
	return s
}

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
)

// Backup is one backup of a journal as its name tells it.
type Backup struct {
	Path   string
	Number int    // of the backup in its directory; they only grow, a clock may not
	Seq    uint64 // last entry
	Bytes  int64
	At     time.Time // when the file was written, by the kiosk's clock
}

// BackupReport says what a backup has written.
type BackupReport struct {
	Backup
	Hash     entry.Hash // of the last entry
	Same     bool       // nothing is new: the newest backup was read again instead
	Archives int        // archives that were copied for the first time
	Removed  int        // old backups that went
	Took     time.Duration
}

const backupWait = 5 * time.Second // for another backup into the same directory

func backupName(number int, seq uint64) string {
	return fmt.Sprintf("journal-%06d-%012d.db", number, seq)
}

// Backups lists the backups in a directory, oldest first. A directory that is
// not there has none.
func Backups(dir string) ([]Backup, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("backups: %w", err)
	}
	var list []Backup
	for _, f := range files {
		var b Backup
		if n, err := fmt.Sscanf(f.Name(), "journal-%d-%d.db", &b.Number, &b.Seq); n != 2 || err != nil || f.Name() != backupName(b.Number, b.Seq) {
			continue
		}
		info, err := f.Info()
		if err != nil {
			continue // it went meanwhile
		}
		b.Path, b.Bytes, b.At = filepath.Join(dir, f.Name()), info.Size(), info.ModTime()
		list = append(list, b)
	}
	slices.SortFunc(list, func(x, y Backup) int { return cmp.Compare(x.Number, y.Number) })
	return list, nil
}

// Backup copies the journal with its archives into a directory, reads the copy
// back whole, gives it its name only then, and removes all but the newest
// `keep` backups there. Appends go on meanwhile. A crash leaves the backups
// that were there.
func (s *Store) Backup(ctx context.Context, dir string, keep int) (BackupReport, error) {
	seq, hash := s.Tail()
	return copyJob{path: s.path, archives: s.archives, tail: point{seq, hash}, step: s.step, fill: func(to *os.File) error {
		s.use.RLock()
		defer s.use.RUnlock()
		err := s.bolt.View(func(tx *bolt.Tx) error {
			if err := room(dir, tx.Size()+2*WorstSale); err != nil {
				return err
			}
			_, err := tx.WriteTo(&patient{to, ctx})
			return err
		})
		if errors.Is(err, bolt.ErrDatabaseNotOpen) {
			err = ErrClosed
		}
		return err
	}}.run(ctx, dir, keep)
}

// Backup is Store.Backup from a snapshot: of a journal that nobody has open,
// or that its station handed out.
func (s *Snapshot) Backup(ctx context.Context, dir string, keep int) (BackupReport, error) {
	return copyJob{path: s.path, archives: s.archives, tail: s.tail, step: func(string) error { return nil }, fill: func(to *os.File) error {
		info, err := s.file.Stat()
		if err == nil {
			err = room(dir, info.Size()+2*WorstSale)
		}
		if err != nil {
			return err
		}
		_, err = io.Copy(&patient{to, ctx}, io.NewSectionReader(s.file, 0, info.Size()))
		return err
	}}.run(ctx, dir, keep)
}

// patient is a writer that ends with a context.
type patient struct {
	io.Writer
	ctx context.Context
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.Writer.Write(b)
}

// copyJob is one backup.
type copyJob struct {
	path     string // of the journal
	archives *archives
	tail     point // at the least
	fill     func(to *os.File) error
	step     func(string) error
}

func (j copyJob) run(ctx context.Context, dir string, keep int) (rep BackupReport, err error) {
	began := time.Now()
	defer func() {
		rep.Took = time.Since(began)
		if err != nil {
			err = fmt.Errorf("back the journal up to %s: %w", filepath.Clean(dir), err)
		}
	}()
	if err := j.apart(dir); err != nil {
		return rep, err
	}
	if err := makeDir(dir); err != nil {
		return rep, err
	}
	held, err := openLocked(dir, backupWait)
	if err != nil {
		return rep, err
	}
	defer held.Close()
	list, err := Backups(dir)
	if err != nil {
		return rep, err
	}
	number := 1
	if len(list) > 0 {
		newest := list[len(list)-1]
		number = newest.Number + 1
		if newest.Seq == j.tail.seq && j.same(ctx, newest) {
			rep.Backup, rep.Hash, rep.Same = newest, j.tail.hash, true
			// It needs none of the archives that are younger, but they need copies.
			rep.Archives, err = copyArchives(ctx, j.archives, archivesOf(newest.Path), newest.Seq, func(archiveFile) error { return nil })
			return rep, err
		}
	}
	fresh := filepath.Join(dir, "journal.new")
	if err := j.write(ctx, fresh); err != nil {
		return rep, errors.Join(err, removeIfThere(fresh))
	}
	if rep.Archives, rep.Seq, rep.Hash, err = j.readBack(ctx, fresh); err != nil {
		return rep, errors.Join(err, removeIfThere(fresh))
	}
	if err := j.step("backup-verified"); err != nil {
		return rep, err
	}
	rep.Number, rep.Path = number, filepath.Join(dir, backupName(number, rep.Seq))
	if err := os.Rename(fresh, rep.Path); err != nil {
		return rep, err
	}
	if err := syncDir(dir); err != nil {
		return rep, err
	}
	if err := j.step("backup-named"); err != nil {
		return rep, err
	}
	if info, err := os.Stat(rep.Path); err == nil {
		rep.Bytes, rep.At = info.Size(), info.ModTime()
	}
	rep.Removed, err = rotate(list, max(keep, 1)-1)
	return rep, errors.Join(err, syncDir(dir))
}

// apart refuses to back up into the journal's own directory.
func (j copyJob) apart(dir string) error {
	a, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	b, err := filepath.Abs(filepath.Dir(j.path))
	if err != nil {
		return err
	}
	if a == b {
		return errors.New("that is the journal's own directory: choose another one, best on another disk")
	}
	return nil
}

// same says whether a backup that is there is whole and ends where we do.
func (j copyJob) same(ctx context.Context, b Backup) bool {
	snap, err := inPlace(b.Path)
	if err != nil {
		return false
	}
	defer snap.Close()
	return snap.tail == j.tail && snap.Verify(ctx, nil) == nil
}

func (j copyJob) write(ctx context.Context, path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = j.fill(file)
	return errors.Join(err, file.Sync(), file.Close(), ctx.Err())
}

// readBack copies the archives that the copy needs and verifies it whole.
func (j copyJob) readBack(ctx context.Context, path string) (copied int, seq uint64, hash entry.Hash, err error) {
	snap, err := inPlace(path)
	if err != nil {
		return 0, 0, hash, err
	}
	defer snap.Close()
	var a anchor
	if err := snap.look(func(v view) (err error) { a, err = v.anchor(); return err }); err != nil {
		return 0, 0, hash, err
	}
	indexed := func(archiveFile) error { return nil } // Verify reads the rest
	if copied, err = copyArchives(ctx, j.archives, archivesOf(path), a.Seq, indexed); err != nil {
		return copied, 0, hash, err
	}
	err = snap.Verify(ctx, nil)
	if d := (*ErrDamaged)(nil); errors.As(err, &d) && d.Archive { // a copy of long ago has gone bad
		if copied, err = copyArchives(ctx, j.archives, archivesOf(path), a.Seq, whole); err == nil {
			err = snap.Verify(ctx, nil)
		}
	}
	if err != nil {
		return copied, 0, hash, err
	}
	seq, hash = snap.Tail()
	return copied, seq, hash, nil
}

// rotate removes old backups until `keep` are left.
func rotate(list []Backup, keep int) (removed int, err error) {
	for _, b := range list[:max(0, len(list)-keep)] {
		if e := os.Remove(b.Path); e != nil {
			err = errors.Join(err, e)
			continue
		}
		removed++
	}
	return removed, err
}

// copyArchives brings the archives of entries up to a number to another
// directory, where they are not yet or do not pass the check, each read back
// whole.
func copyArchives(ctx context.Context, from, to *archives, upTo uint64, check func(archiveFile) error) (copied int, err error) {
	spans, err := from.list()
	if err != nil || len(spans) == 0 {
		return 0, err
	}
	if err := makeDir(to.dir); err != nil {
		return 0, err
	}
	for _, s := range spans {
		if s.first > upTo || to.with(s, check) == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return copied, err
		}
		path := filepath.Join(to.dir, s.name)
		err := copyTo(path+".new", filepath.Join(from.dir, s.name))
		if err == nil {
			err = withFile(path+".new", whole)
		}
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			return copied, errors.Join(fmt.Errorf("archive %s: %w", s.name, err), removeIfThere(path+".new"))
		}
		copied++
	}
	return copied, syncDir(to.dir)
}

func copyTo(path, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, src)
	return errors.Join(err, file.Sync(), file.Close())
}

// whole reads all of an archive. What came before it is not known here.
func whole(f archiveFile) error {
	is := origin{kiosk: f.index.Kiosk, epoch: [16]byte(f.index.Epoch)}
	_, err := f.each(is, func(entry.Entry, []byte) error { return nil })
	return err
}

func withFile(path string, fn func(archiveFile) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f, err := readIndex(file, info.Size())
	if err == nil {
		err = fn(f)
	}
	return err
}

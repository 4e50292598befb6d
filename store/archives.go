package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"buka/internal/entry"
)

// archives is the directory of the archives of one journal. Archives are never
// changed, so it may be read beside the kiosk.
type archives struct{ dir string }

func archivesOf(path string) *archives {
	return &archives{dir: filepath.Join(filepath.Dir(path), ArchiveName)}
}

const archiveExt = ".archive"

func archiveName(first, last uint64) string {
	return fmt.Sprintf("%012d-%012d%s", first, last, archiveExt)
}

// archiveSpan is one file by its name, which is not believed.
type archiveSpan struct {
	name        string
	first, last uint64
}

// list gives the files, in order of their first entries.
func (a *archives) list() ([]archiveSpan, error) {
	files, err := os.ReadDir(a.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("archives of the journal: %w", err)
	}
	var spans []archiveSpan
	for _, f := range files {
		s := archiveSpan{name: f.Name()}
		if n, err := fmt.Sscanf(s.name, "%d-%d", &s.first, &s.last); n == 2 && err == nil && s.name == archiveName(s.first, s.last) {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(x, y archiveSpan) int { return strings.Compare(x.name, y.name) })
	return spans, nil
}

// holding gives the file with an entry in it.
func (a *archives) holding(seq uint64) (archiveSpan, error) {
	spans, err := a.list()
	if err != nil {
		return archiveSpan{}, err
	}
	for _, s := range spans {
		if s.first <= seq && seq <= s.last {
			return s, nil
		}
	}
	return archiveSpan{}, fmt.Errorf("entry %d is not in %s: %w", seq, a.dir, ErrNoArchive)
}

// with opens an archive for the time of a call.
func (a *archives) with(s archiveSpan, fn func(archiveFile) error) error {
	path := filepath.Join(a.dir, s.name)
	err := withFile(path, func(f archiveFile) error {
		if f.index.First != s.first || f.index.Last != s.last {
			return damaged(0, "it holds entries %d to %d", f.index.First, f.index.Last)
		}
		return fn(f)
	})
	if err != nil && !errors.Is(err, errStop) {
		return inArchive(path, err)
	}
	return nil
}

// read gives entries from number from up to the anchor, at most those of one
// part of an archive.
func (a *archives) read(from uint64, to anchor, most, maxBytes int) (raws [][]byte, err error) {
	s, err := a.holding(from)
	if err != nil {
		return nil, err
	}
	err = a.with(s, func(f archiveFile) error {
		i, found := slices.BinarySearchFunc(f.index.Blocks, from, func(b archiveBlock, seq uint64) int {
			return int(int64(b.First) - int64(seq))
		})
		if !found {
			i--
		}
		size := 0
		_, err := f.block(i, func(e entry.Entry, raw []byte) error {
			switch {
			case e.Seq < from:
				return nil
			case e.Seq > to.Seq || len(raws) >= most || len(raws) > 0 && size+len(raw) > maxBytes:
				return errStop
			case e.Seq == to.Seq && sha256.Sum256(raw) != to.Hash:
				return damaged(e.Seq, "it is not the entry that the journal goes on from")
			}
			size += len(raw)
			raws = append(raws, raw)
			return nil
		})
		return err
	})
	if len(raws) > 0 && errors.As(err, new(*ErrDamaged)) {
		return raws, nil
	}
	return raws, err
}

// entry gives one archived entry.
func (a *archives) entry(seq uint64, to anchor) (e entry.Entry, raw []byte, hash entry.Hash, err error) {
	raws, err := a.read(seq, to, 1, 0)
	if err == nil && len(raws) == 0 {
		err = fmt.Errorf("entry %d: %w", seq, ErrNoArchive)
	}
	if err != nil {
		return e, nil, hash, err
	}
	e, hash, err = entry.Open(raws[0])
	return e, raws[0], hash, err
}

// verify reads every archive up to the anchor, from entry 1.
func (a *archives) verify(ctx context.Context, to anchor, tell func(done uint64)) error {
	var at point
	var is, now origin
	for at.seq < to.Seq {
		s, err := a.holding(at.seq + 1)
		if err != nil {
			return err
		}
		err = a.with(s, func(f archiveFile) (err error) {
			if f.index.First != at.seq+1 || f.index.Prev != at.hash {
				return damaged(at.seq+1, "it does not follow from entry %d", at.seq)
			}
			is, err = f.each(is, func(e entry.Entry, raw []byte) error {
				if _, err := at.next(seqKey(at.seq+1), raw); err != nil {
					return err
				}
				if err := now.follow(e); err != nil {
					return err
				}
				if e.Seq%4096 == 0 {
					tell(e.Seq)
				}
				if e.Seq == to.Seq && (at != to.point() || now.kiosk != to.Kiosk || string(now.epoch[:]) != string(to.Epoch)) {
					return damaged(e.Seq, "it is not the entry that the journal goes on from")
				}
				return ctx.Err()
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

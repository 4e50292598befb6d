package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// HealArchives puts an archive that is damaged or gone back from backups, and
// gives how many. The damaged file is put aside. The journal is not touched:
// what comes back has to end in the hash that it goes on from.
func (s *Store) HealArchives(ctx context.Context, backups []string) (healed int, err error) {
	s.keep.Lock()
	defer s.keep.Unlock()
	var a anchor
	if err := s.look(func(v view) (err error) { a, err = v.anchor(); return err }); err != nil || a.Seq == 0 {
		return 0, at(s.path, err)
	}
	for _, dir := range backups {
		if s.archives.verify(ctx, a, func(uint64) {}) == nil {
			break
		}
		if info, err := os.Stat(dir); err == nil && !info.IsDir() {
			dir = filepath.Dir(dir)
		}
		n, err := s.healFrom(ctx, &archives{dir: filepath.Join(dir, ArchiveName)}, a.Seq)
		if healed += n; err != nil {
			return healed, err
		}
	}
	return healed, s.archives.verify(ctx, a, func(uint64) {})
}

func (s *Store) healFrom(ctx context.Context, from *archives, upTo uint64) (healed int, err error) {
	spans, err := from.list()
	if err != nil {
		return 0, nil // a disk that is gone heals nothing
	}
	for _, span := range spans {
		if span.first > upTo || s.archives.with(span, whole) == nil || from.with(span, whole) != nil {
			continue
		}
		path := filepath.Join(s.archives.dir, span.name)
		if _, err := os.Lstat(path); err == nil {
			if _, err := setAside(s.path, path, "an archive that is damaged"); err != nil {
				return healed, err
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return healed, err
		}
	}
	return copyArchives(ctx, from, s.archives, upTo, whole)
}

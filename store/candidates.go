package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// candidate is a backup that might be put back.
type candidate struct {
	Backup
	snap *Snapshot
	is   origin
	own  bool // of the epoch that was last here
}

// chooseBackup opens the newest backup that verifies: first those of the epoch
// that was last here, then by the number of their last entry. The clock has no
// say in it.
func (p *planned) chooseBackup(ctx context.Context, o RestoreOptions) error {
	list, err := p.candidates(o)
	defer func() {
		for _, c := range list {
			if c.snap != p.backup {
				c.snap.Close()
			}
		}
	}()
	if err != nil {
		return err
	}
	for _, c := range list {
		err := c.snap.Verify(ctx, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			p.backup = c.snap
			return nil
		}
		p.pass(c.Path, err)
	}
	return nil
}

func (p *planned) pass(path string, err error) {
	p.rep.Passed = append(p.rep.Passed, fmt.Sprintf("%s: %v", path, err))
}

func (p *planned) candidates(o RestoreOptions) (list []candidate, err error) {
	for _, dir := range o.Backups {
		backups, err := backupsAt(dir)
		if err != nil {
			p.pass(dir, err) // a second disk that is gone must not keep the first from being used
			continue
		}
		for _, b := range backups {
			c := candidate{Backup: b}
			if c.snap, err = inPlace(b.Path); err != nil {
				p.pass(b.Path, err)
				continue
			}
			err := c.snap.look(func(v view) (err error) { c.is, err = v.origin(); return err })
			if err == nil && p.rep.Kiosk != "" && c.is.kiosk != p.rep.Kiosk {
				err = fmt.Errorf("%w (%q)", ErrOtherKiosk, c.is.kiosk)
			}
			if err != nil {
				p.pass(b.Path, errors.Join(err, c.snap.Close()))
				continue
			}
			c.own, c.Seq = string(c.is.epoch[:]) == string(p.rep.Was), c.snap.tail.seq
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(x, y candidate) int {
		if x.own != y.own {
			if x.own {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(y.Seq, x.Seq), cmp.Compare(y.Number, x.Number))
	})
	return list, nil
}

// BackupOf says of which kiosk a backup is; "" if it cannot be read.
func BackupOf(path string) string {
	snap, err := inPlace(path)
	if err != nil {
		return ""
	}
	defer snap.Close()
	begun, err := snap.Begun()
	if err != nil {
		return ""
	}
	return begun.Kiosk
}

// backupsAt lists the backups of a directory, or the one file that is named.
func backupsAt(path string) ([]Backup, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		if err != nil {
			return nil, err
		}
		return Backups(path)
	}
	return []Backup{{Path: filepath.Clean(path), Bytes: info.Size(), At: info.ModTime()}}, nil
}

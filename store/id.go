package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// identity is what journal.id holds.
type identity struct {
	Epoch string `json:"epoch"`
	Kiosk string `json:"kiosk"`
}

// checkID compares journal.id with the journal, and writes it if a crash came
// in between or it cannot be read: it only guards against a journal that is
// gone, and this one is here.
func (s *Store) checkID(rep *Report, was string) error {
	is := identity{Epoch: hexEpoch(rep.Epoch), Kiosk: rep.Kiosk}
	fits, err := is.check(s.path, was)
	switch {
	case fits || errors.As(err, new(*ErrDamaged)):
		return err
	case err != nil:
		rep.Notes = append(rep.Notes, IDName+" could not be read and was written again")
	}
	return writeID(idPath(s.path), is)
}

// check says whether the journal.id beside a journal names it. It gives
// *ErrDamaged if it names another one; not if it names the epoch before the
// journal's last restore, which a crash kept from writing the new one.
func (is identity) check(path, before string) (fits bool, err error) {
	was, err := readID(idPath(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case was == is:
		return true, nil
	case before != "" && was == (identity{Epoch: before, Kiosk: is.Kiosk}):
		return false, nil
	}
	return false, &ErrDamaged{Person: true,
		What: fmt.Sprintf("it is of epoch %s, but in this directory epoch %s was begun: this is another journal's file", is.Epoch, was.Epoch),
		Advice: "nothing was changed: put the right file back; if this one was put here on purpose, without a restore, " +
			"ask the host what it knows of both, then remove " + IDName}
}

// OpenID says of which kiosk the journal in a data directory is, by the small
// file beside it. It gives ErrAbsent if there is neither that nor a journal.
func OpenID(dir string) (kiosk string, err error) {
	id, err := readID(filepath.Join(dir, IDName))
	if errors.Is(err, fs.ErrNotExist) {
		if there, err := exists(Path(dir)); !there && err == nil {
			return "", ErrAbsent
		}
	}
	return id.Kiosk, err
}

func readID(path string) (identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return identity{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return identity{}, err
	}
	var id identity
	return id, json.Unmarshal(b, &id)
}

func writeID(path string, id identity) error {
	b, err := json.Marshal(id)
	if err == nil {
		err = writeFile(path, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", IDName, err)
	}
	return nil
}

// writeFile puts a small file in place as a whole, durably.
func writeFile(path string, data []byte) error {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// makeDir makes a directory whose name survives a power cut too. It may be there
// already and yet not be durable: the one who made it need not have synced it,
// nor the ones above it.
func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	path = filepath.Clean(path)
	for above := filepath.Dir(path); above != path && sameDevice(above, path); above = filepath.Dir(path) {
		if err := syncDir(above); errors.Is(err, fs.ErrPermission) {
			return nil // not ours: it was there before us
		} else if err != nil {
			return err
		}
		path = above
	}
	return nil
}

func sameDevice(a, b string) bool {
	var sa, sb unix.Stat_t
	return unix.Stat(a, &sa) == nil && unix.Stat(b, &sb) == nil && sa.Dev == sb.Dev
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// openLocked opens a file or directory and takes its exclusive lock, the one
// that bbolt takes. bbolt is given the same open file later, so nobody can
// change it between our check and bbolt's.
func openLocked(path string, wait time.Duration) (*os.File, error) {
	mode := os.O_RDWR
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		mode = os.O_RDONLY
	}
	file, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err := lock(file, unix.LOCK_EX)
		if err == nil {
			if still, err := isStill(file, path); still || err != nil {
				return file, err
			}
			file.Close() // another file took its name while we waited
			return openLocked(path, time.Until(deadline))
		}
		if !errors.Is(err, ErrLocked) || time.Now().After(deadline) {
			file.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
}

// isStill says whether a file still has its name: a compaction or a restore
// puts another one in its place.
func isStill(file *os.File, path string) (bool, error) {
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	was, err := file.Stat()
	return err == nil && os.SameFile(was, now), err
}

const lockExclusive = unix.LOCK_EX

// lock takes a lock without waiting.
func lock(file *os.File, how int) error {
	for {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("lock the journal: %w", err)
		}
	}
}

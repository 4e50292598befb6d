package store

import (
	"errors"
	"fmt"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// WorstSale is more bytes than the journal ever grows by for one sale, with
// everything that may go wrong in it: 64 commits that each write a fresh branch,
// leaf, root and list of free pages because a reader holds the old ones, and
// four checkpoints of 256 KiB, each of which the commit after it writes again.
const WorstSale = 8 << 20

// Secure makes sure that the next `bytes` bytes of the journal find room: the
// blocks of the file are taken from the disk now, so that a commit has only to
// fill them. After ErrNoRoom nothing has changed, and nothing that needs these
// bytes may begin. It costs a system call or two only when the reserve has been
// used up.
//
// On disks that write each block to a new place (btrfs, a flash translation
// layer that lies about its size) a block that was taken can still fail; then
// the append fails, as it may at any time, before anything is done.
func (s *Store) Secure(bytes int64) error {
	s.use.RLock()
	defer s.use.RUnlock()
	used, err := s.usedBytes()
	if err != nil {
		return err
	}
	s.mu.Lock()
	secured := s.secured
	s.mu.Unlock()
	if secured-used >= bytes {
		return nil
	}
	s.write.Lock() // no commit may use pages behind `used` meanwhile
	defer s.write.Unlock()
	if used, err = s.usedBytes(); err != nil {
		return err
	}
	want := bytes + growBytes // more than asked, so that the next calls find it there
	err = s.allocate(used, want)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		want = bytes
		err = s.allocate(used, want)
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %d bytes for the journal: %w", ErrNoRoom, bytes, err)
	}
	if err != nil {
		return fmt.Errorf("room for the journal: %w", err)
	}
	s.mu.Lock()
	s.secured = used + want
	s.mu.Unlock()
	return nil
}

func (s *Store) usedBytes() (used int64, err error) {
	err = s.bolt.View(func(tx *bolt.Tx) error {
		used = tx.Size()
		return nil
	})
	if errors.Is(err, bolt.ErrDatabaseNotOpen) {
		err = ErrClosed
	}
	return used, err
}

// allocate takes blocks for a range of the file that no page was written to
// yet. Where the file system cannot do that, zeros are written there.
func (s *Store) allocate(from, n int64) error {
	err := unix.Fallocate(int(s.file.Fd()), 0, from, n)
	for errors.Is(err, unix.EINTR) {
		err = unix.Fallocate(int(s.file.Fd()), 0, from, n)
	}
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		err = s.writeZeros(from, n)
	}
	if err != nil {
		return err
	}
	return s.file.Sync()
}

func (s *Store) writeZeros(from, n int64) error {
	zeros := make([]byte, 256<<10)
	for n > 0 {
		b := zeros[:min(n, int64(len(zeros)))]
		if _, err := s.file.WriteAt(b, from); err != nil {
			return err
		}
		from, n = from+int64(len(b)), n-int64(len(b))
	}
	return nil
}

// Room gives the bytes that the journal's disk has left for us.
func (s *Store) Room() (uint64, error) { return roomOf(filepath.Dir(s.path)) }

func roomOf(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("room on the disk of %s: %w", filepath.Clean(dir), err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"buka/internal/entry"
)

// Options of Open. The zero value works for a journal that exists.
type Options struct {
	Clock    func() time.Time // wall clock of new entries; nil: time.Now
	Epoch    [16]byte         // of a journal that is created now; zero: random
	Kiosk    string           // id; a journal of another kiosk is refused; "" opens any and creates none
	Logger   *slog.Logger     // nil: silent
	LockWait time.Duration    // how long to wait for another process to let go; 0: 2 s
	// OpenVerify is how many entries Open checks at most, back from the end.
	// It stops at the last checkpoint. 0: 65,536, a fraction of a second.
	// What lies before is checked when it is read, and by Verify.
	OpenVerify uint64

	step func(name string) error // tests stop here: after each durable step of what changes files
}

// Report of what Open found.
type Report struct {
	Created      bool // there was no journal; one was begun
	Epoch        [16]byte
	Kiosk        string
	Entries      uint64
	Archived     uint64 // entries up to here are in archives; 0: none
	VerifiedFrom uint64 // entries from here on were checked
	Checkpoint   uint64 // number of the last one; 0: none
	Recovered    int    // entries of a last commit whose meta page was damaged, found and kept
	Notes        []string
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LockWait == 0 {
		o.LockWait = 2 * time.Second
	}
	if o.OpenVerify == 0 {
		o.OpenVerify = 1 << 16
	}
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
	return o
}

// boltOptions: why each is as it is.
func boltOptions() *bolt.Options {
	o := &bolt.Options{
		Timeout: time.Second, // the lock is ours already; never wait for ever
		// The list of free pages is written in every commit: without it bbolt
		// walks all pages at each start. It stays a page or two, because only
		// the pages on the way to the last leaf are ever replaced. It grows
		// while a long read holds pages back, and then the hash map frees and
		// finds runs faster than the array.
		FreelistType:   bolt.FreelistMapType,
		NoFreelistSync: false,
		// Growing the map waits for all readers: a verify or a snapshot in
		// progress would hold up a sale. So the map is larger than the file
		// will be in the life of a kiosk; it costs address space only.
		InitialMmapSize: 8 << 30,
		// PageSize stays the machine's; a file keeps the one that it was
		// begun with. NoSync and NoGrowSync stay off: an entry that was
		// acknowledged is on the disk.
	}
	if math.MaxInt == math.MaxInt32 {
		o.InitialMmapSize = 512 << 20
	}
	return o
}

// growBytes is how much the file grows at a time, each with a sync of its own.
const growBytes = 4 << 20

// Open opens the journal at path for appending, or begins one if none was ever
// there. It takes the lock, checks the structure of the file before bbolt maps
// it, and the entries from the last checkpoint to the end (Options.OpenVerify).
// It gives ErrLocked, ErrLost, ErrAbsent, ErrOtherKiosk or *ErrDamaged.
func Open(path string, o Options) (*Store, Report, error) {
	o = o.withDefaults()
	created, err := createIfAbsent(path, o)
	if err != nil {
		return nil, Report{}, err
	}
	file, err := openLocked(path, o.LockWait)
	if err != nil {
		return nil, Report{}, err
	}
	s, rep, err := openFile(path, file, o)
	if err != nil {
		file.Close() // also when bbolt has closed it already
		return nil, rep, at(path, err)
	}
	if err := s.tidy(); err != nil {
		return nil, rep, errors.Join(err, s.Close())
	}
	rep.Created = created
	for _, note := range rep.Notes {
		o.Logger.Warn("journal opened with a remark", "path", path, "remark", note)
	}
	return s, rep, nil
}

func openFile(path string, file *os.File, o Options) (*Store, Report, error) {
	if err := settle(file); err != nil {
		return nil, Report{}, err
	}
	found, err := checkFile(file)
	if err != nil {
		return nil, Report{}, err
	}
	options := boltOptions()
	options.OpenFile = func(string, int, fs.FileMode) (*os.File, error) { return file, nil }
	s := &Store{file: file, clock: o.Clock, log: o.Logger, step: o.step, pageSize: found.current.pageSize}
	s.Reader = Reader{path: path, look: s.state, archives: archivesOf(path)}
	err = guarded("open the journal", func() (err error) {
		s.bolt, err = bolt.Open(path, 0o600, options)
		return err
	})
	if err != nil {
		return nil, Report{}, err
	}
	s.bolt.AllocSize = growBytes
	rep, err := s.begin(found, o)
	if err != nil {
		s.Close()
		return nil, rep, err
	}
	return s, rep, nil
}

// settle makes what the file shows and what the disk holds the same. A process
// that was killed leaves pages that are written and not yet on the disk: they
// are synced before anybody believes them. After a sync that failed the kernel
// goes on showing pages that never came to the disk, and takes them for clean:
// it is asked to forget them.
func settle(file *os.File) error {
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("read the journal anew from the disk: %w", err)
	}
	return nil
}

// tidy removes what a crash left of a file that never got the journal's name,
// and verifies everything if somebody said that it needs that.
func (s *Store) tidy() error {
	for _, path := range []string{compactPath(s.path), restorePath(s.path)} {
		if err := removeIfThere(path); err != nil {
			s.log.Warn("what a crash left was not removed", "err", err)
		}
	}
	// A life before this one may have given the file its name (compaction,
	// restore) and failed to sync that: what is added now would be lost with the
	// name.
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("sync the data directory: %w", err)
	}
	if !suspected(s.path) {
		return nil
	}
	if err := s.Verify(context.Background(), nil); err != nil && (Restorable(err) || !errors.As(err, new(*ErrDamaged))) {
		return err
	}
	return removeIfThere(markPath(s.path))
}

// checkFile looks at a file before it is mapped: a page beyond its end would
// kill the process, and a wrong branch page would send bbolt anywhere.
func checkFile(file *os.File) (metas, error) {
	info, err := file.Stat()
	if err != nil {
		return metas{}, fmt.Errorf("size of the journal: %w", err)
	}
	return checkPages(file, info.Size())
}

func checkPages(src io.ReaderAt, size int64) (metas, error) {
	found, err := readMetas(src, size)
	if err != nil {
		return metas{}, err
	}
	m := found.current
	if need := int64(m.high) * int64(m.pageSize); size < need {
		return metas{}, damaged(0, "the file is cut: it has %d bytes, and %d were in use", size, need)
	}
	v := m.view(src)
	return found, newChecker(context.Background(), v.pages, false).run(v.root, v.freelist)
}

// begin reads what a new Store must know and checks what Open promises.
func (s *Store) begin(found metas, o Options) (rep Report, err error) {
	was := ""
	err = s.state(func(v view) error {
		a, err := v.anchor()
		if err != nil {
			return err
		}
		is, err := v.origin()
		if err != nil {
			return err
		}
		rep.Epoch, rep.Kiosk, rep.Archived, was = is.epoch, is.kiosk, a.Seq, is.was.String()
		if o.Kiosk != "" && o.Kiosk != is.kiosk {
			return fmt.Errorf("%w (journal: %q, configuration: %q)", ErrOtherKiosk, is.kiosk, o.Kiosk)
		}
		if s.tail, err = v.tail(); err != nil {
			return err
		}
		byKey := false
		if s.checkpoint, byKey, err = v.checkpoint(); err != nil {
			return err
		}
		if !byKey {
			rep.Notes = append(rep.Notes, "the mark of the last checkpoint was wrong; the checkpoint was found by reading everything")
		}
		rep.VerifiedFrom = max(s.checkpoint, a.Seq+1)
		if s.tail.seq > o.OpenVerify {
			rep.VerifiedFrom = max(rep.VerifiedFrom, s.tail.seq-o.OpenVerify+1)
		}
		later, err := v.verifyFrom(rep.VerifiedFrom, s.tail)
		if err == nil && later > s.checkpoint {
			err = damaged(later, "the mark of the last checkpoint names entry %d", s.checkpoint)
		}
		return err
	})
	if err == nil && found.damaged >= 0 {
		err = s.recover(found, &rep)
	}
	if err == nil {
		err = s.checkID(&rep, was)
	}
	rep.Entries, rep.Checkpoint = s.tail.seq, s.checkpoint
	return rep, err
}

// createIfAbsent begins a journal where none is and none was. The new file
// takes its name only when its first entry is on the disk, so a crash leaves
// either nothing or a whole journal.
func createIfAbsent(path string, o Options) (created bool, err error) {
	if there, err := exists(path); there || err != nil {
		return false, err
	}
	if there, err := exists(idPath(path)); err != nil {
		return false, err
	} else if there {
		return false, fmt.Errorf("%s: %w", path, ErrLost)
	}
	if o.Kiosk == "" {
		return false, fmt.Errorf("%s: %w", path, ErrAbsent)
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return false, fmt.Errorf("create the data directory: %w", err)
	}
	dir, err := openLocked(filepath.Dir(path), o.LockWait) // against a second process that creates
	if err != nil {
		return false, err
	}
	defer dir.Close()
	if there, err := exists(path); there || err != nil {
		return false, err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("remove what a crash left: %w", err)
	}
	if err := writeFirst(fresh, o); err != nil {
		return false, fmt.Errorf("create the journal: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return false, fmt.Errorf("create the journal: %w", err)
	}
	if err := dir.Sync(); err != nil {
		return false, fmt.Errorf("sync the data directory: %w", err)
	}
	return true, nil
}

func writeFirst(path string, o Options) error {
	epoch := o.Epoch
	if epoch == ([16]byte{}) {
		rand.Read(epoch[:])
	}
	_, raw, hash, err := entry.Seal(1, entry.Hash{}, o.Clock(), entry.EpochBegun{Epoch: epoch[:], Kiosk: o.Kiosk})
	if err != nil {
		return err
	}
	options := boltOptions()
	options.InitialMmapSize = 0
	db, err := bolt.Open(path, 0o600, options)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		entries, err := tx.CreateBucket(bucketEntries)
		if err != nil {
			return err
		}
		marks, err := tx.CreateBucket(bucketMarks)
		if err != nil {
			return err
		}
		return errors.Join(entries.Put(seqKey(1), raw), marks.Put(keyTail, point{1, hash}.bytes()), marks.Put(keyCheckpoint, seqKey(0)))
	})
	return errors.Join(err, db.Close())
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the journal: %w", err)
	}
	return true, nil
}

func hexEpoch(e [16]byte) string { return hex.EncodeToString(e[:]) }

package disktest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	Main() // this binary again, as the disks
	os.Exit(run(m))
}

// disks is the one server of this package's tests.
var disks *Server

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "disktest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if disks, err = Start(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := disks.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func newDisk(t testing.TB) *Disk {
	t.Helper()
	d, err := disks.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Drop() })
	return d
}

func cut(t testing.TB, d *Disk, how Survive, seed uint64) *Disk {
	t.Helper()
	left, _, err := d.Cut(-1, how, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { left.Drop() })
	return left
}

func create(t testing.TB, path string, data []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.Write(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func holds(t testing.TB, d *Disk, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(d.Path, name))
	if want == nil && !errors.Is(err, os.ErrNotExist) || want != nil && (err != nil || !bytes.Equal(got, want)) {
		t.Errorf("%s holds %q, not %q (%v)", name, got, want, err)
	}
}

func syncDir(t testing.TB, path string) {
	t.Helper()
	dir, err := os.Open(path)
	must(t, err)
	must(t, errors.Join(dir.Sync(), dir.Close()))
}

// What was synced is there after a cut; a name is its directory's to sync.
func TestOnlyWhatWasSyncedIsCertain(t *testing.T) {
	d := newDisk(t)
	f := create(t, filepath.Join(d.Path, "a"), []byte("one"))
	must(t, f.Sync())
	holds(t, cut(t, d, None, 1), "a", nil)
	holds(t, cut(t, d, All, 1), "a", []byte("one"))
	syncDir(t, d.Path)
	holds(t, cut(t, d, None, 1), "a", []byte("one"))
	if _, err := f.WriteAt([]byte("two, longer"), 0); err != nil {
		t.Fatal(err)
	}
	holds(t, cut(t, d, None, 1), "a", []byte("one"))
	holds(t, cut(t, d, All, 1), "a", []byte("two, longer"))
	must(t, unix.Fdatasync(int(f.Fd())))
	must(t, os.Rename(f.Name(), f.Name()+"b"))
	holds(t, cut(t, d, None, 1), "a", []byte("two, longer"))
	holds(t, cut(t, d, All, 1), "a", nil)
	syncDir(t, d.Path)
	holds(t, cut(t, d, None, 1), "a", nil)
	holds(t, cut(t, d, None, 1), "ab", []byte("two, longer"))
	must(t, os.Remove(f.Name()+"b"))
	holds(t, cut(t, d, None, 1), "ab", []byte("two, longer"))
	holds(t, cut(t, d, All, 1), "ab", nil)
}

// A subset is of whole pages, and torn sectors are neither old nor new.
func TestSubsetsAndTornSectors(t *testing.T) {
	d := newDisk(t)
	old, fresh := bytes.Repeat([]byte{1}, 8*pageBytes), bytes.Repeat([]byte{2}, 8*pageBytes)
	f := create(t, filepath.Join(d.Path, "a"), old)
	must(t, f.Sync())
	syncDir(t, d.Path)
	if _, err := f.WriteAt(fresh, 0); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for seed := range uint64(40) {
		for _, how := range []Survive{Subset, Torn} {
			got, err := os.ReadFile(filepath.Join(cut(t, d, how, seed).Path, "a"))
			must(t, err)
			unit := map[Survive]int{Subset: pageBytes, Torn: sectorBytes}[how]
			pieces := map[string]bool{}
			for i := 0; i < len(got); i += unit {
				switch part := got[i : i+unit]; {
				case bytes.Equal(part, old[:unit]):
					pieces["old"] = true
				case bytes.Equal(part, fresh[:unit]):
					pieces["new"] = true
				default:
					pieces["torn"] = true
				}
			}
			if pieces["torn"] && how == Subset {
				t.Error("a page of a subset is torn")
			}
			for p := range pieces {
				seen[how.String()+" "+p] = true
			}
			if pieces["old"] && pieces["new"] {
				seen[how.String()+" mixed"] = true
			}
		}
	}
	for _, want := range []string{"subset old", "subset new", "subset mixed", "torn mixed", "torn torn"} {
		if !seen[want] {
			t.Errorf("never: %s", want)
		}
	}
}

// The record gives the disk after any of its calls.
func TestCutAtEveryCall(t *testing.T) {
	d := newDisk(t)
	f := create(t, filepath.Join(d.Path, "a"), []byte("1"))
	syncDir(t, d.Path)
	must(t, f.Sync())
	if _, err := f.WriteAt([]byte("2"), 0); err != nil {
		t.Fatal(err)
	}
	must(t, f.Sync())
	st, err := d.Look()
	must(t, err)
	want := []struct {
		call string
		left []byte // by a cut right after it
	}{{"create", nil}, {"write", nil}, {"sync-dir", []byte{}}, {"sync", []byte("1")}, {"write", []byte("1")}, {"sync", []byte("2")}}
	if len(st.Calls) != len(want) {
		t.Fatalf("calls are %v", st.Calls)
	}
	for i, w := range want {
		if st.Calls[i] != w.call {
			t.Fatalf("calls are %v", st.Calls)
		}
		left, _, err := d.Cut(i+1, None, 1)
		must(t, err)
		holds(t, left, "a", w.left)
		must(t, left.Drop())
	}
}

// A mapping sees what is written through a descriptor.
func TestMappingSeesWrites(t *testing.T) {
	d := newDisk(t)
	f := create(t, filepath.Join(d.Path, "a"), make([]byte, 4*pageBytes))
	m, err := unix.Mmap(int(f.Fd()), 0, 8*pageBytes, unix.PROT_READ, unix.MAP_SHARED)
	must(t, err)
	defer unix.Munmap(m)
	for i := range 4 {
		if m[i*pageBytes] != 0 {
			t.Fatal("not empty")
		}
		if _, err := f.WriteAt([]byte{9}, int64(i*pageBytes)); err != nil {
			t.Fatal(err)
		}
		if m[i*pageBytes] != 9 {
			t.Fatal("the mapping does not see a write")
		}
	}
	must(t, f.Truncate(8*pageBytes))
	if _, err := f.WriteAt([]byte{7}, 7*pageBytes); err != nil || m[7*pageBytes] != 7 {
		t.Fatal("the mapping does not see where the file has grown", err)
	}
}

// A sync that fails loses the data; the page cache goes on showing it, and the
// next sync succeeds and says nothing.
func TestSyncThatFails(t *testing.T) {
	d := newDisk(t)
	f := create(t, filepath.Join(d.Path, "a"), []byte("one"))
	must(t, f.Sync())
	syncDir(t, d.Path)
	holds(t, d, "a", []byte("one")) // from now on in the page cache
	if _, err := f.WriteAt([]byte("two"), 0); err != nil {
		t.Fatal(err)
	}
	seed := uint64(0)
	for ; ; seed++ { // one by which nothing was written
		if !bytes.Equal(probe(seed+1), []byte("two")) {
			break
		}
	}
	must(t, d.Arm(Fault{At: 1, Errno: syscall.EIO, Seed: seed}))
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal("the sync is said to be", err)
	}
	must(t, f.Sync())
	holds(t, d, "a", []byte("two"))
	holds(t, cut(t, d, All, 1), "a", []byte("one"))
	must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	holds(t, d, "a", []byte("one"))
}

// probe gives what a sync by that seed would have written before it failed.
func probe(seed uint64) []byte {
	n := node{}
	n.safe.write([]byte("one"), 0)
	n.safe.Size = 3
	n.pending = []change{{data: []byte("two"), size: -1}}
	left := n.survive(Subset, newChance(seed))
	b := make([]byte, left.Size)
	left.read(b, 0)
	return b
}

func TestFaults(t *testing.T) {
	d := newDisk(t)
	f := create(t, filepath.Join(d.Path, "a"), []byte("one"))
	must(t, d.Arm(Fault{At: 2, Errno: syscall.EIO}))
	_, first := f.WriteAt([]byte("x"), 0)
	_, second := f.WriteAt([]byte("y"), 1)
	_, third := f.WriteAt([]byte("z"), 2)
	if first != nil || !errors.Is(second, syscall.EIO) || third != nil {
		t.Error(first, second, third)
	}
	holds(t, d, "a", []byte("xnz"))
	must(t, d.Arm(Fault{At: 1, Errno: syscall.EROFS, Stay: true}))
	for range 2 {
		if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, syscall.EROFS) {
			t.Error("a write to a disk that is read-only:", err)
		}
	}
	holds(t, d, "a", []byte("xnz"))
	if _, err := os.Create(filepath.Join(d.Path, "b")); !errors.Is(err, syscall.EROFS) {
		t.Error("a new file on a disk that is read-only:", err)
	}
	must(t, d.Arm(Fault{}))
	must(t, d.Size(16*pageBytes, 14*pageBytes))
	if _, err := f.WriteAt([]byte{1}, pageBytes); err != nil {
		t.Error("the last page:", err)
	}
	if _, err := f.WriteAt([]byte{1}, 2*pageBytes); !errors.Is(err, syscall.ENOSPC) {
		t.Error("one page more than there is:", err)
	}
	must(t, d.Size(16*pageBytes, 0))
	must(t, unix.Fallocate(int(f.Fd()), 0, 0, 8*pageBytes))
	must(t, d.Size(16*pageBytes, 8*pageBytes))
	if _, err := f.WriteAt(make([]byte, 8*pageBytes), 0); err != nil {
		t.Error("what was allocated:", err)
	}
}

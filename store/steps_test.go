package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// keeper is this test binary as a process that kills itself after the n-th
// durable step of something that changes files.
func keeper(dir, what, n string) int {
	left, err := strconv.Atoi(n)
	if err != nil {
		return 2
	}
	o := Options{Kiosk: "K1", LockWait: 10 * time.Second}
	o.step = func(string) error {
		if left--; left == 0 {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}
	if what == "restore" {
		_, err := Restore(context.Background(), Path(dir), RestoreOptions{Options: o, Backups: []string{backupsOf(dir)}, Why: "killed"})
		return told(err)
	}
	s, _, err := Open(Path(dir), o)
	if err != nil {
		return told(err)
	}
	switch what {
	case "archive":
		_, err = s.Archive(context.Background(), ArchivePolicy{Keep: 100})
	case "compact":
		_, err = s.Compact(context.Background())
	case "backup":
		_, err = s.Backup(context.Background(), backupsOf(dir), 2)
	}
	return told(errors.Join(err, s.Close()))
}

func told(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func backupsOf(dir string) string { return filepath.Join(dir, "backups") }

// killedAt runs a keeper and says whether it was killed.
func killedAt(t *testing.T, dir, what string, step int) bool {
	t.Helper()
	err := command(t, dir, fmt.Sprintf("%s:%d", what, step)).Run()
	var exit interface{ Sys() any }
	if err == nil {
		return false
	}
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if st, ok := exit.Sys().(syscall.WaitStatus); !ok || st.Signal() != syscall.SIGKILL {
		t.Fatalf("%s, step %d: %v", what, step, err)
	}
	return true
}

// A process is killed after every step of archiving, compacting and backing
// up. Every entry is there afterwards, and what was begun can be ended.
func TestKilledAtEveryStep(t *testing.T) {
	for _, what := range []string{"archive", "compact", "backup"} {
		steps := 0
		for step := 1; ; step++ {
			dir := t.TempDir()
			s := grown(t, dir, 2500)
			want := all(t, s)
			if what == "backup" {
				archive(t, s, ArchivePolicy{Keep: 1000})
				backUp(t, s, backupsOf(dir))
				backUp(t, s, backupsOf(dir))
			}
			fill(t, s, 3)
			want = append(want, all(t, s)[len(want):]...)
			mustClose(t, s)
			killed := killedAt(t, dir, what, step)
			s, rep := mustOpen(t, Path(dir))
			if len(rep.Notes) > 0 || !slices.Equal(all(t, s), want) {
				t.Fatalf("%s, step %d: %+v", what, step, rep)
			}
			for _, left := range []string{compactPath(s.path), restorePath(s.path)} {
				if _, err := os.Lstat(left); err == nil {
					t.Errorf("%s, step %d: %s is left", what, step, left)
				}
			}
			archive(t, s, ArchivePolicy{Keep: 100})
			if _, err := s.Compact(context.Background()); err != nil {
				t.Errorf("%s, step %d: %v", what, step, err)
			}
			backUp(t, s, backupsOf(dir))
			if !slices.Equal(all(t, s), want) {
				t.Fatalf("%s, step %d: entries are lost", what, step)
			}
			mustClose(t, s)
			for _, b := range mustList(t, backupsOf(dir)) {
				snap, err := inPlace(b.Path)
				if err != nil {
					t.Fatal(err)
				}
				if err := snap.Verify(context.Background(), nil); err != nil {
					t.Errorf("%s, step %d: %v", what, step, err)
				}
				snap.Close()
			}
			if !killed {
				break
			}
			steps++
		}
		if t.Logf("%s: killed after each of %d steps", what, steps); steps < 2 {
			t.Errorf("%s has only %d steps", what, steps)
		}
	}
}

func mustList(t *testing.T, dir string) []Backup {
	t.Helper()
	list, err := Backups(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// The same for a restore: there is always a journal that opens, or one that
// can be restored again, and nothing of either is lost.
func TestARestoreKilledAtEveryStep(t *testing.T) {
	for step := 1; ; step++ {
		k := makeKept(t, true)
		if err := os.Rename(k.first, backupsOf(k.dir)); err != nil {
			t.Fatal(err)
		}
		k.first = backupsOf(k.dir)
		image := readAll(t, Path(k.dir))
		clear(image[:8192])
		if err := os.WriteFile(Path(k.dir), image, 0o600); err != nil {
			t.Fatal(err)
		}
		killed := killedAt(t, k.dir, "restore", step)
		s, rep, err := Open(Path(k.dir), options())
		switch {
		case err == nil:
			got := all(t, s)
			if len(got) != len(k.raws)+1 || !slices.Equal(got[:len(k.raws)], k.raws) || rep.Epoch == [16]byte{1, 2, 3} {
				t.Errorf("step %d: %+v", step, rep)
			}
			mustClose(t, s)
		case Restorable(err):
			again := restore(t, Path(k.dir), k.options())
			if int(again.LastSeq) != len(k.raws) {
				t.Errorf("step %d: %+v", step, again)
			}
			k.restored(t, again)
		default:
			t.Errorf("step %d: %v", step, err)
		}
		if !killed {
			if err != nil || step < 4 {
				t.Errorf("%d steps, %v", step, err)
			}
			break
		}
	}
}

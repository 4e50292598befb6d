package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
)

// state of a size that a checkpoint really has.
func checkpoint(t testing.TB, s *Store) {
	t.Helper()
	if _, err := s.Append(entry.Checkpoint{State: bytes.Repeat([]byte("state"), 100)}); err != nil {
		t.Fatal(err)
	}
}

// grown is an open journal of about n entries, the first 9/10 of them before a
// checkpoint and acknowledged.
func grown(t testing.TB, dir string, n int) *Store {
	t.Helper()
	s, _ := mustOpen(t, Path(dir))
	bulk(t, s, n*9/10)
	checkpoint(t, s)
	acknowledge(t, s)
	bulk(t, s, n/10)
	return s
}

// bulk appends many entries in few commits.
func bulk(t testing.TB, s *Store, n int) {
	t.Helper()
	for i := 0; i < n; i += 500 {
		var bodies []entry.Body
		for j := i; j < min(i+500, n); j++ {
			bodies = append(bodies, body(j))
		}
		if _, err := s.Append(bodies...); err != nil {
			t.Fatal(err)
		}
	}
}

func acknowledge(t testing.TB, s *Store) {
	t.Helper()
	seq, hash := s.Tail()
	if err := s.SetMark(seq, hash); err != nil {
		t.Fatal(err)
	}
}

func archive(t testing.TB, s *Store, p ArchivePolicy) uint64 {
	t.Helper()
	n, err := s.Archive(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestArchivedEntriesAreReadAsBefore(t *testing.T) {
	s := grown(t, t.TempDir(), 20_000)
	want := all(t, s)
	free, _ := s.Stats()
	n := archive(t, s, ArchivePolicy{Keep: 5000})
	if n != uint64(len(want))-5000 {
		t.Errorf("%d of %d entries were archived", n, len(want))
	}
	if got := all(t, s); !slices.Equal(got, want) {
		t.Fatal("the entries are not the same")
	}
	if st, _ := s.Stats(); st.FreeRatio < 0.5 || st.FreeRatio <= free.FreeRatio || st.Archived != n {
		t.Errorf("%+v", st)
	}
	for _, seq := range []uint64{1, 2, n - 1, n, n + 1, n + 2} {
		e, raw, hash, err := s.Entry(seq)
		if err != nil || e.Seq != seq || string(raw) != want[seq-1] || hash != hashOf(raw) {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
	for _, from := range []uint64{0, 1, n - 700, n} {
		raws, err := s.Read(from, 10, 1<<20)
		if err != nil || len(raws) == 0 || string(raws[0]) != want[max(from, 1)-1] {
			t.Errorf("read from %d: %d entries, %v", from, len(raws), err)
		}
	}
	if again := archive(t, s, ArchivePolicy{Keep: 5000}); again != 0 {
		t.Errorf("%d entries were archived again", again)
	}
	fill(t, s, 10)
	path := s.path
	mustClose(t, s)
	s, rep := mustOpen(t, path)
	if rep.Archived != n || len(rep.Notes) > 0 || rep.Kiosk != "K1" || rep.Epoch != [16]byte{1, 2, 3} {
		t.Errorf("%+v", rep)
	}
	want = append(want, all(t, s)[len(want):]...)
	if moved := archive(t, s, ArchivePolicy{}); moved == 0 || !slices.Equal(all(t, s), want) {
		t.Errorf("%d more", moved)
	}
	mustClose(t, s)
}

func hashOf(raw []byte) entry.Hash { _, h, _ := entry.Open(raw); return h }

func TestWhatIsNeededIsNotArchived(t *testing.T) {
	s, _ := mustOpen(t, Path(t.TempDir()))
	fill(t, s, 100)
	if n := archive(t, s, ArchivePolicy{}); n != 0 {
		t.Errorf("%d entries without a mark and a checkpoint", n)
	}
	acknowledge(t, s)
	if n := archive(t, s, ArchivePolicy{}); n != 0 {
		t.Errorf("%d entries without a checkpoint", n)
	}
	fill(t, s, 50)
	checkpoint(t, s)
	ack, _, _ := s.Mark()
	if n := archive(t, s, ArchivePolicy{Age: time.Hour}); n != 0 {
		t.Errorf("%d entries that are too young", n)
	}
	if n := archive(t, s, ArchivePolicy{Least: 200}); n != 0 {
		t.Errorf("%d entries, fewer than are worth it", n)
	}
	if n := archive(t, s, ArchivePolicy{}); n != ack-1 {
		t.Errorf("%d entries went, %d are acknowledged", n, ack)
	}
	if seq, _, err := s.Mark(); err != nil || seq != ack {
		t.Errorf("mark %d, %v", seq, err)
	}
	// The host was restored itself and asks for entries again.
	_, _, hash, err := s.Entry(5)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetMark(5, hash); err != nil {
		t.Error(err)
	}
	if seq, _, err := s.Mark(); err != nil || seq != 5 {
		t.Errorf("mark %d, %v", seq, err)
	}
	if n := archive(t, s, ArchivePolicy{}); n != 0 {
		t.Errorf("%d entries went that the host asks for", n)
	}
	mustClose(t, s)
}

// A clock that stands at 1970, or has been in the future, keeps nothing here
// for ever.
func TestAWrongClockDoesNotStopArchiving(t *testing.T) {
	now := time.UnixMilli(4_000_000_000_000)
	o := options()
	o.Clock = func() time.Time { return now }
	s, _, err := Open(Path(t.TempDir()), o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 100)
	checkpoint(t, s)
	acknowledge(t, s)
	now = time.UnixMilli(1_760_000_000_000)
	if n := archive(t, s, ArchivePolicy{Age: time.Hour}); n == 0 {
		t.Error("entries of the future stay for ever")
	}
	mustClose(t, s)
}

func TestADamagedArchiveIsNamedAndTheJournalIsWell(t *testing.T) {
	dir := t.TempDir()
	s := grown(t, dir, 3000)
	want := all(t, s)
	n := archive(t, s, ArchivePolicy{})
	seq, hash := s.Tail()
	rep, err := s.Backup(context.Background(), filepath.Join(t.TempDir(), "b"), 2)
	if err != nil || rep.Seq != seq || rep.Hash != hash || rep.Archives != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	path := filepath.Join(dir, ArchiveName, archiveName(1, n))
	image := readAll(t, path)
	for _, at := range []int{0, 5, len(image) / 2, len(image) - 200, len(image) - 1} {
		bad := bytes.Clone(image)
		bad[at] ^= 0x20
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Verify(context.Background(), nil)
		if d := (*ErrDamaged)(nil); !errors.As(err, &d) || !d.Archive || d.Path != path || Restorable(err) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(context.Background(), nil); !errors.Is(err, ErrNoArchive) || Restorable(err) {
		t.Error(err)
	}
	if _, err := s.Append(body(1)); err != nil {
		t.Error(err)
	}
	healed, err := s.HealArchives(context.Background(), []string{filepath.Dir(rep.Path)})
	if err != nil || healed != 1 {
		t.Fatalf("%d, %v", healed, err)
	}
	if got := all(t, s); !slices.Equal(got[:len(want)], want) {
		t.Error("other entries came back")
	}
	mustClose(t, s)
}

func TestCompactionLosesNothingThatIsAppendedMeanwhile(t *testing.T) {
	s := grown(t, t.TempDir(), 20_000)
	archive(t, s, ArchivePolicy{})
	var mu sync.Mutex
	want := all(t, s)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			list, err := s.Append(body(i), body(i+1))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			for _, e := range list {
				_, raw, _, err := s.Entry(e.Seq)
				if err != nil {
					t.Error(err)
				}
				want = append(want, string(raw))
			}
			mu.Unlock()
		}
	}()
	for range 3 {
		rep, err := s.Compact(context.Background())
		if err != nil && !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
		t.Logf("%+v", rep)
	}
	close(stop)
	<-done
	rep, err := s.Compact(context.Background())
	if err != nil || rep.After >= rep.Before && rep.Before > 16<<20 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if st, _ := s.Stats(); st.FreeRatio > 0.3 {
		t.Errorf("%+v after compaction", st)
	}
	if got := all(t, s); !slices.Equal(got, want) {
		t.Fatalf("%d entries, %d were appended", len(got), len(want))
	}
	if _, _, err := s.Mark(); err != nil {
		t.Error(err)
	}
	ack, _, _ := s.Mark()
	if ack == 0 {
		t.Error("the mark was lost")
	}
	if _, _, err := Open(s.path, options()); !errors.Is(err, ErrLocked) {
		t.Errorf("after compaction another process may open it: %v", err)
	}
	path := s.path
	mustClose(t, s)
	s, repo := mustOpen(t, path)
	if len(repo.Notes) > 0 || !slices.Equal(all(t, s), want) {
		t.Errorf("%+v", repo)
	}
	mustClose(t, s)
}

func TestCompactionWaitsForNobody(t *testing.T) {
	s := grown(t, t.TempDir(), 500)
	s.use.RLock() // somebody reads for long
	_, err := s.Compact(context.Background())
	s.use.RUnlock()
	if !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(compactPath(s.path)); err == nil {
		t.Error("the copy was left behind")
	}
	if _, err := s.Append(body(1)); err != nil {
		t.Error(err)
	}
	mustClose(t, s)
}

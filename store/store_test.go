package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("BUKA_STORE_CHILD"); dir != "" {
		os.Exit(child(dir, os.Getenv("BUKA_STORE_DO")))
	}
	os.Exit(m.Run())
}

// command runs this test binary again as another process.
func command(t testing.TB, dir, do string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "BUKA_STORE_CHILD="+dir, "BUKA_STORE_DO="+do)
	cmd.Stderr = os.Stderr
	return cmd
}

func ticking() func() time.Time {
	at := time.UnixMilli(1_760_000_000_000)
	return func() time.Time { at = at.Add(time.Second); return at }
}

func options() Options {
	return Options{Clock: ticking(), Kiosk: "K1", Epoch: [16]byte{1, 2, 3}, LockWait: time.Millisecond}
}

func mustOpen(t testing.TB, path string) (*Store, Report) {
	t.Helper()
	s, rep, err := Open(path, options())
	if err != nil {
		t.Fatal(err)
	}
	return s, rep
}

// mustClose closes a store and has bbolt's own check look at the file.
func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Verify(context.Background(), nil); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	boltCheck(t, s.path)
}

func boltCheck(t testing.TB, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Error("bbolt:", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func body(i int) entry.Body {
	sale := entry.Of{Sale: entry.SaleID(fmt.Sprintf("ABCDEFGH%08d", i/5))}
	switch i % 5 {
	case 0:
		return entry.SaleOpened{Of: sale, Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Place: strings.Repeat("p", i%97)}
	case 1:
		return entry.AmountChosen{Of: sale, Amount: 5000}
	case 2:
		return entry.WriteStarted{Of: sale, ConfirmSTAN: uint32(i), VoidSTAN: uint32(i + 1)}
	case 3:
		return entry.WriteDone{Of: sale, TAC: entry.Hex{1, 2, 3, 4}, SW: 0x9000}
	}
	return entry.SaleClosed{Of: sale, Why: "done"}
}

func fill(t testing.TB, s *Store, n int) {
	t.Helper()
	for i := range n {
		if _, err := s.Append(body(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func all(t testing.TB, r interface {
	Each(uint64, func(entry.Entry, []byte) error) error
}) (raws []string) {
	t.Helper()
	if err := r.Each(1, func(_ entry.Entry, raw []byte) error { raws = append(raws, string(raw)); return nil }); err != nil {
		t.Fatal(err)
	}
	return raws
}

func TestANewJournalBeginsWithItsEpoch(t *testing.T) {
	path := Path(t.TempDir())
	s, rep := mustOpen(t, path)
	if !rep.Created || rep.Entries != 1 || rep.Epoch != options().Epoch || rep.Kiosk != "K1" {
		t.Errorf("report %+v", rep)
	}
	e, _, _, err := s.Entry(1)
	if err != nil || e.Kind != entry.KEpochBegun {
		t.Errorf("entry 1 is %+v, %v", e, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	mustClose(t, s)
}

func TestTheChainGoesOnAcrossReopening(t *testing.T) {
	path := Path(t.TempDir())
	var want []string
	for round := range 20 {
		s, rep := mustOpen(t, path)
		if got := all(t, s); round > 0 && strings.Join(got, "") != strings.Join(want, "") {
			t.Fatal("other entries than before closing")
		}
		if rep.Created != (round == 0) || len(rep.Notes) > 0 {
			t.Errorf("round %d: %+v", round, rep)
		}
		if _, err := s.Append(body(0), body(1), body(2)); err != nil {
			t.Fatal(err)
		}
		fill(t, s, round*7)
		want = all(t, s)
		seq, hash := s.Tail()
		if _, _, h, err := s.Entry(seq); err != nil || h != hash || int(seq) != len(want) {
			t.Fatalf("tail %d %s: %s %v", seq, hash, h, err)
		}
		mustClose(t, s)
	}
}

func TestReadIsBoundedAndGivesAtLeastOne(t *testing.T) {
	s, _ := mustOpen(t, Path(t.TempDir()))
	defer mustClose(t, s)
	fill(t, s, 100)
	for _, c := range []struct {
		from       uint64
		max, bytes int
		want       int
	}{{1, 10, 1 << 20, 10}, {95, 10, 1 << 20, 7}, {101, 10, 1, 1}, {102, 10, 1, 0}, {0, 3, 1 << 20, 3}, {50, 0, 1 << 20, 0}} {
		raws, err := s.Read(c.from, c.max, c.bytes)
		if err != nil || len(raws) != c.want {
			t.Errorf("Read(%d, %d, %d) gave %d, %v", c.from, c.max, c.bytes, len(raws), err)
		}
	}
	if _, _, _, err := s.Entry(1 << 40); !errors.As(err, new(*ErrDamaged)) {
		t.Errorf("an entry far beyond the end: %v", err)
	}
}

func TestLastCheckpointAndMark(t *testing.T) {
	path := Path(t.TempDir())
	s, _ := mustOpen(t, path)
	if _, ok, err := s.LastCheckpoint(); ok || err != nil {
		t.Error("a checkpoint out of nowhere", err)
	}
	if seq, _, err := s.Mark(); seq != 0 || err != nil {
		t.Error("a mark out of nowhere", seq, err)
	}
	fill(t, s, 9)
	big := entry.Checkpoint{State: make([]byte, 3<<20)}
	list, err := s.Append(body(0), big, body(1))
	if err != nil {
		t.Fatal(err)
	}
	_, hash := s.Tail()
	if err := s.SetMark(list[2].Seq, hash); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMark(list[1].Seq, hash); err == nil {
		t.Error("a mark with the hash of another entry was accepted")
	}
	if s.Failed() != nil {
		t.Error("a refused mark ended appending")
	}
	fill(t, s, 9)
	mustClose(t, s)

	s, rep := mustOpen(t, path)
	defer mustClose(t, s)
	e, ok, err := s.LastCheckpoint()
	if err != nil || !ok || e.Seq != list[1].Seq || rep.VerifiedFrom != e.Seq || rep.Checkpoint != e.Seq {
		t.Errorf("checkpoint %d %v %v, report %+v", e.Seq, ok, err, rep)
	}
	if seq, h, err := s.Mark(); seq != list[2].Seq || h != hash || err != nil {
		t.Errorf("mark %d %s %v", seq, h, err)
	}
}

func TestAfterAFailedAppendNothingIsAdded(t *testing.T) {
	path := Path(t.TempDir())
	s, _ := mustOpen(t, path)
	fill(t, s, 10)
	want, _ := s.Tail()
	if err := s.file.Close(); err != nil { // the disk goes away
		t.Fatal(err)
	}
	if _, err := s.Append(body(1)); !errors.Is(err, ErrFailed) {
		t.Errorf("append without a file: %v", err)
	}
	if _, err := s.Append(body(1)); !errors.Is(err, ErrFailed) || s.Failed() == nil {
		t.Errorf("append after a failed one: %v", err)
	}
	if err := s.SetMark(0, entry.Hash{}); !errors.Is(err, ErrFailed) {
		t.Errorf("mark after a failed append: %v", err)
	}
	if seq, _ := s.Tail(); seq != want {
		t.Errorf("the tail moved to %d", seq)
	}
	s.Close()
	s, rep := mustOpen(t, path)
	defer mustClose(t, s)
	if rep.Entries != want {
		t.Errorf("%d entries, want %d", rep.Entries, want)
	}
	fill(t, s, 3)
}

func TestAFullDiskEndsAppending(t *testing.T) {
	path := Path(t.TempDir())
	s, _ := mustOpen(t, path)
	s.bolt.MaxSize = 1 << 16
	n := 0
	var err error
	for ; err == nil && n < 10_000; n++ {
		_, err = s.Append(body(n))
	}
	if !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	s.Close()
	s, rep := mustOpen(t, path)
	defer mustClose(t, s)
	if int(rep.Entries) != n {
		t.Errorf("%d entries, want %d", rep.Entries, n)
	}
}

func TestClosedAndOversized(t *testing.T) {
	s, _ := mustOpen(t, Path(t.TempDir()))
	if _, err := s.Append(); err == nil {
		t.Error("an empty append")
	}
	if _, err := s.Append(entry.Checkpoint{State: make([]byte, entry.MaxBytes)}); err == nil || s.Failed() != nil {
		t.Errorf("an entry that is too large: %v, %v", err, s.Failed())
	}
	mustClose(t, s)
	if _, err := s.Append(body(1)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Read(1, 1, 1); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadingVerifyingAndAppendingAtOnce(t *testing.T) {
	s, _ := mustOpen(t, Path(t.TempDir()))
	defer mustClose(t, s)
	fill(t, s, 200)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := s.Verify(context.Background(), nil); err != nil {
					t.Error(err)
					return
				}
				if err := s.VerifyTail(20); err != nil {
					t.Error(err)
				}
				if _, err := s.Stats(); err != nil {
					t.Error(err)
				}
				all(t, s)
			}
		})
	}
	fill(t, s, 300)
	close(done)
	wg.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Verify(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled verify: %v", err)
	}
	if st, err := s.Stats(); err != nil || st.Entries != 501 || st.FreeRatio <= 0 || st.FreeRatio >= 1 {
		t.Errorf("%+v %v", st, err)
	}
	if room, err := s.Room(); err != nil || room == 0 {
		t.Errorf("room %d %v", room, err)
	}
}

func TestWhoseJournalIsIt(t *testing.T) {
	dir := t.TempDir()
	path := Path(dir)
	o := options()
	o.Kiosk = ""
	if _, _, err := Open(path, o); !errors.Is(err, ErrAbsent) {
		t.Errorf("no journal and no kiosk: %v", err)
	}
	s, _ := mustOpen(t, path)
	fill(t, s, 10)
	mustClose(t, s)
	o.Kiosk = "K2"
	if _, _, err := Open(path, o); !errors.Is(err, ErrOtherKiosk) {
		t.Errorf("another kiosk: %v", err)
	}

	// A crash before journal.id was written.
	if err := os.Remove(filepath.Join(dir, IDName)); err != nil {
		t.Fatal(err)
	}
	s, rep := mustOpen(t, path)
	if rep.Created {
		t.Error("taken for a new one")
	}
	mustClose(t, s)

	// A journal of another epoch in its place.
	other := Path(t.TempDir())
	o = options()
	o.Epoch = [16]byte{9}
	s, _, err := Open(other, o)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path, options()); !errors.As(err, new(*ErrDamaged)) || !strings.Contains(err.Error(), "another journal's file") {
		t.Errorf("another epoch: %v", err)
	}

	// The journal is gone.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := Open(path, options()); !errors.Is(err, ErrLost) {
			t.Errorf("a lost journal: %v", err)
		}
	}
	if there, _ := exists(path); there {
		t.Error("a lost journal was begun anew")
	}
}

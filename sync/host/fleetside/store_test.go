package fleetside

import (
	"context"
	"path/filepath"
	"testing"

	"buka/internal/entry"
	"buka/store"
	"buka/sync/fleetlink"
)

var _ fleetlink.Journal = (*store.Store)(nil)

// TestAKiosksOwnStore ships from the journal that a kiosk really keeps, with a
// restart of the kiosk in between.
func TestAKiosksOwnStore(t *testing.T) {
	s := startSide(t, nil)
	path := filepath.Join(t.TempDir(), "journal.db")
	total := uint64(1) // the store writes the first entry itself
	for round := range 3 {
		j, _, err := store.Open(path, store.Options{Kiosk: "K1", Epoch: [16]byte(epochA), Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		l, stop := startLink(t, s.Addr(), "K1", j, nil)
		for n := range 20 {
			if _, err := j.Append(wholeSale(100*round + n)...); err != nil {
				t.Fatal(err)
			}
			l.Poke()
			total += 10
		}
		eventually(t, "all is shipped", shipped(l))
		stop()
		seq, _, err := j.Mark()
		if err != nil || seq != total {
			t.Fatalf("mark %d, %v; want %d", seq, err, total)
		}
		if err := j.SetMark(seq-5, hashOf(t, j, seq-5)); err != nil { // as after a crash: it lags
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != total {
		t.Fatal(n, err)
	}
}

func hashOf(t *testing.T, j *store.Store, seq uint64) entry.Hash {
	t.Helper()
	_, _, hash, err := j.Entry(seq)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

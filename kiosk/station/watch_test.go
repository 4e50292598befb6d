package station

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"buka/cardio/reader"
	"buka/topup"
)

// lying is a source whose one reader shows the same presence for ever.
type lying struct{ reader.Source }

func (lying) Readers() []reader.State {
	return []reader.State{{Reader: "Transit 00", Present: true, Serial: 1, Cards: 1}}
}

// TestFlicker: a card that contact was lost with, and that its reader has never
// missed, counts as presented again; a few times, and only when a removal would
// have been noticed by then.
func TestFlicker(t *testing.T) {
	roles, err := reader.NewRoles(map[reader.Role]string{reader.Transit: "^Transit 00$"})
	if err != nil {
		t.Fatal(err)
	}
	var presented, gone []uint64
	w := &watch{
		source: lying{}, roles: roles, present: make(chan struct{}, 1), log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		places: map[topup.Place]presence{}, devices: map[string]string{}, broken: map[topup.Place]time.Time{},
		post: func(ev topup.Event) {
			switch e := ev.(type) {
			case topup.CardPresented:
				presented = append(presented, e.Session)
			case topup.CardGone:
				gone = append(gone, e.Session)
			}
		},
	}
	w.look()
	w.look()
	if len(presented) != 1 {
		t.Fatalf("presented %v", presented)
	}
	w.lost(topup.Front)
	w.look()
	if len(presented) != 1 {
		t.Fatal("the reader was given no time to notice a removal")
	}
	for range maxAgain + 3 {
		w.broken[topup.Front] = time.Now().Add(-2 * relost)
		w.look()
		w.look()
	}
	if len(presented) != 1+maxAgain || len(gone) != maxAgain || presented[maxAgain] != maxAgain+1 {
		t.Errorf("presented %v, gone %v", presented, gone)
	}
}

package lab

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"buka/cardio/virtual"
	"buka/topup"
)

// TestARideWaitsForTheCard: no gate elsewhere has a card that lies on the kiosk's
// reader; its commands would come between the kiosk's.
func TestARideWaitsForTheCard(t *testing.T) {
	l, err := Open(t.Context(), Options{Dir: t.TempDir(), Reader: "memory", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.PowerOn(); err != nil {
		t.Fatal(err)
	}
	if err := l.AddCard("red", virtual.PurseOptions{Number: "3105170010170907984", Balance: 2850, Counter: 2}); err != nil {
		t.Fatal(err)
	}
	if err := l.Lay("red", topup.Front); err != nil {
		t.Fatal(err)
	}
	var taken atomic.Bool
	ridden := make(chan error, 1)
	go func() {
		err := l.Ride("red", 50)
		if !taken.Load() {
			t.Error("it rides while it lies on the reader")
		}
		ridden <- err
	}()
	awaitFor(200*time.Millisecond, func() bool { return len(ridden) > 0 }) // a slow machine makes the test weaker, never red
	taken.Store(true)
	if err := l.Remove("red"); err != nil {
		t.Fatal(err)
	}
	if err := <-ridden; err != nil {
		t.Error(err)
	}
	if p, err := l.Purse("red"); err != nil || p.Balance() != 2800 {
		t.Error(p.Balance(), err)
	}
}

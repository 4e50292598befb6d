package reader_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"buka/cardio/reader"
	"buka/cardio/reader/pcscd"
	"buka/cardio/virtual"
)

// conform is what every source must do, with one reader and a place on it; pace
// is the unit of the fast taps.
func conform(t *testing.T, s reader.Source, name string, place virtual.Slot, pace time.Duration) {
	until(t, s, "the first event", kind(reader.ServiceUp, ""))
	until(t, s, "the reader", kind(reader.ReaderAdded, name))
	t.Run("without a card", func(t *testing.T) {
		if _, err := s.Open(context.Background(), name); !errors.Is(err, reader.ErrNoCard) {
			t.Error(err)
		}
		if _, err := s.Open(context.Background(), "Elsewhere"); !errors.Is(err, reader.ErrReaderGone) {
			t.Error(err)
		}
	})
	card := newPurse(t)
	t.Run("tap, leave, tap", func(t *testing.T) { taps(t, s, name, place, card) })
	t.Run("torn", func(t *testing.T) { torn(t, s, name, place, card) })
	t.Run("fast taps", func(t *testing.T) { fastTaps(t, s, name, place, card, pace) })
}

func taps(t *testing.T, s reader.Source, name string, place virtual.Slot, card *virtual.Purse) {
	last := uint64(0)
	for range 2 {
		if err := place.Insert(card); err != nil {
			t.Fatal(err)
		}
		came := until(t, s, "tap", kind(reader.CardPresent, name))
		if !bytes.Equal(came.ATR, card.ATR()) || came.Cards != 1 || came.Serial <= last {
			t.Errorf("%+v after %d", came, last)
		}
		last = came.Serial
		if err := readBalance(s, name); err != nil {
			t.Fatal(err)
		}
		place.Remove()
		if left := until(t, s, "leave", kind(reader.CardRemoved, name)); left.Serial != last {
			t.Error(left)
		}
	}
}

func torn(t *testing.T, s reader.Source, name string, place virtual.Slot, card *virtual.Purse) {
	place.Insert(card)
	until(t, s, "tap", kind(reader.CardPresent, name))
	card.Tear(virtual.Tear{When: virtual.Before, Match: func(b []byte) bool { return b[1] == 0x5C }})
	if err := readBalance(s, name); err == nil || reader.NotSent(err) {
		t.Error("a torn command is unknown:", err)
	}
	until(t, s, "leave", kind(reader.CardRemoved, name))
	if place.Present() {
		t.Error("a torn card has left its place")
	}
	if err := place.Insert(card); err != nil {
		t.Fatal(err)
	}
	until(t, s, "tap again", kind(reader.CardPresent, name))
	if err := readBalance(s, name); err != nil {
		t.Error(err)
	}
	place.Remove()
	until(t, s, "leave again", kind(reader.CardRemoved, name))
}

// fastTaps moves the card faster than any reader can follow, while somebody
// tries to talk to it. Whatever was seen of that, the end is the truth.
func fastTaps(t *testing.T, s reader.Source, name string, place virtual.Slot, card *virtual.Purse, pace time.Duration) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(pace / 10):
				readBalance(s, name) // anything may come of it
			}
		}
	}()
	for i := range 25 {
		if err := place.Insert(card); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*i%7) * pace)
		place.Remove()
		time.Sleep(time.Duration(i*i%5) * pace)
	}
	close(stop)
	<-stopped
	place.Insert(card)
	limit := time.Now().Add(patience)
	for readBalance(s, name) != nil {
		if time.Now().After(limit) {
			t.Fatal("the card at the end was never read:", readBalance(s, name))
		}
		time.Sleep(20 * time.Millisecond)
	}
	present := uint64(0)
	until(t, s, "the last card", func(e reader.Event) bool {
		if e.Reader != name {
			return false
		}
		switch e.Kind {
		case reader.CardPresent:
			if present != 0 || e.Serial == 0 {
				t.Error("came twice", e, present)
			}
			present = e.Serial
		case reader.CardRemoved:
			if e.Serial != present {
				t.Error("another one left", e, present)
			}
			present = 0
		}
		st := s.Readers()
		return present != 0 && st[0].Present && st[0].Serial == present
	})
	place.Remove()
	until(t, s, "the end", kind(reader.CardRemoved, name))
}

func TestMemoryConforms(t *testing.T) {
	m := reader.NewMemory(reader.Limits{}, "field")
	defer m.Close()
	conform(t, m, "field", virtual.NewMemorySlot(m, "field"), time.Millisecond)
}

// TestOpenLeavesNothing opens more often than a service has contexts.
func TestOpenLeavesNothing(t *testing.T) {
	m := reader.NewMemory(reader.Limits{}, "field", "empty")
	defer m.Close()
	m.Insert("field", newPurse(t))
	leavesNothing(t, m, "field", "empty")
}

func TestPCSCOpenLeavesNothing(t *testing.T) {
	service(t, noOptions)
	s := watchPCSC(t, reader.Limits{})
	v := slot(t, pcscd.Port0)
	v.Insert(newPurse(t))
	until(t, s, "tap", kind(reader.CardPresent, pcscd.Reader0))
	leavesNothing(t, s, pcscd.Reader0, pcscd.Reader1)
}

func leavesNothing(t *testing.T, s reader.Source, name, empty string) {
	before := runtime.NumGoroutine()
	for range 500 {
		if err := readBalance(s, name); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(context.Background(), empty); !errors.Is(err, reader.ErrNoCard) {
			t.Fatal(err)
		}
	}
	for limit := time.Now().Add(patience); runtime.NumGoroutine() > before+5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestPCSCTwoReadersTogether(t *testing.T) {
	service(t, noOptions)
	s := watchPCSC(t, reader.Limits{})
	until(t, s, "the readers", kind(reader.ReaderAdded, pcscd.Reader1))
	v0, v1 := slot(t, pcscd.Port0), slot(t, pcscd.Port1)
	for range 3 {
		v0.Insert(newPurse(t))
		v1.Insert(newPurse(t))
		here := map[string]bool{}
		until(t, s, "both", func(e reader.Event) bool {
			here[e.Reader] = here[e.Reader] || e.Kind == reader.CardPresent
			return here[pcscd.Reader0] && here[pcscd.Reader1]
		})
		errs := make(chan error, 2)
		for _, name := range []string{pcscd.Reader0, pcscd.Reader1} {
			go func() { errs <- readBalance(s, name) }()
		}
		if err := errors.Join(<-errs, <-errs); err != nil {
			t.Error(err)
		}
		v0.Remove()
		v1.Remove()
		gone := map[string]bool{}
		until(t, s, "both gone", func(e reader.Event) bool {
			gone[e.Reader] = gone[e.Reader] || e.Kind == reader.CardRemoved
			return gone[pcscd.Reader0] && gone[pcscd.Reader1]
		})
	}
}

func TestPCSCClosesAtAnyMoment(t *testing.T) {
	service(t, noOptions)
	for i := range 20 {
		p := reader.NewPCSC(reader.Limits{})
		time.Sleep(time.Duration(i) * time.Millisecond)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p.Close()
		for range p.Events() {
		}
	}
}

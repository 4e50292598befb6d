package store

import (
	"testing"

	"buka/internal/entry"
)

func TestRoomIsSecuredOrRefused(t *testing.T) {
	s, _ := mustOpen(t, Path(t.TempDir()))
	if err := s.Secure(WorstSale); err != nil {
		t.Fatal(err)
	}
	info, _ := s.file.Stat()
	if used, _ := s.usedBytes(); info.Size() < used+WorstSale || s.secured < used+WorstSale {
		t.Errorf("%d bytes for %d", info.Size(), used)
	}
	bulk(t, s, 2000)
	if err := s.writeZeros(info.Size()-1000, 5000); err != nil {
		t.Error(err)
	}
	err := s.Secure(1 << 60)
	if err == nil {
		t.Error("an exabyte was secured")
	}
	if _, err := s.Append(body(1)); err != nil {
		t.Error(err)
	}
	path := s.path
	mustClose(t, s)
	s, rep := mustOpen(t, path)
	if len(rep.Notes) > 0 {
		t.Errorf("%+v", rep)
	}
	mustClose(t, s)
}

// The worst sale that there is fits into what is secured for it.
func TestTheWorstSaleFits(t *testing.T) {
	s, _ := mustOpen(t, Path(t.TempDir()))
	bulk(t, s, 20_000)
	before, _ := s.usedBytes()
	hold := make(chan struct{})
	reading := make(chan struct{})
	done := make(chan struct{})
	go func() { // a reader that keeps old pages from being used again
		defer close(done)
		_ = s.state(func(view) error { close(reading); <-hold; return nil })
	}()
	<-reading
	for i := range 64 {
		bodies := []entry.Body{body(i), body(i + 1), body(i + 2)}
		if i%20 == 0 {
			bodies = append(bodies, entry.Checkpoint{State: make([]byte, 256<<10)})
		}
		if _, err := s.Append(bodies...); err != nil {
			t.Fatal(err)
		}
	}
	close(hold)
	<-done
	if after, _ := s.usedBytes(); after-before > WorstSale {
		t.Errorf("%d bytes, and %d are secured", after-before, WorstSale)
	} else {
		t.Logf("%d of %d bytes", after-before, WorstSale)
	}
	mustClose(t, s)
}

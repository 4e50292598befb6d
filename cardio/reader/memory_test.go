package reader

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// echo answers every command with itself and 9000.
type echo struct {
	name  byte
	block chan struct{} // Process waits for it, if not nil
	mute  bool          // Process loses power
}

func (e *echo) ATR() []byte { return []byte{0x3B, 0x80, 0x80, e.name} }
func (e *echo) Reset()      {}
func (e *echo) Process(cmd []byte) []byte {
	if e.block != nil {
		<-e.block
	}
	if e.mute {
		return nil
	}
	return append(bytes.Clone(cmd), 0x90, 0)
}

var ask = []byte{0x80, 0x5C, 0, 2, 4}

// await reads events until one of that kind comes, and fails after a generous
// time.
func await(t *testing.T, s Source, kind Kind) Event {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case e, ok := <-s.Events():
			if !ok {
				t.Fatalf("events ended before %v", kind)
			}
			if e.Kind == kind {
				return e
			}
		case <-limit:
			t.Fatalf("no %v", kind)
		}
	}
}

func newTestMemory(t *testing.T, l Limits) *Memory {
	m := NewMemory(l, "one", "two")
	t.Cleanup(func() { m.Close() })
	return m
}

func TestMemoryTap(t *testing.T) {
	m := newTestMemory(t, Limits{})
	await(t, m, ServiceUp)
	if e := await(t, m, ReaderAdded); e.Reader != "one" {
		t.Error(e)
	}
	if _, err := m.Open(context.Background(), "one"); !errors.Is(err, ErrNoCard) {
		t.Error(err)
	}
	if _, err := m.Open(context.Background(), "none"); !errors.Is(err, ErrReaderGone) {
		t.Error(err)
	}
	card := &echo{name: 1}
	if err := m.Insert("one", card); err != nil {
		t.Fatal(err)
	}
	first := await(t, m, CardPresent)
	if first.Serial == 0 || first.Cards != 1 || !bytes.Equal(first.ATR, card.ATR()) {
		t.Error(first)
	}
	c, err := m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := c.Transmit(context.Background(), ask); err != nil || !bytes.Equal(a, append(bytes.Clone(ask), 0x90, 0)) {
		t.Errorf("%X %v", a, err)
	}
	if _, err := c.Transmit(context.Background(), nil); !errors.Is(err, ErrUsage) || !NotSent(err) {
		t.Error("an empty command", err)
	}
	m.Remove("one", card)
	if e := await(t, m, CardRemoved); e.Serial != first.Serial {
		t.Error(e)
	}
	if _, err := c.Transmit(context.Background(), ask); !errors.Is(err, ErrCardRemoved) || NotSent(err) {
		t.Error("removed must be unknown:", err)
	}
	if _, err := c.Transmit(context.Background(), ask); !errors.Is(err, ErrClosed) || !NotSent(err) {
		t.Error("after the end nothing is sent:", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	m.Insert("one", card)
	if e := await(t, m, CardPresent); e.Serial <= first.Serial {
		t.Error("a serial was used twice", e)
	}
}

func TestMemoryCardLosesPower(t *testing.T) {
	m := newTestMemory(t, Limits{})
	card := &echo{name: 1, mute: true}
	m.Insert("one", card)
	await(t, m, CardPresent) // a card that came and left unseen is not told
	c, err := m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Transmit(context.Background(), ask); !errors.Is(err, ErrCardRemoved) || NotSent(err) {
		t.Error(err)
	}
	if m.Lies("one", card) {
		t.Error("the card must have left the field")
	}
	await(t, m, CardRemoved)
}

func TestMemoryTwoCards(t *testing.T) {
	m := newTestMemory(t, Limits{})
	a, b := &echo{name: 1}, &echo{name: 2}
	m.Insert("one", a)
	if err := m.Insert("one", a); err == nil {
		t.Error("the same card twice")
	}
	m.Insert("one", b)
	if _, err := m.Open(context.Background(), "one"); !errors.Is(err, ErrTwoCards) {
		t.Error(err)
	}
	for {
		if e := <-m.Events(); e.Cards == 2 {
			break
		}
	}
	m.Remove("one", a)
	c, err := m.Open(context.Background(), "one")
	if err != nil || c.ATR()[3] != 2 {
		t.Fatal(err)
	}
	c.Close()
}

func TestMemoryExclusive(t *testing.T) {
	m := newTestMemory(t, Limits{Open: 20 * time.Millisecond})
	m.Insert("one", &echo{name: 1})
	c, err := m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(context.Background(), "one"); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	c.Close()
	c, err = m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestMemoryHang(t *testing.T) {
	m := newTestMemory(t, Limits{Transmit: 20 * time.Millisecond, Close: time.Minute})
	card := &echo{name: 1, block: make(chan struct{})}
	m.Insert("one", card)
	c, err := m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Transmit(context.Background(), ask); !errors.Is(err, ErrTimeout) || NotSent(err) {
		t.Error("a hang is unknown:", err)
	}
	await(t, m, ReaderHung)
	if err := c.Close(); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	close(card.block)
	await(t, m, ReaderFreed)
	c, err = m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Transmit(context.Background(), ask); err != nil {
		t.Error(err)
	}
	c.Close()
}

func TestMemoryContextEnds(t *testing.T) {
	m := newTestMemory(t, Limits{})
	card := &echo{name: 1, block: make(chan struct{})}
	defer close(card.block)
	m.Insert("one", card)
	c, err := m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.Transmit(ctx, ask); !errors.Is(err, ErrTimeout) || !errors.Is(err, context.Canceled) || NotSent(err) {
		t.Error(err)
	}
	m.Insert("two", &echo{name: 2})
	c2, err := m.Open(context.Background(), "two")
	if err != nil {
		t.Fatal(err)
	}
	defer c2.Close()
	if _, err := c2.Transmit(ctx, ask); !NotSent(err) {
		t.Error("the context had ended before:", err)
	}
}

func TestMemoryServiceAndHotPlug(t *testing.T) {
	m := newTestMemory(t, Limits{})
	card := &echo{name: 1}
	m.Insert("one", card)
	c, err := m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	await(t, m, CardPresent)
	m.SetService(false)
	if e := await(t, m, ServiceDown); !errors.Is(e.Err, ErrNoService) {
		t.Error(e)
	}
	if _, err := c.Transmit(context.Background(), ask); !errors.Is(err, ErrNoService) || NotSent(err) {
		t.Error(err)
	}
	if len(m.Readers()) != 0 {
		t.Error(m.Readers())
	}
	m.SetService(true)
	await(t, m, ServiceUp)
	await(t, m, CardPresent)
	m.RemoveReader("one")
	await(t, m, CardRemoved)
	if e := await(t, m, ReaderRemoved); e.Reader != "one" {
		t.Error(e)
	}
	m.AddReader("three")
	await(t, m, ReaderAdded)
	if err := m.Insert("three", card); err != nil {
		t.Error(err)
	}
}

func TestSlowListenerEndsWithTheTruth(t *testing.T) {
	m := newTestMemory(t, Limits{})
	card := &echo{name: 1}
	for range 1000 {
		m.Insert("one", card)
		m.Remove("one", card)
	}
	m.Insert("two", card)
	present := map[string]uint64{}
	for present["two"] == 0 || present["one"] != 0 {
		switch e := <-m.Events(); e.Kind {
		case CardPresent:
			if present[e.Reader] != 0 {
				t.Fatal("present twice", e)
			}
			present[e.Reader] = e.Serial
		case CardRemoved:
			if present[e.Reader] != e.Serial {
				t.Fatal("another serial left", e)
			}
			present[e.Reader] = 0
		}
	}
}

func TestMemoryStorm(t *testing.T) {
	m := newTestMemory(t, Limits{Open: 50 * time.Millisecond})
	var wg sync.WaitGroup
	go func() {
		for range m.Events() {
		}
	}()
	for _, name := range []string{"one", "two"} {
		wg.Add(2)
		go func() {
			defer wg.Done()
			card := &echo{name: 1}
			for range 500 {
				m.Insert(name, card)
				m.Remove(name, card)
			}
		}()
		go func() {
			defer wg.Done()
			for range 500 {
				c, err := m.Open(context.Background(), name)
				if err != nil {
					continue
				}
				c.Transmit(context.Background(), ask)
				c.Close()
			}
		}()
	}
	wg.Wait()
	c, err := m.Open(context.Background(), "one")
	if err == nil {
		t.Error("no card should be left", c)
	}
	m.Close()
	m.Close()
}

func TestCloseEndsTransactions(t *testing.T) {
	m := NewMemory(Limits{}, "one")
	m.Insert("one", &echo{name: 1})
	c, err := m.Open(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if _, err := c.Transmit(context.Background(), ask); !NotSent(err) {
		t.Error(err)
	}
	for range m.Events() {
	}
	if _, err := m.Open(context.Background(), "one"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

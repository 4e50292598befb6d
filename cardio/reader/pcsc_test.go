package reader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/ebfe/scard"

	"buka/cardio/reader"
	"buka/cardio/reader/pcscd"
	"buka/cardio/virtual"
)

const (
	patience = 60 * time.Second
	lockWait = 10 * time.Minute // another package may play all its cards first
)

var noOptions = pcscd.Options{}

// service takes the virtual readers for this test and starts a PC/SC service if
// none answers. restart ends it and, called again, starts another.
func service(t *testing.T, o pcscd.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	t.Cleanup(cancel)
	unlock, err := pcscd.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	stop, err = pcscd.Ensure(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return stop
}

func slot(t *testing.T, port int) *virtual.VPCD {
	v := virtual.NewVPCD(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	t.Cleanup(func() { v.Remove() })
	return v
}

func watchPCSC(t *testing.T, l reader.Limits) *reader.PCSC {
	p := reader.NewPCSC(l)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// until reads events until one fits.
func until(t *testing.T, s reader.Source, what string, fits func(reader.Event) bool) reader.Event {
	t.Helper()
	limit := time.After(patience)
	var seen []string
	for {
		select {
		case e, ok := <-s.Events():
			if !ok {
				t.Fatalf("%s: events ended after %v", what, seen)
			}
			seen = append(seen, fmt.Sprintf("%v %s #%d", e.Kind, e.Reader, e.Serial))
			if fits(e) {
				return e
			}
		case <-limit:
			t.Fatalf("%s: only %v", what, seen)
		}
	}
}

func kind(k reader.Kind, name string) func(reader.Event) bool {
	return func(e reader.Event) bool { return e.Kind == k && (name == "" || e.Reader == name) }
}

func newPurse(t *testing.T) *virtual.Purse {
	t.Helper()
	p, err := virtual.NewPurse(virtual.PurseOptions{Number: "3105170010170907984", Balance: 2850, Counter: 2}, virtual.NewMemoryStore())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	selectPurse = []byte{0x00, 0xA4, 0x04, 0x00, 0x08, 0xA0, 0x00, 0x00, 0x06, 0x32, 0x01, 0x01, 0x05, 0x00}
	getBalance  = []byte{0x80, 0x5C, 0x00, 0x02, 0x04}
	isBalance   = []byte{0x00, 0x00, 0x0B, 0x22, 0x90, 0x00}
)

// readBalance is one transaction with the purse.
func readBalance(s reader.Source, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := s.Open(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Transmit(ctx, selectPurse); err != nil {
		return err
	}
	a, err := c.Transmit(ctx, getBalance)
	if err == nil && !bytes.Equal(a, isBalance) {
		return fmt.Errorf("balance answered %X", a)
	}
	return err
}

func TestPCSCConforms(t *testing.T) {
	service(t, noOptions)
	s := watchPCSC(t, reader.Limits{})
	conform(t, s, pcscd.Reader0, slot(t, pcscd.Port0), 60*time.Millisecond)
}

func TestPCSCBusy(t *testing.T) {
	service(t, noOptions)
	s := watchPCSC(t, reader.Limits{Open: 2 * time.Second})
	v := slot(t, pcscd.Port0)
	v.Insert(newPurse(t))
	until(t, s, "tap", kind(reader.CardPresent, pcscd.Reader0))
	c, err := s.Open(context.Background(), pcscd.Reader0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(context.Background(), pcscd.Reader0); !errors.Is(err, reader.ErrBusy) {
		t.Error("the card is held:", err)
	}
	until(t, s, "abandoned", kind(reader.ReaderHung, pcscd.Reader0))
	if _, err := c.Transmit(context.Background(), selectPurse); err != nil {
		t.Error("the holder is not disturbed:", err)
	}
	c.Close()
	until(t, s, "came back", kind(reader.ReaderFreed, pcscd.Reader0))
	if err := readBalance(s, pcscd.Reader0); err != nil {
		t.Error(err)
	}
}

// TestPCSCAnotherProgram lets a program of the old kind hold the card for
// itself alone.
func TestPCSCAnotherProgram(t *testing.T) {
	service(t, noOptions)
	s := watchPCSC(t, reader.Limits{})
	v := slot(t, pcscd.Port0)
	v.Insert(newPurse(t))
	until(t, s, "tap", kind(reader.CardPresent, pcscd.Reader0))
	ctx, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	defer ctx.Release()
	other, err := ctx.Connect(pcscd.Reader0, scard.ShareExclusive, scard.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(context.Background(), pcscd.Reader0); !errors.Is(err, reader.ErrBusy) {
		t.Error(err)
	}
	if err := other.Disconnect(scard.ResetCard); err != nil {
		t.Fatal(err)
	}
	if err := readBalance(s, pcscd.Reader0); err != nil {
		t.Error(err)
	}
}

// contact is a card with contacts and T=0, which notes what reaches it.
type contact struct {
	*virtual.Purse
	heard chan []byte
}

func (c contact) ATR() []byte { return []byte{0x3B, 0x00} }

func (c contact) Process(cmd []byte) []byte {
	c.heard <- bytes.Clone(cmd)
	return c.Purse.Process(cmd)
}

func TestPCSCContactT0(t *testing.T) {
	service(t, noOptions)
	s := watchPCSC(t, reader.Limits{})
	v, card := slot(t, pcscd.Port0), contact{newPurse(t), make(chan []byte, 16)}
	v.Insert(card)
	until(t, s, "tap", kind(reader.CardPresent, pcscd.Reader0))
	if err := readBalance(s, pcscd.Reader0); err != nil {
		t.Fatal(err)
	}
	if got := <-card.heard; !bytes.Equal(got, selectPurse[:len(selectPurse)-1]) {
		t.Errorf("T=0 has no room for Le: %X", got)
	}
	if got := <-card.heard; !bytes.Equal(got, getBalance) {
		t.Errorf("case 2 stays: %X", got)
	}
}

// slow is a card that thinks until it is told to answer.
type slow struct {
	*virtual.Purse
	think chan struct{}
}

func (s slow) Process(cmd []byte) []byte {
	<-s.think
	return s.Purse.Process(cmd)
}

func TestPCSCHang(t *testing.T) {
	service(t, noOptions)
	s := watchPCSC(t, reader.Limits{Transmit: 2 * time.Second})
	v, card := slot(t, pcscd.Port0), slow{newPurse(t), make(chan struct{})}
	v.Insert(card)
	until(t, s, "tap", kind(reader.CardPresent, pcscd.Reader0))
	if err := readBalance(s, pcscd.Reader0); !errors.Is(err, reader.ErrTimeout) || reader.NotSent(err) {
		t.Error("a hang is unknown:", err)
	}
	until(t, s, "abandoned", kind(reader.ReaderHung, pcscd.Reader0))
	close(card.think)
	until(t, s, "came back", kind(reader.ReaderFreed, pcscd.Reader0))
	if err := readBalance(s, pcscd.Reader0); err != nil {
		t.Error(err)
	}
}

func TestPCSCServiceRestart(t *testing.T) {
	stop := service(t, noOptions)
	s := watchPCSC(t, reader.Limits{})
	v := slot(t, pcscd.Port0)
	v.Insert(newPurse(t))
	first := until(t, s, "tap", kind(reader.CardPresent, pcscd.Reader0))
	c, err := s.Open(context.Background(), pcscd.Reader0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stop()
	if pcscd.Answers() {
		t.Fatal("a PC/SC service runs that this test may not stop: stop it, the tests start their own")
	}
	if e := until(t, s, "down", kind(reader.ServiceDown, "")); !errors.Is(e.Err, reader.ErrNoService) {
		t.Error(e.Err)
	}
	if _, err := c.Transmit(context.Background(), selectPurse); err == nil || reader.NotSent(err) {
		t.Error("the service died under the card:", err)
	}
	if _, err := s.Open(context.Background(), pcscd.Reader0); !errors.Is(err, reader.ErrNoService) {
		t.Error(err)
	}
	again, err := pcscd.Ensure(context.Background(), pcscd.Options{Desk: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again)
	until(t, s, "up", kind(reader.ServiceUp, ""))
	if e := until(t, s, "the card is still there", kind(reader.CardPresent, pcscd.Reader0)); e.Serial <= first.Serial {
		t.Error(e)
	}
	if err := readBalance(s, pcscd.Reader0); err != nil {
		t.Error(err)
	}
	desk := slot(t, pcscd.DeskPort1)
	desk.Insert(newPurse(t))
	until(t, s, "desk", kind(reader.CardPresent, pcscd.Desk1))
	if err := readBalance(s, pcscd.Desk1); err != nil {
		t.Error(err)
	}
}

package device

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/creack/pty"

	"buka/internal/pin"
)

const generous = 30 * time.Second

// peer is the pad's end of a pty in the hands of a test: raw bytes, so that the
// exact frames of the manuals meet the driver and not only our own virtual pad.
type peer struct {
	t      *testing.T
	master *os.File
	rx     chan byte
	driver *PinPad
	frames map[string][]byte
}

func newPeer(t *testing.T, cfg Config) *peer {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, master: master, rx: make(chan byte, 4096), frames: frameVectors(t)}
	go func() {
		b := make([]byte, 1)
		for {
			if _, err := master.Read(b); err != nil {
				return
			}
			p.rx <- b[0]
		}
	}()
	cfg.Port, cfg.ProbeEvery = slave.Name(), time.Hour
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	// A pty starts out cooked, with echo; the driver makes it raw before its
	// first packet.
	p.driver = New(cfg)
	t.Cleanup(func() {
		p.driver.Close()
		slave.Close() // ends the read of the master
		master.Close()
	})
	p.greet()
	return p
}

// greet plays the pad's part of a connect.
func (p *peer) greet() {
	p.t.Helper()
	p.fence()
	if p.driver.cfg.Scheme == pin.MasterSession {
		p.expect(p.frames["check master key 0"])
		p.send(ack)
		p.send(adminBytes("04F")...)
		p.expect([]byte{ack})
	}
	for end := time.Now().Add(generous); ; time.Sleep(time.Millisecond) {
		if ok, what, _ := p.driver.State(); ok {
			return
		} else if time.Now().After(end) {
			p.t.Fatal(what)
		}
	}
}

// fence plays the pad's part of what comes before each entry and on connect.
func (p *peer) fence() {
	p.t.Helper()
	p.expect(p.frames["cancel"])
	p.send(ack)
	p.expect(must(msgReadSerial().Encode()))
	p.send(ack)
	p.send(must(Frame{Admin: true, Body: []byte("061234567890123456")}.Encode())...)
	p.expect([]byte{ack})
}

func (p *peer) send(b ...byte) {
	p.t.Helper()
	if _, err := p.master.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) expect(want []byte) {
	p.t.Helper()
	var got []byte
	for len(got) < len(want) {
		select {
		case b := <-p.rx:
			got = append(got, b)
		case <-time.After(generous):
			p.t.Fatalf("the driver sends % X, want % X", got, want)
		}
	}
	if !bytes.Equal(got, want) {
		p.t.Fatalf("the driver sends % X, want % X", got, want)
	}
}

type outcome struct {
	r   Result
	err error
}

func (p *peer) ask() <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		r, err := p.driver.EnterPIN(context.Background(), Request{PAN: "4012345678909"})
		out <- outcome{r, err}
	}()
	return out
}

func (p *peer) get(c <-chan outcome) outcome {
	p.t.Helper()
	select {
	case o := <-c:
		return o
	case <-time.After(generous):
		p.t.Fatal("EnterPIN did not return")
		return outcome{}
	}
}

// prompt plays the way to the pad's "enter PIN".
func (p *peer) prompt() {
	p.t.Helper()
	p.fence()
	p.z2z60()
}

func (p *peer) z2z60() {
	p.t.Helper()
	p.expect(must(msgPrompt("ENTER PIN").Encode()))
	p.send(ack)
	p.expect(p.frames["Z60 DUKPT"])
	p.send(ack)
}

func TestWireHappyPathAndRepeat(t *testing.T) {
	p := newPeer(t, Config{})
	c := p.ask()
	p.prompt()
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
	if o := p.get(c); o.err != nil || o.r.PIN.KSN.String() != "FFFF9876543210E00001" {
		t.Fatal(o.err)
	}
	// The pad has not seen our ACK and says it again, into the next entry.
	c = p.ask()
	p.prompt()
	p.send(p.frames["71 DUKPT"]...)
	p.expect([]byte{ack})
	p.send(must(Frame{Body: []byte("7109876543210E000021B9C1845EB993A7B")}.Encode())...)
	p.expect([]byte{ack})
	if o := p.get(c); o.err != nil || o.r.PIN.KSN.Counter() != 2 {
		t.Fatalf("%v", o.err)
	}
}

func TestWireThreeNAKs(t *testing.T) {
	p := newPeer(t, Config{})
	c := p.ask()
	p.fence()
	for range maxTries {
		p.expect(must(msgPrompt("ENTER PIN").Encode()))
		p.send(nak)
	}
	p.expect([]byte{eot})
	if o := p.get(c); !errors.Is(o.err, ErrGarbled) {
		t.Fatal(o.err)
	}
	p.greet() // the driver opens the port again by itself
}

func TestWireThreeWrongLRCs(t *testing.T) {
	p := newPeer(t, Config{})
	c := p.ask()
	p.prompt()
	wrong := bytes.Clone(p.frames["73 DUKPT"])
	wrong[len(wrong)-1] = ack // looks like an answer, and is a wrong LRC
	for range maxTries {
		p.send(wrong...)
		p.expect([]byte{nak})
	}
	p.expect([]byte{eot})
	if o := p.get(c); !errors.Is(o.err, ErrGarbled) {
		t.Fatal(o.err)
	}
}

func TestWireHalfAnAnswer(t *testing.T) {
	p := newPeer(t, Config{InterByteTimeout: 50 * time.Millisecond})
	c := p.ask()
	p.prompt()
	p.send(p.frames["73 DUKPT"][:20]...)
	p.expect([]byte{nak})
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
	if o := p.get(c); o.err != nil {
		t.Fatal(o.err)
	}
}

func TestWireSilence(t *testing.T) {
	p := newPeer(t, Config{AckTimeout: 50 * time.Millisecond})
	c := p.ask()
	p.fence()
	for range maxTries {
		p.expect(must(msgPrompt("ENTER PIN").Encode()))
	}
	p.expect([]byte{eot})
	if o := p.get(c); !errors.Is(o.err, ErrUnplugged) {
		t.Fatal(o.err)
	}
}

func TestWireAnswerInPlaceOfACK(t *testing.T) {
	p := newPeer(t, Config{})
	c := p.ask()
	p.fence()
	p.expect(must(msgPrompt("ENTER PIN").Encode()))
	p.send(eot, ack) // a late end of something older is no cancel
	p.expect(p.frames["Z60 DUKPT"])
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
	if o := p.get(c); o.err != nil {
		t.Fatal(o.err)
	}
}

func TestWireRefusals(t *testing.T) {
	p := newPeer(t, Config{KeySlot: "0"})
	selectKey := func() {
		p.fence()
		p.expect(p.frames["select master key 0"])
		p.send(ack)
	}
	var refused ErrPadRefused
	c := p.ask()
	selectKey()
	p.send(must(Frame{Admin: true, Body: []byte("08A")}.Encode())...)
	p.expect([]byte{ack})
	if o := p.get(c); !errors.As(o.err, &refused) || refused != (ErrPadRefused{"08", "A"}) {
		t.Fatal(o.err)
	}
	c = p.ask()
	selectKey()
	p.send(eot)
	p.z2z60()
	p.send(must(Frame{Body: []byte("717")}.Encode())...)
	p.expect([]byte{ack})
	p.expect(p.frames["cancel"])
	p.send(ack)
	if o := p.get(c); !errors.As(o.err, &refused) || refused != (ErrPadRefused{"71", "7"}) {
		t.Fatal(o.err)
	}
	c = p.ask()
	selectKey()
	p.send(eot)
	p.z2z60()
	p.send(p.frames["71 MK/SK"]...)
	p.expect([]byte{ack})
	p.expect(p.frames["cancel"])
	p.send(ack)
	if o := p.get(c); !errors.Is(o.err, ErrAnswer) {
		t.Fatal(o.err)
	}
	if ok, what, _ := p.driver.State(); !ok {
		t.Error(what)
	}
}

// TestWireBlockCrossesCancel lets the customer press Enter just before the time
// is up: the block is acknowledged and goes to nobody.
func TestWireBlockCrossesCancel(t *testing.T) {
	p := newPeer(t, Config{EntryTimeout: 50 * time.Millisecond})
	c := p.ask()
	p.prompt()
	p.expect(p.frames["cancel"])
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
	p.send(ack)
	if o := p.get(c); !errors.Is(o.err, ErrTimeout) || o.r.PIN != nil {
		t.Fatal(o.err)
	}
	// The pad has not seen our ACK and repeats it where the next customer's
	// answer would be.
	c = p.ask()
	p.fence()
	p.expect(must(msgPrompt("ENTER PIN").Encode()))
	p.send(ack)
	p.expect(p.frames["Z60 DUKPT"])
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
	p.send(ack)
	p.expect(p.frames["cancel"]) // nobody types this time
	p.send(ack, eot)
	if o := p.get(c); !errors.Is(o.err, ErrTimeout) {
		t.Fatalf("the block of another entry was given out: %v", o.err)
	}
}

func TestWireDamageWhileIdle(t *testing.T) {
	p := newPeer(t, Config{})
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
	wrong := bytes.Clone(p.frames["73 DUKPT"])
	wrong[5]++
	p.send(wrong...)
	p.expect([]byte{nak})
}

// TestWireAnswerTwiceAtOnce: what comes together with the block that an entry ends
// with is answered and overwritten then, not with the next packet.
func TestWireAnswerTwiceAtOnce(t *testing.T) {
	p := newPeer(t, Config{InterByteTimeout: 50 * time.Millisecond})
	c := p.ask()
	p.prompt()
	p.send(append(bytes.Clone(p.frames["73 DUKPT"]), p.frames["73 DUKPT"]...)...)
	if o := p.get(c); o.err != nil {
		t.Fatal(o.err)
	}
	p.expect([]byte{ack, ack})
	c = p.ask()
	p.prompt()
	second := must(Frame{Body: []byte("7109876543210E000021B9C1845EB993A7B")}.Encode())
	p.send(append(second, second[:30]...)...)
	if o := p.get(c); o.err != nil {
		t.Fatal(o.err)
	}
	p.expect([]byte{ack, nak})
}

// TestWireHalfAPacketWhileIdle: nothing of it is kept.
func TestWireHalfAPacketWhileIdle(t *testing.T) {
	p := newPeer(t, Config{InterByteTimeout: 50 * time.Millisecond})
	p.send(p.frames["73 DUKPT"][:30]...)
	p.expect([]byte{nak})
	p.send(p.frames["73 DUKPT"]...)
	p.expect([]byte{ack})
}

// TestWireLateACK: an ACK that belongs to the packet before does not make the
// driver believe that the pad has stopped.
func TestWireLateACK(t *testing.T) {
	p := newPeer(t, Config{CancelTimeout: 3 * time.Second})
	ctx, cancel := context.WithCancel(context.Background())
	c := make(chan outcome, 1)
	go func() {
		r, err := p.driver.EnterPIN(ctx, Request{PAN: "4012345678909"})
		c <- outcome{r, err}
	}()
	p.fence()
	p.expect(must(msgPrompt("ENTER PIN").Encode()))
	p.send(ack)
	p.expect(p.frames["Z60 DUKPT"])
	cancel()
	p.expect(p.frames["cancel"])
	p.send(ack) // for Z60; the pad has not seen the 72
	p.expect(p.frames["cancel"])
	p.send(ack, eot)
	if o := p.get(c); !errors.Is(o.err, context.Canceled) {
		t.Fatal(o.err)
	}
	if ok, what, _ := p.driver.State(); !ok {
		t.Error(what)
	}
}

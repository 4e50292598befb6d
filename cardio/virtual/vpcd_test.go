package virtual

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// driver listens as vpcd does.
func driver(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// send writes length and payload apart, as vpcd does.
func send(t *testing.T, c net.Conn, payload ...byte) {
	t.Helper()
	if _, err := c.Write(binary.BigEndian.AppendUint16(nil, uint16(len(payload)))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(payload); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, c net.Conn, payload []byte) {
	t.Helper()
	got, err := readFrame(c)
	if err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("%X %v, want %X", got, err, payload)
	}
}

func TestVPCDProtocol(t *testing.T) {
	l := driver(t)
	v, p := NewVPCD(l.Addr().String()), newPurse(t, nil)
	if err := v.Insert(p); err != nil {
		t.Fatal(err)
	}
	if err := v.Insert(p); !errors.Is(err, ErrSlotTaken) {
		t.Error(err)
	}
	c := accept(t, l)
	send(t, c, 0x04) // before power
	want(t, c, p.ATR())
	send(t, c, 0x01)
	send(t, c, 0x04)
	want(t, c, p.ATR())
	send(t, c, unhex(t, selectPurse)...)
	if a, err := readFrame(c); err != nil || a[0] != 0x6F {
		t.Fatalf("%X %v", a, err)
	}
	send(t, c) // nothing
	send(t, c, unhex(t, balance)...)
	want(t, c, unhex(t, "00000B229000"))
	send(t, c, 0x02) // reset
	send(t, c, unhex(t, balance)...)
	want(t, c, unhex(t, "6985"))
	send(t, c, 0x00)
	send(t, c, 0x7F) // no such control
	if !v.Connected() {
		t.Error("connected")
	}
	// The driver goes away and comes back: so does the card.
	c.Close()
	c = accept(t, l)
	send(t, c, 0x04)
	want(t, c, p.ATR())
	if err := v.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := readFrame(c); err == nil {
		t.Error("a removed card is still connected")
	}
	if v.Present() || v.Connected() || v.Remove() != nil {
		t.Error("removed")
	}
}

func TestVPCDTear(t *testing.T) {
	l := driver(t)
	v, p := NewVPCD(l.Addr().String()), newPurse(t, nil)
	defer v.Remove()
	v.Insert(p)
	c := accept(t, l)
	send(t, c, unhex(t, selectPurse)...)
	if _, err := readFrame(c); err != nil {
		t.Fatal(err)
	}
	send(t, c, unhex(t, initLoad)...)
	init, err := readFrame(c)
	if err != nil {
		t.Fatal(err)
	}
	p.Tear(Tear{When: After, Match: IsCredit})
	send(t, c, unhex(t, credit(t, init, 5000))...)
	if _, err := readFrame(c); !errors.Is(err, io.EOF) {
		t.Error("the answer must not leave:", err)
	}
	limit := time.Now().Add(30 * time.Second)
	for v.Present() {
		if time.Now().After(limit) {
			t.Fatal("a torn card stays away until it is inserted again")
		}
		time.Sleep(time.Millisecond)
	}
	if p.Balance() != 7850 {
		t.Error(p.Balance())
	}
	if err := v.Insert(p); err != nil {
		t.Fatal(err)
	}
	c = accept(t, l)
	send(t, c, 0x04)
	want(t, c, p.ATR())
}

func TestVPCDWithoutDriver(t *testing.T) {
	l := driver(t)
	addr := l.Addr().String()
	l.Close()
	v := NewVPCD(addr)
	if err := v.Insert(newPurse(t, nil)); err != nil {
		t.Fatal(err)
	}
	if !v.Present() || v.Connected() {
		t.Error("it waits for the driver")
	}
	if err := v.Remove(); err != nil {
		t.Error(err)
	}
}

func FuzzVPCDFrame(f *testing.F) {
	f.Add([]byte{0, 1, 4})
	f.Add([]byte{0xFF, 0xFF, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := readFrame(bytes.NewReader(b))
		if err != nil {
			return
		}
		var back bytes.Buffer
		if writeFrame(&back, frame) != nil || !bytes.HasPrefix(b, back.Bytes()) {
			t.Fatalf("%X became %X", b, back.Bytes())
		}
	})
}

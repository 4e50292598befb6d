package ui

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// TestBoundedConnections: who opens too many connections is hung up on, another
// address is served, and so is the first again when it has closed one.
func TestBoundedConnections(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	}()
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.DialContext(ctx, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	served := func(c net.Conn) error {
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 15))
		return err
	}
	var held []net.Conn
	for n := range maxConnsEach {
		c := dial("127.0.0.1")
		if err := served(c); err != nil {
			t.Fatalf("connection %d: %v", n+1, err)
		}
		held = append(held, c)
	}
	if served(dial("127.0.0.1")) == nil {
		t.Error("one connection too many is served")
	}
	if err := served(dial("127.0.0.2")); err != nil {
		t.Errorf("another address: %v", err)
	}
	held[0].Close()
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if err := served(dial("127.0.0.1")); err == nil {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("after one was closed: %v", err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestRoomForTheScreen: other machines together cannot take the room of this one,
// and all room comes back.
func TestRoomForTheScreen(t *testing.T) {
	b := newBounded(nil)
	addr := func(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", n)) }
	for n := range maxConns {
		if !b.enter(addr(1 + n%100)) {
			t.Fatalf("no room for connection %d", n+1)
		}
	}
	if b.enter(addr(200)) {
		t.Error("room for more than the bound")
	}
	screen := netip.MustParseAddr("::1")
	if !b.enter(screen) {
		t.Error("no room for the screen of the kiosk")
	}
	b.leave(screen)
	for n := range maxConns {
		b.leave(addr(1 + n%100))
	}
	if b.all != 0 || len(b.each) != 0 {
		t.Errorf("%d connections are left, of %d addresses", b.all, len(b.each))
	}
}

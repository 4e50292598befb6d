package lab

import (
	"net"
	"testing"
	"time"
)

// TestPortIsKept: while its host is dead nobody else gets the port and callers
// are refused; the host listens on it again and again.
func TestPortIsKept(t *testing.T) {
	p, err := keepPort()
	if err != nil {
		t.Fatal(err)
	}
	defer p.free()
	addr, err := p.addr()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal("the host comes again:", err)
		}
		if c, err := net.Dial("tcp", addr); err != nil {
			t.Error("the host listens:", err)
		} else {
			c.Close()
		}
		ln.Close()
		if c, err := net.DialTimeout("tcp", addr, 5*time.Second); err == nil {
			c.Close()
			t.Error("a dead host takes a call")
		}
	}
	if ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr); err != nil {
		t.Error(err)
	} else {
		defer ln.Close()
		if other, err := net.Listen("tcp", addr); err == nil {
			other.Close()
			t.Error("two hosts on one port")
		}
	}
}

package ui

import (
	"net"
	"net/netip"
	"sync"
)

// Bounds of a pages' listener. A kiosk is never short of files for its journal and
// its devices because somebody on the network opens connections; and the screen at
// the kiosk itself, which comes from a loopback address, always finds room.
const (
	maxConns     = 384 // from other machines
	maxConnsEach = 128 // from one address
)

// bounded is a listener that hangs up on connections beyond the bounds.
type bounded struct {
	net.Listener
	mu   sync.Mutex
	all  int // without those of this machine
	each map[netip.Addr]int
}

func newBounded(ln net.Listener) *bounded {
	return &bounded{Listener: ln, each: map[netip.Addr]int{}}
}

// Accept gives the next connection that there is room for.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addrOf(c)
		if b.enter(from) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { b.leave(from) })}, nil
		}
		c.Close()
	}
}

func addrOf(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func (b *bounded) enter(from netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.each[from] >= maxConnsEach || !from.IsLoopback() && b.all >= maxConns {
		return false
	}
	b.each[from]++
	if !from.IsLoopback() {
		b.all++
	}
	return true
}

func (b *bounded) leave(from netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.each[from]--; b.each[from] == 0 {
		delete(b.each, from)
	}
	if !from.IsLoopback() {
		b.all--
	}
}

// counted is a connection that makes room when it is closed.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}

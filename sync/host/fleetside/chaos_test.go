package fleetside

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is a network that fails: it cuts each connection after a random number
// of bytes, and leads to wherever the host is now.
type proxy struct {
	listener net.Listener
	target   atomic.Value // string
	calm     atomic.Bool  // true: cut nothing any more
	cuts     atomic.Int64

	mu    sync.Mutex
	rng   *rand.Rand
	conns map[net.Conn]struct{}
}

func startProxy(t *testing.T, target string, seed uint64) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, rng: rand.New(rand.NewPCG(seed, 0)), conns: map[net.Conn]struct{}{}}
	p.target.Store(target)
	go p.accept()
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.target.Load().(string))
		if err != nil { // the host is dead just now
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		up, down := p.rng.Int64N(60_000), p.rng.Int64N(6_000)
		p.conns[near], p.conns[far] = struct{}{}, struct{}{}
		p.mu.Unlock()
		go p.carry(far, near, up)
		go p.carry(near, far, down)
	}
}

// carry copies until the budget is spent, then cuts both ways in the middle of
// whatever was being said.
func (p *proxy) carry(dst, src net.Conn, budget int64) {
	_, err := io.CopyN(dst, src, budget)
	if err == nil && p.calm.Load() {
		_, _ = io.Copy(dst, src)
	} else if err == nil {
		p.cuts.Add(1)
	}
	_, _ = dst.Close(), src.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, dst)
	delete(p.conns, src)
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

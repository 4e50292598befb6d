package lab

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// cable is the network between a kiosk and one host. While it is down packets
// vanish: nothing is refused, nothing arrives. A connection that lost bytes is
// broken for good, as TCP would find out in the end.
type cable struct {
	mu    sync.Mutex
	down  bool
	back  chan struct{} // closed when it is up again
	conns map[*wire]bool

	waited atomic.Int64 // nanoseconds between requests and their answers

	heard func(conn string, out bool, p []byte)
}

// newCable makes a cable that is in. overheard may be nil.
func newCable(link string, overheard func(link, conn string, out bool, p []byte)) *cable {
	c := &cable{back: make(chan struct{}), conns: map[*wire]bool{}, heard: func(string, bool, []byte) {}}
	if overheard != nil {
		c.heard = func(conn string, out bool, p []byte) { overheard(link, conn, out, p) }
	}
	return c
}

// set pulls the cable or puts it back.
func (c *cable) set(up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down == !up {
		return
	}
	c.down = !up
	if !up {
		c.back = make(chan struct{})
		return
	}
	close(c.back)
	for w := range c.conns { // what was sent meanwhile is lost
		w.Conn.Close()
		delete(c.conns, w)
	}
}

func (c *cable) up() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.down
}

// dial waits while the cable is out, as a SYN without an answer does.
func (c *cable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	for {
		c.mu.Lock()
		down, back := c.down, c.back
		c.mu.Unlock()
		if !down {
			break
		}
		select {
		case <-back:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, cable: c}
	c.mu.Lock()
	c.conns[w] = true
	c.mu.Unlock()
	return w, nil
}

// wire is one connection over the cable.
type wire struct {
	net.Conn
	cable *cable
	asked atomic.Int64 // when the last request left, nanoseconds; 0: answered
}

func (w *wire) Write(p []byte) (int, error) {
	if !w.cable.up() {
		return len(p), nil
	}
	w.cable.heard(w.LocalAddr().String(), true, p)
	n, err := w.Conn.Write(p)
	w.asked.Store(time.Now().UnixNano())
	return n, err
}

// Read drops what arrives while the cable is out. Deadlines still hold.
func (w *wire) Read(p []byte) (int, error) {
	for {
		n, err := w.Conn.Read(p)
		if asked := w.asked.Swap(0); asked > 0 && n > 0 {
			w.cable.waited.Add(time.Now().UnixNano() - asked)
		}
		if err != nil || w.cable.up() {
			w.cable.heard(w.LocalAddr().String(), false, p[:n])
			return n, err
		}
	}
}

func (w *wire) Close() error {
	w.cable.mu.Lock()
	delete(w.cable.conns, w)
	w.cable.mu.Unlock()
	return w.Conn.Close()
}

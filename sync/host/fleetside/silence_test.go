package fleetside

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"buka/sync/fleetlink"
)

// hole is a network in which packets vanish: nothing is refused, nothing
// arrives, as with `network down` in a scenario.
type hole struct{ down atomic.Bool }

func (h *hole) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if h.down.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	return &holeConn{Conn: conn, hole: h}, err
}

type holeConn struct {
	net.Conn
	hole *hole
	lost atomic.Bool // a packet is lost: TCP gives nothing more until it is cut
}

func (c *holeConn) Write(b []byte) (int, error) {
	if c.hole.down.Load() {
		c.lost.Store(true)
	}
	if c.lost.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *holeConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.hole.down.Load() && !c.lost.Load() {
			return n, err
		}
		c.lost.Store(true)
	}
}

func TestVanishingPacketsAreNoticedAndHealed(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 50)
	var h hole
	l, _ := startLink(t, s.Addr(), "K1", j, func(c *fleetlink.Config) {
		c.Dial = h.dial
		c.RequestTimeout = 300 * time.Millisecond
	})
	for round := range 3 {
		eventually(t, "all is shipped", shipped(l))
		h.down.Store(true)
		j.append(t, wholeSale(100+round)...)
		l.Poke()
		eventually(t, "the link says that it is down", func() bool { st := l.State(); return !st.Up && st.Unshipped == 10 && st.Err != "" })
		h.down.Store(false)
	}
	eventually(t, "all is shipped", shipped(l))
	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != 80 {
		t.Fatal(n, err)
	}
}

func TestAPasswordPutRightHealsTheLink(t *testing.T) {
	s := startSide(t, func(c *Config) { c.Kiosks = map[string]string{"K1": "an earlier password"} })
	addr, db := s.Addr(), s.db
	j := filled(t, "K1", 20)
	refusedOften := make(chan struct{}, 100)
	l, _ := startLink(t, addr, "K1", j, func(c *fleetlink.Config) {
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			select {
			case refusedOften <- struct{}{}:
			default:
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
	})
	for range 5 {
		select {
		case <-refusedOften:
		case <-time.After(patience):
			t.Fatal("the link has given up")
		}
	}
	if l.State().Up {
		t.Fatal("up with a wrong password")
	}
	s.Close()
	startSide(t, func(c *Config) { c.DB, c.Listen = db, addr })
	eventually(t, "all is shipped", shipped(l))
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	s := startSide(t, nil)
	if _, err := Start(context.Background(), Config{DB: testDB(t), Listen: s.Addr(), Log: quiet()}); err == nil {
		t.Error("two hosts at one address")
	}
	if _, err := Start(context.Background(), Config{DB: testDB(t), Kiosks: map[string]string{"a.b": "x"}, Log: quiet()}); err == nil {
		t.Error("a kiosk's name with a dot")
	}
	if _, err := Start(context.Background(), Config{DB: testDB(t), Kiosks: map[string]string{"a": ""}, Log: quiet()}); err == nil {
		t.Error("a kiosk without a password")
	}
	if _, err := Start(context.Background(), Config{}); err == nil {
		t.Error("no database")
	}
	if _, err := fleetlink.New(fleetlink.Config{URL: "nats://x", Kiosk: "a b", Epoch: epochA}, new(memJournal)); err == nil {
		t.Error("a kiosk's name with a space")
	}
	l, err := fleetlink.New(fleetlink.Config{URL: "nats://127.0.0.1:1", Kiosk: "K1", Epoch: epochA, NKeyFile: "nowhere", Log: quiet()}, new(memJournal))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(context.Background()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("an nkey file that is not there: %v", err)
	}
}

package switchlink

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"
)

// TestTheOwnersClock: whichever of caller and owner sees first that the time of a
// request is over, one that was given to the connection has an outcome that nobody
// knows, and one that was not has surely not left.
func TestTheOwnersClock(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	over := time.Now().Add(-time.Second)
	sent, queued := &call{deadline: over, answer: make(chan result, 1)}, &call{deadline: over, answer: make(chan result, 1)}
	sent.state.Store(callSent)
	o := &owner{cfg: Config{EchoEvery: time.Hour}, log: slog.New(slog.DiscardHandler), state: newStateBoard(), conn: ours,
		waiters: map[key]*call{{stan: "000005"}: sent}, queued: []*call{queued}, echo: func() *call { return nil }}
	o.watch(time.Now())
	if r := <-sent.answer; !errors.Is(r.err, ErrNoAnswer) || errors.Is(r.err, ErrNotSent) || len(o.waiters) != 0 {
		t.Errorf("sent: %v, %d wait", r.err, len(o.waiters))
	}
	if r := <-queued.answer; !errors.Is(r.err, ErrNotSent) || errors.Is(r.err, ErrNoAnswer) || len(o.queued) != 0 {
		t.Errorf("queued: %v, %d are queued", r.err, len(o.queued))
	}
}

// TestABackoffGrows, up to its bound, until something is answered: a host that takes
// connections and hangs up is not hammered.
func TestABackoffGrows(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop() // nothing is dialled
	o := &owner{cfg: Config{MaxBackoff: time.Second}, log: slog.New(slog.DiscardHandler), ctx: ctx, state: newStateBoard(), waiters: map[key]*call{}}
	for _, want := range []time.Duration{200, 400, 800, 1000, 1000} {
		before := time.Now()
		o.connected(dialed{err: errLinkLost})
		if o.backoff != want*time.Millisecond || o.nextDial.Before(before.Add(o.backoff/2)) || o.nextDial.After(time.Now().Add(o.backoff)) {
			t.Errorf("backoff %v, the next dial in %v; want %v", o.backoff, o.nextDial.Sub(before), want*time.Millisecond)
		}
	}
}

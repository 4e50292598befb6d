package switchlink

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"
)

const backoffFirst = 200 * time.Millisecond

// dial starts one attempt unless one is under way or its time has not come.
func (o *owner) dial() {
	if o.dialing || o.conn != nil || time.Now().Before(o.nextDial) || o.ctx.Err() != nil {
		return
	}
	o.dialing = true
	go func() {
		ctx, cancel := context.WithTimeout(o.ctx, o.cfg.DialTimeout)
		defer cancel()
		got := make(chan dialed, 1)
		go func() {
			conn, err := o.cfg.Dial(ctx)
			got <- dialed{conn, err}
		}()
		var d dialed
		select {
		case d = <-got:
		case <-ctx.Done(): // a dialer that ignores its context is left behind
			d.err = ctx.Err()
			go func() {
				if late := <-got; late.conn != nil {
					late.conn.Close()
				}
			}()
		}
		select {
		case o.dialed <- d:
		case <-o.ctx.Done():
			if d.conn != nil {
				d.conn.Close()
			}
		}
	}()
}

func (o *owner) connected(d dialed) {
	o.dialing = false
	if d.err == nil && d.conn == nil {
		d.err = errors.New("the dialer gave no connection")
	}
	// The backoff grows until something is answered, not until TCP connects: a
	// host that accepts and hangs up must not be hammered.
	o.backoff = min(max(2*o.backoff, backoffFirst), o.cfg.MaxBackoff)
	o.nextDial = time.Now().Add(o.backoff/2 + rand.N(o.backoff/2+1))
	queued := o.queued
	o.queued = nil
	if d.err != nil {
		o.log.Warn("switch link: no connection", "error", d.err, "again_in", o.backoff)
		for _, c := range queued {
			c.end(result{err: ErrNotSent})
		}
		return
	}
	o.conn = d.conn
	go o.read(d.conn)
	o.test()
	for _, c := range queued {
		o.take(c)
	}
}

// read brings frames to the owner until the connection fails. It has no say in
// anything else. A link that is silent for two echo periods and their time-outs
// is dead.
func (o *owner) read(conn net.Conn) {
	for {
		in := inbound{from: conn}
		limit := time.Now().Add(2*o.cfg.EchoEvery + 2*o.cfg.Timeout)
		if in.err = conn.SetReadDeadline(limit); in.err == nil {
			o.receive(conn, &in)
		}
		if errors.Is(in.err, ErrMessage) {
			o.log.Warn("switch link: an answer that cannot be read", "error", in.err)
			continue
		}
		if in.err != nil {
			conn.Close() // also frees the owner from a write to a peer that no longer reads
		}
		select {
		case o.reads <- in:
		case <-o.ctx.Done():
			return
		}
		if in.err != nil {
			return
		}
	}
}

// receive reads one message. The bytes under its MAC stay with it for the owner.
func (o *owner) receive(conn net.Conn, in *inbound) {
	f, err := o.cfg.Spec.frame.read(conn)
	if err != nil {
		in.err = err
		return
	}
	defer clear(f.Message)
	if in.message, in.err = o.cfg.Spec.Unpack(f.Message); in.err != nil {
		return
	}
	in.requirement = f.Requirement()
}

// drop closes the connection. Whoever waits on it will never know.
func (o *owner) drop(why error) {
	if o.conn == nil {
		return
	}
	if o.ctx.Err() == nil {
		o.log.Warn("switch link: the connection ended", "error", why)
	}
	o.conn.Close()
	o.conn, o.probe, o.lastHeard = nil, nil, time.Time{}
	for k, c := range o.waiters {
		delete(o.waiters, k)
		c.end(result{err: ErrNoAnswer})
	}
	o.state.down(time.Now())
	o.dial()
}

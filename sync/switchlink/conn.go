package switchlink

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

// key finds the request of an answer. Reversals reuse the payment's STAN, so
// class and function belong to it; the terminal does because hosts mix them up.
type key struct {
	class    string // digits 2 and 3 of the answer's MTI: class and function
	stan     string
	terminal string
}

func keyOf(m *Message) (key, bool) {
	k := key{stan: m.Text(11), terminal: m.Text(41)}
	if len(m.MTI) != 4 || k.stan == "" || k.terminal == "" {
		return k, false
	}
	k.class = m.MTI[1:3]
	return k, true
}

// States of a call. Owner and caller race for them by compare and swap, so
// that "surely never left" is never a guess.
const (
	callWaiting int32 = iota // not sent
	callSent                 // handed to the connection: from here on nobody knows
	callOver                 // answered, or given up by the caller
)

// call is one request on its way. The frame belongs to the owner once it is sent.
type call struct {
	kind     Kind
	key      key
	batch    string
	exchange uint32
	sentAt   time.Time
	signOns  uint64  // that were answered when it was sent
	sealed   bool    // it has a MAC, and its answer must have a good one
	held     heldKey // that it was sent under, if the keys may change; the owner's
	mac      span    // of the MAC in the frame
	mab      int     // where in the frame that begins what the MAC is over
	secret   span    // of the PIN block in the frame; empty: none
	frame    []byte
	deadline time.Time
	state    atomic.Int32
	answer   chan result // buffered: the owner never waits for a caller
}

type result struct {
	message *Message
	err     error
}

// end gives the caller its result unless it has gone. Only the owner calls it;
// the frame is overwritten by whoever took the call to its end.
func (c *call) end(r result) bool {
	c.held.zero()
	if c.state.Swap(callOver) == callOver {
		return false
	}
	clear(c.frame)
	c.answer <- r
	return true
}

// inbound is what a reader goroutine has to say: a message, or its end.
type inbound struct {
	from        net.Conn
	message     *Message
	requirement byte
	err         error
}

// maxWaiting bounds the table of waiters: a kiosk has a handful of requests
// under way.
const maxWaiting = 64

// owner is the goroutine that has the connection and the table of waiters.
// Nothing outside run touches its fields.
type owner struct {
	cfg    Config
	log    *slog.Logger
	ctx    context.Context
	calls  chan *call
	reads  chan inbound
	dialed chan dialed
	state  *stateBoard
	echo   func() *call // makes the link test

	conn      net.Conn
	dialing   bool
	waiters   map[key]*call
	queued    []*call // wait for the connection that is being made
	backoff   time.Duration
	nextDial  time.Time
	lastHeard time.Time
	probe     *call // the echo under way
	signOn    *call // a sign-on under way that brings keys: what is sealed waits
	answered  answered
	signOns   uint64 // approved so far
}

type dialed struct {
	conn net.Conn
	err  error
}

var errLinkLost = errors.New("the connection was lost")

// run lives as long as the client. Its loop never ends for an error.
func (o *owner) run() {
	tick := time.NewTicker(o.cfg.tick())
	defer tick.Stop()
	defer o.shutdown()
	o.dial()
	for {
		select {
		case <-o.ctx.Done():
			return
		case c := <-o.calls:
			o.take(c)
		case d := <-o.dialed:
			o.connected(d)
		case in := <-o.reads:
			o.heard(in)
		case <-tick.C:
			o.watch(time.Now())
		}
	}
}

func (o *owner) shutdown() {
	o.drop(errClosed)
	for _, c := range o.queued {
		c.end(result{err: ErrNotSent})
	}
	for { // calls that were handed over but never taken
		select {
		case c := <-o.calls:
			c.end(result{err: ErrNotSent})
		default:
			return
		}
	}
}

// take sends a call, or keeps it while a connection is being made.
func (o *owner) take(c *call) {
	switch {
	case o.conn != nil && !o.held(c):
		o.send(c)
	case len(o.queued) >= maxWaiting:
		c.end(result{err: ErrNotSent})
	default:
		o.queued = append(o.queued, c)
		o.nextDial = time.Time{} // somebody waits: do not sit out the backoff
		o.dial()
	}
}

func (o *owner) send(c *call) {
	if old, busy := o.waiters[c.key]; busy && old.state.Load() != callOver || len(o.waiters) >= maxWaiting {
		c.end(result{err: ErrNotSent})
		return
	}
	if !c.state.CompareAndSwap(callWaiting, callSent) {
		return // the caller has gone, and knows that nothing was sent
	}
	defer clear(c.frame)
	if err := o.seal(c); err != nil {
		o.log.Error("switch link: no MAC for a request", "kind", c.kind.String(), "error", err)
		c.end(result{err: ErrNotSent})
		return
	}
	c.sentAt, c.signOns = time.Now(), o.signOns
	o.waiters[c.key] = c
	if c.kind == KindSignOn && o.cfg.Keys != nil {
		o.signOn = c
	}
	limit := time.Now().Add(o.cfg.WriteTimeout)
	if err := o.conn.SetWriteDeadline(limit); err != nil {
		o.drop(err)
		return
	}
	if err := write(o.conn, c.frame, c.secret); err != nil {
		o.drop(err)
	}
}

// heard takes what a reader brings. What an older connection still says is late.
func (o *owner) heard(in inbound) {
	if in.err != nil {
		if in.from == o.conn {
			o.drop(in.err)
		}
		return
	}
	m := in.message
	defer m.forgetSeal()
	k, ok := keyOf(m)
	c := o.waiters[k]
	if !ok || c == nil || in.from != o.conn || !c.accepts(m) {
		if in.requirement != 0 && m.MTI != o.cfg.Spec.AnswerMTI(KindSignOn) {
			o.require(in.requirement)
		}
		o.late(m, "an answer to no request", o.cfg.MAC == nil || m.checkSeal(o.cfg.MAC) == nil)
		return
	}
	delete(o.waiters, k)
	if c == o.probe {
		o.probe = nil
	}
	o.lastHeard = time.Now()
	r := o.judge(c, m)
	o.wants(c, in.requirement, r)
	switch {
	case !c.end(r):
		o.late(m, "a late answer", r.err == nil)
	case c.kind == KindPay:
		o.answered.add(answeredKey{k, c.batch})
	}
	o.backoff = 0
	o.state.up(o.lastHeard)
	o.release()
}

// accepts compares the exchange number where the host must echo it: a query that
// is asked again under the same STAN must not take the answer to the first.
func (c *call) accepts(m *Message) bool {
	if c.exchange == 0 {
		return true
	}
	t, err := parseTLV(m.Fields[59])
	return err == nil && string(t[tagExchange]) == string(be32(c.exchange))
}

// watch drops waiters whose time is over, tests an idle link and dials. One answer
// that does not come says nothing about a link on which others have come since,
// but that to the link test.
func (o *owner) watch(now time.Time) {
	heard := o.lastHeard
	for k, c := range o.waiters {
		if now.Before(c.deadline) {
			continue
		}
		delete(o.waiters, k)
		c.end(result{err: ErrNoAnswer})
		if !heard.After(c.sentAt) {
			o.state.down(now)
		}
		if c == o.probe {
			o.probe = nil
			o.drop(errors.New("the link test was not answered"))
			return
		}
		o.lastHeard = time.Time{} // ask the link at once whether it still lives
	}
	kept := o.queued[:0]
	for _, c := range o.queued {
		if now.Before(c.deadline) && c.state.Load() == callWaiting {
			kept = append(kept, c)
			continue
		}
		c.end(result{err: ErrNotSent})
	}
	clear(o.queued[len(kept):])
	o.queued = kept
	if o.conn == nil {
		o.dial()
		return
	}
	if len(o.queued) > 0 {
		o.release()
	}
	if o.conn == nil { // what was released failed
		return
	}
	if o.probe == nil && now.Sub(o.lastHeard) >= o.cfg.EchoEvery {
		o.test()
	}
}

func (o *owner) test() {
	if c := o.echo(); c != nil {
		o.send(c)
		if o.waiters[c.key] == c { // neither refused nor lost with the connection
			o.probe = c
		}
	}
}

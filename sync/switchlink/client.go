package switchlink

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// The two and a half outcomes beside an answer.
var (
	// ErrNotSent: not a byte of the request left. It may be asked again.
	ErrNotSent = errors.New("switchlink: the request was not sent")
	// ErrNoAnswer: the request may have been sent, and no answer came in time.
	// What it did is unknown.
	ErrNoAnswer = errors.New("switchlink: no answer")
	// ErrBadAnswer: an answer came that is not about this request or cannot be
	// read. Errors with it are ErrNoAnswer as well: the outcome is unknown.
	ErrBadAnswer = fmt.Errorf("%w that can be used", ErrNoAnswer)

	errClosed = errors.New("the link is closed")
)

// Refused is an answer other than 00 where the call has no other way to say so.
type Refused struct{ Code string }

func (e *Refused) Error() string { return "switchlink: the host refuses with code " + e.Code }

// Config of a Client. Addr or Dial, TerminalID and MerchantID are wanted; the
// rest has defaults.
type Config struct {
	Addr string // host:port
	// Dial opens the connection, instead of Addr and TLS.
	Dial func(ctx context.Context) (net.Conn, error)
	TLS  *tls.Config // nil: plain TCP

	Spec *Spec // default UnionPay
	// MAC authenticates both ways, every message but those that the spec
	// excepts. Nil: no message has a MAC, and none is looked at.
	MAC Authenticator
	// Keys authenticates instead of MAC: the client gives it the working keys
	// that a sign-on brings, before SignOn returns and before anything else is
	// read or sent. A sign-on whose keys do not open is no answer (ErrKeys).
	Keys *Ring

	TerminalID string // 8 characters
	MerchantID string // 15 characters

	Timeout      time.Duration // for an answer; default 30 s
	DialTimeout  time.Duration // default 5 s
	WriteTimeout time.Duration // default 5 s
	EchoEvery    time.Duration // idle time before a link test; default 30 s
	MaxBackoff   time.Duration // between dials; default 15 s
	Logger       *slog.Logger
	// OnState hears of changes, from a goroutine that does nothing else.
	OnState func(State)
	// OnRequirement hears what the host wants next: the processing requirement in
	// the header of an answer if there is one, and RequireSignOn for an answer
	// with code 22, 77, 99, A0 or A7, or with a wrong MAC. From the link's own
	// goroutine: it must not wait. What an answer to a sign-on says about signing on
	// is not told, nor what the code or MAC of an answer to an older message says.
	OnRequirement func(byte)
	// OnInStep hears of answers with which the host wants nothing, to messages sent
	// after the last sign-on; of those to sign-ons and link tests not. From the
	// link's own goroutine: it must not wait.
	OnInStep func()
	// OnLate hears answers to payments whose caller has gone, once each, from the
	// link's own goroutine: it must not wait.
	OnLate func(Late)
}

// RequireSignOn is the requirement to sign on again.
const RequireSignOn byte = 3

// outOfStep are the codes that a sign-on mends.
var outOfStep = []string{CodeStep, CodeBatch, CodePINBlock, CodeBadMAC, CodeNoSecurity}

// OutOfStep says whether an answer with this code is told as RequireSignOn.
func OutOfStep(code string) bool { return slices.Contains(outOfStep, code) }

func (c *Config) fill() error {
	if len(c.TerminalID) != 8 || len(c.MerchantID) != 15 {
		return errors.New("switchlink: a terminal id has 8 characters, a merchant id 15")
	}
	for d, def := range map[*time.Duration]time.Duration{
		&c.Timeout: 30 * time.Second, &c.DialTimeout: 5 * time.Second, &c.WriteTimeout: 5 * time.Second,
		&c.EchoEvery: 30 * time.Second, &c.MaxBackoff: 15 * time.Second,
	} {
		if *d <= 0 {
			*d = def
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Spec == nil {
		c.Spec = UnionPay()
	}
	if c.Keys != nil {
		c.MAC = c.Keys
	}
	if c.Dial == nil {
		if c.Addr == "" {
			return errors.New("switchlink: neither an address nor a dialer")
		}
		c.Dial = c.dialTCP
	}
	return nil
}

func (c *Config) dialTCP(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: c.DialTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	if c.TLS == nil {
		return d.DialContext(ctx, "tcp", c.Addr)
	}
	return (&tls.Dialer{NetDialer: &d, Config: c.TLS}).DialContext(ctx, "tcp", c.Addr)
}

// tick is how often time-outs and the idle time are looked at.
func (c *Config) tick() time.Duration {
	return max(min(c.Timeout, c.EchoEvery, time.Second)/8, 5*time.Millisecond)
}

// Client is the kiosk's end. Its methods may be called from any goroutine.
type Client struct {
	cfg   Config
	owner *owner
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// New begins to dial and never waits for it.
func New(cfg Config) (*Client, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{cfg: cfg, stop: stop}
	c.owner = &owner{
		cfg: cfg, log: cfg.Logger, ctx: ctx,
		calls: make(chan *call), reads: make(chan inbound), dialed: make(chan dialed),
		state: newStateBoard(), waiters: map[key]*call{},
		echo: func() *call {
			// STAN 0 is never a journal's: the test cannot collide with a request.
			call, err := c.prepare(&Request{Kind: KindEcho}, time.Now().Add(cfg.Timeout))
			if err != nil {
				return nil
			}
			return call
		},
	}
	c.done.Go(c.owner.run)
	if cfg.OnState != nil {
		c.done.Go(func() { c.owner.state.tell(ctx.Done(), cfg.OnState) })
	}
	return c, nil
}

// Close ends the link. Calls under way end with ErrNotSent or ErrNoAnswer.
func (c *Client) Close() error {
	c.stop()
	c.done.Wait()
	return nil
}

// State of the link now.
func (c *Client) State() State { return c.owner.state.get() }

// prepare encodes a request as a call.
func (c *Client) prepare(r *Request, deadline time.Time) (*call, error) {
	r.Terminal, r.Merchant = c.cfg.TerminalID, c.cfg.MerchantID
	spec := c.cfg.Spec
	if r.Kind.numbered() {
		var b [4]byte
		rand.Read(b[:])
		r.Exchange = binary.BigEndian.Uint32(b[:]) | 1
	}
	r.Sent = time.Now()
	m, err := spec.EncodeRequest(r)
	if err != nil {
		return nil, err
	}
	defer m.Zero()
	sealed := c.cfg.MAC != nil && !spec.mac.without[r.Kind] && m.macField() != 0
	if c.cfg.Keys != nil && sealed && !c.cfg.Keys.Ready() {
		return nil, ErrNoKeys
	}
	if sealed {
		m.Fields[m.macField()] = make([]byte, macBytes) // made when it is sent
	}
	packed, err := m.Pack()
	if err != nil {
		return nil, err
	}
	defer clear(packed)
	frame, err := spec.frame.bytes(spec.frame.request(packed))
	if err != nil {
		return nil, err
	}
	head := len(frame) - len(packed)
	secret, _ := spec.pinSpan(packed)
	secret.from, secret.to = secret.from+head, secret.to+head
	k, _ := keyOf(m)
	k.class = answerMTI(m.MTI)[1:3]
	return &call{kind: r.Kind, key: k, secret: secret, batch: spec.getPart(m, partBatch), exchange: r.Exchange, sealed: sealed,
		mac: m.macSpan(len(frame)), mab: head, frame: frame, deadline: deadline, answer: make(chan result, 1)}, nil
}

// ask sends one request and waits for its answer.
func (c *Client) ask(ctx context.Context, r *Request) (Response, error) {
	defer r.PIN.Wipe()
	deadline := time.Now().Add(c.cfg.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	call, err := c.prepare(r, deadline)
	if err != nil {
		return Response{}, fmt.Errorf("%w: %s %06d: %w", ErrNotSent, r.Kind, r.STAN, err)
	}
	got, err := c.exchange(ctx, call)
	if err != nil {
		return Response{}, fmt.Errorf("%w: %s %06d", err, r.Kind, r.STAN)
	}
	a, err := c.cfg.Spec.DecodeResponse(r, got)
	if err != nil {
		c.cfg.Logger.Warn("switch link: a bad answer", "message", got, "error", err)
		return Response{}, fmt.Errorf("%w: %s %06d: %w", ErrBadAnswer, r.Kind, r.STAN, err)
	}
	return a, nil
}

func (c *Client) exchange(ctx context.Context, call *call) (*Message, error) {
	timer := time.NewTimer(time.Until(call.deadline))
	defer timer.Stop()
	taken := false
	select {
	case c.owner.calls <- call:
		taken = true
	case <-c.owner.ctx.Done():
	case <-ctx.Done():
	case <-timer.C:
	}
	if !taken {
		clear(call.frame)
		return nil, ErrNotSent
	}
	select {
	case r := <-call.answer:
		return r.message, r.err
	case <-ctx.Done():
	case <-timer.C:
	}
	switch call.state.Swap(callOver) {
	case callWaiting:
		clear(call.frame)
		return nil, ErrNotSent
	case callSent:
		return nil, ErrNoAnswer
	}
	r := <-call.answer // the owner was faster
	return r.message, r.err
}

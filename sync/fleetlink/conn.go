package fleetlink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"buka/sync/fleetlink/fleetmsg"
)

// connect makes the NATS connection, which reconnects by itself for ever. It
// returns before the host is reached. Nothing is buffered while it is away:
// what could not be sent fails at once, and the owner sends it again.
func (l *Link) connect() (*nats.Conn, error) {
	c := l.cfg
	o := nats.GetDefaultOptions()
	o.Url = c.URL
	o.Name = "kiosk " + c.Kiosk
	o.CustomDialer = l.wire
	o.Timeout = c.RequestTimeout
	o.AllowReconnect, o.MaxReconnect, o.RetryOnFailedConnect = true, -1, true
	o.IgnoreAuthErrorAbort = true // a password that is put right at the host heals the link
	o.IgnoreDiscoveredServers = true
	o.ReconnectBufSize = -1
	o.CustomReconnectDelayCB = func(n int) time.Duration { return backoff(c.BackoffMin, c.BackoffMax, n) }
	o.FlusherTimeout, o.ReconnectOnFlusherError = c.RequestTimeout, true
	o.PingInterval, o.MaxPingsOut = max(c.HeartbeatEvery, time.Second), 2
	o.InboxPrefix = fleetmsg.InboxPrefix(c.Kiosk)
	o.ConnectedCB = func(*nats.Conn) { l.tellConnected(true) }
	o.ReconnectedCB = func(*nats.Conn) { l.tellConnected(true) }
	o.DisconnectedErrCB = func(*nats.Conn, error) {
		l.wire.abandon() // its answer cannot come any more
		l.tellConnected(false)
	}
	o.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) {
		c.Log.Warn("fleet link", "error", err)
	}
	if c.TLS != nil {
		o.Secure, o.TLSConfig = true, c.TLS
	}
	if err := credentials(&o, c); err != nil {
		return nil, err
	}
	nc, err := o.Connect()
	if err != nil {
		return nil, fmt.Errorf("connect the fleet link: %w", err)
	}
	return nc, nil
}

func credentials(o *nats.Options, c Config) error {
	switch {
	case c.NKeyFile != "":
		option, err := nats.NkeyOptionFromSeed(c.NKeyFile)
		if err != nil {
			return fmt.Errorf("%w: nkey file: %w", errConfig, err)
		}
		return option(o)
	case c.Token != "":
		o.Token = c.Token
	default:
		o.User, o.Password = c.User, c.Password
	}
	return nil
}

// backoff gives a wait after n failures in a row: doubling from lo to hi, and
// somewhere in its upper half, so that a fleet does not knock all at once.
func backoff(lo, hi time.Duration, n int) time.Duration {
	d := hi
	if n < 20 {
		d = min(hi, lo<<max(n-1, 0))
	}
	return d/2 + rand.N(d/2+1)
}

// wire is the dialer given to NATS. It knows the newest connection so that the
// owner can cut one that swallows everything and answers nothing.
type wire struct {
	dial    Dial
	timeout time.Duration

	mu     sync.Mutex
	conn   net.Conn
	flying context.CancelFunc // of the request under way
}

// Dial opens a connection within the time-out.
func (w *wire) Dial(network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.timeout)
	defer cancel()
	conn, err := w.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn = &deadlineConn{Conn: conn, timeout: w.timeout}
	w.mu.Lock()
	w.conn = conn
	w.mu.Unlock()
	return conn, nil
}

// cut closes the newest connection; NATS notices and dials again.
func (w *wire) cut() {
	w.mu.Lock()
	conn := w.conn
	w.conn = nil
	w.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// fly notes how to abandon the request that begins now; nil when it has ended.
func (w *wire) fly(cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying = cancel
}

// abandon ends the wait of the request under way. A connection that has gone
// takes its answers with it, and waiting out the time-out would help nobody.
func (w *wire) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flying != nil {
		w.flying()
	}
}

// deadlineConn gives every write a deadline, so that no lock inside the NATS
// client is held by a peer that does not read.
type deadlineConn struct {
	net.Conn
	timeout time.Duration
}

func (c *deadlineConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

var errNoAnswer = errors.New("the fleet host does not answer")

// ask sends one request and reads the answer. A second request in a row that
// times out cuts the connection.
func (l *Link) ask(ctx context.Context, subject string, data []byte) (fleetmsg.Reply, error) {
	if limit := l.nc.MaxPayload(); limit > 0 && int64(len(data)) > limit {
		return fleetmsg.Reply{}, fmt.Errorf("a message of %d bytes is more than the NATS server takes (%d): raise its max_payload", len(data), limit)
	}
	wait, cancel := context.WithTimeout(ctx, l.cfg.RequestTimeout)
	defer cancel()
	l.wire.fly(cancel)
	defer l.wire.fly(nil)
	msg, err := l.nc.RequestWithContext(wait, subject, data)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			if l.silent++; l.silent >= 2 {
				l.silent = 0
				l.wire.cut()
			}
		}
		return fleetmsg.Reply{}, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	l.silent = 0
	return fleetmsg.DecodeReply(msg.Data)
}

package fleetlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
)

// Journal is what is shipped. The link calls Read, Mark and SetMark from one
// goroutine; Tail from any.
type Journal interface {
	// Tail gives number and hash of the last durable entry; (0, zero) for none.
	Tail() (uint64, entry.Hash)
	// Read gives the stored bytes of entries from number from on, at most max
	// entries and about maxBytes bytes, but at least one if there is one.
	Read(from uint64, max int, maxBytes int) ([][]byte, error)
	// Mark gives the last entry known to be committed at the host. After an
	// error the host is asked.
	Mark() (uint64, entry.Hash, error)
	// SetMark records it. It may go back: a host that was restored from a
	// backup has lost entries, and they are shipped again. It is called now and
	// then, not for every batch: a mark that lags costs nothing but a repeat.
	SetMark(uint64, entry.Hash) error
}

// Heartbeat and Device are what the host is told about the kiosk.
type (
	Heartbeat = fleetmsg.Heartbeat
	Device    = fleetmsg.Device
)

// Dial opens a connection to the host. Scenarios put a network that fails here.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Config of a link. Durations that are zero get the defaults.
type Config struct {
	URL   string    // nats://host:port of the fleet host, or several with commas
	Kiosk string    // 1 to 64 letters, digits, '-' or '_'
	Epoch entry.Hex // 16 bytes, of the journal

	User     string // empty: the kiosk's name
	Password string // of the kiosk at the fleet host
	Token    string // instead of user and password
	NKeyFile string // instead of both: a file with an nkey seed
	TLS      *tls.Config
	Dial     Dial // nil: the plain network

	Status func() Heartbeat // must not block; the link fills in who, when, tail and mark
	// OnRewrites is given the open rewrites of the host whenever they have
	// changed, from the link's goroutine; nil: nobody wants them.
	OnRewrites func([]fleetmsg.Rewrite)
	OnState    func(State) // called from the link's goroutine on a change; must not block
	Log        *slog.Logger

	HeartbeatEvery time.Duration // default 5 s
	RequestTimeout time.Duration // of one request; default 5 s
	BackoffMin     time.Duration // after the first failure; default 200 ms
	BackoffMax     time.Duration // default 10 s
	Linger         time.Duration // from Poke to shipping, so that a burst is one batch; default 50 ms
	MarkEvery      time.Duration // at least between two SetMark, each a commit of the journal; default 2 s
}

var errConfig = errors.New("fleet link configuration")

func (c Config) withDefaults() (Config, error) {
	if c.URL == "" {
		return c, fmt.Errorf("%w: no URL of the fleet host", errConfig)
	}
	if err := fleetmsg.CheckKiosk(c.Kiosk); err != nil {
		return c, fmt.Errorf("%w: %w", errConfig, err)
	}
	if len(c.Epoch) != fleetmsg.EpochBytes {
		return c, fmt.Errorf("%w: the epoch has %d bytes, not %d", errConfig, len(c.Epoch), fleetmsg.EpochBytes)
	}
	if c.User == "" {
		c.User = c.Kiosk
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.HeartbeatEvery, 5 * time.Second},
		{&c.RequestTimeout, 5 * time.Second},
		{&c.BackoffMin, 200 * time.Millisecond},
		{&c.BackoffMax, 10 * time.Second},
		{&c.Linger, 50 * time.Millisecond},
		{&c.MarkEvery, 2 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	c.BackoffMax = max(c.BackoffMax, c.BackoffMin)
	return c, nil
}

package host

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"buka/internal/mac"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

// Config of a Host. Only Dir is wanted.
type Config struct {
	Dir    string // holds host.db and host.key; made if it is not there
	Keys   Keys   // zero master keys: DefaultKeys
	Listen string // of the switch link; default 127.0.0.1:0
	// Authority is a second address, for loads alone; Listen then takes payments
	// alone. "": one address serves both.
	Authority string
	TLS       *tls.Config      // of the switch link; nil: plain TCP
	Spec      *switchlink.Spec // of the switch link; nil: UnionPay
	Logger    *slog.Logger
	Clock     func() time.Time // default time.Now

	// Zone is what the date and time of a load are local to. Default: China
	// Standard Time.
	Zone *time.Location
	// MaxBalance is the most a card may hold after a load, MaxLoad the most
	// that one load may add. Defaults 1000.00 both.
	MaxBalance, MaxLoad money.Fen
	// KeyVersions that the load keys serve; nil: any.
	KeyVersions []uint8
	// Shared says that another authority may load these cards too: then the
	// slot ledger never says that an attempt was the only one.
	Shared bool
	Gate   Gate

	// RequireICC declines (45) a payment without the data of a chip.
	RequireICC bool
	// NoCVM is the most that a chip may pay without a PIN; 0: a PIN always.
	NoCVM money.Fen
	// BINs are the first digits of the PANs that this bank issues; another PAN is
	// answered 15. Nil: all PANs are.
	BINs []string

	// MAC is the algorithm of DE64 under the working keys of a sign-on; 0: none.
	MAC mac.Algorithm
	// WorkingKeys says that a sign-on brings working keys although there is no
	// MAC: PIN pads with master and session keys want one.
	WorkingKeys bool
	// KeyBlock is the length of DE62: 24, 40 or 60 bytes; 0: as the sign-on asks.
	KeyBlock int
	// TMKs are master keys of single terminals, by "merchant/terminal".
	TMKs map[string]pin.SecretKey
}

// Host is the bank and the load authority.
type Host struct {
	cfg     Config
	log     *slog.Logger
	db      *sql.DB
	writing chan struct{} // capacity 1: one writer at a time
	gate    atomic.Pointer[Gate]
	masters atomic.Pointer[issuer]
	servers []*switchlink.Server
	addr    net.Addr
	// authority is the address for loads, nil if addr serves them.
	authority net.Addr
	ctx       context.Context
	cancel    context.CancelFunc
	done      sync.WaitGroup

	mu      sync.Mutex
	ring    keyring
	closing []func()
	closed  bool
}

// Open opens the database, brings its tables up to date and answers on the
// switch link. ctx bounds the opening only.
func Open(ctx context.Context, cfg Config) (*Host, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	db, err := openDB(ctx, filepath.Join(cfg.Dir, "host.db"))
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	h := &Host{cfg: cfg, log: cfg.Logger, db: db, writing: make(chan struct{}, 1), ring: keyring{sets: map[string]*ringed{}}}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.SetGate(cfg.Gate)
	h.SetIssuerKeys(cfg.Keys.Load, cfg.Keys.TAC)
	if err := h.listen(); err != nil {
		return nil, errors.Join(fmt.Errorf("host: %w", err), h.Close())
	}
	return h, nil
}

func (c *Config) fill() (err error) {
	if c.Dir == "" {
		return errors.New("host: no directory for the database")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	c.Keys.fill()
	if c.Keys.Hash == [32]byte{} {
		if c.Keys.Hash, err = hashKey(c.Dir); err != nil {
			return fmt.Errorf("host: key of the hashes: %w", err)
		}
	}
	if _, ok := map[int]bool{0: true, singleLength: true, doubleLength: true, withTrackKey: true}[c.KeyBlock]; !ok {
		return fmt.Errorf("host: a block of working keys has %d, %d or %d bytes", singleLength, doubleLength, withTrackKey)
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.FixedZone("CST", 8*3600)
	}
	if c.MaxBalance <= 0 {
		c.MaxBalance = 1000_00
	}
	if c.MaxLoad <= 0 {
		c.MaxLoad = 1000_00
	}
	return nil
}

// SwitchAddr is where the switch link listens.
func (h *Host) SwitchAddr() string { return h.addr.String() }

// AuthorityAddr is where loads are authorised: SwitchAddr, unless they have an
// address of their own.
func (h *Host) AuthorityAddr() string {
	if h.authority == nil {
		return h.SwitchAddr()
	}
	return h.authority.String()
}

// DB is the database, for whoever shares it. Read from it freely, but without a
// transaction: each takes the write lock when it begins. Write through Write.
func (h *Host) DB() *sql.DB { return h.db }

// Now is the host's clock.
func (h *Host) Now() time.Time { return h.cfg.Clock() }

// OnClose has fn called before the database is closed, last come first called.
func (h *Host) OnClose(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closing = append(h.closing, fn)
}

// Close ends the links, waits for what is under way and closes the database.
func (h *Host) Close() error { return h.end(false) }

// Kill ends as a crash would: transactions under way are broken off, nothing
// more is answered. What was committed is there at the next Open.
func (h *Host) Kill() error { return h.end(true) }

func (h *Host) end(abrupt bool) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	closing := h.closing
	h.mu.Unlock()
	if abrupt {
		h.cancel()
	}
	err := h.hangUp()
	for i := len(closing) - 1; i >= 0; i-- {
		closing[i]()
	}
	h.cancel()
	return errors.Join(err, h.db.Close())
}

package fleetside

import (
	"buka/internal/entry"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"buka/sync/fleetlink/fleetmsg"
)

// Config of the host's end.
type Config struct {
	DB     *sql.DB           // opened by the host; see the package comment
	Write  Write             // nil: transactions of DB as they come
	Listen string            // host:port; port 0 for any; default 127.0.0.1:0
	Kiosks map[string]string // name → password, or its bcrypt hash
	TLS    *tls.Config       // nil: plain TCP
	Absent time.Duration     // without a heartbeat for this long, a link is down; default 15 s
	Log    *slog.Logger

	// Passed, if set, hears of each sale that a journal has closed, in the
	// transaction that stores it: what the host still holds open for the sale
	// will never be used.
	Passed func(ctx context.Context, tx *sql.Tx, sale entry.SaleID) error

	Ledger Ledger // of payment host and authority; nil: there is none to ask

	swallow func() bool // tests: drop this answer after the commit
}

// Write runs fn in one transaction and commits when it returns nil. A host
// whose database has one writer at a time gives its own, so that the fleet's
// batches and the payments queue instead of polling a lock.
type Write func(ctx context.Context, fn func(tx *sql.Tx) error) error

func (s *Side) write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if s.cfg.Write != nil {
		return s.cfg.Write(ctx, fn)
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Side is the running host's end.
type Side struct {
	cfg    Config
	db     *sql.DB
	log    *slog.Logger
	broker *broker
	watch  *watch

	ctx  context.Context // ends with Close; every database call hangs on it
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	kiosks map[string]*presence
}

const (
	dbTimeout       = 10 * time.Second // of one transaction
	pendingMessages = 1024             // waiting for the ingest; more are dropped and sent again by the kiosks
	pendingBytes    = 64 << 20
)

// Start migrates the tables, starts the server and begins to take journals.
func Start(ctx context.Context, cfg Config) (*Side, error) {
	if cfg.DB == nil {
		return nil, errors.New("fleet side: no database")
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Absent <= 0 {
		cfg.Absent = 15 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if err := Migrate(ctx, cfg.DB); err != nil {
		return nil, err
	}
	s := &Side{cfg: cfg, db: cfg.DB, log: cfg.Log, kiosks: map[string]*presence{}, watch: newWatch()}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.begin(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Side) begin(ctx context.Context) error {
	if err := s.refoldOld(ctx); err != nil {
		return err
	}
	if err := s.loadPresence(ctx); err != nil {
		return err
	}
	var err error
	if s.broker, err = startBroker(s.cfg.Listen, s.cfg.Kiosks, s.cfg.TLS, s.log); err != nil {
		return err
	}
	s.done.Go(s.watchLoop)
	for prefix, handle := range map[string]func(string, []byte) fleetmsg.Reply{
		"fleet.journal.":   s.onBatch,
		"fleet.heartbeat.": s.onBeat,
	} {
		if err := s.listen(prefix, func(m *nats.Msg, kiosk string) { s.answer(m, handle(kiosk, m.Data)) }); err != nil {
			return err
		}
	}
	for prefix, handle := range map[string]func(string, []byte) encoder{
		"fleet.restore.":  s.onRestore,
		"fleet.rewrites.": s.onRewrites,
	} {
		if err := s.listen(prefix, func(m *nats.Msg, kiosk string) { s.respond(m, handle(kiosk, m.Data)) }); err != nil {
			return err
		}
	}
	if err := s.broker.nc.FlushTimeout(5 * time.Second); err != nil {
		return fmt.Errorf("listen to the kiosks: %w", err)
	}
	return nil
}

func (s *Side) listen(prefix string, handle func(m *nats.Msg, kiosk string)) error {
	sub, err := s.broker.nc.Subscribe(prefix+"*", func(m *nats.Msg) { handle(m, strings.TrimPrefix(m.Subject, prefix)) })
	if err == nil {
		err = sub.SetPendingLimits(pendingMessages, pendingBytes)
	}
	if err != nil {
		return fmt.Errorf("listen to the kiosks: %w", err)
	}
	return nil
}

// answer sends a reply; a message that is no request has nobody to answer to.
func (s *Side) answer(m *nats.Msg, r fleetmsg.Reply) {
	if m.Reply == "" || s.cfg.swallow != nil && s.cfg.swallow() {
		return
	}
	r.HostAtMS = time.Now().UnixMilli()
	s.send(m, r)
}

// respond is answer for what is no Reply.
func (s *Side) respond(m *nats.Msg, a encoder) {
	if m.Reply == "" || s.cfg.swallow != nil && s.cfg.swallow() {
		return
	}
	s.send(m, a)
}

// encoder is any answer.
type encoder interface{ Encode() ([]byte, error) }

func (s *Side) send(m *nats.Msg, a encoder) {
	data, err := a.Encode()
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil && s.ctx.Err() == nil {
		s.log.Warn("fleet side: an answer was not sent", "subject", m.Subject, "error", err)
	}
}

// Addr is the address that the server listens at.
func (s *Side) Addr() string { return s.broker.addr() }

// Close stops the server and waits for what is being committed.
func (s *Side) Close() {
	s.stop()
	if s.broker != nil {
		s.broker.close()
	}
	s.done.Wait()
	s.watch.close()
}

// refuse is the answer to a message that will never be right.
func refuse(err error) fleetmsg.Reply {
	return fleetmsg.Reply{Code: fleetmsg.CodeRefused, Detail: err.Error()}
}

// later is the answer when the database did not do its part.
func (s *Side) later(what, kiosk string, err error) fleetmsg.Reply {
	if s.ctx.Err() == nil {
		s.log.Error("fleet side: database", "doing", what, "kiosk", kiosk, "error", err)
	}
	return fleetmsg.Reply{Code: fleetmsg.CodeRetry, Detail: "the host's database did not take it; it is sent again"}
}

package station

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"buka/cardio/pboc"
	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/config"
	"buka/kiosk/device"
	"buka/store"
	"buka/sync/fleetlink"
	"buka/sync/fleetlink/fleetmsg"
	"buka/sync/switchlink"
	"buka/topup"
	"buka/ui/lang"
)

// Parts are what a station is given besides its configuration. Zero values
// mean the real thing.
type Parts struct {
	Readers    reader.Source // wanted; the station closes it
	DialSwitch func(context.Context) (net.Conn, error)
	// DialAuthority is that to a load authority of its own.
	DialAuthority func(context.Context) (net.Conn, error)
	DialFleet     fleetlink.Dial
	Clock         func() time.Time
	Log           *slog.Logger
	Version       string
	// Appended sees each commit before any of its commands runs; true stops
	// the station there, as a power cut would.
	Appended func([]entry.Body) bool
}

// Station is one kiosk.
type Station struct {
	cfg     config.Config
	parts   Parts
	log     *slog.Logger
	journal *journal
	keeper  *keeper
	engine  *topup.Engine
	core    *topup.Core
	start   topup.Durable
	startAt uint64

	watch  *watch
	places map[topup.Place]*cards
	till   *till
	hosts  *hosts
	links  *links
	lates  chan switchlink.Late
	pad    *device.PinPad
	risk   *riskJudge
	slips  *printing
	words  lang.Words
	fleet  *fleetlink.Link

	mu      sync.Mutex
	ctx     context.Context
	hostAt  time.Time // what the host's clock said last
	heardAt time.Time // and when that was, by the monotonic clock; zero: never
	failure error
	since   map[string]time.Time // device → in this state since
	faces   faces
	done    chan struct{}
}

const postWait = 10 * time.Second

// Open replays the journal and puts the parts together; Run starts them.
func Open(cfg config.Config, parts Parts) (*Station, error) {
	if parts.Clock == nil {
		parts.Clock = time.Now
	}
	if parts.Log == nil {
		parts.Log = slog.Default()
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	st, report, restored, err := openJournal(cfg, parts)
	if err != nil {
		return nil, journalError(err)
	}
	s := &Station{cfg: cfg, parts: parts, log: parts.Log, since: map[string]time.Time{}, lates: make(chan switchlink.Late, lateQueue), done: make(chan struct{})}
	s.journal = &journal{Store: st, grown: s.grown, opened: map[entry.SaleID]time.Time{}}
	s.keeper = newKeeper(s, restored)
	if err := s.assemble(report); err != nil {
		if s.links != nil {
			s.links.close()
		}
		st.Close()
		return nil, err
	}
	return s, nil
}

func (s *Station) assemble(report store.Report) error {
	d, err := s.journal.replay()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	s.start = d.Clone()
	s.startAt, _ = s.journal.Tail()
	table, err := answersOf(s.cfg.Switch.Answers)
	if err != nil {
		return err
	}
	s.core = &topup.Core{Rules: s.rules(), Judges: map[string]topup.Judge{}, Answers: table}
	for _, a := range pboc.Applications() {
		s.core.Judges[a.Family] = pboc.Judge
	}
	s.engine = topup.NewEngine(s.core, s.journal, topup.Replayed(d), s.log)
	s.engine.Appended = s.parts.Appended
	if s.words, err = lang.LoadTheme(s.cfg.Theme); err != nil {
		return err
	}
	s.slips = newPrinting(s.cfg, s.journal, s.site, s.parts.Clock, s.faces.tell, s.log)
	if err := s.assembleRisk(); err != nil {
		return err
	}
	s.journal.wrote = func(b entry.Body, seq uint64) { s.slips.wrote(b, seq); s.risk.wrote(b) }
	if err := s.assembleLinks(hex.EncodeToString(report.Epoch[:])); err != nil {
		return err
	}
	return s.assembleCards()
}

// now is the host's time if it has told us, carried on by a clock that nobody
// can set; else our own. Money never depends on it: it says whether a card has
// expired, and that the host looks at again.
func (s *Station) now() time.Time {
	if now, ok := s.hostNow(); ok {
		return now
	}
	return s.parts.Clock()
}

// hostNow is the host's time, if it has told it in this life.
func (s *Station) hostNow() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hostAt.Add(time.Since(s.heardAt)), !s.heardAt.IsZero()
}

// rewritesKnown tells the sale which rewrites of the host are open.
func (s *Station) rewritesKnown(list []fleetmsg.Rewrite) {
	open := make([]topup.Remote, 0, len(list))
	for _, r := range list {
		open = append(open, topup.Remote{Sale: r.Sale, Card: r.Card, Amount: money.Fen(r.Amount), Slot: r.Slot, Origin: r.Origin, Attempt: r.Attempt})
	}
	s.post(topup.RewritesKnown{Open: open})
}

// Run works until ctx ends, or until the journal fails.
func (s *Station) Run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	cancel := func() { end(nil) }
	defer cancel()
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	s.keeper.room(ctx)
	var wg sync.WaitGroup
	owner := func(f func()) {
		wg.Add(1)
		go func() { defer wg.Done(); f() }()
	}
	owner(func() { s.watch.run(ctx) })
	owner(func() { s.till.run(ctx) })
	owner(func() { s.slips.run(ctx) })
	owner(func() { s.keeper.run(ctx, end) })
	owner(func() { s.schedule(ctx) })
	owner(func() { s.recordLates(ctx) })
	for _, c := range s.places {
		owner(func() { c.run(ctx) })
	}
	for q := range s.hosts.queues {
		owner(func() { s.hosts.run(ctx, q) })
	}
	if s.links.signOn != nil {
		owner(func() { s.links.signOn.run(ctx) })
	}
	if s.fleet != nil {
		owner(func() {
			if err := s.fleet.Run(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("the fleet link cannot work", "err", err)
			}
		})
	}
	owner(func() {
		if err := s.journal.ServeSnapshots(ctx, store.SocketPath(store.Path(s.cfg.Data))); err != nil {
			s.log.Warn("no snapshots of the journal", "err", err)
		}
	})
	s.engine.Watch(func() { s.lookAtSlips(); s.faces.tell() })
	s.post(topup.Started{Version: s.parts.Version})
	err := s.engine.Run(ctx, s)
	s.mu.Lock()
	s.failure = err
	s.mu.Unlock()
	close(s.done)
	cancel()
	s.faces.tell()
	s.links.close()
	s.pad.Close()
	s.parts.Readers.Close()
	wg.Wait()
	return errors.Join(err, s.journal.Close())
}

// post hands an event to the sale; before Run and after the end it is nobody's.
func (s *Station) post(ev topup.Event) {
	s.mu.Lock()
	ctx := s.ctx
	if e, ok := ev.(topup.SignedOn); ok && e.HostAtMS > 0 {
		s.hostAt, s.heardAt = time.UnixMilli(e.HostAtMS), time.Now()
	}
	if e, ok := ev.(topup.DeviceChanged); ok {
		s.since[e.Name] = s.parts.Clock()
	}
	s.mu.Unlock()
	if ctx == nil {
		ctx = context.Background() // the queue holds it until Run
	}
	ctx, cancel := context.WithTimeout(ctx, postWait)
	defer cancel()
	if err := s.engine.Post(ctx, ev); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("event lost: the sale engine does not take it", "err", err)
	}
}

// Do gives each command to its owner.
func (s *Station) Do(cmd topup.Command) {
	switch c := cmd.(type) {
	case topup.ReadCard:
		s.places[c.Place].do(cmd)
	case topup.ProbeCard:
		s.places[c.Place].do(cmd)
	case topup.Load:
		s.places[c.Place].do(cmd)
	case topup.Write:
		s.places[c.Place].do(cmd)
	case topup.Prove:
		s.places[c.Place].do(cmd)
	case topup.ProbeSlot:
		s.places[c.Place].do(cmd)
	case topup.ReleaseCard:
		s.places[c.Place].do(cmd)
	case topup.TakeTender, topup.RetryPIN, topup.DropTender, topup.Pay:
		s.till.do(cmd)
	default:
		s.hosts.do(cmd)
	}
}

func (s *Station) grown() {
	if s.fleet != nil {
		s.fleet.Poke()
	}
}

// DataFile gives a path in the data directory.
func (s *Station) DataFile(name string) string { return filepath.Join(s.cfg.Data, name) }

// Readers is what is known of the readers.
func (s *Station) Readers() []reader.State { return s.parts.Readers.Readers() }

// Journal is for reading.
func (s *Station) Journal() *store.Store { return s.journal.Store }

// Engine is for watching, and for scripts.
func (s *Station) Engine() *topup.Engine { return s.engine }

// Fleet is the fleet link; nil if there is none.
func (s *Station) Fleet() *fleetlink.Link { return s.fleet }

// Done is closed when the sale engine has stopped.
func (s *Station) Done() <-chan struct{} { return s.done }

// Core says how states are shown.
func (s *Station) Core() *topup.Core { return s.core }

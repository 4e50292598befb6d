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

	"buka/cardio/emv"
	"buka/cardio/pboc"
	"buka/cardio/purse"
	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/config"
	"buka/kiosk/device"
	"buka/kiosk/risk"
	"buka/store"
	"buka/sync/fleetlink"
	"buka/sync/fleetlink/fleetmsg"
	"buka/topup"
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
	pad    *device.PinPad
	risk   *riskJudge
	slips  *printing
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
	s := &Station{cfg: cfg, parts: parts, log: parts.Log, since: map[string]time.Time{}, done: make(chan struct{})}
	s.journal = &journal{Store: st, grown: s.grown, opened: map[entry.SaleID]time.Time{}}
	s.keeper = newKeeper(s, restored)
	if err := s.assemble(report); err != nil {
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

func (s *Station) rules() topup.Rules {
	r := topup.DefaultRules()
	r.Version = s.parts.Version
	r.Choices = nil
	for _, a := range s.cfg.Sale.Amounts {
		r.Choices = append(r.Choices, money.Fen(a))
	}
	r.MaxBalance = money.Fen(s.cfg.Purse.MaxBalance)
	r.OfferMS = time.Duration(s.cfg.Sale.Offer).Milliseconds()
	r.IdleMS = time.Duration(s.cfg.Sale.Idle).Milliseconds()
	r.WarnMS = time.Duration(s.cfg.Sale.Warn).Milliseconds()
	r.PINs = s.cfg.Sale.PINs
	r.HandOverMS = time.Duration(s.cfg.Sale.HandOver).Milliseconds()
	r.Terminal = s.cfg.Switch.Merchant + "/" + s.cfg.Switch.Terminal
	return r
}

func (s *Station) assembleLinks(epoch string) error {
	c := s.cfg
	if err := s.openLinks(); err != nil {
		return err
	}
	s.hosts = newHosts(s.links, s.post, s.parts.Clock, s.log)
	s.hosts.answers = s.core.Answers
	s.hosts.terminal, s.hosts.journal = s.core.Rules.Terminal, s.journal
	if c.Fleet.URL == "" {
		return nil
	}
	id, err := hex.DecodeString(epoch)
	if err != nil {
		return fmt.Errorf("epoch: %w", err)
	}
	s.fleet, err = fleetlink.New(fleetlink.Config{
		URL: c.Fleet.URL, Kiosk: c.Kiosk, Epoch: id, Password: c.Fleet.Password, Dial: s.parts.DialFleet,
		Status: s.heartbeat, OnRewrites: s.rewritesKnown, OnState: func(fleetlink.State) { s.faces.tell() }, Log: s.log,
		HeartbeatEvery: time.Duration(c.Fleet.Heartbeat), RequestTimeout: min(5*time.Second, time.Duration(c.Switch.Timeout)),
	}, s.journal.Store)
	if err != nil {
		return fmt.Errorf("fleet link: %w", err)
	}
	s.hosts.keeper = s.fleet
	return nil
}

func (s *Station) assembleCards() error {
	c := s.cfg
	rules := map[reader.Role]string{reader.Transit: c.Readers.Transit, reader.Bank: c.Readers.Bank}
	if c.Readers.Desk != "" {
		rules[reader.Desk] = c.Readers.Desk
	}
	roles, err := reader.NewRoles(rules)
	if err != nil {
		return err
	}
	terminal, err := hex.DecodeString(c.Purse.Terminal)
	if err != nil {
		return fmt.Errorf("purse.terminal: %w", err)
	}
	family, err := s.family()
	if err != nil {
		return err
	}
	keys, err := caKeysOf(c.BankCard.CAKeys)
	if err != nil {
		return err
	}
	source := s.parts.Readers
	s.watch = &watch{source: source, roles: roles, desk: c.Readers.Desk != "", post: s.post, present: make(chan struct{}, 1), log: s.log, broken: map[topup.Place]time.Time{}}
	s.places = map[topup.Place]*cards{}
	for place, role := range map[topup.Place]reader.Role{topup.Front: reader.Transit, topup.Desk: reader.Desk} {
		s.places[place] = &cards{
			place: place, source: source, find: cardIn(source, roles, role), families: []purse.Family{family}, auth: s.hosts,
			terminal: terminal, now: s.now, post: s.post, lost: s.watch.lost, log: s.log, queue: make(chan topup.Command, cardQueue),
		}
	}
	s.pad = device.New(device.Config{
		Port: c.PINPad.Port, Baud: c.PINPad.Baud, Mode: c.PINPad.Mode, KeySlot: c.PINPad.KeySlot,
		Scheme: c.PINPad.Keys, Format: pin.Format(c.PINPad.Format), Packet: device.Packet(c.PINPad.Packet), Serial: c.PINPad.Serial,
		EntryTimeout: time.Duration(c.PINPad.EntryTimeout), Logger: s.log,
		OnState: func(ok bool, what string, _ time.Time) {
			s.log.Info("PIN pad", "ok", ok, "what", what)
			s.post(topup.DeviceChanged{Name: "pinpad", OK: ok, Why: "pinpad-missing"})
		},
	})
	s.till = &till{
		tender: &bankCard{
			slot: &bankSlot{source: source, find: cardIn(source, roles, reader.Bank), present: s.watch.present},
			pad:  s.pad, link: s.hosts, judge: s.risk.judge, log: s.log,
			terminal: func(c topup.TakeTender) emv.Terminal { return s.terminal(c, keys) },
		},
		queue: make(chan topup.Command, cardQueue), post: s.post, drop: make(chan struct{}, 1),
	}
	if c.PINPad.Keys == pin.MasterSession {
		s.till.tender.(*bankCard).pinKey = s.hosts.pinKey
	}
	s.hosts.tender = s.till.tender
	return nil
}

// terminal is what a bank card is told about this kiosk.
func (s *Station) terminal(c topup.TakeTender, keys *emv.CATable) emv.Terminal {
	state, _ := s.engine.State()
	return emv.Terminal{
		Amount: c.Amount, Now: s.now().Local(), Serial: s.cfg.Switch.Terminal, Count: uint32(state.Durable.Opened),
		NoCVM: money.Fen(s.cfg.BankCard.NoPIN), Keys: keys,
	}
}

// assembleRisk compiles the operator's rules; a bad one stops the start.
func (s *Station) assembleRisk() error {
	set, err := risk.Compile(s.cfg.Risk.Rules)
	if err != nil {
		return err
	}
	s.risk = &riskJudge{
		rules: set, journal: s.journal, post: s.post, now: func() time.Time { return s.now().Local() },
		sale:   func(id entry.SaleID) topup.Sale { state, _ := s.engine.State(); return state.Durable.Sales[id] },
		filled: make(chan struct{}), open: map[entry.SaleID]payer{},
	}
	return nil
}

func (s *Station) family() (purse.Family, error) {
	cfg := pboc.Config{Limit: money.Fen(s.cfg.Purse.MaxBalance), NotSent: reader.NotSent}
	if len(s.cfg.Purse.Issuers) > 0 {
		cfg.Issuers = s.cfg.Purse.Issuers
	}
	for _, digits := range s.cfg.Purse.PINs {
		p, err := pboc.ParsePIN(0, digits)
		if err != nil {
			return nil, fmt.Errorf("purse.pins: %w", err)
		}
		cfg.PINs = append(cfg.PINs, p)
	}
	return pboc.New(cfg)
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
	for _, c := range s.places {
		owner(func() { c.run(ctx) })
	}
	for q := range s.hosts.queues {
		owner(func() { s.hosts.run(ctx, q) })
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

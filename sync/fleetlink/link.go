package fleetlink

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"buka/internal/entry"
)

// Link ships one journal to one host. Run is its only owner; the other methods
// may be called from anywhere.
type Link struct {
	cfg     Config
	journal Journal
	wire    *wire

	poked     chan struct{} // an entry was appended
	changed   chan struct{} // the kiosk's condition changed
	connected chan bool     // from NATS; only the newest matters

	mu    sync.Mutex
	state State
	told  State
	conn  *nats.Conn // for questions from other goroutines

	// Owned by Run.
	nc       *nats.Conn
	placed   bool // at was read from the journal or agreed with the host
	at       place
	saved    place // what SetMark was last told
	asking   ask
	gaps     int // answers in a row that only moved our place
	failures int // batches in a row without a good answer
	silent   int // requests in a row that timed out
	nextShip time.Time
	nextBeat time.Time
	lastBeat time.Time
	nextSave time.Time
	rewrites uint64 // version of the host's list that OnRewrites was given
}

// place is an entry of the chain that both ends agree about.
type place struct {
	seq  uint64
	hash entry.Hash
}

// ask is why the host must say where it is before anything is shipped.
type ask uint8

const (
	askNothing ask = iota
	askPlace       // the mark cannot be read, or is not of this journal
	askBroken      // the entries after our place do not follow from it
)

// never is a time that does not come: nothing is due.
var never = time.Unix(1<<40, 0)

// minBeatGap bounds how often "at once on change" may be.
const minBeatGap = 200 * time.Millisecond

// New checks the configuration. Nothing is dialled before Run.
func New(cfg Config, journal Journal) (*Link, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Link{
		cfg:       cfg,
		journal:   journal,
		wire:      &wire{dial: cfg.Dial, timeout: cfg.RequestTimeout},
		poked:     make(chan struct{}, 1),
		changed:   make(chan struct{}, 1),
		connected: make(chan bool, 1),
	}, nil
}

// Poke says that the journal has grown. It never blocks.
func (l *Link) Poke() { nudge(l.poked) }

// Changed says that the next heartbeat would say something new: it is sent at
// once. It never blocks.
func (l *Link) Changed() { nudge(l.changed) }

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tellConnected hands the newest word of NATS to the owner.
func (l *Link) tellConnected(up bool) {
	for {
		select {
		case l.connected <- up:
			return
		default:
		}
		select {
		case <-l.connected:
		default:
		}
	}
}

// Run ships until ctx ends, which is its only way to end well; an error means
// that the configuration cannot work (an unreadable key file).
func (l *Link) Run(ctx context.Context) error {
	nc, err := l.connect()
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.conn = nc
	l.mu.Unlock()
	l.nc = nc
	defer nc.Close()
	now := time.Now()
	l.nextShip, l.nextBeat, l.nextSave = now, now, never
	for ctx.Err() == nil {
		l.wait(ctx)
		now := time.Now()
		if ctx.Err() == nil && !now.Before(l.nextBeat) {
			l.beat(ctx)
		}
		if ctx.Err() == nil && !now.Before(l.nextShip) {
			l.ship(ctx)
		}
		if !now.Before(l.nextSave) {
			l.saveMark()
		}
	}
	l.saveMark()
	l.change(func(s *State) { s.Up = false })
	return nil
}

// wait returns when something is due.
func (l *Link) wait(ctx context.Context) {
	due := earlier(l.nextSave, earlier(l.nextShip, l.nextBeat))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-l.poked:
		if l.failures == 0 { // else the back-off goes on: a busy kiosk must not hammer
			l.nextShip = earlier(l.nextShip, time.Now().Add(l.cfg.Linger))
		}
	case <-l.changed:
		l.nextBeat = earlier(l.nextBeat, l.lastBeat.Add(minBeatGap))
	case up := <-l.connected:
		l.onConnected(up)
	}
}

func (l *Link) onConnected(up bool) {
	if !up {
		l.change(func(s *State) { s.Up, s.Err = false, "the connection to the fleet host is gone" })
		return
	}
	l.failures, l.silent = 0, 0
	l.nextShip, l.nextBeat = time.Now(), time.Now()
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

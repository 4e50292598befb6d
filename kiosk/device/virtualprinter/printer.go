package virtualprinter

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"buka/kiosk/device/virtualline"
)

// Config of a virtual printer.
type Config struct {
	Dir      string        // its folder: the line, and the slips
	Columns  int           // of the paper: 48 if 0
	Keep     int           // newest slips that stay in the folder: 20 if 0
	Buffer   int           // bytes that wait to be printed: 4096 if 0
	Pace     time.Duration // for one line; 0: at once
	Asked    bool          // it knows no automatic status, as many do: it says only what it is asked
	OnChange func()        // Snapshot gives something new; on a goroutine of its own
	Logger   *slog.Logger
}

// chunkMost is what arrives at once.
const chunkMost = 256

// ErrClosed says that the printer was closed.
var ErrClosed = errors.New("the virtual printer is closed")

// Snapshot is what somebody in front of the printer sees.
type Snapshot struct {
	Plugged  bool
	PaperLow bool
	PaperOut bool
	Cover    bool // open
	Jam      bool // the cutter is stuck
	Lines    int  // on the paper that hangs out, not cut off
	Waiting  int  // bytes that were received and not printed yet
	Slips    []Slip
	Faults   int // armed and not yet struck
}

// Slip is a piece of paper that was cut off.
type Slip struct {
	Number uint64
	At     time.Time
	Text   string   // a line each
	Codes  []string // what its QR codes say
}

// Printer is a virtual printer. One goroutine owns its state; methods may be
// called from any other.
type Printer struct {
	cfg   Config
	log   *slog.Logger
	wired *virtualline.Device

	// The owner's.
	low, out bool
	cover    bool
	jam      bool
	dead     bool
	faults   faults
	arrival  arrival
	mode     mode
	line     []run // being composed
	word     []byte
	qr       qrCode
	asb      byte // what the automatic status is about; 0: off
	asbLast  [4]byte
	paper    []block // since the last cut
	pacing   *time.Timer
	moving   bool // a line is being printed: the next has to wait
	number   uint64
	slips    []Slip // newest first
	unknown  []string
	keep     func(s Slip, picture []byte, old []Slip) error // nil: nothing

	mu   sync.Mutex
	snap Snapshot
}

// Open plugs a printer in. The slips that its folder has are still there.
func Open(cfg Config) (*Printer, error) {
	if cfg.Dir == "" {
		return nil, errors.New("the virtual printer needs a folder")
	}
	for _, d := range []struct {
		at *int
		v  int
	}{{&cfg.Columns, 48}, {&cfg.Keep, 20}, {&cfg.Buffer, 4096}} {
		if *d.at <= 0 {
			*d.at = d.v
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the virtual printer: %w", err)
	}
	p := &Printer{cfg: cfg, log: cfg.Logger}
	p.pacing = time.NewTimer(time.Hour)
	p.pacing.Stop()
	var err error
	if p.slips, p.number, err = loadSlips(cfg.Dir, cfg.Keep); err != nil {
		return nil, fmt.Errorf("slips of the virtual printer: %w", err)
	}
	p.keep = p.toFolder
	p.reset()
	if p.wired, err = virtualline.NewDevice(cfg.Dir, cfg.OnChange); err != nil {
		return nil, err
	}
	p.publish()
	go p.run()
	return p, nil
}

// Path is the path to give to the driver; it is gone while the printer is
// unplugged.
func (p *Printer) Path() string { return virtualline.Path(p.cfg.Dir) }

// Close unplugs the printer for good.
func (p *Printer) Close() error {
	p.wired.Close()
	return nil
}

// Snapshot is the state of the moment.
func (p *Printer) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snap
}

// Unknown lists the commands that the printer has met and does not know.
func (p *Printer) Unknown() (list []string) {
	p.do(func() { list = append(list, p.unknown...) })
	return list
}

// Paper sets what is on the roll: enough, a little, or nothing. New paper lets
// what waits go on.
func (p *Printer) Paper(low, out bool) { p.do(func() { p.low, p.out = low, out; p.changed() }) }

// Cover opens or closes it.
func (p *Printer) Cover(open bool) { p.do(func() { p.cover = open; p.changed() }) }

// Jam sticks the cutter, or frees it.
func (p *Printer) Jam(on bool) { p.do(func() { p.jam = on; p.changed() }) }

// Unplug takes line and power away: what waits to be printed is gone, what is
// on the paper stays.
func (p *Printer) Unplug() error {
	err := ErrClosed
	p.do(func() { err = p.unplug() })
	return err
}

func (p *Printer) unplug() error {
	err := p.wired.Unplug()
	p.reset()
	return err
}

// Plug puts line and power back.
func (p *Printer) Plug() error {
	err := ErrClosed
	p.do(func() { err = p.wired.Plug() })
	return err
}

// reset is what a loss of power leaves: nothing but the paper.
func (p *Printer) reset() {
	p.arrival = arrival{}
	p.initialise()
	p.asbLast = [4]byte{}
}

func (p *Printer) do(f func()) { p.wired.Do(func() { f(); p.publish() }) }

func (p *Printer) run() {
	defer p.wired.End()
	for {
		var rx <-chan []byte
		if len(p.arrival.buffer) < p.cfg.Buffer-chunkMost {
			rx = p.wired.Received() // else the line waits: a printer that is busy drops DTR
		}
		select {
		case <-p.wired.Quit():
			return
		case op := <-p.wired.Ops():
			op()
		case chunk := <-rx:
			p.arrive(chunk)
		case <-p.pacing.C:
			p.moving = false
			p.carryOut()
		}
		p.publish()
	}
}

// publish shows the owner's state to the others, if it has changed.
func (p *Printer) publish() {
	s := Snapshot{Plugged: p.wired.Plugged(), PaperLow: p.low, PaperOut: p.out, Cover: p.cover, Jam: p.jam, Lines: len(p.paper), Waiting: len(p.arrival.buffer), Faults: p.faults.armed()}
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.snap
	s.Slips = was.Slips
	if len(p.slips) > 0 && (len(was.Slips) == 0 || was.Slips[0].Number != p.slips[0].Number) {
		s.Slips = append([]Slip(nil), p.slips...)
	}
	same := was.Plugged == s.Plugged && was.PaperLow == s.PaperLow && was.PaperOut == s.PaperOut && was.Cover == s.Cover && was.Jam == s.Jam &&
		was.Lines == s.Lines && was.Waiting == s.Waiting && was.Faults == s.Faults && len(was.Slips) == len(s.Slips) && (len(s.Slips) == 0 || was.Slips[0].Number == s.Slips[0].Number)
	if same {
		return
	}
	p.snap = s
	p.wired.Changed()
}

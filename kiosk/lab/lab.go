package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"buka/cardio/reader"
	"buka/cardio/reader/pcscd"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/config"
	"buka/kiosk/device/virtualpad"
	"buka/kiosk/device/virtualprinter"
	"buka/kiosk/risk"
	"buka/kiosk/station"
	"buka/sync/host"
	"buka/sync/host/fleetside"
	"buka/topup"
)

// Options of a lab.
type Options struct {
	Dir           string // everything that survives; made if it is not there
	Reader        string // "memory" or "pcsc"
	SwitchTimeout time.Duration
	Keys          host.Keys // zero masters: the published test keys
	Log           *slog.Logger
	Version       string
	Language      string
	Kiosk         string    // default K0001
	Shared        bool      // another authority may load these cards too
	OneReader     bool      // the bank card lies on the transit card's reader
	NoCVM         money.Fen // the host takes payments up to here without a PIN

	// For measurements: a source around the readers, and a look at each commit.
	WrapReaders func(reader.Source) reader.Source
	Appended    func([]entry.Body)

	// Overheard is told what goes over a link ("switch" or "fleet"), for tests
	// that search it: on which connection, and whether the kiosk sends. It must
	// not keep p.
	Overheard func(link, conn string, out bool, p []byte)

	// Postman carries the messages of the switch link, for tests; nil: the cable.
	Postman Postman
	// Configure has the last word about the kiosk's configuration, for tests.
	Configure func(*config.Config)
}

// Lab is the world.
type Lab struct {
	opts  Options
	log   *slog.Logger
	faces *faces

	toSwitch, toFleet *cable
	Faults            host.Faults
	pad               *virtualpad.Pad
	printer           *virtualprinter.Printer
	stopPCSCD         func()
	deskReader        string
	deskPort          int
	fleetPassword     string
	ports             [2]*port // kept for the host: the switch link's and the fleet link's
	listen            listening

	mu      sync.Mutex
	host    *host.Host
	side    *fleetside.Side
	purses  map[string]*purseCard
	banks   map[string]*bankCard
	order   []string
	station *station.Station
	power   context.CancelFunc
	off     chan struct{} // closed when the running station has ended
	fields  fields
	readers *reader.PCSC           // of the present life of the kiosk; nil in memory
	used    map[string]bool        // fields where a card of ours lay and the reader may still show it
	seen    map[topup.Place]uint64 // the last presence of a card that the core took in
	cutAt   string

	kioskOff   atomic.Int64 // its clock minus the true time
	kioskJumps atomic.Bool

	onShown func(string)
	hostHow string
	hostArg string

	hostClock atomic.Pointer[time.Time] // where the host's clock stands still; nil: it runs
}

// Open starts the host and the devices; the kiosk's power is off.
func Open(ctx context.Context, o Options) (*Lab, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SwitchTimeout == 0 {
		o.SwitchTimeout = 3 * time.Second
	}
	if o.Language == "" {
		o.Language = "en"
	}
	if o.Kiosk == "" {
		o.Kiosk = "K0001"
	}
	l := &Lab{
		opts: o, log: o.Log, toSwitch: newCable("switch", o.Overheard), toFleet: newCable("fleet", o.Overheard),
		purses: map[string]*purseCard{}, banks: map[string]*bankCard{}, stopPCSCD: func() {}, used: map[string]bool{},
		fields: fields{},
	}
	l.faces = newFaces(l)
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) open(ctx context.Context) error {
	for _, dir := range []string{"cards", "pinpad", "host", "kiosk"} {
		if err := os.MkdirAll(l.path(dir), 0o700); err != nil {
			return err
		}
	}
	if err := l.secrets(); err != nil {
		return err
	}
	if err := l.keepPorts(); err != nil {
		return err
	}
	if err := l.StartHost(ctx); err != nil {
		return err
	}
	if err := l.openPad(); err != nil {
		return err
	}
	if err := l.openPrinter(); err != nil {
		return err
	}
	if l.opts.Reader != "pcsc" {
		l.deskReader = memoryDesk
		return nil
	}
	return l.openPCSC(ctx)
}

// openPCSC sees to a running service. One that we start has two more readers
// for the desk; on another's the desk shares the second reader with the bank
// card.
func (l *Lab) openPCSC(ctx context.Context) error {
	stop, err := pcscd.Ensure(ctx, pcscd.Options{Desk: true})
	l.deskReader, l.deskPort = pcscd.Desk0, pcscd.DeskPort0
	if errors.Is(err, pcscd.ErrNoReader) {
		l.deskReader, l.deskPort = pcscd.Reader1, pcscd.Port1
		stop, err = pcscd.Ensure(ctx, pcscd.Options{})
	}
	if err != nil {
		return fmt.Errorf("PC/SC: %w", err)
	}
	l.stopPCSCD = stop
	return nil
}

func (l *Lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.opts.Dir}, parts...)...)
}

func (l *Lab) openPad() error {
	ksn := pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x00}
	pad, err := virtualpad.Open(virtualpad.Config{
		Dir: l.path("pinpad"), IK: pin.InitialKey(l.keys().BDK, ksn), KSN: ksn, OnChange: l.changed, Logger: l.log,
	})
	if err != nil {
		return fmt.Errorf("virtual PIN pad: %w", err)
	}
	l.pad = pad
	return nil
}

// Config is that of the kiosk.
func (l *Lab) Config() config.Config {
	c := config.Default()
	c.Kiosk, c.Place, c.Data, c.Hotline, c.Language = l.opts.Kiosk, "Demo station", l.path("kiosk"), "400 000 0000", l.opts.Language
	c.Readers.Transit, c.Readers.Bank, c.Readers.Desk = exactly(memoryTransit), exactly(memoryBank), exactly(l.deskReader)
	if l.opts.Reader == "pcsc" {
		c.Readers.Transit, c.Readers.Bank = exactly(pcscd.Reader0), exactly(pcscd.Reader1)
	}
	if l.opts.OneReader {
		c.Readers.Bank = c.Readers.Transit
	}
	c.Purse.Terminal = "112233445566"
	c.Purse.PINs = []string{"123456"}
	c.PINPad.Port = l.pad.SlavePath()
	c.Printer.Port, c.Printer.Baud = l.printer.Path(), printerBaud
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Switch.Address, c.Switch.Terminal, c.Switch.Merchant = l.listen.swtch, "00000001", "000000000000001"
	c.Switch.Timeout = config.Duration(l.opts.SwitchTimeout)
	c.Switch.MAC, c.Switch.MasterKey = "unionpay", l.path(masterKeyFile)
	c.Switch.Settle, c.BankCard.CAKeys = config.DayTime{}, "test" // settled when a script or a cashier says so
	c.Fleet.URL, c.Fleet.Password, c.Fleet.Heartbeat = "nats://"+l.listen.fleet, l.fleetPassword, config.Duration(2*time.Second)
	c.Risk.Rules = slices.DeleteFunc(c.Risk.Rules, perDay)
	if l.opts.Configure != nil {
		l.opts.Configure(&c)
	}
	return c
}

// perDay lists the shipped rules that count a card's day or look at the clock:
// here a few cards pay all day long.
func perDay(r risk.Rule) bool {
	return r.Name == "frequent" || r.Name == "large-sum" || r.Name == "at-night"
}

// Pad is the virtual PIN pad.
func (l *Lab) Pad() *virtualpad.Pad { return l.pad }

// Linked says whether the network to the payment host is there.
func (l *Lab) Linked() bool { return l.toSwitch.up() }

// Network pulls cables or puts them back: "both", "switch" or "fleet".
func (l *Lab) Network(link string, up bool) error {
	switch link {
	case "both":
		l.toSwitch.set(up)
		l.toFleet.set(up)
	case "switch":
		l.toSwitch.set(up)
	case "fleet":
		l.toFleet.set(up)
	default:
		return fmt.Errorf("%q is no link: both, switch or fleet", link)
	}
	l.changed()
	return nil
}

// changed tells the pages that a virtual device is not as it was.
func (l *Lab) changed() { l.faces.tell() }

// Close ends everything.
func (l *Lab) Close() error {
	if l.station != nil {
		l.PowerCut()
	}
	var errs []error
	l.mu.Lock()
	h, side := l.host, l.side
	l.host, l.side = nil, nil
	l.mu.Unlock()
	if side != nil {
		side.Close()
	}
	if h != nil {
		errs = append(errs, h.Close())
	}
	if l.pad != nil {
		errs = append(errs, l.pad.Close())
	}
	if l.printer != nil {
		errs = append(errs, l.printer.Close())
	}
	for _, p := range l.ports {
		if p != nil {
			p.free()
		}
	}
	l.stopPCSCD()
	return errors.Join(errs...)
}

func exactly(name string) string {
	if name == "" {
		return ""
	}
	return "^" + name + "$"
}

// HostTime is the time that the kiosk has waited for answers of the switch
// link, from the end of each request to the beginning of its answer.
func (l *Lab) HostTime() time.Duration { return time.Duration(l.toSwitch.waited.Load()) }

// Reachable says whether the cable to a host is in: "switch" or "fleet".
func (l *Lab) Reachable(link string) bool {
	if link == "switch" {
		return l.toSwitch.up()
	}
	return l.toFleet.up()
}

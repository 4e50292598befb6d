package virtualpad

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/kiosk/device/virtualline"
)

// Dialect is whose answers the pad gives.
type Dialect uint8

const (
	// VeriFone answers Z60 with 73, and 08 with EOT.
	VeriFone Dialect = iota
	// UIC answers Z60 with 71, and 08 with 08 and a status.
	UIC
)

// Config is what a pad is made of.
type Config struct {
	// Dir is the pad's folder: its counter, and the link to its line.
	Dir string
	// IK is the initial key of this device, KSN its key serial number with the
	// counter that counts as used already: 0 for a new device.
	IK  pin.Key
	KSN pin.KSN
	// Scheme chooses the keys: IK and KSN by default; with pin.AESDUKPT those
	// of X9.24-3, whose key may be AES-128, 192 or 256; with pin.MasterSession
	// the TDES master keys by slot, '0' to '9'.
	Scheme     pin.Scheme
	AESIK      pin.SecretKey
	AESKSN     pin.AESKSN
	MasterKeys map[byte]pin.SecretKey
	Format     pin.Format // of the blocks; 4 with pin.AESDUKPT only
	Throttle   Throttle   // how fast PINs may be tried; not at all slowed down
	Serial     string     // 16 characters, as 06 tells it; there is a default
	Dialect    Dialect

	ResendAfter  time.Duration // silence after which an answer is sent again; 5 s
	EntryTimeout time.Duration // of the pad itself; 90 s, so that the kiosk's own comes first
	// OnChange is told that Snapshot gives something new. It runs on a goroutine
	// of its own and may call every method but Close.
	OnChange func()
	Logger   *slog.Logger // slog.Default()
}

var (
	// ErrOff says that the pad has no power or no cable.
	ErrOff = errors.New("the virtual PIN pad is off: switch it on first")
	// ErrNotWaiting says that no PIN is asked for, so the keys are dead.
	ErrNotWaiting = errors.New("the virtual PIN pad does not ask for a PIN now")
	// ErrKey says that a name is no key of the pad.
	ErrKey = errors.New(`not a key of the PIN pad: 0 to 9, "enter", "cancel" or "clear"`)
	// ErrClosed says that the pad was closed.
	ErrClosed = errors.New("the virtual PIN pad is closed")
)

// Snapshot is what somebody in front of the pad can see.
type Snapshot struct {
	On      bool   // it has power
	Plugged bool   // its cable is in the kiosk
	Display string // 16 characters a line, lines split by \n
	Digits  int    // typed so far
	Waiting bool   // for a PIN
	Asked   int    // how often it has begun to wait for one
	Faults  int    // armed and not yet used up, in bytes and packets
}

// Pad is a virtual PIN pad. One goroutine owns all its state; methods may be
// called from any other.
type Pad struct {
	cfg   Config
	log   *slog.Logger
	wired *virtualline.Device

	// The owner's.
	on       bool
	dec      device.Decoder
	count    *counter[pin.KSN]
	aesCount *counter[pin.AESKSN]
	bucket   bucket
	macs     macSession
	active   byte // the selected master key
	asked    int  // entries that were begun
	prompted bool // idle is a prompt that waits for its entry
	working  bool // idle is what an entry has left, until the kiosk has the block
	entry    entry
	pending  pending
	badInRow int
	idle     string
	faults   []Fault    // armed, in order
	held     [2]delayed // by Direction
	traffic  [2]int

	mu      sync.Mutex
	snap    Snapshot
	changed chan struct{} // closed and replaced at each change of snap
}

// Open makes a pad, with power and plugged in.
func Open(cfg Config) (*Pad, error) {
	if cfg.Dir == "" {
		return nil, errors.New("the virtual PIN pad needs a folder for its counter")
	}
	if cfg.Serial == "" {
		cfg.Serial = "BUKAVIRTUAL00001"
	}
	if cfg.ResendAfter <= 0 {
		cfg.ResendAfter = 5 * time.Second
	}
	if cfg.EntryTimeout <= 0 {
		cfg.EntryTimeout = 90 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the virtual PIN pad: %w", err)
	}
	count, err := openCounter(filepath.Join(cfg.Dir, counterFile), cfg.KSN, pin.ParseKSN)
	if err != nil {
		return nil, err
	}
	aesCount, err := openCounter(filepath.Join(cfg.Dir, aesCounterFile), cfg.AESKSN, pin.ParseAESKSN)
	if err != nil {
		return nil, err
	}
	p := &Pad{
		cfg:   cfg,
		log:   cfg.Logger,
		on:    true,
		count: count, aesCount: aesCount,
		idle:    idleText,
		changed: make(chan struct{}),
	}
	p.cfg.MasterKeys = maps.Clone(cfg.MasterKeys)
	p.entry.timer, p.pending.timer = stoppedTimer(), stoppedTimer()
	p.held[ToKiosk].timer, p.held[FromKiosk].timer = stoppedTimer(), stoppedTimer()
	if p.wired, err = virtualline.NewDevice(cfg.Dir, cfg.OnChange); err != nil {
		return nil, err
	}
	p.publish()
	go p.run()
	return p, nil
}

// check says what no pad can be made of.
func (c Config) check() error {
	aes := c.AESIK.Algorithm()
	switch {
	case c.Format.Size() == 0, c.Format == pin.Format4 && c.Scheme != pin.AESDUKPT:
		return fmt.Errorf("the virtual PIN pad: %w", pin.ErrFormat)
	case c.Scheme == pin.AESDUKPT && aes != pin.AES128 && aes != pin.AES192 && aes != pin.AES256:
		return fmt.Errorf("the virtual PIN pad: %w", pin.ErrDerivation)
	}
	return nil
}

// SlavePath is the path to give to the driver. It is a link that stays the same
// over Unplug and Plug; while the pad is unplugged it does not exist.
func (p *Pad) SlavePath() string { return virtualline.Path(p.cfg.Dir) }

// Close unplugs the pad for good.
func (p *Pad) Close() error {
	p.wired.Close()
	return nil
}

// Snapshot is the state of the moment.
func (p *Pad) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snap
}

// WaitPrompt returns when the pad waits for a PIN, or with the end of ctx.
func (p *Pad) WaitPrompt(ctx context.Context) error {
	return p.Wait(ctx, func(s Snapshot) bool { return s.Waiting })
}

// Wait returns when until is true of a snapshot, or with the end of ctx.
func (p *Pad) Wait(ctx context.Context, until func(Snapshot) bool) error {
	for {
		p.mu.Lock()
		snap, changed := p.snap, p.changed
		p.mu.Unlock()
		if until(snap) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the virtual PIN pad: %w", context.Cause(ctx))
		case <-p.wired.Ended():
			return ErrClosed
		}
	}
}

// Key presses one key: "0" to "9", "enter", "cancel" or "clear". Enter below
// four digits and digits past twelve do nothing, as on a real pad.
func (p *Pad) Key(k string) error {
	err := ErrClosed
	p.do(func() {
		switch {
		case !p.on || !p.wired.Plugged():
			err = ErrOff
		case !p.entry.active:
			err = ErrNotWaiting
		default:
			err = p.press(k)
		}
	})
	return err
}

// Type waits for the prompt, then presses the digits and Enter.
func (p *Pad) Type(ctx context.Context, digits string) error {
	if err := p.WaitPrompt(ctx); err != nil {
		return err
	}
	for i := range len(digits) {
		if err := p.Key(digits[i : i+1]); err != nil {
			return err
		}
	}
	return p.Key("enter")
}

// PowerOff takes the pad's power: the entry in progress is gone, the line is
// silent but still there, as with a pad that has a supply of its own.
func (p *Pad) PowerOff() {
	p.do(func() {
		p.on = false
		p.reset()
	})
}

// PowerOn gives the power back.
func (p *Pad) PowerOn() { p.do(func() { p.on = true }) }

// Unplug pulls the cable that carries data and power: the line disappears, and
// the entry in progress with it.
func (p *Pad) Unplug() error {
	err := ErrClosed
	p.do(func() {
		err = p.wired.Unplug()
		p.reset()
	})
	return err
}

// Plug puts the cable back: a new line under the same path.
func (p *Pad) Plug() error {
	err := ErrClosed
	p.do(func() { err = p.wired.Plug() })
	return err
}

// reset is what a loss of power leaves of the volatile state: nothing.
func (p *Pad) reset() {
	p.endEntry()
	p.dropPending()
	p.dec.Reset()
	p.macs.reset()
	p.dropDelayed()
	p.idle, p.working, p.prompted, p.active = idleText, false, false, 0
}

// do runs f on the owner and waits for it.
func (p *Pad) do(f func()) { p.wired.Do(func() { f(); p.publish() }) }

func (p *Pad) run() {
	defer p.wired.End()
	for {
		select {
		case <-p.wired.Quit():
			p.reset()
			p.cfg.IK.Zero()
			p.cfg.AESIK.Zero()
			clear(p.cfg.MasterKeys)
			return
		case op := <-p.wired.Ops():
			op()
		case chunk := <-p.wired.Received():
			p.arrive(chunk)
		case <-p.entry.timer.C:
			p.log.Debug("virtual PIN pad: entry timed out")
			p.abandon("TIME OUT")
		case <-p.pending.timer.C:
			p.resend(false)
		case <-p.held[ToKiosk].timer.C:
			p.put(p.release(ToKiosk))
		case <-p.held[FromKiosk].timer.C:
			p.hear(p.release(FromKiosk))
		}
		p.publish()
	}
}

// publish shows the owner's state to the others, if it has changed.
func (p *Pad) publish() {
	s := Snapshot{On: p.on, Plugged: p.wired.Plugged(), Asked: p.asked, Faults: p.faultsArmed()}
	if p.on && p.wired.Plugged() {
		s.Display, s.Digits, s.Waiting = p.display(), p.entry.n, p.entry.active
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == p.snap {
		return
	}
	p.snap = s
	close(p.changed)
	p.changed = make(chan struct{})
	p.wired.Changed()
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

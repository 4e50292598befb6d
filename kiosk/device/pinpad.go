package device

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"buka/internal/pin"
)

// Config is what the driver must know. Zero values mean the defaults given.
type Config struct {
	// Port is the path of the serial device. It may be a symbolic link that
	// appears and goes, such as those under /dev/serial/by-id.
	Port string
	Baud int    // bit/s; 9600
	Mode string // "8N1" (default), "7E1" or "7O1"

	// Scheme and Format are what the pad is set to: which keys encipher a PIN,
	// and as which block. TDES DUKPT and format 0 by default.
	Scheme pin.Scheme
	Format pin.Format
	// Packet is the request for a PIN; Z60 by default, which any pad has. Z62
	// and 70 bring the amount along.
	Packet Packet
	// KeySlot is a digit for pads that want their key selected (packet 08)
	// before each entry; empty for those that do not. MasterSession wants one.
	KeySlot string
	// Serial is the serial number that the pad must have. Empty: the first that
	// is met, as long as this driver lives.
	Serial string

	OpenTimeout      time.Duration // for the port to open; 5 s
	AckTimeout       time.Duration // for one acknowledgement; 5 s. A packet is tried three times
	ReplyTimeout     time.Duration // for the pad's answer to 08; 5 s
	EntryTimeout     time.Duration // for the customer, from the pad's acknowledgement on; 60 s
	CancelTimeout    time.Duration // for the pad to stop an entry; 5 s
	InterByteTimeout time.Duration // silence within a packet; 1 s
	WriteTimeout     time.Duration // for the port to take one packet; 5 s
	ProbeEvery       time.Duration // between two questions whether the pad is there; 5 s
	ProbeTimeout     time.Duration // for each step of such a question; 2 s
	RetryMin         time.Duration // pause before the port is opened again, doubled
	RetryMax         time.Duration // up to this; 500 ms and 10 s

	Logger *slog.Logger // slog.Default()
	// OnState is told each change of State, on the driver's own goroutine: it
	// must not block and must not call EnterPIN or Close.
	OnState func(ok bool, what string, since time.Time)
}

func (c Config) withDefaults() Config {
	setDefaults(&c.Baud, &c.Mode, &c.Logger, map[*time.Duration]time.Duration{
		&c.OpenTimeout: 5 * time.Second, &c.AckTimeout: 5 * time.Second, &c.ReplyTimeout: 5 * time.Second, &c.EntryTimeout: time.Minute,
		&c.CancelTimeout: 5 * time.Second, &c.InterByteTimeout: time.Second, &c.WriteTimeout: 5 * time.Second, &c.ProbeEvery: 5 * time.Second,
		&c.ProbeTimeout: 2 * time.Second, &c.RetryMin: 500 * time.Millisecond, &c.RetryMax: 10 * time.Second,
	})
	if c.Packet == "" {
		c.Packet = PacketZ60
	}
	return c
}

// Validate says what is wrong with a configuration, in words for a person. New
// takes a wrong one too, and then says the same in State.
func (c Config) Validate() error {
	c = c.withDefaults()
	if c.Port == "" {
		return fmt.Errorf("no serial port is configured for the PIN pad: set its path")
	}
	if len(c.KeySlot) > 1 || (c.KeySlot != "" && (c.KeySlot[0] < '0' || c.KeySlot[0] > '9')) {
		return fmt.Errorf("key slot %q of the PIN pad: write one digit, or nothing", c.KeySlot)
	}
	if c.Scheme == pin.MasterSession && c.KeySlot == "" {
		return fmt.Errorf("master/session keys of the PIN pad: write the digit of the master key's slot")
	}
	if !c.Packet.known() {
		return fmt.Errorf("packet %q of the PIN pad: write Z60, Z62, Z63 or 70", c.Packet)
	}
	if c.Format.Size() == 0 || c.Format == pin.Format4 && c.Scheme != pin.AESDUKPT {
		return fmt.Errorf("PIN block format %d with %v keys: write 0 or 3, or 4 with aes-dukpt", c.Format, c.Scheme)
	}
	if _, err := portMode(c.Baud, c.Mode); err != nil {
		return fmt.Errorf("serial port of the PIN pad: %w", err)
	}
	return nil
}

// PinPad is one pad on one port. Make it with New, end it with Close. Its
// methods may be called from any goroutine; entries are served one at a time.
type PinPad struct {
	cfg  Config
	log  *slog.Logger
	life context.Context // ends with ErrClosed as its cause
	end  context.CancelCauseFunc
	done chan struct{}
	jobs chan *job

	// The owner's.
	recent               recentNumbers
	keyDevice            serialNumber // of the key serial numbers, without counter
	keyDeviceSure        bool         // it has been seen twice
	keyChecked           string       // cryptogram of the working key whose check value was right
	asking               bool         // the job in hand has asked for a PIN
	markCipher           cipher.Block
	scratch              [32]byte // of mark
	lastBlock            [8]byte  // mark of the last master/session block,
	lastAccount, account [8]byte  // of its account number, and of the one in hand

	mu     sync.Mutex
	ok     bool
	what   string
	serial string
	since  time.Time
}

// New starts the driver. It returns at once and connects in the background.
func New(cfg Config) *PinPad {
	cfg = cfg.withDefaults()
	p := &PinPad{
		cfg:   cfg,
		log:   cfg.Logger,
		done:  make(chan struct{}),
		jobs:  make(chan *job),
		what:  "connecting",
		since: time.Now(),
	}
	p.markCipher = newMarkCipher()
	p.life, p.end = context.WithCancelCause(context.Background())
	go p.run()
	return p
}

func newMarkCipher() cipher.Block {
	var key [32]byte
	rand.Read(key[:])
	defer clear(key[:])
	c, err := aes.NewCipher(key[:])
	if err != nil {
		panic("pin pad: " + err.Error()) // only for a wrong length
	}
	return c
}

// Close ends an entry in progress, gives the port back and waits for that. It
// takes no longer than CancelTimeout and the closing of the port.
func (p *PinPad) Close() error {
	p.end(ErrClosed)
	<-p.done
	return nil
}

// State says whether the pad answers, since when, and what a person should know.
func (p *PinPad) State() (ok bool, what string, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ok, p.what, p.since
}

// Serial is the pad's serial number, empty if it has not told one.
func (p *PinPad) Serial() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.serial
}

func (p *PinPad) setState(ok bool, what string) {
	p.mu.Lock()
	changed := ok != p.ok || what != p.what
	if changed {
		p.ok, p.what, p.since = ok, what, time.Now()
	}
	since := p.since
	p.mu.Unlock()
	if !changed {
		return
	}
	p.log.Info("pin pad: state", "ok", ok, "what", what)
	if p.cfg.OnState != nil {
		p.cfg.OnState(ok, what, since)
	}
}

// run is the owner of the port: connect, serve, and again, until Close.
func (p *PinPad) run() {
	defer close(p.done)
	defer p.setState(false, ErrClosed.Error())
	o := portOwner[*job]{
		life: p.life, jobs: p.jobs, port: p.cfg.Port, baud: p.cfg.Baud, mode: p.cfg.Mode, what: "the PIN pad", away: ErrUnplugged, check: p.cfg.Validate,
		openTimeout: p.cfg.OpenTimeout, retryMin: p.cfg.RetryMin, retryMax: p.cfg.RetryMax,
		down: func(why string) { p.setState(false, why) }, refuse: func(j *job) { j.reply(ErrUnplugged) }, session: p.meet,
	}
	o.run()
}

// meet asks whether a pad is there, and serves it.
func (p *PinPad) meet(line *line) (met bool, err error) {
	l := &link{line: line, dropped: p.dropped, interByte: p.cfg.InterByteTimeout, writeMax: p.cfg.WriteTimeout, log: p.log}
	defer l.forget()
	if err := p.greet(l); err != nil {
		return false, fmt.Errorf("%s: %w", p.cfg.Port, err)
	}
	p.setState(true, "ready")
	return true, p.serve(l)
}

// lost marks the pad as not there, and names the port in the error.
func (p *PinPad) lost(err error) error {
	err = fmt.Errorf("%s: %w", p.cfg.Port, err)
	p.setState(false, err.Error())
	return err
}

// serve works on an open line until it fails (the error) or Close (nil).
func (p *PinPad) serve(l *link) error {
	probe := time.NewTimer(p.cfg.ProbeEvery)
	defer probe.Stop()
	var half <-chan time.Time
	for {
		select {
		case <-p.life.Done():
			return nil
		case <-l.line.gone:
			return p.lost(fmt.Errorf("%w (%w)", ErrUnplugged, l.line.err))
		case chunk := <-l.line.rx:
			l.take(chunk)
			half = l.idle()
		case <-half:
			l.cut()
			half = nil
		case j := <-p.jobs:
			if err := p.work(l, j); err != nil {
				return err
			}
			half = l.idle() // a block may have come twice
			probe.Reset(p.cfg.ProbeEvery)
		case <-probe.C:
			if err := p.probe(p.life, l); err != nil {
				return p.lost(err)
			}
			half = l.idle()
			probe.Reset(p.cfg.ProbeEvery)
		}
	}
}

package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"buka/internal/entry"
	"buka/kiosk/device/escpos"
)

// Why a slip is not on paper. Use errors.Is.
var (
	// ErrPrinterAway: the port is gone, or nothing answers on it.
	ErrPrinterAway = errors.New("the receipt printer does not answer: check its power and its cable")
	// ErrPrinterDown: it answers, and cannot print; the state says why.
	ErrPrinterDown = errors.New("the receipt printer cannot print now")
	// ErrPrinterSlow: the slip was sent, and the printer does not say that it
	// has printed it.
	ErrPrinterSlow = errors.New("the receipt printer does not say that it has printed")
	// ErrPrinterClosed: the driver is being shut down.
	ErrPrinterClosed = errors.New("the receipt printer's driver is closed")
)

// Codes of a printer's state, keys of the pages.
const (
	PrinterMissing  = "printer-missing" // not connected, or silent
	PrinterCover    = "printer-cover-open"
	PrinterPaperOut = "printer-paper-out"
	PrinterJam      = "printer-jam"
	PrinterError    = "printer-error"
	PrinterBusy     = "printer-busy"      // off line, or the feed button is held, or the head is hot
	PrinterPaperLow = "printer-paper-low" // a warning: it prints
)

// PrinterConfig is what the driver must know. Zero values mean the defaults
// given.
type PrinterConfig struct {
	Port  string // path of the serial device; it may come and go
	Baud  int    // bit/s; 9600
	Mode  string // "8N1" (default), "7E1" or "7O1"
	Paper escpos.Paper

	OpenTimeout   time.Duration // for the port to open; 5 s
	AnswerTimeout time.Duration // for one answer to DLE EOT; 2 s
	WriteTimeout  time.Duration // for the port to take one piece; 5 s
	PrintTimeout  time.Duration // from the last byte of a slip to the printer's word that it is printed; 20 s
	AskEvery      time.Duration // between two questions while it prints; 500 ms
	ProbeEvery    time.Duration // between two questions at rest; 5 s
	RetryMin      time.Duration // pause before the port is opened again, doubled
	RetryMax      time.Duration // up to this; 500 ms and 10 s

	Logger *slog.Logger // slog.Default()
	// OnState is told each change of State, on the driver's own goroutine: it
	// must not block and must not call Print or Close.
	OnState func(PrinterState)
}

// PrinterState is how the printer is.
type PrinterState struct {
	OK    bool      // it prints
	Code  string    // one of the codes above; with OK true a warning; "" is well
	What  string    // for the log and a technician
	Since time.Time // of this OK and Code
}

func (c PrinterConfig) withDefaults() PrinterConfig {
	setDefaults(&c.Baud, &c.Mode, &c.Logger, map[*time.Duration]time.Duration{
		&c.OpenTimeout: 5 * time.Second, &c.AnswerTimeout: 2 * time.Second, &c.WriteTimeout: 5 * time.Second, &c.PrintTimeout: 20 * time.Second,
		&c.AskEvery: 500 * time.Millisecond, &c.ProbeEvery: 5 * time.Second, &c.RetryMin: 500 * time.Millisecond, &c.RetryMax: 10 * time.Second,
	})
	return c
}

// Printer is one receipt printer on one port. Make it with NewPrinter, end it
// with Close. One goroutine owns the port; slips are printed one at a time.
type Printer struct {
	cfg  PrinterConfig
	log  *slog.Logger
	life context.Context // ends with ErrPrinterClosed as its cause
	end  context.CancelCauseFunc
	done chan struct{}
	jobs chan *printJob

	torn bool // the owner's: what was sent of a slip may lie in the printer or on its paper

	mu    sync.Mutex
	state PrinterState
}

// printJob is one slip for the owner. outcome and err are set before done is
// closed.
type printJob struct {
	ctx     context.Context
	slip    escpos.Slip
	outcome entry.Outcome
	err     error
	done    chan struct{}
}

func (j *printJob) reply(o entry.Outcome, err error) {
	j.outcome, j.err = o, err
	close(j.done)
}

// NewPrinter starts the driver. It returns at once and connects in the
// background.
func NewPrinter(cfg PrinterConfig) *Printer {
	cfg = cfg.withDefaults()
	p := &Printer{
		cfg: cfg, log: cfg.Logger, done: make(chan struct{}), jobs: make(chan *printJob),
		state: PrinterState{Code: PrinterMissing, What: "connecting", Since: time.Now()},
	}
	p.life, p.end = context.WithCancelCause(context.Background())
	go p.run()
	return p
}

// Close gives the port back and waits for that.
func (p *Printer) Close() error {
	p.end(ErrPrinterClosed)
	<-p.done
	return nil
}

// State is how the printer is now.
func (p *Printer) State() PrinterState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Print prints one slip, once. Done: the printer says that it is on paper.
// NotDone: nothing of it was sent. Unknown: some or all of it was sent; it is
// not sent again. A printer that is known to be down refuses at once; otherwise
// it takes no longer than the deadlines of the configuration.
func (p *Printer) Print(ctx context.Context, s escpos.Slip) (entry.Outcome, error) {
	j := &printJob{ctx: ctx, slip: s, done: make(chan struct{})}
	select {
	case p.jobs <- j:
	case <-ctx.Done():
		return entry.NotDone, context.Cause(ctx)
	case <-p.life.Done():
		return entry.NotDone, ErrPrinterClosed
	}
	<-j.done
	return j.outcome, j.err
}

func (p *Printer) setState(ok bool, code, what string) {
	p.mu.Lock()
	now := PrinterState{OK: ok, Code: code, What: what, Since: p.state.Since}
	changed := ok != p.state.OK || code != p.state.Code
	if changed {
		now.Since = time.Now()
	}
	p.state = now
	p.mu.Unlock()
	if !changed {
		return
	}
	p.log.Info("receipt printer: state", "ok", ok, "code", code, "what", what)
	if p.cfg.OnState != nil {
		p.cfg.OnState(now)
	}
}

// run is the owner of the port: connect, serve, and again, until Close.
func (p *Printer) run() {
	defer close(p.done)
	defer p.setState(false, PrinterMissing, ErrPrinterClosed.Error())
	o := portOwner[*printJob]{
		life: p.life, jobs: p.jobs, port: p.cfg.Port, baud: p.cfg.Baud, mode: p.cfg.Mode, what: "the printer", away: ErrPrinterAway, check: p.cfg.check,
		openTimeout: p.cfg.OpenTimeout, retryMin: p.cfg.RetryMin, retryMax: p.cfg.RetryMax,
		down: func(why string) { p.setState(false, PrinterMissing, why) }, refuse: func(j *printJob) { j.reply(entry.NotDone, ErrPrinterAway) }, session: p.meet,
	}
	o.run()
}

func (c PrinterConfig) check() error {
	if c.Port == "" {
		return fmt.Errorf("%w: no serial port is configured", ErrPrinterAway)
	}
	return nil
}

// meet asks whether a printer is there, and serves it.
func (p *Printer) meet(line *line) (met bool, err error) {
	l := &paperLink{line: line, cfg: p.cfg, log: p.log}
	if err := l.greet(p.life); err != nil {
		return false, fmt.Errorf("%s: %w", p.cfg.Port, err)
	}
	p.show(l.status)
	return true, p.serve(l)
}

// serve works on an open line until it fails (the error) or Close (nil).
func (p *Printer) serve(l *paperLink) error {
	probe := time.NewTimer(p.cfg.ProbeEvery)
	defer probe.Stop()
	for {
		select {
		case <-p.life.Done():
			return nil
		case <-l.line.gone:
			return fmt.Errorf("%w (%w)", ErrPrinterAway, l.line.err)
		case chunk := <-l.line.rx:
			if l.take(chunk) {
				p.show(l.status)
			}
		case j := <-p.jobs:
			err := p.work(l, j)
			if err != nil {
				return err
			}
			probe.Reset(p.cfg.ProbeEvery)
		case <-probe.C:
			if err := l.ask(p.life); err != nil {
				return err
			}
			p.show(l.status)
			probe.Reset(p.cfg.ProbeEvery)
		}
	}
}

// show makes of a status a state.
func (p *Printer) show(s escpos.Status) {
	code := printerCode(s)
	p.setState(!s.Down(), code, code)
}

func printerCode(s escpos.Status) string {
	switch {
	case s.Cover:
		return PrinterCover
	case s.PaperOut:
		return PrinterPaperOut
	case s.Cutter:
		return PrinterJam
	case s.Error:
		return PrinterError
	case s.Down():
		return PrinterBusy
	case s.PaperLow:
		return PrinterPaperLow
	}
	return ""
}

package station

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"buka/internal/entry"
	"buka/kiosk/config"
	"buka/kiosk/device"
	"buka/kiosk/device/escpos"
	"buka/kiosk/receipt"
	"buka/topup"
	"buka/ui"
)

// slipPrinter is the receipt printer as the station needs it.
type slipPrinter interface {
	Print(ctx context.Context, s escpos.Slip) (entry.Outcome, error)
	State() device.PrinterState
	Close() error
}

// printing gives passengers their slips. It looks at the screen after each step
// of the sale; when a sale has ended there, its slip is made of the journal and
// printed, once. Nothing waits for it: what does not print is said on the
// screen, with the slip as a code.
//
// What was sent to the printer is written down before, in a file beside the
// journal, so that a restart does not print it a second time. Without that file
// a slip might come out twice; money does not depend on it.
type printing struct {
	printer slipPrinter // nil: none
	journal receipt.Journal
	tail    func() (uint64, entry.Hash)
	site    func() receipt.Site
	ascii   bool
	now     func() time.Time
	tell    func()
	log     *slog.Logger
	wishes  chan wish
	done    chan struct{}
	before  uint64 // the last entry of the lives before this one

	mu    sync.Mutex
	last  wish // the newest that was taken from a screen
	book  slipBook
	codes map[slipKey]string // of the newest slips, for the screen
}

// wish is a slip that is wanted.
type wish struct {
	sale  entry.SaleID
	phase topup.Phase
	why   string
	upTo  uint64
	lang  string
	again string // who wants it once more; "": it is the first
}

const (
	wishesMost = 16
	printWait  = 45 * time.Second // for one slip, with everything before it at the printer
)

func newPrinting(cfg config.Config, j *journal, site func() receipt.Site, now func() time.Time, tell func(), log *slog.Logger) *printing {
	p := &printing{
		journal: j, tail: j.Tail, site: site, ascii: cfg.Printer.Charset == "ascii", now: now, tell: tell, log: log,
		wishes: make(chan wish, wishesMost), done: make(chan struct{}), codes: map[slipKey]string{}, book: openSlipBook(cfg.Data, log),
	}
	p.before, _ = p.tail()
	if cfg.Printer.Port != "" {
		p.printer = device.NewPrinter(device.PrinterConfig{
			Port: cfg.Printer.Port, Baud: cfg.Printer.Baud, Mode: cfg.Printer.Mode, Logger: log,
			Paper:   escpos.Paper{Columns: cfg.Printer.Columns, Charset: escpos.Charset(cfg.Printer.Charset), Dots: cfg.Printer.QR == "dots", Cut: cfg.Printer.Cut},
			OnState: func(device.PrinterState) { tell() },
		})
	}
	return p
}

func (p *printing) run(ctx context.Context) {
	defer close(p.done)
	p.missed()
	for {
		select {
		case <-ctx.Done():
			if p.printer != nil {
				p.printer.Close()
			}
			return
		case w := <-p.wishes:
			if ctx.Err() == nil { // else a slip would be noted that nobody sends
				p.serve(ctx, w)
				p.tell()
			}
		}
	}
}

// missed finds the slip that a power cut has kept from being printed after the
// card was written: staff can print it. What is unfinished comes back to the
// screen, and its slip with it.
func (p *printing) missed() {
	sale, at, err := receipt.LastWritten(p.journal, p.before)
	if err != nil {
		p.log.Warn("the last slip is not known", "err", err)
	}
	if sale == "" {
		return
	}
	key := slipKey{sale, receipt.Done}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.book.begin(printed{Sale: sale, Ending: receipt.Done, UpTo: at, AtMS: p.now().UnixMilli()}) {
		p.book.end(key, ui.SlipNone)
	}
}

// look is called after each step; it returns at once.
func (p *printing) look(state topup.State, lang string) {
	f := state.Live.Front
	switch f.Phase {
	case topup.Finished, topup.Declined, topup.Open, topup.Contact:
	default:
		p.mu.Lock()
		p.last = wish{}
		p.mu.Unlock()
		return
	}
	if f.Lang != "" {
		lang = f.Lang
	}
	w := wish{sale: f.Sale, phase: f.Phase, why: f.Reason}
	p.mu.Lock()
	same := w == p.last || f.Sale == ""
	p.last = w
	p.mu.Unlock()
	if same {
		return
	}
	w.lang = lang
	w.upTo, _ = p.tail()
	p.want(w)
}

// wrote is told each entry after it is durable. A cashier's wish is one.
func (p *printing) wrote(body entry.Body, seq uint64) {
	if b, ok := body.(entry.StaffActed); ok && b.Did == topup.Reprint {
		p.want(wish{sale: b.Sale, upTo: seq, again: b.Who})
	}
}

func (p *printing) want(w wish) {
	select {
	case p.wishes <- w:
	default:
		p.log.Warn("a slip is not printed: too many wait", "claim", w.sale.Claim())
	}
}

// serve makes and prints one slip.
func (p *printing) serve(ctx context.Context, w wish) {
	p.mu.Lock()
	old, known := p.book.last(w.sale)
	p.mu.Unlock()
	if w.again != "" && known {
		w.upTo, w.lang = old.UpTo, old.Lang
	}
	facts, err := receipt.Collect(p.journal, w.sale, w.upTo)
	if err != nil {
		p.log.Error("no slip", "claim", w.sale.Claim(), "err", err)
		return
	}
	end := facts.Ending()
	if end == receipt.None || w.again == "" && end == receipt.ToCollect {
		return
	}
	words := p.words(w.lang)
	slip := receipt.Slip(facts, p.site(), words, w.again != "")
	if w.again != "" {
		p.mu.Lock()
		p.book.again(w.sale, ui.SlipPrinting)
		p.mu.Unlock()
		p.tell()
		state := p.print(ctx, slip)
		p.mu.Lock()
		p.book.again(w.sale, state)
		p.mu.Unlock()
		return
	}
	key := slipKey{w.sale, end}
	p.mu.Lock()
	p.remember(key, receipt.Code(facts, p.site(), words))
	fresh := p.book.begin(printed{Sale: w.sale, Ending: end, UpTo: w.upTo, Lang: w.lang, AtMS: p.now().UnixMilli()})
	p.mu.Unlock()
	if !fresh {
		return // it was printed before, or a power cut came between
	}
	p.tell()
	state := p.print(ctx, slip)
	p.mu.Lock()
	p.book.end(key, state)
	p.mu.Unlock()
}

func (p *printing) print(ctx context.Context, s escpos.Slip) ui.SlipState {
	if p.printer == nil {
		return ui.SlipNone
	}
	ctx, cancel := context.WithTimeout(ctx, printWait)
	defer cancel()
	outcome, err := p.printer.Print(ctx, s)
	switch outcome {
	case entry.Done:
		return ui.SlipPrinted
	case entry.NotDone:
		p.log.Info("a slip was not printed", "err", err)
		return ui.SlipNone
	}
	p.log.Warn("it is not known whether a slip was printed", "err", err)
	return ui.SlipUnknown
}

// codesMost is how many slips a screen may still ask for.
const codesMost = 8

// remember keeps the code of the slip for the screen.
func (p *printing) remember(key slipKey, code string) {
	if len(p.codes) >= codesMost {
		p.codes = map[slipKey]string{}
	}
	p.codes[key] = code
}

func (p *printing) words(lang string) receipt.Languages {
	switch {
	case p.ascii:
		return receipt.EnglishOnly
	case lang == "en":
		return receipt.EnglishFirst
	}
	return receipt.ChineseFirst
}

// shown is what the screen says of the slip of a sale.
func (p *printing) shown(sale entry.SaleID) *ui.Slip {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.book.last(sale)
	if !ok {
		return nil
	}
	return &ui.Slip{State: r.State, Code: p.codes[slipKey{sale, r.Ending}]}
}

// lastSlip is what the cashier sees.
func (p *printing) lastSlip() *ui.DeskSlip {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.book.newest()
	if !ok {
		return nil
	}
	return &ui.DeskSlip{
		Sale: string(r.Sale), Claim: r.Sale.Claim(), At: time.UnixMilli(r.AtMS), State: r.State, Again: r.Again,
		Able: p.printer != nil && p.printer.State().OK,
	}
}

// state is the printer's, for the heartbeat; ok is false without one.
func (p *printing) state() (s device.PrinterState, ok bool) {
	if p.printer == nil {
		return s, false
	}
	return p.printer.State(), true
}

// hostZone is that of the host's date and time (DE12, DE13), wherever the clock
// of this machine thinks that it is.
var hostZone = time.FixedZone("CST", 8*3600)

// site is what slips say of this machine.
func (s *Station) site() receipt.Site {
	c := s.cfg
	return receipt.Site{
		Kiosk: c.Kiosk, Place: c.Place, Hotline: c.Hotline, Terminal: c.Switch.Terminal, Merchant: c.Switch.Merchant, Zone: hostZone, Words: s.words,
	}
}

func (s *Station) lookAtSlips() {
	if state, failed := s.engine.State(); failed == nil {
		s.slips.look(state, s.cfg.Language)
	}
}

package station

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/kiosk/device"
	"buka/kiosk/device/escpos"
	"buka/kiosk/receipt"
	"buka/topup"
	"buka/ui"
)

// paperTray is a printer in memory. Each slip waits for leave, if there is one.
type paperTray struct {
	mu      sync.Mutex
	slips   []escpos.Slip
	outcome entry.Outcome
	book    string // file that must name the slip before it is printed
	unnamed int
	leave   chan struct{}
}

func (p *paperTray) Print(ctx context.Context, s escpos.Slip) (entry.Outcome, error) {
	if p.leave != nil {
		select {
		case <-p.leave:
		case <-ctx.Done():
			return entry.Unknown, context.Cause(ctx)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if data, err := os.ReadFile(p.book); err != nil || !strings.Contains(string(data), `"printing"`) {
		p.unnamed++
	}
	p.slips = append(p.slips, s)
	return p.outcome, nil
}

func (p *paperTray) State() device.PrinterState { return device.PrinterState{OK: true} }
func (p *paperTray) Close() error               { return nil }

func (p *paperTray) printed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slips)
}

// entries are a journal in memory.
type entries struct {
	mu   sync.Mutex
	raws [][]byte
	prev entry.Hash
}

func (j *entries) add(t *testing.T, bodies ...entry.Body) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, b := range bodies {
		_, raw, hash, err := entry.Seal(uint64(len(j.raws)+1), j.prev, time.Unix(1_800_000_000, 0), b)
		if err != nil {
			t.Fatal(err)
		}
		j.raws, j.prev = append(j.raws, raw), hash
	}
}

func (j *entries) Read(from uint64, most, _ int) ([][]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if from > uint64(len(j.raws)) {
		return nil, nil
	}
	return j.raws[from-1 : min(len(j.raws), int(from)-1+most)], nil
}

func (j *entries) Tail() (uint64, entry.Hash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.raws)), j.prev
}

const slipSale = entry.SaleID("4Q7ZK1M2N8P3R5T6")

// press is a printing over a journal and a tray.
type press struct {
	*printing
	t    *testing.T
	tray *paperTray
	book string
	end  context.CancelFunc
	over chan struct{}
}

func newPress(t *testing.T, dir string, j *entries, tray *paperTray) *press {
	t.Helper()
	p := &printing{
		journal: j, tail: j.Tail, site: func() receipt.Site { return receipt.Site{Kiosk: "K1"} }, now: time.Now, tell: func() {},
		log: slog.New(slog.DiscardHandler), wishes: make(chan wish, wishesMost), done: make(chan struct{}), codes: map[slipKey]string{},
		book: openSlipBook(dir, slog.New(slog.DiscardHandler)),
	}
	p.before, _ = p.tail()
	if tray != nil {
		tray.book = filepath.Join(dir, slipsFile)
		p.printer = tray
	}
	ctx, end := context.WithCancel(t.Context())
	x := &press{printing: p, t: t, tray: tray, end: end, over: p.done}
	go p.run(ctx)
	t.Cleanup(x.stop)
	return x
}

func (x *press) stop() { x.end(); <-x.over }

// see shows the printing a screen, as the engine does after a step.
func (x *press) see(phase topup.Phase) {
	x.look(topup.State{Live: topup.Live{Front: topup.Console{Phase: phase, Sale: slipSale, Lang: "en"}}}, "zh")
}

// wait waits until the screen says so of the slip.
func (x *press) wait(want ui.SlipState) *ui.Slip {
	x.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s := x.shown(slipSale); s != nil && s.State == want {
			return s
		}
	}
	x.t.Fatalf("the screen says %+v of the slip, not %q", x.shown(slipSale), want)
	return nil
}

func soldEntries(t *testing.T) *entries {
	j := &entries{}
	of := entry.Of{Sale: slipSale}
	j.add(t, entry.SignedOn{Batch: 1}, entry.SaleOpened{Of: of, Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}}, entry.AmountChosen{Of: of, Amount: 5000},
		entry.PaymentStarted{Of: of, Amount: 5000, STAN: 3, Batch: 1, PAN: "622588******0001"}, entry.PaymentApproved{Of: of, Amount: 5000},
		entry.LoadRequested{Of: of, Attempt: entry.Attempt{OldBalance: 100, Amount: 5000}}, entry.WriteStarted{Of: of}, entry.WriteUnknown{Of: of})
	return j
}

// TestSlipOnce: however often a screen is looked at, over a restart and for each
// way in which printing can end, an ending is printed once; another ending of
// the same sale is another slip.
func TestSlipOnce(t *testing.T) {
	for _, c := range []struct {
		outcome entry.Outcome
		says    ui.SlipState
	}{{entry.Done, ui.SlipPrinted}, {entry.NotDone, ui.SlipNone}, {entry.Unknown, ui.SlipUnknown}} {
		dir, j := t.TempDir(), soldEntries(t)
		tray := &paperTray{outcome: c.outcome}
		x := newPress(t, dir, j, tray)
		for range 3 {
			x.see(topup.Open)
			x.wait(c.says)
			x.see(topup.Resolving)
		}
		x.stop()
		x = newPress(t, dir, j, tray)
		x.see(topup.Open)
		x.wait(c.says)
		j.add(t, entry.WriteProven{Of: entry.Of{Sale: slipSale}, By: "tac"})
		x.see(topup.Resolving)
		x.see(topup.Finished)
		for end := time.Now().Add(20 * time.Second); tray.printed() < 2 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		x.wait(c.says)
		if n := tray.printed(); n != 2 {
			t.Errorf("%v: %d slips", c.outcome, n)
		}
		if tray.unnamed > 0 {
			t.Errorf("%v: a slip was sent before that was written down", c.outcome)
		}
	}
}

// TestPowerCutWhilePrinting: nobody knows what is on paper, so nothing is
// printed again by itself; staff can.
func TestPowerCutWhilePrinting(t *testing.T) {
	dir, j := t.TempDir(), soldEntries(t)
	tray := &paperTray{outcome: entry.Done, leave: make(chan struct{})}
	x := newPress(t, dir, j, tray)
	x.see(topup.Open)
	x.wait(ui.SlipPrinting)
	book, err := os.ReadFile(filepath.Join(dir, slipsFile))
	if err != nil {
		t.Fatal(err)
	}
	x.stop()
	if err := os.WriteFile(filepath.Join(dir, slipsFile), book, 0o600); err != nil { // as a cut leaves it
		t.Fatal(err)
	}
	tray.leave = nil
	x = newPress(t, dir, j, tray)
	x.see(topup.Open)
	x.wait(ui.SlipUnknown)
	if last := x.lastSlip(); last == nil || !last.May() || last.State != ui.SlipUnknown {
		t.Fatalf("the cashier sees %+v", last)
	}
	if n := tray.printed(); n != 0 {
		t.Fatalf("%d slips by themselves", n)
	}
	j.add(t, entry.WriteProven{Of: entry.Of{Sale: slipSale}, By: "tac"}) // what came after is not on it
	x.wrote(entry.StaffActed{Who: "mei", Did: topup.Reprint, Sale: slipSale}, 10)
	for end := time.Now().Add(20 * time.Second); x.lastSlip().Again != ui.SlipPrinted && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if n := tray.printed(); n != 1 {
		t.Fatalf("%d slips", n)
	}
	said := ""
	for _, e := range tray.slips[0] {
		if x, ok := e.(escpos.Text); ok {
			said += x.Say + "\n"
		}
	}
	if !strings.Contains(said, "REPRINT") || !strings.Contains(said, "NOT FINISHED") {
		t.Errorf("printed again:\n%s", said)
	}
}

// TestNoPrinter: the slip is a code on the screen.
func TestNoPrinter(t *testing.T) {
	x := newPress(t, t.TempDir(), soldEntries(t), nil)
	x.see(topup.Open)
	if s := x.wait(ui.SlipNone); !s.Shown() || !strings.Contains(s.Code, "622588******0001") {
		t.Errorf("%+v", s)
	}
	if last := x.lastSlip(); last == nil || last.May() {
		t.Errorf("the cashier may print: %+v", last)
	}
	if _, ok := x.state(); ok {
		t.Error("a printer that does not exist has a state")
	}
}

// TestPrinterThatHangs never makes the sale wait, and what it holds is bounded.
func TestPrinterThatHangs(t *testing.T) {
	tray := &paperTray{outcome: entry.Done, leave: make(chan struct{})}
	x := newPress(t, t.TempDir(), soldEntries(t), tray)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10 * wishesMost {
			x.see(topup.Open)
			x.see(topup.Idle)
			x.wrote(entry.StaffActed{Did: topup.Reprint, Sale: slipSale, Who: "mei"}, 8)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the sale waits for the printer")
	}
	if n := len(x.wishes); n > wishesMost {
		t.Errorf("%d slips wait", n)
	}
}

// TestBookThatCannotBeWritten: slips are printed all the same, once in this
// life.
func TestBookThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, slipsFile+".new"), 0o700); err != nil {
		t.Fatal(err)
	}
	tray := &paperTray{outcome: entry.Done}
	x := newPress(t, dir, soldEntries(t), tray)
	for range 3 {
		x.see(topup.Open)
		x.wait(ui.SlipPrinted)
		x.see(topup.Idle)
	}
	if n := tray.printed(); n != 1 {
		t.Errorf("%d slips", n)
	}
}

// TestBookIsBounded, and a damaged one is a new one.
func TestBookIsBounded(t *testing.T) {
	dir := t.TempDir()
	b := openSlipBook(dir, slog.New(slog.DiscardHandler))
	for i := range 3 * slipsMost {
		b.begin(printed{Sale: entry.SaleID(rune('A' + i)), Ending: receipt.Done})
	}
	if b = openSlipBook(dir, slog.New(slog.DiscardHandler)); len(b.list) != slipsMost || b.list[0].State != ui.SlipUnknown {
		t.Errorf("%d slips, the first %+v", len(b.list), b.list[0])
	}
	if err := os.WriteFile(filepath.Join(dir, slipsFile), []byte(`[{"sale":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if b = openSlipBook(dir, slog.New(slog.DiscardHandler)); len(b.list) != 0 {
		t.Errorf("%+v", b.list)
	}
}

// TestCutBeforePrinting: the card was written and the power went before the slip
// was printed. Staff can; by itself nothing comes out after the passenger left.
func TestCutBeforePrinting(t *testing.T) {
	j := soldEntries(t)
	of := entry.Of{Sale: slipSale}
	j.add(t, entry.WriteProven{Of: of, By: "tac"}, entry.ConfirmationAcknowledged{Of: of}, entry.SaleClosed{Of: of}, entry.Started{})
	tray := &paperTray{outcome: entry.Done}
	x := newPress(t, t.TempDir(), j, tray)
	for end := time.Now().Add(20 * time.Second); x.lastSlip() == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	x.see(topup.Idle)
	if last := x.lastSlip(); last == nil || last.Sale != string(slipSale) || last.State != ui.SlipNone || !last.May() || tray.printed() != 0 {
		t.Fatalf("%+v, %d slips", last, tray.printed())
	}
	x.wrote(entry.StaffActed{Who: "mei", Did: topup.Reprint, Sale: slipSale}, 13)
	for end := time.Now().Add(20 * time.Second); x.lastSlip().Again != ui.SlipPrinted && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if n := tray.printed(); n != 1 {
		t.Errorf("%d slips", n)
	}
}

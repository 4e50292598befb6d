package device_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/kiosk/device"
	"buka/kiosk/device/escpos"
	"buka/kiosk/device/virtualline"
	"buka/kiosk/device/virtualprinter"
)

// paperRig is a printer's driver and a virtual printer on a pty.
type paperRig struct {
	t       *testing.T
	virtual *virtualprinter.Printer
	driver  *device.Printer
}

func newPaperRig(t *testing.T, cfg device.PrinterConfig) *paperRig {
	t.Helper()
	return rigOf(t, virtualprinter.Config{}, cfg)
}

func rigOf(t *testing.T, virtual virtualprinter.Config, cfg device.PrinterConfig) *paperRig {
	t.Helper()
	virtual.Dir = t.TempDir()
	v, err := virtualprinter.Open(virtual)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Port, cfg.Paper.Cut = v.Path(), true
	if cfg.Baud == 0 {
		cfg.Baud = 115200
	}
	cfg.RetryMin, cfg.RetryMax = 20*time.Millisecond, 100*time.Millisecond
	if cfg.ProbeEvery == 0 {
		cfg.ProbeEvery = 50 * time.Millisecond
	}
	r := &paperRig{t: t, virtual: v, driver: device.NewPrinter(cfg)}
	t.Cleanup(func() { r.driver.Close(); r.virtual.Close() })
	return r
}

// state waits for a state of the driver.
func (r *paperRig) state(ok bool, code string) {
	r.t.Helper()
	r.wait("the state "+code, func() bool { s := r.driver.State(); return s.OK == ok && s.Code == code })
}

func (r *paperRig) wait(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(generous); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s never came: the driver says %+v", what, r.driver.State())
		}
	}
}

func (r *paperRig) print(s escpos.Slip) (entry.Outcome, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), generous)
	defer cancel()
	return r.driver.Print(ctx, s)
}

func (r *paperRig) slips() []virtualprinter.Slip {
	if odd := r.virtual.Unknown(); len(odd) > 0 {
		r.t.Errorf("the printer does not know: %v", odd)
	}
	return r.virtual.Snapshot().Slips
}

func slipOf(words string) escpos.Slip {
	return escpos.Slip{
		escpos.Text{Say: "不卡 Buka", Align: escpos.Centre, Bold: true, Large: true},
		escpos.Rule{}, escpos.Pair{Name: "金额 Amount", Value: "￥50.00"}, escpos.Text{Say: words},
		escpos.QR{Data: "ABCD-EFGH"},
	}
}

// longSlip is more than the printer's buffer holds.
func longSlip() (s escpos.Slip) {
	for range 60 {
		s = append(s, escpos.Text{Say: strings.Repeat("补登 ", 15)})
	}
	return s
}

func TestPrintOverALine(t *testing.T) {
	r := newPaperRig(t, device.PrinterConfig{})
	r.state(true, "")
	for _, words := range []string{"first", "second"} {
		if o, err := r.print(slipOf(words)); o != entry.Done || err != nil {
			t.Fatal(o, err)
		}
	}
	s := r.slips()
	if len(s) != 2 || !strings.Contains(s[1].Text, "first") || !strings.Contains(s[0].Text, "second") {
		t.Fatalf("slips: %+v", s)
	}
	if want := "金额 Amount" + strings.Repeat(" ", 48-11-7) + "￥50.00"; !strings.Contains(s[0].Text, want) {
		t.Errorf("no line %q in\n%s", want, s[0].Text)
	}
	if !slices.Equal(s[0].Codes, []string{"ABCD-EFGH"}) {
		t.Errorf("codes: %q", s[0].Codes)
	}
	if _, err := r.virtual.Picture(s[0].Number); err != nil {
		t.Error(err)
	}
}

// TestPrintMoreThanTheBuffer: the printer tells the driver to wait.
func TestPrintMoreThanTheBuffer(t *testing.T) {
	r := rigOf(t, virtualprinter.Config{Buffer: 1024, Pace: time.Millisecond}, device.PrinterConfig{})
	r.state(true, "")
	if o, err := r.print(longSlip()); o != entry.Done || err != nil {
		t.Fatal(o, err)
	}
	if s := r.slips(); len(s) != 1 || strings.Count(s[0].Text, "登") != 60*15 {
		t.Fatalf("%d slips", len(s))
	}
}

// TestPrinterStates: what a person does to the printer is known, by itself and
// by asking, and a slip is refused before anything is sent.
func TestPrinterStates(t *testing.T) {
	for _, asks := range []bool{true, false} {
		cfg := device.PrinterConfig{}
		if !asks {
			cfg.ProbeEvery = time.Hour // only the printer's own word
		}
		r := rigOf(t, virtualprinter.Config{Asked: asks}, cfg)
		r.state(true, "")
		for _, c := range []struct {
			code     string
			do, undo func()
		}{
			{device.PrinterPaperOut, func() { r.virtual.Paper(true, true) }, func() { r.virtual.Paper(false, false) }},
			{device.PrinterCover, func() { r.virtual.Cover(true) }, func() { r.virtual.Cover(false) }},
			{device.PrinterJam, func() { r.virtual.Jam(true) }, func() { r.virtual.Jam(false) }},
		} {
			c.do()
			r.state(false, c.code)
			if o, err := r.print(slipOf("never")); o != entry.NotDone || !errors.Is(err, device.ErrPrinterDown) {
				t.Errorf("%s: %v, %v", c.code, o, err)
			}
			c.undo()
			r.state(true, "")
		}
		r.virtual.Paper(true, false)
		r.state(true, device.PrinterPaperLow)
		if o, err := r.print(slipOf("low")); o != entry.Done || err != nil {
			t.Error(o, err)
		}
		if s := r.slips(); len(s) != 1 || !strings.Contains(s[0].Text, "low") {
			t.Errorf("slips: %+v", s)
		}
	}
}

// TestPaperEndsInTheMiddle: it is not known how much is on paper, nothing of it
// comes out later, and the next slip is a piece of its own.
func TestPaperEndsInTheMiddle(t *testing.T) {
	r := newPaperRig(t, device.PrinterConfig{})
	r.state(true, "")
	r.virtual.OutAfter(3)
	o, err := r.print(slipOf("half"))
	if o != entry.Unknown || !errors.Is(err, device.ErrPrinterDown) {
		t.Fatal(o, err)
	}
	r.state(false, device.PrinterPaperOut)
	r.wait("a buffer without the slip", func() bool { return r.virtual.Snapshot().Waiting < 10 }) // GS a may wait
	r.virtual.Paper(false, false)
	r.state(true, "")
	if o, err := r.print(slipOf("whole")); o != entry.Done || err != nil {
		t.Fatal(o, err)
	}
	s := r.slips()
	if len(s) != 2 {
		t.Fatalf("%d slips", len(s))
	}
	if strings.Contains(s[1].Text, "half") || !strings.Contains(s[1].Text, "Amount") {
		t.Errorf("what was cut off first:\n%s", s[1].Text)
	}
	if !strings.Contains(s[0].Text, "whole") || strings.Count(s[0].Text, "Amount") != 1 {
		t.Errorf("the next slip:\n%s", s[0].Text)
	}
}

func TestCutterJamsAtTheSlip(t *testing.T) {
	r := newPaperRig(t, device.PrinterConfig{})
	r.state(true, "")
	r.virtual.JamAtCut()
	if o, err := r.print(slipOf("stuck")); o != entry.Unknown || !errors.Is(err, device.ErrPrinterDown) {
		t.Fatal(o, err)
	}
	r.state(false, device.PrinterJam)
}

// TestUnplugged in the middle of a slip and at rest, and back.
func TestUnplugged(t *testing.T) {
	r := newPaperRig(t, device.PrinterConfig{AnswerTimeout: 200 * time.Millisecond})
	r.state(true, "")
	if err := r.virtual.Unplug(); err != nil {
		t.Fatal(err)
	}
	r.state(false, device.PrinterMissing)
	if o, err := r.print(slipOf("nowhere")); o != entry.NotDone || !errors.Is(err, device.ErrPrinterAway) {
		t.Fatal(o, err)
	}
	if err := r.virtual.Plug(); err != nil {
		t.Fatal(err)
	}
	r.state(true, "")
	r.virtual.PullAfter(12 + 150) // the four questions, and some of the slip
	if o, err := r.print(slipOf("torn")); o != entry.Unknown || !errors.Is(err, device.ErrPrinterAway) {
		t.Fatal(o, err)
	}
	r.state(false, device.PrinterMissing)
	if err := r.virtual.Plug(); err != nil {
		t.Fatal(err)
	}
	r.state(true, "")
	if o, err := r.print(slipOf("whole")); o != entry.Done || err != nil {
		t.Fatal(o, err)
	}
	if s := r.slips(); len(s) != 2 || !strings.Contains(s[0].Text, "whole") || strings.Contains(s[0].Text, "torn") {
		t.Errorf("slips: %+v", s)
	}
}

// TestEveryGarbledAnswer: whichever byte of the printer comes damaged or not at
// all, a slip is printed at most once, is never said to be printed when it is
// not, and the driver finds back.
func TestEveryGarbledAnswer(t *testing.T) {
	for _, lose := range []bool{false, true} {
		for at := range 14 {
			r := newPaperRig(t, device.PrinterConfig{AnswerTimeout: 60 * time.Millisecond, PrintTimeout: 300 * time.Millisecond, AskEvery: 40 * time.Millisecond, ProbeEvery: time.Hour})
			r.state(true, "")
			if lose {
				r.virtual.Lose(1 + at%4)
			} else {
				r.virtual.Garble(at, 1+at%3)
			}
			o, err := r.print(slipOf("one"))
			n := 0
			for _, s := range r.slips() {
				n += strings.Count(s.Text, "one")
			}
			if n > 1 || o == entry.Done && n != 1 || o == entry.NotDone && n != 0 {
				t.Errorf("byte %d lost %v: %v, %v: %d on paper", at, lose, o, err, n)
			}
			r.virtual.Garble(0, 0)
			r.virtual.Lose(0)
			r.wait("a slip", func() bool { o, _ := r.print(slipOf("two")); return o == entry.Done })
			r.driver.Close()
			r.virtual.Close()
		}
	}
}

// TestPrinterThatIsSlow: nobody says that it is printed, so nobody knows.
func TestPrinterThatIsSlow(t *testing.T) {
	r := newPaperRig(t, device.PrinterConfig{PrintTimeout: 300 * time.Millisecond, AskEvery: 50 * time.Millisecond})
	r.state(true, "")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the passenger has gone"))
	if o, err := r.driver.Print(ctx, slipOf("late")); o != entry.NotDone || err == nil {
		t.Fatal(o, err)
	}
	r.driver.Close()
	if o, err := r.print(slipOf("closed")); o != entry.NotDone || !errors.Is(err, device.ErrPrinterClosed) {
		t.Fatal(o, err)
	}
}

// TestNoiseIsNoWord: a byte that looks like the printer's word, from one that
// dies, does not make a slip printed.
func TestNoiseIsNoWord(t *testing.T) {
	r := newPaperRig(t, device.PrinterConfig{AnswerTimeout: 200 * time.Millisecond})
	r.state(true, "")
	n := len(escpos.Encode(slipOf("torn"), escpos.Paper{Cut: true}))
	r.virtual.DieAfter(12+n+2, 0x00) // the cut was received, GS r not whole
	if o, err := r.print(slipOf("torn")); o != entry.Unknown || !errors.Is(err, device.ErrPrinterAway) {
		t.Fatal(o, err)
	}
}

// TestWaitsWhenTold: after XOFF the driver sends no more, until XON.
func TestWaitsWhenTold(t *testing.T) {
	dir := t.TempDir()
	cable, err := virtualline.Plug(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := device.NewPrinter(device.PrinterConfig{Port: virtualline.Path(dir), Baud: 115200, Paper: escpos.Paper{Cut: true}})
	defer cable.Unplug(dir)
	defer d.Close()
	var got []byte
	answer := func(limit time.Duration, enough func() bool) {
		for end := time.After(limit); !enough(); {
			select {
			case b := <-cable.Received():
				got = append(got, b...)
				for i := bytes.Index(got, []byte{0x10, 4}); i >= 0 && i+2 < len(got); i = bytes.Index(got, []byte{0x10, 4}) {
					got = slices.Delete(got, i, i+3)
					cable.Write([]byte{0x12})
				}
			case <-end:
				return
			}
		}
	}
	answer(generous, func() bool { return d.State().OK })
	type end struct {
		o   entry.Outcome
		err error
	}
	printed := make(chan end, 1)
	go func() {
		o, err := d.Print(t.Context(), longSlip())
		printed <- end{o, err}
	}()
	total := len(escpos.Encode(longSlip(), escpos.Paper{Cut: true}))
	got = nil
	answer(generous, func() bool { return len(got) > 200 })
	cable.Write([]byte{0x13})
	answer(time.Second, func() bool { return false })
	if len(got) > total/2 {
		t.Errorf("%d of %d bytes although it was told to wait", len(got), total)
	}
	cable.Write([]byte{0x11})
	answer(generous, func() bool { return bytes.HasSuffix(got, escpos.AskPrinted) })
	cable.Write([]byte{0x00})
	over := false
	answer(generous, func() bool {
		select {
		case e := <-printed:
			over = true
			if e.o != entry.Done || e.err != nil {
				t.Error(e.o, e.err)
			}
		default:
		}
		return over
	})
	if !over {
		t.Error("it never ended")
	}
}

package device_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/kiosk/device/virtualpad"
)

const (
	pan      = "6225880000000001"
	digits   = "739182"
	generous = 30 * time.Second // for conditions; nothing waits this long when all is well
)

// Keys of ANSI X9.24-1:2009 A.4.
var bdk = pin.Key{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}

// syncBuffer is a log that two goroutines may write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// rig is a driver and a virtual pad on a pty. At the end of every test its log
// is searched for what must not be in it.
type rig struct {
	t      *testing.T
	pad    *virtualpad.Pad
	driver *device.PinPad
	log    *syncBuffer
	blocks [][]byte
	ksns   map[pin.KSN]bool
}

func newRig(t *testing.T, padCfg virtualpad.Config, cfg device.Config) *rig {
	t.Helper()
	r := &rig{t: t, log: &syncBuffer{}, ksns: map[pin.KSN]bool{}}
	logger := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ksn, err := pin.ParseKSN("9876543210E00000")
	if err != nil {
		t.Fatal(err)
	}
	if padCfg.Dir == "" {
		padCfg.Dir = t.TempDir()
	}
	padCfg.IK, padCfg.KSN, padCfg.Logger = pin.InitialKey(bdk, ksn), ksn, logger
	if r.pad, err = virtualpad.Open(padCfg); err != nil {
		t.Fatal(err)
	}
	cfg.Port, cfg.Logger = r.pad.SlavePath(), logger
	cfg.RetryMin, cfg.RetryMax = 10*time.Millisecond, 100*time.Millisecond
	r.driver = device.New(cfg)
	t.Cleanup(func() {
		r.driver.Close()
		r.pad.Close()
		r.searchLog()
	})
	r.waitState(true)
	return r
}

func (r *rig) waitState(want bool) {
	r.t.Helper()
	waitFor(r.t, fmt.Sprintf("state %t", want), func() bool {
		ok, _, _ := r.driver.State()
		return ok == want
	})
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(generous); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, generous)
		}
	}
}

func (r *rig) searchLog() {
	text := strings.ToUpper(r.log.String())
	bad := []string{pan, digits, hex.EncodeToString([]byte(pan)), hex.EncodeToString([]byte(digits)), fmt.Sprint([]byte(pan))}
	for _, b := range r.blocks {
		x := strings.ToUpper(hex.EncodeToString(b))
		bad = append(bad, x, hex.EncodeToString([]byte(x)), strings.Trim(fmt.Sprint(b), "[]"))
	}
	for _, s := range bad {
		if strings.Contains(text, strings.ToUpper(s)) {
			r.t.Errorf("the log tells a secret (%d characters)", len(s))
		}
	}
	if len(text) == 0 {
		r.t.Error("the log is empty, so its search shows nothing")
	}
}

type answer struct {
	res device.Result
	err error
}

func (r *rig) ask(ctx context.Context) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		res, err := r.driver.EnterPIN(ctx, device.Request{PAN: pan, Amount: 5000, Prompt: "ENTER PIN"})
		out <- answer{res, err}
	}()
	return out
}

// rests waits until the pad shows that it asks for nothing; the driver hears of it
// a moment before.
func (r *rig) rests() {
	r.t.Helper()
	waitFor(r.t, "a pad at rest", func() bool { s := r.pad.Snapshot(); return !s.Waiting && s.Digits == 0 })
}

func (r *rig) get(c <-chan answer) answer {
	r.t.Helper()
	select {
	case a := <-c:
		return a
	case <-time.After(generous):
		r.t.Fatal("EnterPIN did not return")
		return answer{}
	}
}

func (r *rig) prompt() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), generous)
	defer cancel()
	if err := r.pad.WaitPrompt(ctx); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) keys(text string) {
	r.t.Helper()
	for _, k := range strings.Fields(text) {
		if err := r.pad.Key(k); err != nil {
			r.t.Fatalf("key %s: %v", k, err)
		}
	}
}

func (r *rig) typePIN() { r.t.Helper(); r.keys("7 3 9 1 8 2 enter") }

// wantBlock checks an answer as the host would, and that its KSN is new.
func (r *rig) wantBlock(a answer) {
	r.t.Helper()
	if a.err != nil {
		r.t.Fatal(a.err)
	}
	s := a.res.PIN
	p, err := pin.Open(bdk, s.KSN, s.Block(), pan)
	if err != nil {
		r.t.Fatal(err)
	}
	if string(p.Reveal()) != digits {
		r.t.Error("another PIN came out")
	}
	if r.ksns[s.KSN] {
		r.t.Errorf("key serial number %v came twice", s.KSN)
	}
	r.ksns[s.KSN] = true
	r.blocks = append(r.blocks, bytes.Clone(s.Bytes()))
}

func (r *rig) wholeEntry() {
	r.t.Helper()
	c := r.ask(context.Background())
	r.prompt()
	r.typePIN()
	r.wantBlock(r.get(c))
}

func TestEntry(t *testing.T) {
	for _, c := range []struct {
		name string
		pad  virtualpad.Config
		cfg  device.Config
		show string
	}{
		{"Z60 and 73", virtualpad.Config{}, device.Config{}, "CNY 50.00\nENTER PIN"},
		{"08 with EOT", virtualpad.Config{}, device.Config{KeySlot: "0"}, "CNY 50.00\nENTER PIN"},
		{"08 with status, 71", virtualpad.Config{Dialect: virtualpad.UIC}, device.Config{KeySlot: "3"}, "CNY 50.00\nENTER PIN"},
		{"70 and 71", virtualpad.Config{}, device.Config{Packet: device.Packet70}, "TOTAL 50.00\nENTER PIN"},
		{"7E1", virtualpad.Config{}, device.Config{Mode: "7E1", Baud: 1200}, "CNY 50.00\nENTER PIN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.pad, c.cfg)
			for range 3 {
				ans := r.ask(context.Background())
				r.prompt()
				if s := r.pad.Snapshot(); s.Display != c.show || s.Digits != 0 {
					t.Errorf("the pad shows %q", s.Display)
				}
				r.keys("1 1 enter clear 7 3 9 1") // too short, then begun anew
				if s := r.pad.Snapshot(); s.Digits != 4 || s.Display != c.show+"\n****" {
					t.Errorf("the pad shows %q, %d digits", s.Display, s.Digits)
				}
				r.keys("8 2 enter")
				r.wantBlock(r.get(ans))
			}
			if s := r.driver.Serial(); s != "BUKAVIRTUAL00001" {
				t.Errorf("serial number %q", s)
			}
		})
	}
}

func TestCancelByCustomer(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{})
	c := r.ask(context.Background())
	r.prompt()
	r.keys("7 3 cancel")
	if a := r.get(c); !errors.Is(a.err, device.ErrCancelled) {
		t.Fatal(a.err)
	}
	r.rests()
	r.wholeEntry()
}

func TestCancelByContext(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{})
	ctx, cancel := context.WithCancelCause(context.Background())
	c := r.ask(ctx)
	r.prompt()
	r.keys("7 3 9 1")
	stopped := errors.New("the passenger has pressed stop on the page")
	cancel(stopped)
	if a := r.get(c); !errors.Is(a.err, stopped) {
		t.Fatal(a.err)
	}
	r.rests()
	if a := r.get(r.ask(ctx)); !errors.Is(a.err, stopped) {
		t.Errorf("a context that had ended before: %v", a.err)
	}
	r.wholeEntry()
}

func TestTimeout(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{EntryTimeout: 50 * time.Millisecond})
	c := r.ask(context.Background())
	if a := r.get(c); !errors.Is(a.err, device.ErrTimeout) {
		t.Fatal(a.err)
	}
	r.rests()
	if ok, what, _ := r.driver.State(); !ok {
		t.Error(what)
	}
}

func TestPadTimesOut(t *testing.T) {
	r := newRig(t, virtualpad.Config{EntryTimeout: 50 * time.Millisecond}, device.Config{})
	if a := r.get(r.ask(context.Background())); !errors.Is(a.err, device.ErrCancelled) {
		t.Fatal(a.err)
	}
}

// TestKioskRestart leaves the pad in an entry and comes back as a new driver.
func TestKioskRestart(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{})
	c := r.ask(context.Background())
	r.prompt()
	r.keys("7 3 9 1")
	if err := r.driver.Close(); err != nil {
		t.Fatal(err)
	}
	if a := r.get(c); !errors.Is(a.err, device.ErrClosed) {
		t.Fatal(a.err)
	}
	if a := r.get(r.ask(context.Background())); !errors.Is(a.err, device.ErrClosed) {
		t.Fatal(a.err)
	}
	r.driver = device.New(device.Config{Port: r.pad.SlavePath(), Logger: slog.New(slog.NewTextHandler(r.log, nil))})
	r.waitState(true)
	r.rests()
	r.wholeEntry()
}

func TestRequestsThatNoPadCanServe(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{})
	for _, req := range []device.Request{{PAN: "123"}, {PAN: pan + "X"}, {PAN: pan, Amount: -1}, {PAN: pan, Amount: 1 << 60}} {
		_, err := r.driver.EnterPIN(context.Background(), req)
		if !errors.Is(err, device.ErrPrompt) || strings.Contains(err.Error(), pan) {
			t.Error(err)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", device.Request{PAN: pan}, device.Request{PAN: pan}, device.Request{PAN: pan}, device.Request{PAN: pan}); strings.Contains(s, pan) {
		t.Error("a request prints its PAN")
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []device.Config{{}, {Port: "x", Mode: "8N2"}, {Port: "x", KeySlot: "10"}, {Port: "x", KeySlot: "a"}} {
		if c.Validate() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	told := make(chan string, 1)
	p := device.New(device.Config{OnState: func(ok bool, what string, _ time.Time) {
		select {
		case told <- what:
		default:
		}
	}})
	defer p.Close()
	select {
	case what := <-told:
		if !strings.Contains(what, "no serial port is configured") {
			t.Error(what)
		}
	case <-time.After(generous):
		t.Error("OnState was not told")
	}
}

package virtualpad

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.bug.st/serial"

	"buka/internal/pin"
	"buka/kiosk/device"
)

const (
	generous = 30 * time.Second
	testPAN  = "4012345678909"
)

// ANSI X9.24-1:2009 A.4.
var (
	testIK  = pin.Key{0x6A, 0xC2, 0x92, 0xFA, 0xA1, 0x31, 0x5B, 0x4D, 0x85, 0x8A, 0xB3, 0xA3, 0xD7, 0xD5, 0x93, 0x3A}
	testKSN = pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x00}
)

func config(dir string) Config {
	return Config{Dir: dir, IK: testIK, KSN: testKSN, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// bench is a pad with a bare port on the other end of its line.
type bench struct {
	t    *testing.T
	pad  *Pad
	port serial.Port
	dec  device.Decoder
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	port, err := serial.Open(p.SlavePath(), &serial.Mode{BaudRate: 9600})
	if err != nil {
		p.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() { port.Close(); p.Close() })
	if err := port.SetReadTimeout(generous); err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, pad: p, port: port}
}

// next is the next event from the pad.
func (b *bench) next() device.Event {
	b.t.Helper()
	var one [1]byte
	for {
		n, err := b.port.Read(one[:])
		if err != nil || n == 0 {
			b.t.Fatalf("the pad is silent: %v", err)
		}
		if ev := b.dec.Feed(one[0]); ev.Kind != device.EventNone {
			return ev
		}
	}
}

func (b *bench) want(kind device.EventKind) {
	b.t.Helper()
	if ev := b.next(); ev.Kind != kind {
		b.t.Fatalf("event %d, want %d", ev.Kind, kind)
	}
}

func (b *bench) wantBody(body string) {
	b.t.Helper()
	if ev := b.next(); ev.Kind != device.EventFrame || string(ev.Frame.Body) != body {
		b.t.Fatalf("event %d with %q, want %q", ev.Kind, ev.Frame.Body, body)
	}
}

func (b *bench) send(f device.Frame) {
	b.t.Helper()
	raw, err := f.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	b.raw(raw...)
}

func (b *bench) raw(bytes ...byte) {
	b.t.Helper()
	if _, err := b.port.Write(bytes); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) z60(pan string) {
	b.t.Helper()
	b.send(device.Frame{Body: []byte("Z60." + pan + "\x1cDUKPT ENCRYPTION")})
	b.want(device.EventACK)
}

func (b *bench) typePIN(digits string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), generous)
	defer cancel()
	if err := b.pad.Type(ctx, digits); err != nil {
		b.t.Fatal(err)
	}
}

// TestPublishedBlocks wants the bytes of X9.24-1 A.4 on the wire, over a restart.
func TestPublishedBlocks(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []string{
		"73.000009876543210E000011B9C1845EB993A7A",
		"73.000009876543210E0000210A01C8D02C69107",
		"73.000009876543210E0000318DC07B94797B466",
	} {
		b := newBench(t, config(dir))
		b.z60(testPAN)
		b.typePIN("1234")
		b.wantBody(want)
		b.raw(ack)
		b.port.Close()
		b.pad.Close()
	}
}

// TestCounterIsDurableFirst: without a durable counter there is no block, and
// afterwards the number that failed is still unused or skipped, never twice.
func TestCounterIsDurableFirst(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, config(dir))
	blocker := filepath.Join(dir, counterFile+".new")
	if err := os.Mkdir(blocker, 0o700); err != nil {
		t.Fatal(err)
	}
	b.z60(testPAN)
	b.typePIN("1234")
	b.wantBody("71G")
	b.raw(ack)
	if err := os.Remove(blocker); err != nil {
		t.Fatal(err)
	}
	// The file already counts when the block is on the wire, before our ACK.
	b.z60(testPAN)
	b.typePIN("1234")
	b.wantBody("73.000009876543210E000011B9C1845EB993A7A")
	c, err := openCounter(filepath.Join(dir, counterFile), testKSN, pin.ParseKSN)
	if err != nil || c.last.Counter() != 1 {
		t.Fatalf("%v, %v", c, err)
	}
}

// TestCounterInAdvance: the number of an entry without a PIN is the next entry's,
// and after a restart it is nobody's.
func TestCounterInAdvance(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, config(dir))
	abandon := func() {
		b.z60(testPAN)
		if err := b.pad.Key("cancel"); err != nil {
			t.Fatal(err)
		}
		b.want(device.EventEOT)
	}
	abandon()
	b.z60(testPAN)
	b.typePIN("1234")
	b.wantBody("73.000009876543210E000011B9C1845EB993A7A")
	b.raw(ack)
	abandon()
	b.port.Close()
	b.pad.Close()
	b = newBench(t, config(dir))
	b.z60(testPAN)
	b.typePIN("1234")
	b.wantBody("73.000009876543210E0000318DC07B94797B466")
}

func TestCounterFile(t *testing.T) {
	other := testKSN
	other[3]++
	for name, content := range map[string]string{
		"empty":        "",
		"cut":          `{"last_ksn":"FFFF98765432`,
		"short":        `{"last_ksn":"9876543210E00001"}`,
		"not hex":      `{"last_ksn":"FFFF9876543210E0000G"}`,
		"other device": `{"last_ksn":"` + other.String() + `"}`,
		"large":        `{"last_ksn":"` + string(bytes.Repeat([]byte{'F'}, 2*maxCounterFile)) + `"}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, counterFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := Open(config(dir)); err == nil {
			p.Close()
			t.Errorf("%s: taken", name)
		}
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t, config(t.TempDir()))
	for pan, want := range map[string]string{"": "710", "1234567": "712", "12345678901234567890": "713", "4012X45678909": "714"} {
		b.z60(pan)
		b.wantBody(want)
		b.raw(ack)
	}
	b.send(device.Frame{Body: []byte("Z60." + testPAN + "\x1c6701EAD6A9AD51E5")})
	b.want(device.EventACK)
	b.wantBody("715")
	b.raw(ack)
	b.send(device.Frame{Body: []byte("Z9unknown")})
	b.want(device.EventACK)
	b.send(device.Frame{Body: []byte("72")}) // nothing to cancel: no EOT
	b.want(device.EventACK)
	b.send(device.Frame{Admin: true, Body: []byte("06")})
	b.want(device.EventACK)
	b.wantBody("06BUKAVIRTUAL00001")

	cfg := config(t.TempDir())
	cfg.KSN = testKSN.WithCounter(0x1FF800)
	b = newBench(t, cfg)
	b.z60(testPAN)
	b.typePIN("1234")
	b.wantBody("71F")
}

func TestLinkRules(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.ResendAfter = 50 * time.Millisecond
	b := newBench(t, cfg)
	const first = "73.000009876543210E000011B9C1845EB993A7A"

	// A packet that comes again because its ACK was lost does not wipe digits.
	b.z60(testPAN)
	if err := b.pad.Key("1"); err != nil {
		t.Fatal(err)
	}
	b.z60(testPAN)
	if n := b.pad.Snapshot().Digits; n != 1 {
		t.Errorf("%d digits after the repeat", n)
	}
	for _, k := range []string{"2", "3", "4", "enter"} {
		if err := b.pad.Key(k); err != nil {
			t.Fatal(err)
		}
	}
	// Silence: the same block twice more, then EOT.
	for range 1 + resends {
		b.wantBody(first)
	}
	b.want(device.EventEOT)

	// Three damaged packets end in EOT.
	for range badMax {
		b.raw(0x02, '7', '2', 0x03, 0x07)
		b.want(device.EventNAK)
	}
	b.want(device.EventEOT)
}

func TestThreeNAKsEndInEOT(t *testing.T) {
	b := newBench(t, config(t.TempDir()))
	b.z60(testPAN)
	b.typePIN("1234")
	for range naksMax {
		b.wantBody("73.000009876543210E000011B9C1845EB993A7A")
		b.raw(nak)
	}
	b.want(device.EventEOT)
}

func TestKeys(t *testing.T) {
	told := make(chan struct{}, 1)
	cfg := config(t.TempDir())
	cfg.OnChange = func() {
		select {
		case told <- struct{}{}:
		default:
		}
	}
	b := newBench(t, cfg)
	if err := b.pad.Key("1"); !errors.Is(err, ErrNotWaiting) {
		t.Error(err)
	}
	b.z60(testPAN)
	for _, k := range []string{"", "a", "12", "Enter"} {
		if err := b.pad.Key(k); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", k, err)
		}
	}
	for range 2 * pin.MaxPIN {
		if err := b.pad.Key("9"); err != nil {
			t.Fatal(err)
		}
	}
	if s := b.pad.Snapshot(); s.Digits != pin.MaxPIN {
		t.Errorf("%+v", s)
	}
	if err := b.pad.Key("cancel"); err != nil {
		t.Fatal(err)
	}
	b.want(device.EventEOT)
	select {
	case <-told:
	case <-time.After(generous):
		t.Error("OnChange was not told")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.pad.WaitPrompt(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	b.pad.Close()
	if err := b.pad.WaitPrompt(context.Background()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := b.pad.Key("1"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestClearPINIsOverwritten looks into the pad after each way an entry can end.
func TestClearPINIsOverwritten(t *testing.T) {
	b := newBench(t, config(t.TempDir()))
	for name, end := range map[string]func(){
		"enter":  func() { b.pad.Key("enter") },
		"cancel": func() { b.pad.Key("cancel") },
		"clear":  func() { b.pad.Key("clear") },
		"power":  func() { b.pad.PowerOff(); b.pad.PowerOn() },
	} {
		b.send(device.Frame{Body: []byte("Z60." + testPAN + "\x1cDUKPT ENCRYPTION")})
		ctx, cancel := context.WithTimeout(context.Background(), generous)
		if err := b.pad.WaitPrompt(ctx); err != nil {
			t.Fatal(name, err)
		}
		cancel()
		for _, k := range []string{"7", "3", "9", "1"} {
			if err := b.pad.Key(k); err != nil {
				t.Fatal(name, err)
			}
		}
		end()
		b.pad.do(func() {
			if b.pad.entry.digits != [pin.MaxPIN]byte{} || b.pad.entry.n != 0 {
				t.Errorf("%s: digits are left", name)
			}
			b.pad.reset()
		})
	}
}

func FuzzCounterFile(f *testing.F) {
	f.Add([]byte(`{"last_ksn":"FFFF9876543210E00001"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := decodeCounter(raw, pin.ParseKSN)
		if err != nil && k != (pin.KSN{}) {
			t.Fatal("a number beside an error")
		}
	})
}

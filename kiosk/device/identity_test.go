package device_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/kiosk/device/virtualpad"
)

// state is what a driver says about its pad.
func (r *rig) state() string { _, what, _ := r.driver.State(); return what }

func (r *rig) waitSaid(part string) {
	r.t.Helper()
	waitFor(r.t, part, func() bool { return strings.Contains(r.state(), part) })
}

// swappable is a driver whose port is a link that can be put on another pad.
func swappable(t *testing.T, first virtualpad.Config, cfg device.Config) (r *rig, swap func(virtualpad.Config)) {
	t.Helper()
	r = newRig(t, first, device.Config{}) // for its pad; its own driver ends at once
	r.driver.Close()
	link := filepath.Join(t.TempDir(), "port")
	point := func(p *virtualpad.Pad) {
		target, err := os.Readlink(p.SlavePath())
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(link)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	point(r.pad)
	cfg.Port, cfg.RetryMin, cfg.RetryMax = link, 5*time.Millisecond, 20*time.Millisecond
	r.driver = device.New(cfg)
	return r, func(c virtualpad.Config) {
		t.Helper()
		old := r.pad
		if c.Dir == "" {
			c.Dir = t.TempDir()
		}
		c.KSN = pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x00}
		if c.Serial == "" { // another device, other keys
			c.KSN[5] = 0x99
		}
		c.IK = pin.InitialKey(bdk, c.KSN)
		p, err := virtualpad.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		point(p)
		old.Close()
		r.pad = p
	}
}

// TestAnotherPad exchanges the pad behind the driver's back.
func TestAnotherPad(t *testing.T) {
	told := make(chan string, 64)
	r, swap := swappable(t, virtualpad.Config{}, device.Config{OnState: func(_ bool, what string, _ time.Time) {
		select {
		case told <- what:
		default:
		}
	}})
	r.waitState(true)
	r.wholeEntry()
	swap(virtualpad.Config{Serial: "SOMEBODY ELSE'S!"})
	r.waitSaid("another PIN pad")
	if what := r.state(); !strings.Contains(what, "SOMEBODY ELSE'S! instead of BUKAVIRTUAL00001") {
		t.Error(what)
	}
	if a := r.get(r.ask(context.Background())); !errors.Is(a.err, device.ErrUnplugged) {
		t.Errorf("a PIN is asked for on a stranger: %v", a.err)
	}
	if r.pad.Snapshot().Waiting {
		t.Error("the stranger takes a PIN")
	}
	for deadline, alarm := time.After(time.Minute), false; !alarm; { // it is told from a goroutine of its own
		select {
		case what := <-told:
			alarm = strings.Contains(what, "another PIN pad")
		case <-deadline:
			t.Fatal("OnState was not told")
		}
	}
	swap(virtualpad.Config{Serial: "BUKAVIRTUAL00001"}) // the right one comes back
	r.waitState(true)
}

// TestSerialOfTheConfiguration: the first pad that is met must be the right one.
func TestSerialOfTheConfiguration(t *testing.T) {
	r, swap := swappable(t, virtualpad.Config{Serial: "1234567890123456"}, device.Config{Serial: "BUKAVIRTUAL00001"})
	r.waitSaid("another PIN pad: if it was exchanged")
	swap(virtualpad.Config{Serial: "BUKAVIRTUAL00001"})
	r.waitState(true)
}

// TestOtherKeys: a pad with the right serial number and keys of another device is
// found out by its first block.
func TestOtherKeys(t *testing.T) {
	r, swap := swappable(t, virtualpad.Config{}, device.Config{})
	r.waitState(true)
	r.wholeEntry()
	r.wholeEntry()
	swap(virtualpad.Config{}) // the same serial number by default, another KSN
	r.waitState(false)
	r.waitState(true)
	c := r.ask(context.Background())
	r.prompt()
	r.typePIN()
	if a := r.get(c); !errors.Is(a.err, device.ErrOtherPad) || a.res.PIN != nil {
		t.Fatalf("%v", a.err)
	}
}

func TestMasterKeyMissing(t *testing.T) {
	m := sessionMode(t, device.PacketZ60, pin.Format0, virtualpad.UIC)
	m.cfg.KeySlot = "4"
	r, _ := swappable(t, m.pad, m.cfg)
	r.waitSaid("no master key there: load it, or correct the key slot: slot 4")
}

// TestWorkingKeyOfAnotherMaster: the pad's check value says that its master key is
// not the host's, before a passenger types.
func TestWorkingKeyOfAnotherMaster(t *testing.T) {
	m := sessionMode(t, device.PacketZ60, pin.Format0, virtualpad.VeriFone)
	right := m.key
	r := newRig(t, m.pad, m.cfg)
	m.key = wrapped(t, "70F2A84CCBC2AE8625CBB0F2C22AB923", pik)
	if a := r.get(r.askFor(m, pan, 100)); !errors.Is(a.err, device.ErrWorkingKey) {
		t.Fatal(a.err)
	}
	if r.pad.Snapshot().Waiting {
		t.Error("the pad takes a PIN under a wrong key")
	}
	m.key = right
	m.key.Check = nil // a host that sends no check value finds out by itself
	for range 2 {
		c := r.askFor(m, pan, 100)
		r.prompt()
		r.typePIN()
		r.wantPIN(m, r.get(c), pan, digits)
		m.key = right
	}
	m.key = pin.WrappedKey{}
	if a := r.get(r.askFor(m, pan, 100)); !errors.Is(a.err, device.ErrNoWorkingKey) {
		t.Fatal(a.err)
	}
	m.key.Cryptogram = make([]byte, 24)
	if a := r.get(r.askFor(m, pan, 100)); !errors.Is(a.err, device.ErrNoWorkingKey) {
		t.Fatal(a.err)
	}
}

// TestThrottle: the pad refuses for a while, in words that say so, and serves the
// next when the time has passed. A machine that takes longer than that while for
// its entries is given a longer one.
func TestThrottle(t *testing.T) {
	for _, packet := range []device.Packet{device.PacketZ60, device.Packet70} {
		for every := 300 * time.Millisecond; ; every *= 3 {
			refused, took := throttled(t, packet, every)
			if refused > 0 {
				break
			}
			if took < every || every > generous {
				t.Errorf("%s: never refused in %s", packet, took)
				break
			}
		}
	}
}

// throttled enters PINs until one is taken after the burst of two. It says how
// often the pad refused before, and how long all took from the first.
func throttled(t *testing.T, packet device.Packet, every time.Duration) (refused int, took time.Duration) {
	t.Helper()
	m := tdesMode(packet, pin.Format0)
	m.pad.Throttle = virtualpad.Throttle{Burst: 2, Every: every}
	r := newRig(t, m.pad, m.cfg)
	start := time.Now()
	r.wholeEntry()
	r.wholeEntry()
	for end := start.Add(generous); ; {
		c := r.ask(context.Background())
		waitFor(t, "a prompt or a refusal", func() bool { return len(c) > 0 || r.pad.Snapshot().Waiting })
		took = time.Since(start)
		if len(c) == 0 {
			r.typePIN()
		}
		a := r.get(c)
		if a.err == nil {
			r.wantBlock(a)
			return refused, took
		}
		if !errors.Is(a.err, device.ErrThrottled) || !strings.Contains(a.err.Error(), "wait") || time.Now().After(end) {
			t.Fatal(a.err)
		}
		if ok, what, _ := r.driver.State(); !ok {
			t.Errorf("a pad that slows down is not broken: %s", what)
		}
		refused++
	}
}

// TestAmountsThatDoNotFit: packets with eight characters for it.
func TestAmountsThatDoNotFit(t *testing.T) {
	for packet, fits := range map[device.Packet]bool{device.PacketZ60: true, device.Packet70: false, device.PacketZ62: false} {
		r := newRig(t, virtualpad.Config{}, device.Config{Packet: packet})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := r.driver.EnterPIN(ctx, device.Request{PAN: pan, Amount: 100_000_00})
		if errors.Is(err, device.ErrPrompt) == fits {
			t.Errorf("%s: %v", packet, err)
		}
	}
}

func TestConfigOfKeys(t *testing.T) {
	for _, c := range []device.Config{
		{Scheme: pin.MasterSession}, {Format: pin.Format4}, {Format: 1}, {Packet: "76"},
		{Scheme: pin.MasterSession, KeySlot: "0", Format: pin.Format4},
	} {
		c.Port = "x"
		if c.Validate() == nil {
			t.Errorf("%v, format %d, packet %q is taken", c.Scheme, c.Format, c.Packet)
		}
	}
}

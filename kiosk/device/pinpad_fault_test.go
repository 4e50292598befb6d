package device_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"buka/kiosk/device"
	"buka/kiosk/device/virtualpad"
)

// TestLineFaults damages one thing at a time and wants a block all the same.
func TestLineFaults(t *testing.T) {
	// At the first moment the driver is about to send 72, at the second the pad
	// is about to answer.
	for _, c := range []struct {
		name   string
		at     int
		faults []virtualpad.Fault
	}{
		{"our packet changed: NAK", 0, []virtualpad.Fault{{Dir: virtualpad.FromKiosk, Kind: virtualpad.Garble, N: 6}}},
		{"our packet's start changed", 0, []virtualpad.Fault{{Dir: virtualpad.FromKiosk, Kind: virtualpad.Garble, N: 1}}},
		{"our packet's start lost", 0, []virtualpad.Fault{{Dir: virtualpad.FromKiosk, Kind: virtualpad.Drop, N: 1}}},
		{"our packet lost", 0, []virtualpad.Fault{{Dir: virtualpad.FromKiosk, Kind: virtualpad.Drop, N: 5}}},
		{"the pad's ACK lost", 0, []virtualpad.Fault{{Dir: virtualpad.ToKiosk, Kind: virtualpad.Drop, N: 1}}},
		{"the pad's ACK changed", 0, []virtualpad.Fault{{Dir: virtualpad.ToKiosk, Kind: virtualpad.Garble, N: 1}}},
		{"the answer changed: NAK", 1, []virtualpad.Fault{{Dir: virtualpad.ToKiosk, Kind: virtualpad.Garble, N: 10}}},
		{"the answer's LRC wrong twice", 1, []virtualpad.Fault{{Dir: virtualpad.ToKiosk, Kind: virtualpad.BadLRC, N: 2}}},
		{"the answer's start lost", 1, []virtualpad.Fault{{Dir: virtualpad.ToKiosk, Kind: virtualpad.Drop, N: 1}}},
		{"the answer cut", 1, []virtualpad.Fault{{Dir: virtualpad.ToKiosk, Kind: virtualpad.Drop, N: 12}}},
		{"the answer lost", 1, []virtualpad.Fault{{Dir: virtualpad.ToKiosk, Kind: virtualpad.Drop, N: 42}}},
		{"our ACK lost", 1, []virtualpad.Fault{{Dir: virtualpad.FromKiosk, Kind: virtualpad.Drop, N: 1}}},
		{"our ACK changed", 1, []virtualpad.Fault{{Dir: virtualpad.FromKiosk, Kind: virtualpad.Garble, N: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t,
				virtualpad.Config{ResendAfter: 300 * time.Millisecond},
				device.Config{AckTimeout: time.Second, ProbeEvery: time.Hour})
			inject := func(moment int) {
				for _, f := range c.faults {
					if c.at == moment {
						r.pad.Inject(f)
					}
				}
			}
			inject(0)
			ans := r.ask(context.Background())
			r.prompt()
			inject(1)
			r.typePIN()
			r.wantBlock(r.get(ans))
			waitFor(t, "faults used up", func() bool { return r.pad.Snapshot().Faults == 0 })
			r.wholeEntry() // whatever is still repeated does not reach this one
		})
	}
}

func TestThreeWrongLRCs(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{})
	c := r.ask(context.Background())
	r.prompt()
	r.pad.Inject(virtualpad.Fault{Dir: virtualpad.ToKiosk, Kind: virtualpad.BadLRC, N: 3})
	r.typePIN()
	if a := r.get(c); !errors.Is(a.err, device.ErrGarbled) {
		t.Fatal(a.err)
	}
	waitFor(t, "faults used up", func() bool { return r.pad.Snapshot().Faults == 0 })
	r.waitState(true)
	r.wholeEntry()
}

func TestUnplugAndPlug(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{})
	c := r.ask(context.Background())
	r.prompt()
	r.keys("7 3 9 1 8 2")
	if err := r.pad.Unplug(); err != nil {
		t.Fatal(err)
	}
	if a := r.get(c); !errors.Is(a.err, device.ErrUnplugged) {
		t.Fatal(a.err)
	}
	r.waitState(false)
	if a := r.get(r.ask(context.Background())); !errors.Is(a.err, device.ErrUnplugged) {
		t.Fatal(a.err)
	}
	if _, err := os.Lstat(r.pad.SlavePath()); !os.IsNotExist(err) {
		t.Errorf("the link is still there: %v", err)
	}
	if err := r.pad.Key("1"); !errors.Is(err, virtualpad.ErrOff) {
		t.Error(err)
	}
	for range 5 {
		if err := r.pad.Plug(); err != nil {
			t.Fatal(err)
		}
		r.waitState(true)
		r.wholeEntry()
		if err := r.pad.Unplug(); err != nil {
			t.Fatal(err)
		}
		r.waitState(false)
	}
}

// TestPowerCutInTheMiddle: a pad without power is as silent as a customer who
// thinks, until it does not obey.
func TestPowerCutInTheMiddle(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{CancelTimeout: 200 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	c := r.ask(ctx)
	r.prompt()
	r.keys("7 3 9 1")
	r.pad.PowerOff()
	if s := r.pad.Snapshot(); s.On || s.Waiting || s.Digits != 0 || s.Display != "" {
		t.Errorf("%+v", s)
	}
	cancel()
	if a := r.get(c); !errors.Is(a.err, context.Canceled) {
		t.Fatal(a.err)
	}
	r.waitState(false)
	r.pad.PowerOn()
	r.waitState(true)
	r.wholeEntry()
}

// TestProbe finds out by itself that an idle pad has lost its power.
func TestProbe(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{ProbeEvery: 20 * time.Millisecond, ProbeTimeout: 300 * time.Millisecond})
	r.pad.PowerOff()
	r.waitState(false)
	r.pad.PowerOn()
	r.waitState(true)
}

package device_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/kiosk/device/virtualpad"
)

// sale is what one passenger brings along.
type sale struct {
	pan, digits string
	amount      money.Fen
}

var (
	firstSale  = sale{"6225880000000001", "739182", 5000}
	secondSale = sale{"4111111111111111", "2468", 12345}
)

func otherOf(s sale) sale {
	if s.amount == firstSale.amount {
		return secondSale
	}
	return firstSale
}

// faulty is a driver and a pad that live through one fault after another.
type faulty struct {
	noisy  bool // the line changes packets so that no LRC shows it
	cut    bool // a byte of the block may come as ETX, and the next one be the LRC by chance
	mode   mode
	pad    *virtualpad.Pad
	driver *device.PinPad
	serial map[string]bool
}

func newFaulty(m mode, dir string) (*faulty, error) {
	ksn, err := pin.ParseKSN("9876543210E00000")
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	p := m.pad
	p.Dir, p.IK, p.KSN, p.Logger, p.ResendAfter = dir, pin.InitialKey(bdk, ksn), ksn, logger, 1200*time.Millisecond
	f := &faulty{mode: m, serial: map[string]bool{}}
	if f.pad, err = virtualpad.Open(p); err != nil {
		return nil, err
	}
	c := m.cfg
	c.Port, c.Logger, c.ProbeEvery = f.pad.SlavePath(), logger, time.Hour
	c.RetryMin, c.RetryMax = 5*time.Millisecond, 20*time.Millisecond
	c.AckTimeout, c.ReplyTimeout, c.ProbeTimeout, c.InterByteTimeout = 400*time.Millisecond, 1500*time.Millisecond, 1500*time.Millisecond, 150*time.Millisecond
	c.EntryTimeout, c.CancelTimeout = 3*time.Second, 2*time.Second
	f.driver = device.New(c)
	return f, f.ready()
}

func (f *faulty) close() {
	f.driver.Close()
	f.pad.Close()
}

func (f *faulty) ready() error {
	var what string
	for end := time.Now().Add(generous); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var ok bool
		if ok, what, _ = f.driver.State(); ok {
			return nil
		}
	}
	return fmt.Errorf("the driver does not come back: %s", what)
}

// passenger types the PIN of a sale whenever the pad asks, and looks at the
// amount first. It gives what was wrong on the display.
func (f *faulty) passenger(ctx context.Context, s sale) error {
	for f.pad.WaitPrompt(ctx) == nil {
		if shown := f.pad.Snapshot(); shown.Waiting && !f.shows(shown.Display, s.amount) {
			return fmt.Errorf("the pad asks for %v under %q", s.amount, shown.Display)
		}
		for _, k := range append(strings.Split(s.digits, ""), "enter") {
			if f.pad.Key(k) != nil {
				break // the entry has ended meanwhile
			}
		}
	}
	return nil
}

// shows says whether a display belongs to a sale. A pad that was asked twice with
// Z60, because its ACK was lost, asks a second time under its own words, without
// an amount, until the kiosk has its answer and says 72.
func (f *faulty) shows(display string, amount money.Fen) bool {
	if f.noisy { // damaged perhaps, but of no other sale
		return !strings.Contains(display, otherOf(sale{amount: amount}).amount.String())
	}
	again := f.mode.cfg.Packet == device.PacketZ60 && strings.HasPrefix(display, "ENTER PIN")
	return again || strings.Contains(display, " "+amount.String()+"\n")
}

// rests waits until the pad asks for nothing any more.
func (f *faulty) rests() error {
	ctx, cancel := context.WithTimeout(context.Background(), generous)
	defer cancel()
	if f.pad.Wait(ctx, func(s virtualpad.Snapshot) bool { return !s.Waiting }) != nil {
		return errors.New("the pad is left asking for a PIN")
	}
	return nil
}

// enter runs one entry to its end. broken is an outcome that must never be; said
// is how a clean one ended.
func (f *faulty) enter(s sale) (said, broken error) {
	ctx, cancel := context.WithTimeout(context.Background(), generous)
	defer cancel()
	typing, stop := context.WithCancel(ctx)
	looked := make(chan error, 1)
	go func() { looked <- f.passenger(typing, s) }()
	r, err := f.driver.EnterPIN(ctx, device.Request{PAN: s.pan, Amount: s.amount, Prompt: "ENTER PIN", Key: f.mode.key})
	stop()
	if broken := <-looked; broken != nil {
		return nil, broken
	}
	var refused device.ErrPadRefused
	switch {
	case err == nil:
	case errors.Is(err, device.ErrCancelled), errors.Is(err, device.ErrTimeout), errors.Is(err, device.ErrUnplugged), errors.Is(err, device.ErrGarbled):
		return err, nil
	case errors.As(err, &refused): // such as of a packet that came out of order
		return err, nil
	case (f.noisy || f.cut) && (errors.Is(err, device.ErrAnswer) || errors.Is(err, device.ErrOtherPad)):
		return err, nil
	default:
		return nil, fmt.Errorf("no clean end: %w", err)
	}
	defer r.PIN.Wipe()
	p, err := f.mode.open(r.PIN, s.pan)
	if f.noisy && (err != nil || string(p.Reveal()) != otherOf(s).digits && string(p.Reveal()) != s.digits) {
		return errors.New("damaged on the way, which the host finds out"), nil
	}
	if err != nil || string(p.Reveal()) != s.digits {
		return nil, fmt.Errorf("the block is not that of this sale: %v", err)
	}
	if r.PIN.Scheme != pin.MasterSession {
		name := fmt.Sprint(r.PIN.KSN, r.PIN.AESKSN)
		if f.serial[name] {
			return nil, fmt.Errorf("key serial number %s came twice", name)
		}
		f.serial[name] = true
	}
	return nil, nil
}

// live takes one entry with faults in it and then another passenger's without.
func (f *faulty) live(faults []virtualpad.Fault) (said, broken error) {
	one := faults[0]
	f.noisy, f.cut = len(faults) > 1, one.Kind == virtualpad.Garble && one.Dir == virtualpad.ToKiosk && one.Mask == 0
	for _, fault := range faults {
		f.pad.Inject(fault)
	}
	said, broken = f.enter(firstSale)
	f.pad.Disarm()
	f.noisy, f.cut = false, false
	if broken != nil {
		return nil, fmt.Errorf("the sale with the fault: %w", broken)
	}
	for range 20 {
		if err := errors.Join(f.ready(), f.rests()); err != nil {
			return nil, err
		}
		again, broken := f.enter(secondSale)
		if broken != nil {
			return nil, fmt.Errorf("the sale after it: %w", broken)
		}
		if again == nil {
			return said, nil
		}
	}
	return nil, errors.New("no PIN can be entered any more")
}

// faultsOf are all faults of one byte each over a whole entry.
func faultsOf(toKiosk, fromKiosk int) (all [][]virtualpad.Fault) {
	kinds := []virtualpad.Fault{
		{Kind: virtualpad.Drop}, {Kind: virtualpad.Double}, {Kind: virtualpad.Garble}, {Kind: virtualpad.Garble, Mask: 1},
		{Kind: virtualpad.Delay, For: 20 * time.Millisecond}, {Kind: virtualpad.Delay, For: 600 * time.Millisecond},
	}
	for dir, n := range []int{virtualpad.ToKiosk: toKiosk, virtualpad.FromKiosk: fromKiosk} {
		for at := range n {
			for _, f := range kinds {
				if (f.For != 0 || f.Mask != 0) && at%4 != dir {
					continue // one is like the next
				}
				f.Dir, f.At, f.N = virtualpad.Direction(dir), at, 1
				all = append(all, []virtualpad.Fault{f})
			}
		}
	}
	// Late by more than a customer's whole time, wherever something begins.
	for at := 0; at < toKiosk; at += 18 {
		all = append(all, []virtualpad.Fault{{Dir: virtualpad.ToKiosk, Kind: virtualpad.Delay, At: at, N: 1, For: 3500 * time.Millisecond}})
	}
	return all
}

// badLines is how many lines with several faults each mode meets.
const badLines = 60

// noise are lines that are worse than one fault. Two bytes with the same change,
// or two equal ones that are lost, leave the XOR of a packet as it was.
func noise(toKiosk, fromKiosk int) (all [][]virtualpad.Fault) {
	rnd := rand.New(rand.NewPCG(uint64(toKiosk), uint64(fromKiosk)))
	kinds := []virtualpad.FaultKind{virtualpad.Drop, virtualpad.Double, virtualpad.Garble, virtualpad.Delay}
	for range badLines {
		var some []virtualpad.Fault
		for range 2 + rnd.IntN(4) {
			f := virtualpad.Fault{Kind: kinds[rnd.IntN(len(kinds))], Dir: virtualpad.Direction(rnd.IntN(2)), N: 1 + rnd.IntN(3)}
			f.At = rnd.IntN([]int{toKiosk, fromKiosk}[f.Dir] + 40)
			f.Mask, f.For = byte(1<<rnd.IntN(7)), time.Duration(rnd.IntN(600))*time.Millisecond
			some = append(some, f)
		}
		all = append(all, some)
	}
	return all
}

// TestEveryByte drops, doubles, changes and delays every byte of a whole entry,
// both ways. The entry ends with its own block or with an error of errors.go, and
// the next passenger is served.
func TestEveryByte(t *testing.T) {
	for _, m := range []mode{
		tdesMode(device.PacketZ60, pin.Format0),
		aesMode(t, pin.AES128, device.PacketZ62, pin.Format4),
		sessionMode(t, device.PacketZ60, pin.Format0, virtualpad.UIC),
		sessionMode(t, device.Packet70, pin.Format3, virtualpad.VeriFone),
	} {
		if m.cfg.Packet == device.Packet70 {
			m.name += ", short"
		}
		t.Run(m.name, func(t *testing.T) {
			everyByte(t, m)
		})
	}
}

func everyByte(t *testing.T, m mode) {
	const workers = 24
	measure, err := newFaulty(m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer measure.close()
	var to, from [2]int
	to[0], from[0] = measure.pad.Traffic()
	if said, broken := measure.enter(firstSale); said != nil || broken != nil {
		t.Fatal(said, broken)
	}
	to[1], from[1] = measure.pad.Traffic()
	faults := append(faultsOf(to[1]-to[0], from[1]-from[0]), noise(to[1]-to[0], from[1]-from[0])...)

	todo := make(chan []virtualpad.Fault)
	var mu sync.Mutex
	ends := map[string]int{}
	var wg sync.WaitGroup
	for range workers {
		f, err := newFaulty(m, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer f.close()
			for faults := range todo {
				said, broken := f.live(faults)
				mu.Lock()
				if broken != nil {
					t.Errorf("%+v: %v", faults, broken)
				}
				end := "block"
				if said != nil {
					end = said.Error()
					if i := strings.Index(end, " ("); i > 0 {
						end = end[:i]
					}
				}
				ends[end]++
				mu.Unlock()
			}
		}()
	}
	for _, some := range faults {
		todo <- some
	}
	close(todo)
	wg.Wait()
	t.Logf("%d bytes to the kiosk, %d from it, %d faults: %v", to[1]-to[0], from[1]-from[0], len(faults), ends)
	if ends["block"] < len(faults)/2 {
		t.Errorf("only %d of %d faults are survived with a block", ends["block"], len(faults))
	}
}

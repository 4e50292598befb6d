package faultmatrix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buka/kiosk/lab"
)

const (
	amount  = 10_00
	patient = 2 * time.Minute // nothing takes so long but what hangs
)

// timer of the switch link in these worlds: long enough that an honest answer is
// never late, also while all worlds work.
const timer = 1500 * time.Millisecond

// fate is what one message of a sale meets.
type fate struct {
	kind string
	n    int // counted over both directions from the tap, link tests and sign-ons left out
	at   int // garble: which part of the message, in eighths
}

func (f fate) String() string {
	if f.kind == "garble" {
		return fmt.Sprintf("%s message %d at %d/8", f.kind, f.n, f.at)
	}
	return fmt.Sprintf("%s message %d", f.kind, f.n)
}

// mtiAt is the offset of the MTI: length 2, TPDU 5, header 6.
const mtiAt = 2 + 5 + 6

func ofSale(frame []byte) bool { return len(frame) > mtiAt+2 && frame[mtiAt] != 0x08 }

// striking is a postman that lets one message meet its fate. struck says which
// message it was.
func (f fate) striking(struck *atomic.Value) lab.Postman {
	var mu sync.Mutex
	seen := 0
	return func(out bool, frame []byte) []lab.Delivery {
		honest := []lab.Delivery{{Frame: frame}}
		mu.Lock()
		defer mu.Unlock()
		if !ofSale(frame) {
			return honest
		}
		if seen++; seen != f.n {
			return honest
		}
		struck.Store(fmt.Sprintf("%X", frame[mtiAt:mtiAt+2]))
		switch f.kind {
		case "drop":
			return nil
		case "delay":
			return []lab.Delivery{{Frame: frame, After: timer + timer/2}}
		case "duplicate":
			return []lab.Delivery{{Frame: frame}, {Frame: bytes.Clone(frame)}, {Frame: bytes.Clone(frame), After: timer / 2}}
		}
		broken := bytes.Clone(frame)
		broken[2+(len(frame)-3)*f.at/8] ^= 0x11
		return []lab.Delivery{{Frame: broken}}
	}
}

// fates is the matrix for messages 1 to most.
func fates(most int) (list []fate) {
	for n := 1; n <= most; n++ {
		for _, kind := range []string{"drop", "delay", "duplicate"} {
			list = append(list, fate{kind: kind, n: n})
		}
		for at := range 9 {
			list = append(list, fate{"garble", n, at})
		}
	}
	return list
}

// saleMessages is how many messages a sale has that nothing happens to:
// eligibility, payment, load, confirmation, each with its answer.
const saleMessages = 8

// maxGoes is how often a passenger comes whose sale ends before the fault.
const maxGoes = 20

// TestEverySwitchMessage: for every N, the N-th message of a whole sale is lost,
// comes after the timer, comes three times, or comes damaged; in the end money is
// where the value is, and the bank gave back what it gave back once.
func TestEverySwitchMessage(t *testing.T) {
	each(t, fates(saleMessages), func(ctx context.Context, w *world, f fate) error {
		var ends []End
		for range maxGoes {
			var struck atomic.Value
			w.post(f.striking(&struck))
			now, err := w.sale(ctx)
			w.post(nil)
			if err != nil {
				return fmt.Errorf("%s, %v, %v: %w", f, struck.Load(), now, err)
			}
			if struck.Load() != nil {
				return nil
			}
			ends = append(ends, now...) // the link was still down from the sale before
		}
		return fmt.Errorf("%s: the sale has no such message: %v", f, ends)
	})
}

// sale is one top-up to its very end, with whatever happens to it. It gives how
// each go of the passenger ended.
func (w *world) sale(ctx context.Context) (ends []End, err error) {
	if err := w.ready(ctx); err != nil {
		return nil, err
	}
	before, err := w.ledger(ctx)
	if err != nil {
		return nil, err
	}
	card, err := w.newCard()
	if err != nil {
		return nil, err
	}
	p := &Passenger{Lab: w.lab, Card: card, Bank: "blue", Amount: amount, PIN: func(int) string { return bankPIN }}
	for {
		end, err := p.TopUp(ctx)
		if err != nil {
			return ends, err
		}
		ends = append(ends, end)
		err = w.settled(ctx)
		if err == nil {
			return ends, w.judge(ctx, card, before, amount)
		}
		if !errors.Is(err, errOpenWrite) {
			return ends, err
		} // the passenger comes again with the card
	}
}

// each runs one task after another in worlds side by side.
func each[T any](t *testing.T, tasks []T, do func(context.Context, *world, T) error) {
	t.Helper()
	queue := make(chan T, len(tasks))
	for _, task := range tasks {
		queue <- task
	}
	close(queue)
	var wg sync.WaitGroup
	for i := range min(16*runtime.GOMAXPROCS(0), len(tasks)) {
		dir := t.TempDir()
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			w, err := open(ctx, dir, timer, i*100_000)
			if err != nil {
				t.Error(err)
				return
			}
			defer w.lab.Close()
			for task := range queue {
				ctx, cancel := context.WithTimeoutCause(ctx, patient, errors.New("it never ended"))
				err := do(ctx, w, task)
				cancel()
				if err != nil { // what follows in this world would prove nothing
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

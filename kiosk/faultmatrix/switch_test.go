package faultmatrix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buka/kiosk/lab"
)

const patient = 2 * time.Minute // nothing takes so long but what hangs

// timer of the switch link in these worlds: long enough that an honest answer is
// never late, also while all worlds work.
const timer = 1500 * time.Millisecond

// unhurried is the timer where no honest answer may be late.
const unhurried = 30 * time.Second

// fate is what one message of a sale meets.
type fate struct {
	kind string
	mti  string // "": any
	n    int    // counted over both directions from the tap, link tests and sign-ons left out
	at   int    // garble: which part of the message, in eighths
}

func (f fate) String() string {
	s := fmt.Sprintf("%s message %s %d", f.kind, f.mti, f.n)
	if f.kind == "garble" {
		s += fmt.Sprintf(" at %d/8", f.at)
	}
	return s
}

// mtiAt is the offset of the MTI: length 2, TPDU 5, header 6.
const mtiAt = 2 + 5 + 6

func ofSale(frame []byte) bool { return len(frame) > mtiAt+2 && frame[mtiAt] != 0x08 }

func mtiOf(frame []byte) string { return fmt.Sprintf("%X", frame[mtiAt:mtiAt+2]) }

// word: the message tells the issuer what became of a script, or answers that.
func (f fate) word() bool { return f.mti == "0620" || f.mti == "0630" }

// striking is a postman that lets one message meet its fate. struck says which
// message it was. A word to the issuer that comes before the payment's answer is
// still about the sale before: it is let through.
func (f fate) striking(struck *atomic.Value) lab.Postman {
	var mu sync.Mutex
	seen, paid := 0, false
	return func(out bool, frame []byte) []lab.Delivery {
		honest := []lab.Delivery{{Frame: frame}}
		mu.Lock()
		defer mu.Unlock()
		if !ofSale(frame) {
			return honest
		}
		paid = paid || mtiOf(frame) == "0210"
		if f.mti != "" && f.mti != mtiOf(frame) || f.word() && !paid {
			return honest
		}
		if seen++; seen != f.n {
			return honest
		}
		struck.Store(mtiOf(frame))
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

// fates is all that may happen to one message.
func fates(mti string, n int) (list []fate) {
	for _, kind := range []string{"drop", "delay", "duplicate"} {
		list = append(list, fate{kind: kind, mti: mti, n: n})
	}
	for at := range 9 {
		list = append(list, fate{"garble", mti, n, at})
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
	t.Parallel()
	var list []fate
	for n := 1; n <= saleMessages; n++ {
		list = append(list, fates("", n)...)
	}
	each(t, list, func(ctx context.Context, w *world, f fate) error {
		if err := w.struck(ctx, f, plain); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		return nil
	})
}

// struck has sales of this course until one has met its fate.
func (w *world) struck(ctx context.Context, f fate, c course) error {
	var ends []End
	for range maxGoes {
		var struck atomic.Value
		w.post(f.striking(&struck))
		now, err := w.sale(ctx, c)
		if err == nil && f.word() {
			err = w.word(ctx, &struck)
		}
		w.post(nil)
		if err != nil {
			return fmt.Errorf("%v, %v: %w", struck.Load(), now, err)
		}
		if struck.Load() != nil {
			return nil
		}
		ends = append(ends, now...) // the link was still down from the sale before
	}
	return fmt.Errorf("the sale has no such message: %v", ends)
}

// word waits for the word to the issuer, which the end of a sale does not wait for:
// until it is struck, or is not coming now.
func (w *world) word(ctx context.Context, struck *atomic.Value) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(2 * timer); struck.Load() == nil && time.Now().Before(limit); <-tick.C {
		list, err := w.lab.Ordered(ctx, w.bank)
		if err != nil || slices.Equal(list, []string{"pin asked"}) { // there was no payment
			return err
		}
	}
	return nil
}

// each runs one task after another in worlds side by side.
func each[T any](t *testing.T, tasks []T, do func(context.Context, *world, T) error) {
	t.Helper()
	queue := make(chan T, len(tasks))
	for _, task := range tasks {
		queue <- task
	}
	close(queue)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range min(atOnce-1, len(tasks)) {
		wg.Go(func() {
			for task := range queue {
				w, err := matrix.borrow(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithTimeoutCause(ctx, patient, errors.New("it never ended"))
				err = do(ctx, w, task)
				cancel()
				matrix.back(w, err == nil)
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

package station

import (
	"context"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/topup"
)

// handTender is collected when a test says so.
type handTender struct {
	began chan entry.SaleID
	give  chan struct{}
}

func (h *handTender) Collect(ctx context.Context, c topup.TakeTender, _ func(string, bool)) error {
	h.began <- c.Sale
	select {
	case <-h.give:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *handTender) Again(context.Context, topup.RetryPIN) error              { return nil }
func (h *handTender) Pay(_ context.Context, p topup.Pay) topup.Paid            { return topup.Paid{Sale: p.Sale} }
func (h *handTender) Drop()                                                    {}
func (h *handTender) Refund(context.Context, topup.Sale, bool) (string, error) { return "00", nil }
func (h *handTender) Reverse(context.Context, topup.Sale, string, bool) (string, error) {
	return "00", nil
}

// TestADropEndsWhatWasAskedBefore: the passenger who comes next is not dropped with
// the one before, in whatever order the till hears of it.
func TestADropEndsWhatWasAskedBefore(t *testing.T) {
	for range 50 { // which of two that are ready a select takes is chance
		h := &handTender{began: make(chan entry.SaleID), give: make(chan struct{})}
		events := make(chan topup.Event, 8)
		till := newTill(h, func(ev topup.Event) { events <- ev })
		till.do(topup.TakeTender{Sale: "FIRST"})
		till.do(topup.DropTender{Sale: "FIRST"}) // before it was begun
		till.do(topup.TakeTender{Sale: "SECOND"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); till.run(ctx) }()
		wait := time.After(hostWait)
		begun := func(want entry.SaleID) {
			select {
			case got := <-h.began:
				if got != want {
					t.Fatalf("%s is collected", got)
				}
			case <-wait:
				t.Fatalf("%s is not collected", want)
			}
		}
		begun("SECOND")
		select {
		case h.give <- struct{}{}:
		case <-wait:
			t.Fatal("what was asked for after the drop was dropped")
		}
		if ev := <-events; ev != (topup.TenderReady{Sale: "SECOND"}) {
			t.Fatalf("%+v", ev)
		}
		till.do(topup.TakeTender{Sale: "THIRD"})
		begun("THIRD")
		till.do(topup.DropTender{Sale: "THIRD"}) // while it is
		till.do(topup.TakeTender{Sale: "FOURTH"})
		begun("FOURTH")
		h.give <- struct{}{}
		if ev := <-events; ev != (topup.TenderReady{Sale: "FOURTH"}) {
			t.Fatalf("%+v", ev)
		}
		cancel()
		<-ended
	}
}

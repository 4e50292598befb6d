package host

import (
	"context"
	"testing"
	"time"

	"buka/sync/switchlink"
)

func TestFaults(t *testing.T) {
	w := newWorld(t, nil)
	hasty := w.connect(testTerminal, 300*time.Millisecond)
	defer hasty.Close()
	query := func(p switchlink.Payment, want string) {
		t.Helper()
		eventually(t, "the payment has code "+want, func() bool { // a slow host may still be at it
			got, err := w.client.QueryPayment(w.ctx(), switchlink.PaymentKey{STAN: p.STAN, Batch: p.Batch, Sale: p.Sale, Amount: p.Amount})
			if err != nil {
				t.Fatal(err)
			}
			return got.Code == want
		})
	}
	lost := func(sale int) switchlink.Payment {
		t.Helper()
		p := w.payment(saleID(sale), 20_00, testPIN)
		_, err := w.again(func(ctx context.Context) (any, error) { return hasty.Pay(ctx, anew(p)) })
		unanswered(t, err)
		return p
	}

	w.faults.Silent()
	p := lost(1)
	q := w.query(saleID(1), attempt(testNumber, 2, 10_00, 20_00, 1))
	_, err := w.again(func(ctx context.Context) (any, error) { return hasty.Eligible(ctx, q) })
	unanswered(t, err)
	eventually(t, "both faults have fired", func() bool { return w.faults.Fired() == 2 }) // what nobody waits for may still be on its way
	if err := w.client.Echo(w.ctx(), w.next()); err != nil {                              // neither echo
		t.Fatal(err)
	}
	w.signOn() // nor sign-on
	w.reverse(p, "25")
	w.charged(0)
	w.faults.Answers()

	w.faults.Drops("0210")
	p = lost(2)
	query(p, "00")
	w.charged(20_00)
	w.faults.Answers()
	w.reverse(p, "00")

	w.faults.Late(time.Second)
	p = lost(3)
	query(p, "00")
	w.reverse(p, "00") // reversals are in time, and the late 0210 is none of theirs
	w.faults.Answers()
	w.charged(0)

	w.faults.Declines("51")
	p = w.payment(saleID(4), 20_00, testPIN)
	w.pay(p, "51")
	query(p, "51")
	w.faults.Answers()
	w.pay(p, "51") // the answer was given
	w.charged(0)
	eventually(t, "the late answer is logged", func() bool { return logged(w, "a late answer") || logged(w, "an answer to no request") })
}

func logged(w *world, what string) bool {
	return containsAll(w.log.String(), what, "0210")
}

package host

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
)

// item is a payment or refund as a kiosk uploads it.
type item struct {
	sale   entry.SaleID
	stan   uint32
	amount money.Fen
	credit bool
}

func (w *world) settle(batch uint32, t entry.Totals, want bool) uint32 {
	w.Helper()
	stan := w.next()
	for n := range 2 { // and its repeat
		a, err := w.client.Settle(w.ctx(), switchlink.Settlement{STAN: stan, Batch: batch, Totals: t, Repeat: n > 0})
		if err != nil || a.Code != "00" || a.Balanced != want {
			w.Fatalf("settlement of %+v: %+v, %v", t, a, err)
		}
	}
	return stan
}

func (w *world) uploadItem(batch, stan, index uint32, last bool, i item) switchlink.Uploaded {
	w.Helper()
	if i.amount == 0 { // of nothing: the end alone
		i.stan = stan
	}
	a, err := w.client.Upload(w.ctx(), switchlink.Upload{STAN: stan, Batch: batch, Index: index, Last: last, Sale: i.sale, OrigSTAN: i.stan,
		Amount: i.amount, Credit: i.credit})
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) upload(batch, stan uint32, items ...item) (a switchlink.Uploaded) {
	w.Helper()
	for n, i := range items {
		if a = w.uploadItem(batch, stan, uint32(n+1), n == len(items)-1, i); a.Code != "00" {
			w.Fatalf("item %d: %+v", n+1, a)
		}
	}
	return a
}

func (w *world) refund(p switchlink.Payment, batch uint32, want string) uint32 {
	w.Helper()
	stan := w.next()
	a, err := w.client.Refund(w.ctx(), switchlink.Refund{STAN: stan, Batch: batch, OrigSTAN: p.STAN, OrigBatch: p.Batch, Sale: p.Sale, Amount: p.Amount})
	if err != nil || a.Code != want {
		w.Fatalf("refund: %+v, %v; want %s", a, err, want)
	}
	return stan
}

// theBatch gives one batch of the test's terminal.
func (w *world) theBatch(number uint32) Batch {
	w.Helper()
	list, err := w.host.Batches(w.ctx(), 100)
	if err != nil {
		w.Fatal(err)
	}
	for _, b := range list {
		if b.Terminal == testTerminal && b.Number == number {
			return b
		}
	}
	w.Fatalf("no batch %d in %+v", number, list)
	return Batch{}
}

// TestSettlementBalances: what stands is a debit, what was reversed is nothing,
// what was refunded is a debit and a credit, what was declined is nothing.
func TestSettlementBalances(t *testing.T) {
	w := newWorld(t, nil)
	one, two, three := w.payment(saleID(1), 10_00, testPIN), w.payment(saleID(2), 20_00, testPIN), w.payment(saleID(3), 40_00, testPIN)
	for _, p := range []switchlink.Payment{one, two, three} {
		w.pay(p, "00")
	}
	w.pay(w.payment(saleID(4), 80_00, "999999"), "55")
	w.reverse(two, "00")
	w.refund(three, w.batch, "00")
	w.refund(three, w.batch, "00") // asked for twice, paid once
	if b := w.theBatch(w.batch); b.State != BatchOpen || b.Host != (entry.Totals{Debit: 50_00, Debits: 2, Credit: 40_00, Credits: 1}) || !b.Settled.IsZero() {
		t.Fatalf("%+v", b)
	}
	w.settle(w.batch, entry.Totals{Debit: 50_00, Debits: 2, Credit: 40_00, Credits: 1}, true)
	w.charged(10_00)

	old := w.batch
	w.pay(w.payment(saleID(5), 1_00, testPIN), "77")
	w.authorise(one.Sale, attempt(testNumber, 2, 0, 10_00, 1), "00") // loads wait for nothing
	w.signOn()
	if w.batch != old+1 {
		t.Fatalf("batch %d after %d", w.batch, old)
	}
	w.signOn() // and stays
	if w.batch != old+1 {
		t.Fatalf("batch %d after %d", w.batch, old)
	}
	w.pay(w.payment(saleID(5), 1_00, testPIN), "00")
	w.reverse(one, "64") // counted by both sides: a refund is what is left
	w.reverse(two, "00") // the answer of before
	w.charged(11_00)
	w.refund(one, w.batch, "00")
	w.charged(1_00)
	if b := w.theBatch(old); b.State != BatchBalanced || b.Host.Credit != 40_00 || b.Kiosk != b.Host {
		t.Errorf("%+v", b)
	}
	w.settle(w.batch, entry.Totals{Debit: 1_00, Debits: 1, Credit: 10_00, Credits: 1}, true)
	w.settle(old, entry.Totals{Debit: 50_00, Debits: 2, Credit: 40_00, Credits: 1}, true) // told again under another STAN
}

// TestReversalInASettledBatch: what both sides have agreed to be absent stays so.
func TestReversalInASettledBatch(t *testing.T) {
	w := newWorld(t, nil)
	lost, declined := w.payment(saleID(1), 10_00, testPIN), w.payment(saleID(2), 9000_00, testPIN)
	w.reverse(lost, "25")
	w.pay(declined, "51")
	w.settle(w.batch, entry.Totals{}, true)
	w.reverse(lost, "25")
	w.reverse(declined, "00")
	w.pay(lost, "77") // the original comes late
	w.charged(0)
}

// TestAClosedBatchStaysClosed: told anew with other totals, as by a kiosk that was
// restored, a batch is compared again, and no payment of it is reversed meanwhile.
func TestAClosedBatchStaysClosed(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 10_00, testPIN)
	w.pay(p, "00")
	w.settle(w.batch, entry.Totals{Debit: 10_00, Debits: 1}, true)
	stan := w.settle(w.batch, entry.Totals{}, false)
	w.reverse(p, "64")
	if a := w.upload(w.batch, stan, item{}); len(a.Differs) != 1 || a.Differs[0].Host != 10_00 {
		t.Fatalf("%+v", a)
	}
	w.charged(10_00)
	w.settle(w.batch, entry.Totals{Debit: 10_00, Debits: 1}, true)
}

// TestRefundOfASettledBatch: a refund with the number of a batch that is closed
// by now moves the money and is a credit of the open one.
func TestRefundOfASettledBatch(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 10_00, testPIN)
	w.pay(p, "00")
	old := w.batch
	w.settle(old, entry.Totals{Debit: 10_00, Debits: 1}, true)
	w.signOn()
	w.refund(p, old, "00")
	w.charged(0)
	if o, n := w.theBatch(old), w.theBatch(w.batch); o.Host.Credits != 0 || n.Host.Credit != 10_00 || n.Host.Debits != 0 {
		t.Errorf("%+v, %+v", o, n)
	}
}

// TestRefundBeforeTheNextBatch: a refund that comes between a settlement and the
// next sign-on is a credit of the batch that the sign-on opens, by whatever number
// it goes. What was told of the settled batch stays, and the next one balances for
// a kiosk that asks for the refund anew in it.
func TestRefundBeforeTheNextBatch(t *testing.T) {
	for name, balances := range map[string]bool{"balanced": true, "being uploaded": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			late, never, other := w.payment(saleID(1), 10_00, testPIN), w.payment(saleID(2), 20_00, testPIN), w.payment(saleID(3), 40_00, testPIN)
			for _, p := range []switchlink.Payment{late, never, other} {
				w.pay(p, "00")
			}
			old, told := w.batch, entry.Totals{Debit: 70_00, Debits: 3}
			items := []item{{sale: late.Sale, stan: late.STAN, amount: 10_00}, {sale: never.Sale, stan: never.STAN, amount: 20_00}, {sale: other.Sale, stan: other.STAN, amount: 40_00}}
			if !balances {
				told, items = entry.Totals{Debit: 30_00, Debits: 2}, items[:2]
			}
			stan := w.settle(old, told, balances)
			w.refund(late, old, "00")
			w.refund(never, old+7, "00") // of a batch that never was
			w.charged(40_00)

			w.authorise(other.Sale, attempt(testNumber, 2, 0, 40_00, 1), "00") // loads still wait for nothing
			if a := w.ask(&switchlink.Request{Kind: switchlink.KindSettle, STAN: w.next(), Batch: old + 1}); a.Code != "25" {
				t.Errorf("the next batch before its sign-on: %+v", a)
			}
			if !balances {
				if a := w.upload(old, stan, items...); len(a.Differs) != 1 || a.Differs[0].Sale != other.Sale {
					t.Errorf("%+v", a)
				}
			}
			w.settle(old, told, balances) // told again under another STAN
			for range 2 {
				if w.signOn(); w.batch != old+1 {
					t.Fatalf("batch %d after %d", w.batch, old)
				}
			}
			w.refund(late, w.batch, "00") // as a kiosk asks that had no answer
			w.refund(never, w.batch, "00")
			w.charged(40_00)
			w.settle(w.batch, entry.Totals{Credit: 30_00, Credits: 2}, true)
			if b := w.theBatch(old); b.Host.Credits != 0 {
				t.Errorf("%+v", b)
			}
		})
	}
}

// TestUnbalanced: an upload names what only one side has, what the host alone has
// first; the batch is closed, and written down for people.
func TestUnbalanced(t *testing.T) {
	w := newWorld(t, nil)
	both, hosts, less, back := w.payment(saleID(1), 10_00, testPIN), w.payment(saleID(2), 20_00, testPIN), w.payment(saleID(3), 40_00, testPIN), w.payment(saleID(4), 5_00, testPIN)
	for _, p := range []switchlink.Payment{both, hosts, less, back} {
		w.pay(p, "00")
	}
	refund := w.refund(back, w.batch, "00")
	stan := w.settle(w.batch, entry.Totals{Debit: 55_00, Debits: 4}, false)
	if got, err := w.client.Settle(w.ctx(), switchlink.Settlement{STAN: stan, Batch: w.batch, Totals: entry.Totals{Debit: 75_00, Debits: 4}}); err != nil || got.Code != "94" {
		t.Fatalf("other totals under the same key: %+v, %v", got, err)
	}
	w.pay(w.payment(saleID(5), 1_00, testPIN), "77")
	items := []item{{sale: both.Sale, stan: both.STAN, amount: 10_00}, {sale: less.Sale, stan: less.STAN, amount: 39_00},
		{sale: back.Sale, stan: back.STAN, amount: 5_00}, {sale: saleID(9), stan: 900, amount: 1_00}}
	a := w.upload(w.batch, stan, items...)
	want := []entry.Difference{{Sale: hosts.Sale, STAN: hosts.STAN, Host: 20_00}, {Sale: back.Sale, STAN: refund, Host: -5_00},
		{Sale: less.Sale, STAN: less.STAN, Kiosk: 39_00, Host: 40_00}, {Sale: saleID(9), STAN: 900, Kiosk: 1_00}}
	if a.Balanced || fmt.Sprint(a.Differs) != fmt.Sprint(want) {
		t.Fatalf("%+v\nwant %+v", a.Differs, want)
	}
	b := w.theBatch(w.batch)
	if b.State != BatchDiffers || fmt.Sprint(b.Differs) != fmt.Sprint(want) || b.Host.Debit != 75_00 || b.Kiosk.Debit != 55_00 {
		t.Errorf("%+v", b)
	}
	// Every message again: the same answers.
	for n, i := range items {
		if again := w.uploadItem(w.batch, stan, uint32(n+1), n == 3, i); again.Code != "00" || n == 3 && fmt.Sprint(again.Differs) != fmt.Sprint(want) {
			t.Errorf("item %d again: %+v", n+1, again)
		}
	}
	if again := w.uploadItem(w.batch, stan, 2, false, item{sale: less.Sale, stan: less.STAN, amount: 40_00}); again.Code != "94" {
		t.Errorf("another item under the same number: %s", again.Code)
	}
	// The terminal has found its mistake and settles anew.
	stan = w.settle(w.batch, entry.Totals{Debit: 75_00, Debits: 4}, false)
	a = w.upload(w.batch, stan, item{sale: both.Sale, stan: both.STAN, amount: 10_00}, item{sale: hosts.Sale, stan: hosts.STAN, amount: 20_00},
		item{sale: less.Sale, stan: less.STAN, amount: 40_00}, item{sale: back.Sale, stan: back.STAN, amount: 5_00}, item{sale: back.Sale, stan: back.STAN, amount: 5_00, credit: true})
	if !a.Balanced || len(a.Differs) > 0 || w.theBatch(w.batch).State != BatchBalanced {
		t.Errorf("%+v", a)
	}
	w.signOn()
	w.pay(w.payment(saleID(5), 1_00, testPIN), "00")
}

// TestUploadIsWhole: the last message of an upload that lacks one is not taken,
// and is once the missing one has come. An upload may be of nothing.
func TestUploadIsWhole(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 10_00, testPIN)
	w.pay(p, "00")
	none := item{}
	if a := w.uploadItem(w.batch, 77, 1, true, none); a.Code != "25" {
		t.Fatalf("without a settlement: %+v", a)
	}
	stan := w.settle(w.batch, entry.Totals{}, false)
	if a := w.uploadItem(w.batch, stan, 3, true, item{sale: p.Sale, stan: p.STAN, amount: 10_00}); a.Code != "25" {
		t.Fatalf("not whole: %+v", a)
	}
	w.uploadItem(w.batch, stan, 1, false, item{sale: saleID(7), stan: 7, amount: 1})
	w.uploadItem(w.batch, stan, 2, false, item{sale: saleID(8), stan: 8, amount: 1})
	if a := w.uploadItem(w.batch, stan, 3, true, item{sale: p.Sale, stan: p.STAN, amount: 10_00}); a.Code != "00" || len(a.Differs) != 2 {
		t.Fatalf("whole now: %+v", a)
	}
	stan = w.settle(w.batch, entry.Totals{}, false)
	if a := w.uploadItem(w.batch, stan, 1, true, none); a.Code != "00" || len(a.Differs) != 1 || a.Differs[0].Host != 10_00 {
		t.Fatalf("of nothing: %+v", a)
	}
}

// TestSettlementIsRefused for batches that never were, and without a sign-on.
func TestSettlementIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	for _, batch := range []uint32{0, w.batch + 1} {
		if a := w.ask(&switchlink.Request{Kind: switchlink.KindSettle, STAN: w.next(), Batch: batch}); a.Code != "25" {
			t.Errorf("batch %d: %+v", batch, a)
		}
	}
	r := &switchlink.Request{Kind: switchlink.KindSettle, STAN: 1, Batch: 1, Terminal: "BUKA0002", Merchant: testMerchant}
	if a, _ := w.host.Handle(w.ctx(), r); a.Code != "97" {
		t.Errorf("%+v", a)
	}
}

// TestSettlementAfterCutOver: a batch that the host has closed, or that a restore
// has ended, is settled later all the same.
func TestSettlementAfterCutOver(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 10_00, testPIN)
	w.pay(p, "00")
	old := w.batch
	if err := w.host.CloseBatch(w.ctx(), testMerchant, testTerminal); err != nil {
		t.Fatal(err)
	}
	w.signOn()
	w.pay(w.payment(saleID(2), 3_00, testPIN), "00")
	w.settle(old, entry.Totals{Debit: 10_00, Debits: 1}, true)
	w.pay(w.payment(saleID(3), 3_00, testPIN), "00") // the open batch goes on
	w.settle(w.batch, entry.Totals{Debit: 6_00, Debits: 2}, true)
}

// TestSettlementAmongPayments: whatever a settlement meets at the same time, each
// payment is in its totals or was answered 77.
func TestSettlementAmongPayments(t *testing.T) {
	w := newWorld(t, nil)
	const n = 12
	payments := make([]switchlink.Payment, n)
	for i := range payments {
		payments[i] = w.payment(saleID(i), 1_00, testPIN)
	}
	stan := w.next()
	codes := make([]string, n)
	var answer switchlink.Response
	var all sync.WaitGroup
	for i := range payments {
		all.Go(func() {
			got, err := w.client.Pay(context.Background(), anew(payments[i]))
			if err != nil {
				t.Error(err)
			}
			codes[i] = got.Code
		})
	}
	all.Go(func() {
		answer = w.ask(&switchlink.Request{Kind: switchlink.KindSettle, STAN: stan, Batch: w.batch, Totals: entry.Totals{Debit: n * 1_00, Debits: n}})
	})
	all.Wait()
	paid := 0
	for _, code := range codes {
		switch code {
		case "00":
			paid++
		case "77", "99": // 99: a later KSN was faster
		default:
			t.Errorf("a payment beside a settlement: %s", code)
		}
	}
	if b := w.theBatch(w.batch); int(b.Host.Debits) != paid || answer.Balanced != (paid == n) {
		t.Errorf("%d paid, %+v, %+v", paid, b, answer)
	}
}

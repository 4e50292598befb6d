package host

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// TestManyTerminals lets terminals work at once on one account; every request is
// sent twice at the same time over two connections. The sums must be right: what
// the terminals count, what the host counts, and what the account lost.
func TestManyTerminals(t *testing.T) {
	w := newWorld(t, nil)
	const terminals, sales = 4, 5
	var all sync.WaitGroup
	for n := range terminals {
		all.Go(func() { w.busyTerminal(n, sales) })
	}
	all.Wait()
	const net = terminals * sales / 5 * 4 * 3_00
	w.charged(net) // one in five is reversed
	list, err := w.host.Batches(w.ctx(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var kiosks, host money.Fen
	for _, b := range list {
		if b.Terminal == testTerminal {
			continue
		}
		if b.State != BatchBalanced {
			t.Errorf("%+v", b)
		}
		kiosks, host = kiosks+b.Kiosk.Debit-b.Kiosk.Credit, host+b.Host.Debit-b.Host.Credit
	}
	if debits, err := w.host.TotalDebits(w.ctx()); err != nil || kiosks != net || host != net || debits != net {
		t.Errorf("kiosks %v, host %v, bank %v, %v", kiosks, host, debits, err)
	}
}

func (w *world) busyTerminal(n, sales int) {
	id := fmt.Sprintf("BUKB%04d", n)
	one, two := w.connect(id, 20*time.Second), w.connect(id, 20*time.Second)
	defer one.Close()
	defer two.Close()
	s, err := one.SignOn(w.ctx(), 1)
	if err != nil {
		w.Error(err)
		return
	}
	ksn := pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, byte(n), 0x10, 0xE0}
	stan := uint32(1)
	for i := range sales {
		sale := entry.SaleID(fmt.Sprintf("BUSY%04dX%04d", n, i))
		ksn, _ = ksn.Next()
		number := fmt.Sprintf("31051700101709%05d", n*100+i)
		a := attempt(number, 1, 0, 3_00, uint32(n<<8|i))
		p := switchlink.Payment{STAN: stan + 1, Batch: s.Batch, Sale: sale, Card: a.Card, Slot: 1, Amount: 3_00, PAN: testPAN,
			PIN: sealedPIN(w, ksn, testPIN, testPAN)}
		twice(w, one, two, func(c *switchlink.Client) (switchlink.Paid, error) { return c.Pay(w.ctx(), anew(p)) })
		if i%5 == 4 {
			twice(w, one, two, func(c *switchlink.Client) (switchlink.Answer, error) { return c.Reverse(w.ctx(), reversalOf(p)) })
			stan += 3
			continue
		}
		q := switchlink.LoadQuery{STAN: stan + 2, Batch: s.Batch, Sale: sale, Attempt: a}
		load, err := one.AuthoriseLoad(w.ctx(), q)
		if err != nil || load.Code != "00" {
			w.Errorf("%s: %+v, %v", sale, load, err)
			return
		}
		a.STAN, a.At = q.STAN, load.At
		twice(w, one, two, func(c *switchlink.Client) (switchlink.Answer, error) {
			return c.ConfirmLoad(w.ctx(), switchlink.Confirmation{STAN: stan + 3, Batch: s.Batch, Sale: sale, Attempt: a, TAC: tacOf(a), By: "card"})
		})
		stan += 3
		if got, err := w.host.Sale(w.ctx(), sale); err != nil || got != (SaleState{Paid: 3_00, Credited: 3_00}) {
			w.Errorf("%s: %+v, %v", sale, got, err)
		}
	}
	stands := uint32(sales / 5 * 4)
	told := switchlink.Settlement{STAN: stan + 1, Batch: s.Batch, Totals: entry.Totals{Debit: money.Fen(stands) * 3_00, Debits: stands}}
	twice(w, one, two, func(c *switchlink.Client) (switchlink.Settled, error) { return c.Settle(w.ctx(), told) })
}

// twice asks over two connections at once and wants the same approval.
func twice[A any](w *world, one, two *switchlink.Client, ask func(*switchlink.Client) (A, error)) {
	var answers [2]A
	var both sync.WaitGroup
	for i, c := range []*switchlink.Client{one, two} {
		both.Go(func() {
			got, err := ask(c)
			if err != nil {
				w.Error(err)
			}
			answers[i] = got
		})
	}
	both.Wait()
	if !reflect.DeepEqual(answers[0], answers[1]) || !strings.Contains(fmt.Sprintf("%+v", answers[0]), "Code:00") {
		w.Errorf("%+v and %+v", answers[0], answers[1])
	}
}

// TestAccountsSurvive: what PutAccount and payments leave is there after a kill.
func TestAccountsSurvive(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 20_00, testPIN), "00")
	if err := w.host.Kill(); err != nil {
		t.Fatal(err)
	}
	w.openHost("")
	w.charged(money.Fen(20_00))
	if _, err := w.host.Funds(w.ctx(), "6225880000009999"); err != ErrNoAccount {
		t.Error(err)
	}
}

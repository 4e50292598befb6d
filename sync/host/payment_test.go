package host

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"buka/sync/switchlink"
)

func readAll(t *testing.T, dir string) (all []byte) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestPINTries(t *testing.T) {
	w := newWorld(t, nil)
	sale := saleID(1)
	w.pay(w.payment(sale, 10_00, "999999"), "55")
	w.pay(w.payment(sale, 10_00, "999998"), "55")
	w.pay(w.payment(sale, 10_00, testPIN), "00") // a right one gives the tries back
	for _, want := range []string{"55", "55", "75", "75"} {
		w.pay(w.payment(saleID(2), 10_00, "1111"), want)
	}
	w.pay(w.payment(saleID(2), 10_00, testPIN), "75")
	w.charged(10_00)
}

func TestPaymentRefusals(t *testing.T) {
	w := newWorld(t, nil)
	for pan, a := range map[string]Account{
		"6225880000000002": {Expiry: "2512"},
		"6225880000000003": {Expiry: "3012", Blocked: true},
		"6225880000000004": {Expiry: "2601", Funds: 9_99},
	} {
		a.PAN, a.PIN = pan, testPIN
		if err := w.host.PutAccount(w.ctx(), a); err != nil {
			t.Fatal(err)
		}
	}
	try := func(want string, change func(*switchlink.Payment)) {
		t.Helper()
		p := w.payment(saleID(1), 10_00, testPIN)
		change(&p)
		if p.PAN != testPAN {
			p.Track2, p.PIN = "", sealedPIN(t, p.PIN.KSN, testPIN, p.PAN)
		}
		w.pay(p, want)
	}
	try("14", func(p *switchlink.Payment) { p.PAN = "6225880000000009" })
	try("54", func(p *switchlink.Payment) { p.PAN = "6225880000000002" })
	try("54", func(p *switchlink.Payment) { p.Expiry = "2512" })
	try("62", func(p *switchlink.Payment) { p.PAN = "6225880000000003" })
	try("51", func(p *switchlink.Payment) { p.PAN = "6225880000000004" })
	try("13", func(p *switchlink.Payment) { p.Amount = 0 })
	try("77", func(p *switchlink.Payment) { p.Batch++ })
	try("99", func(p *switchlink.Payment) { p.PIN.Bytes()[3] ^= 1 })
	try("99", func(p *switchlink.Payment) { p.PIN.KSN = w.ksn.WithCounter(0) })

	good := w.payment(saleID(1), 10_00, testPIN)
	w.pay(good, "00")
	replay := good
	replay.STAN, replay.Sale = w.next(), saleID(2)
	w.pay(replay, "99") // the KSN was used
	w.pay(w.payment(saleID(1), 10_00, testPIN), "94")
	other := good
	other.Amount++
	w.pay(other, "94")
	w.charged(10_00)

	stranger := w.connect("BUKA0002", 10*time.Second)
	defer stranger.Close()
	got, err := stranger.Pay(w.ctx(), w.payment(saleID(3), 1, testPIN))
	if err != nil || got.Code != "97" {
		t.Fatalf("not signed on: %+v, %v", got, err)
	}
}

func TestRepeatGivesTheSameAnswer(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 20_00, testPIN)
	first := w.pay(p, "00")
	for range 3 {
		if again := w.pay(p, "00"); !reflect.DeepEqual(again, first) {
			t.Fatalf("%+v, then %+v", first, again)
		}
	}
	w.charged(20_00)
}

func TestReversals(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 20_00, testPIN)
	w.pay(p, "00")
	wrong := p
	wrong.Amount++
	w.reverse(p, "00")
	w.reverse(wrong, "94")
	w.charged(0)
	r := reversalOf(p)
	r.Repeat, r.Reason, r.RRN = true, switchlink.ReasonNotLoaded, "000000000001"
	if got, err := w.client.Reverse(w.ctx(), r); err != nil || got.Code != "00" {
		t.Fatalf("0401: %+v, %v", got, err)
	}
	w.charged(0)
	w.pay(w.payment(saleID(1), 20_00, testPIN), "00") // the sale may be paid again
	w.charged(20_00)

	amount := w.payment(saleID(2), 20_00, testPIN)
	w.pay(amount, "00")
	amount.Amount = 19_00
	w.reverse(amount, "64")
	w.charged(40_00)

	declined := w.payment(saleID(3), 2000_00, testPIN)
	w.pay(declined, "51")
	w.reverse(declined, "00")
	w.charged(40_00)
}

func TestReversalBeforeOriginal(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 20_00, testPIN)
	w.reverse(p, "25")
	w.pay(p, "12")
	w.reverse(p, "25")
	w.charged(0)
	got, err := w.client.QueryPayment(w.ctx(), switchlink.PaymentKey{STAN: p.STAN, Batch: p.Batch, Sale: p.Sale, Amount: p.Amount})
	if err != nil || got.Code != "12" || got.Amount != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestQuery(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 20_00, testPIN)
	key := switchlink.PaymentKey{STAN: p.STAN, Batch: p.Batch, Sale: p.Sale, Amount: p.Amount}
	ask := func(k switchlink.PaymentKey, want string) switchlink.Paid {
		t.Helper()
		got, err := w.client.QueryPayment(w.ctx(), k)
		if err != nil || got.Code != want {
			t.Fatalf("%+v, %v; want %s", got, err, want)
		}
		return got
	}
	ask(key, "25")
	paid := w.pay(p, "00")
	if got := ask(key, "00"); !reflect.DeepEqual(got, paid) {
		t.Fatalf("%+v, want %+v", got, paid)
	}
	other := key
	other.Amount++
	ask(other, "64")
	other = key
	other.Sale = saleID(2)
	ask(other, "25")
	w.reverse(p, "00")
	ask(key, "12")
}

func TestBatchCloses(t *testing.T) {
	w := newWorld(t, nil)
	old := w.payment(saleID(1), 20_00, testPIN)
	w.pay(old, "00")
	s, err := w.client.SignOn(w.ctx(), w.next())
	if err != nil || s.Batch != w.batch || s.LastSTAN != old.STAN {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := w.host.CloseBatch(w.ctx(), testMerchant, testTerminal); err != nil {
		t.Fatal(err)
	}
	w.pay(w.payment(saleID(2), 20_00, testPIN), "77")
	w.signOn()
	if w.batch != old.Batch+1 {
		t.Fatalf("batch %d after %d", w.batch, old.Batch)
	}
	w.reverse(old, "00") // in the batch that is closed
	w.pay(w.payment(saleID(2), 20_00, testPIN), "00")
	w.charged(20_00)
}

package host

import (
	"database/sql"
	"errors"
	"testing"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
	"buka/sync/host/fleetside"
	"buka/sync/switchlink"
)

var (
	epochOne  = entry.Hex("epoch-number-001")
	testPlace = testMerchant + "/" + testTerminal
)

// restored is a kiosk that asks after its journal was put back. known says what
// the journals know; a sale that it leaves out is unknown to all of them.
func (w *world) restored(epoch entry.Hex, known map[entry.SaleID]fleetside.Known, open ...entry.SaleID) entry.RestoreConfirmed {
	w.Helper()
	var a entry.RestoreConfirmed
	err := w.host.Write(w.ctx(), func(tx *sql.Tx) (err error) {
		q := fleetmsg.RestoreQuery{Kiosk: "K1", Epoch: epoch, Terminal: testPlace, Open: open}
		a, err = w.host.Restored(w.ctx(), tx, q, func(s entry.SaleID) (fleetside.Known, error) { return known[s], nil })
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) fact(a entry.RestoreConfirmed, sale entry.SaleID) entry.HostFact {
	w.Helper()
	for _, f := range a.Sales {
		if f.Sale == sale {
			return f
		}
	}
	w.Fatalf("nothing about %s in %+v", sale, a)
	return entry.HostFact{}
}

func (w *world) rewrite(sale entry.SaleID) *Rewrite {
	w.Helper()
	var r *Rewrite
	if err := w.host.Write(w.ctx(), func(tx *sql.Tx) (err error) {
		r, err = rewriteOf(w.ctx(), tx, sale)
		return err
	}); err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) handOver(b entry.HandedOver, past bool) {
	w.Helper()
	if err := w.host.Write(w.ctx(), func(tx *sql.Tx) error {
		if err := w.host.HandedOver(w.ctx(), tx, "K1", b, past); err != nil {
			return err
		}
		return w.host.Passed(w.ctx(), tx, b.Sale)
	}); err != nil {
		w.Fatal(err)
	}
}

// TestWhatARestoredKioskIsTold: each fact of the ledgers.
func TestWhatARestoredKioskIsTold(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 10_00, testPIN), "00")
	back := w.payment(saleID(2), 10_00, testPIN)
	w.pay(back, "00")
	w.reverse(back, "00")
	w.pay(w.payment(saleID(3), 10_00, testPIN), "00")
	a3 := w.authorise(saleID(3), attempt(testNumber, 2, 1000, 10_00, 3), "00")
	w.pay(w.payment(saleID(4), 10_00, testPIN), "00")
	a4 := w.authorise(saleID(4), attempt(testNumber, 3, 1000, 10_00, 4), "00")
	w.void(saleID(4), a4, "00")
	w.pay(w.payment(saleID(5), 10_00, testPIN), "00")
	a5 := w.authorise(saleID(5), attempt(testNumber, 4, 1000, 10_00, 5), "00")
	w.confirm(saleID(5), a5, tacOf(a5), "00")
	w.pay(w.payment(saleID(6), 10_00, "999999"), "55")
	last := w.stan
	here := fleetside.Known{Here: true}
	known := map[entry.SaleID]fleetside.Known{}
	for i := range 8 {
		known[saleID(i)] = here
	}
	known[saleID(7)] = fleetside.Known{Here: true, Closed: true}
	a := w.restored(epochOne, known, saleID(1), saleID(2), saleID(3), saleID(4), saleID(5), saleID(6), saleID(7))
	if len(a.Sales) != 7 || a.Taken != 0 || a.LastSTAN != last {
		t.Fatalf("%d facts, %d taken, STAN %d of %d", len(a.Sales), a.Taken, a.LastSTAN, last)
	}
	if f := w.fact(a, saleID(1)); f.Paid != 10_00 || f.STAN == 0 || f.RRN == "" || f.Load != nil || f.Credited {
		t.Errorf("paid: %+v", f)
	}
	if f := w.fact(a, saleID(2)); f.Paid != 0 || !f.Returned {
		t.Errorf("gone back: %+v", f)
	}
	if f := w.fact(a, saleID(3)); f.Load == nil || f.Voided || string(f.Load.Random) != string(a3.Random) || f.Load.At != a3.At || f.Load.MAC1.String() != a3.MAC1.String() {
		t.Errorf("perhaps written: %+v", f)
	}
	if f := w.fact(a, saleID(4)); f.Load == nil || !f.Voided {
		t.Errorf("void: %+v", f)
	}
	if f := w.fact(a, saleID(5)); !f.Credited {
		t.Errorf("credited: %+v", f)
	}
	if f := w.fact(a, saleID(6)); f.Paid != 0 || f.Returned || f.Credited || f.Load != nil {
		t.Errorf("declined: %+v", f)
	}
	if f := w.fact(a, saleID(7)); !f.Closed {
		t.Errorf("closed: %+v", f)
	}
}

// TestAQueryThatComesLate: a repeated query of the same restore arrives when the
// kiosk has had its answer and sells again. What is paid since is the kiosk's, and
// so is what it was given since.
func TestAQueryThatComesLate(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 10_00, testPIN), "00") // lost with the journal
	first := w.restored(epochOne, nil)
	if first.Taken != 1 || w.rewrite(saleID(1)) == nil {
		t.Fatalf("%+v", first)
	}
	w.signOn()
	w.pay(w.payment(saleID(2), 10_00, testPIN), "00")
	w.authorise(saleID(1), attempt(testNumber, 2, 1000, 10_00, 1), "00")
	if r := w.rewrite(saleID(1)); r.Holder == "" {
		t.Fatal("the rewrite is not the kiosk's")
	}
	again := w.restored(epochOne, nil)
	if again.Taken != first.Taken || again.LastSTAN != first.LastSTAN {
		t.Errorf("%+v, and before %+v", again, first)
	}
	if r := w.rewrite(saleID(2)); r != nil {
		t.Errorf("the host has taken what the kiosk is selling: %+v", r)
	}
	if r := w.rewrite(saleID(1)); r.Holder == "" {
		t.Error("the rewrite that the kiosk writes was taken from it")
	}
	if second := w.restored(entry.Hex("epoch-number-002"), nil); second.Taken != 1 || w.rewrite(saleID(1)).Holder != "" {
		t.Errorf("another restore: %+v", second)
	}
}

// TestARestoreEndsTheBatch: what the kiosk asked for before is not approved any
// more, a repeat of the question changes nothing, and another restore ends the
// next batch.
func TestARestoreEndsTheBatch(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 10_00, testPIN), "00")
	known := map[entry.SaleID]fleetside.Known{saleID(1): {Here: true}}
	first := w.restored(epochOne, known, saleID(1))
	again := w.restored(epochOne, known, saleID(1))
	if first.LastSTAN != again.LastSTAN {
		t.Errorf("STAN %d, then %d", first.LastSTAN, again.LastSTAN)
	}
	w.pay(w.payment(saleID(2), 10_00, testPIN), "77") // late
	w.authorise(saleID(1), attempt(testNumber, 2, 1000, 10_00, 9), "77")
	old := w.batch
	w.signOn()
	if w.batch != old+1 {
		t.Errorf("batch %d after %d", w.batch, old)
	}
	w.restored(entry.Hex("epoch-number-002"), known, saleID(1))
	w.signOn()
	if w.batch != old+2 {
		t.Errorf("batch %d after the second restore", w.batch)
	}
	w.charged(10_00)
}

// TestWhatAJournalForgot: a payment that the restored journal has never heard
// of is the host's rewrite, with the write in doubt if there is one; never both
// a reversal and a rewrite.
func TestWhatAJournalForgot(t *testing.T) {
	w := newWorld(t, nil)
	lost := w.payment(saleID(1), 10_00, testPIN)
	w.pay(lost, "00")
	torn := w.payment(saleID(2), 20_00, testPIN)
	w.pay(torn, "00")
	a := w.authorise(saleID(2), attempt(testNumber, 2, 1000, 20_00, 2), "00")
	w.pay(w.payment(saleID(3), 30_00, testPIN), "00") // the lost entries had it going back
	w.pay(w.payment(saleID(4), 40_00, testPIN), "00") // and this one closed by a decision
	known := map[entry.SaleID]fleetside.Known{saleID(3): {Back: true}, saleID(4): {Closed: true}}
	got := w.restored(epochOne, known)
	if got.Taken != 2 {
		t.Fatalf("%d taken", got.Taken)
	}
	w.charged(70_00)
	w.reverse(lost, "C0") // the old machine comes back to life
	w.charged(70_00)
	if r := w.rewrite(saleID(1)); r == nil || r.Origin != "lost" || r.Card != testCard || r.Amount != 10_00 || r.doubt != 0 {
		t.Errorf("lost: %+v", r)
	}
	_, list, err := w.host.OpenRewrites(w.ctx())
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, r := range list {
		if (r.Attempt != nil) != (r.Sale == saleID(2)) {
			t.Errorf("%+v", r)
		}
		if r.Attempt != nil && (string(r.Attempt.Random) != string(a.Random) || r.Attempt.At != a.At || r.Attempt.OldBalance != 1000) {
			t.Errorf("the attempt of %+v", r.Attempt)
		}
	}
	if again := w.restored(epochOne, known); again.Taken != got.Taken || again.LastSTAN != got.LastSTAN {
		t.Errorf("the same query: %+v, and before %+v", again, got)
	}
	if _, list, err := w.host.OpenRewrites(w.ctx()); err != nil || len(list) != 2 {
		t.Errorf("taken twice: %+v, %v", list, err)
	}
	w.charged(70_00)
}

// TestARewriteInDoubtIsWrittenOnce: while the end of a forgotten write is
// unknown nobody is authorised, neither for the rewrite nor for another sale of
// the card; shown done it is over, shown not done it may be written once.
func TestARewriteInDoubtIsWrittenOnce(t *testing.T) {
	for _, done := range []bool{true, false} {
		w := newWorld(t, nil)
		w.pay(w.payment(saleID(1), 20_00, testPIN), "00")
		torn := w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 2), "00")
		w.restored(epochOne, nil)
		w.signOn()
		w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 10), "62")
		w.authorise(saleID(1), attempt(testNumber, 3, 3000, 20_00, 11), "62")
		for slot := range entry.Slot(2) {
			other, err := w.client.Eligible(w.ctx(), w.query(saleID(9), attempt(testNumber, 2+slot, 1000, 5_00, 12+uint32(slot)*50)))
			if err != nil || other.Code != "62" {
				t.Errorf("another sale of the card, slot %d: %+v, %v", 2+slot, other, err)
			}
		}
		if done {
			w.confirm(saleID(1), torn, tacOf(torn), "00")
			w.authorise(saleID(1), attempt(testNumber, 3, 3000, 20_00, 13), "C0")
			if r := w.rewrite(saleID(1)); r.State != "credited" {
				t.Errorf("%+v", r)
			}
			continue
		}
		w.void(saleID(1), torn, "00")
		a := w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 14), "00")
		second := w.connect("BUKA0002", 0)
		defer second.Close()
		if _, err := second.SignOn(w.ctx(), 1); err != nil {
			t.Fatal(err)
		}
		for slot := range entry.Slot(2) { // another kiosk, with an older list, for this slot or the next
			l, err := second.AuthoriseLoad(w.ctx(), switchlink.LoadQuery{STAN: 2 + uint32(slot), Batch: 1, Sale: saleID(1), Attempt: attempt(testNumber, 2+slot, 1000, 20_00, 15+uint32(slot))})
			if err != nil || l.Code != "62" {
				t.Errorf("two kiosks: %+v, %v", l, err)
			}
		}
		if _, list, err := w.host.OpenRewrites(w.ctx()); err != nil || len(list) != 0 {
			t.Errorf("offered to others while it is held: %+v, %v", list, err)
		}
		w.confirm(saleID(1), a, tacOf(a), "00")
		w.authorise(saleID(1), attempt(testNumber, 3, 3000, 20_00, 20), "C0")
		w.charged(20_00)
	}
}

// TestARemoteTopUp: paid elsewhere, loaded once, never given back by a kiosk.
func TestARemoteTopUp(t *testing.T) {
	w := newWorld(t, nil)
	before, _ := w.host.RewriteVersion(w.ctx())
	for range 2 {
		if err := w.host.Credit(w.ctx(), "REMOTE0000000001", testCard, 20_00); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.host.Credit(w.ctx(), "REMOTE0000000001", testCard, 30_00); !errors.Is(err, ErrOtherContent) {
		t.Errorf("other content: %v", err)
	}
	if after, _ := w.host.RewriteVersion(w.ctx()); after != before+1 {
		t.Errorf("version %d after %d", after, before)
	}
	const sale = entry.SaleID("REMOTE0000000001")
	w.authorise(sale, attempt(testNumber, 2, 1000, 30_00, 1), "64")
	w.authorise(sale, attempt("3105170010170907985", 2, 1000, 20_00, 2), "62")
	w.authorise("REMOTE0000000002", attempt(testNumber, 2, 1000, 20_00, 3), "25")
	a := w.authorise(sale, attempt(testNumber, 2, 1000, 20_00, 4), "00")
	w.void(sale, a, "00")
	if r := w.rewrite(sale); r.Holder != "" {
		t.Errorf("%+v", r)
	}
	a = w.authorise(sale, attempt(testNumber, 2, 1000, 20_00, 5), "00")
	w.confirm(sale, a, tacOf(a), "00")
	w.authorise(sale, attempt(testNumber, 3, 3000, 20_00, 6), "C0")
	if r := w.rewrite(sale); r.State != "credited" {
		t.Errorf("%+v", r)
	}
	w.charged(0)
}

// TestHandedOver: the host owns what a kiosk gives it, keeps the write in doubt
// in doubt, and what comes from before a restore changes nothing.
func TestHandedOver(t *testing.T) {
	w := newWorld(t, nil)
	torn := w.payment(saleID(1), 20_00, testPIN)
	w.pay(torn, "00")
	a := w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 2), "00")
	w.handOver(entry.HandedOver{Of: entry.Of{Sale: saleID(1)}, To: "host", Mine: true, From: testPlace}, false)
	r := w.rewrite(saleID(1))
	if r == nil || r.Origin != "handed-over" || r.doubt == 0 {
		t.Fatalf("%+v", r)
	}
	w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 3), "62")
	w.reverse(torn, "C0")
	w.void(saleID(1), a, "00")
	b := w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 4), "00") // the same kiosk has taken it
	w.handOver(entry.HandedOver{Of: entry.Of{Sale: saleID(1)}, To: "host", From: testPlace}, true)
	if r := w.rewrite(saleID(1)); r.Holder != testPlace {
		t.Errorf("an entry from before a restore was obeyed: %+v", r)
	}
	w.handOver(entry.HandedOver{Of: entry.Of{Sale: saleID(1)}, To: "host", From: "other/kiosk"}, false)
	if r := w.rewrite(saleID(1)); r.Holder != testPlace {
		t.Errorf("another kiosk gave it back: %+v", r)
	}
	w.handOver(entry.HandedOver{Of: entry.Of{Sale: saleID(1)}, To: "host", Mine: true, From: testPlace}, false)
	if r := w.rewrite(saleID(1)); r.Holder != "" || r.doubt == 0 {
		t.Errorf("%+v", r)
	}
	w.confirm(saleID(1), b, tacOf(b), "00")
	w.handOver(entry.HandedOver{Of: entry.Of{Sale: saleID(7)}, To: "host", From: testPlace}, false)
	if w.rewrite(saleID(7)) != nil {
		t.Error("a rewrite that nobody has paid for")
	}
	w.charged(20_00)
}

// TestARestoredKioskForgetsWhatItHeld: a rewrite of the host that the kiosk had
// taken in the lost entries is the host's again, with its write in doubt.
func TestARestoredKioskForgetsWhatItHeld(t *testing.T) {
	w := newWorld(t, nil)
	const sale = entry.SaleID("REMOTE0000000001")
	if err := w.host.Credit(w.ctx(), sale, testCard, 20_00); err != nil {
		t.Fatal(err)
	}
	w.authorise(sale, attempt(testNumber, 2, 1000, 20_00, 1), "00")
	kept := w.restored(epochOne, map[entry.SaleID]fleetside.Known{sale: {Here: true}}, sale)
	if f := w.fact(kept, sale); !f.Owned { // the backup may know it as its own sale, from before it was handed over
		t.Errorf("what the journal has open: %+v", f)
	}
	if r := w.rewrite(sale); r.Holder != "" || r.doubt == 0 {
		t.Errorf("%+v", r)
	}
	w.restored(entry.Hex("epoch-number-002"), nil)
	if r := w.rewrite(sale); r.Holder != "" || r.doubt == 0 {
		t.Errorf("%+v", r)
	}
}

// TestSettle: two people, and no money back while a write may have been done.
func TestSettle(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 20_00, testPIN), "00")
	a := w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 2), "00")
	w.restored(epochOne, nil)
	w.signOn()
	for _, people := range [][2]string{{"", "b"}, {"a", ""}, {"a", "a"}} {
		if err := w.host.Settle(w.ctx(), saleID(1), "decided", "x", people); !errors.Is(err, ErrTwoPeople) {
			t.Errorf("%v: %v", people, err)
		}
	}
	two := [2]string{"a", "b"}
	if err := w.host.Settle(w.ctx(), saleID(1), "returned", "x", two); !errors.Is(err, ErrInDoubt) {
		t.Errorf("in doubt: %v", err)
	}
	w.charged(20_00)
	w.void(saleID(1), a, "00")
	if err := w.host.Settle(w.ctx(), saleID(1), "returned", "x", two); err != nil {
		t.Error(err)
	}
	w.charged(0)
	w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 3), "25")
	if err := w.host.Settle(w.ctx(), saleID(1), "decided", "x", two); !errors.Is(err, ErrNoRewrite) {
		t.Errorf("twice: %v", err)
	}
}

// TestRefund: once, and not of what is on a card.
func TestRefund(t *testing.T) {
	w := newWorld(t, nil)
	p := w.payment(saleID(1), 20_00, testPIN)
	w.pay(p, "00")
	refund := func(f switchlink.Refund, want string) {
		t.Helper()
		got, err := w.client.Refund(w.ctx(), f)
		if err != nil || got.Code != want {
			t.Fatalf("refund: %+v, %v; want %s", got, err, want)
		}
	}
	if err := w.host.CloseBatch(w.ctx(), testMerchant, testTerminal); err != nil {
		t.Fatal(err)
	}
	w.signOn()
	good := switchlink.Refund{STAN: w.next(), Batch: w.batch, OrigSTAN: p.STAN, OrigBatch: p.Batch, Sale: p.Sale, Amount: p.Amount}
	other := good
	other.STAN, other.Amount = w.next(), 10_00
	refund(other, "64")
	other = good
	other.STAN, other.Sale = w.next(), saleID(2)
	refund(other, "12")
	other = good
	other.STAN, other.OrigSTAN = w.next(), 900
	refund(other, "25")
	w.charged(20_00)
	refund(good, "00")
	w.charged(0)
	good.Repeat = true
	refund(good, "00")
	again := good
	again.STAN = w.next()
	refund(again, "00") // no money is held
	w.reverse(p, "00")
	w.charged(0)
	changed := good
	changed.OrigSTAN++
	refund(changed, "94")
	w.authorise(saleID(1), attempt(testNumber, 2, 1000, 20_00, 1), "25")

	q := w.payment(saleID(3), 20_00, testPIN)
	w.pay(q, "00")
	a := w.authorise(saleID(3), attempt(testNumber, 2, 1000, 20_00, 2), "00")
	w.confirm(saleID(3), a, tacOf(a), "00")
	refund(switchlink.Refund{STAN: w.next(), Batch: w.batch, OrigSTAN: q.STAN, OrigBatch: q.Batch, Sale: q.Sale, Amount: q.Amount}, "C0")
	w.charged(20_00)
}

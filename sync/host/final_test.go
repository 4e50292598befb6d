package host

import (
	"strings"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/sync/switchlink"
)

// TestWhatIsFinal holds §5 of docs/protocols/switch.md, "which answer is the last":
// a final code stays whatever happens since and however often the message comes;
// after any other one nothing was done or stored, and the same message is taken.
func TestWhatIsFinal(t *testing.T) {
	w := newWorld(t, nil)
	w.pay(w.payment(saleID(1), 50_00, testPIN), "00")
	void := func(stan uint32, sale entry.SaleID, a entry.Attempt) *switchlink.Request {
		return &switchlink.Request{Kind: switchlink.KindVoid, STAN: stan, Batch: w.batch, Sale: sale, Amount: a.Amount, Attempt: a}
	}
	confirm := func(stan uint32, sale entry.SaleID, a entry.Attempt, tac entry.Hex) *switchlink.Request {
		r := void(stan, sale, a)
		r.Kind, r.Proof, r.By = switchlink.KindConfirm, entry.Proof{TAC: tac}, "card"
		return r
	}
	give := func(n uint32) entry.Attempt {
		return w.authorise(saleID(1), attempt(testNumber, 2, 10_00, 50_00, n), "00")
	}
	void1, done, doubted, gone := give(1), give(2), give(3), attempt(testNumber, 2, 10_00, 50_00, 4)
	type final struct {
		name string
		r    *switchlink.Request
		code string
	}
	asked := []final{
		{"a void of nothing, which is kept", void(w.next(), saleID(1), gone), "00"},
		{"a void of another sale's", void(w.next(), saleID(2), void1), "12"},
		{"a void", void(w.next(), saleID(1), void1), "00"},
		{"a confirmation of nothing", confirm(w.next(), saleID(1), attempt(testNumber, 9, 0, 50_00, 5), nil), "25"},
		{"a confirmation of another sale's", confirm(w.next(), saleID(2), doubted, tacOf(doubted)), "12"},
		{"a confirmation of what is void, without a TAC", confirm(w.next(), saleID(1), void1, nil), "12"},
		{"a TAC of what was never given", confirm(w.next(), saleID(1), gone, entry.Hex{1, 2, 3, 4}), "63"},
		{"a void of what is in dispute", void(w.next(), saleID(1), doubted), "C0"},
		{"a confirmation", confirm(w.next(), saleID(1), done, tacOf(done)), "00"},
		{"a void of what is confirmed", void(w.next(), saleID(1), done), "C0"},
	}
	again := func() {
		t.Helper()
		for _, f := range asked {
			if a := w.ask(f.r); a.Code != f.code {
				t.Errorf("%s: %s, want %s", f.name, a.Code, f.code)
			}
		}
	}
	again()
	for _, f := range asked { // under the same key, about something else: never taken
		other := *f.r
		other.Sale = saleID(7)
		asked = append(asked, final{f.name + ", the key again", &other, switchlink.CodeDuplicate})
	}
	again()
	if n := strings.Count(w.log.String(), "a void that is not done"); n != 3 {
		t.Errorf("%d voids that were not done are in the log, 3 were", n)
	}
	w.settle(w.batch, entry.Totals{Debit: 50_00, Debits: 1}, true)
	w.signOn()
	again()
}

// TestWhatIsNotFinal: 40 and 96 leave nothing behind.
func TestWhatIsNotFinal(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Authority = "127.0.0.1:0" })
	a := attempt(testNumber, 2, 10_00, 50_00, 1)
	v := switchlink.Void{STAN: w.next(), Batch: w.batch, Sale: saleID(1), Attempt: a}
	if got, err := w.client.VoidLoad(w.ctx(), v); err != nil || got.Code != codeNotHere {
		t.Fatalf("%+v, %v", got, err)
	}
	loads, err := switchlink.New(switchlink.Config{Addr: w.host.AuthorityAddr(), TerminalID: testTerminal, MerchantID: testMerchant, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer loads.Close()
	for _, step := range []struct{ change, want string }{
		{"CREATE TRIGGER full BEFORE INSERT ON answers BEGIN SELECT RAISE(ABORT, 'no room'); END", "96"},
		{"DROP TRIGGER full", "00"},
	} {
		if _, err := w.host.db.Exec(step.change); err != nil {
			t.Fatal(err)
		}
		if got, err := loads.VoidLoad(w.ctx(), v); err != nil || got.Code != step.want {
			t.Fatalf("%+v, %v; want %s", got, err, step.want)
		}
	}
}

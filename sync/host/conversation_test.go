package host

import (
	"bytes"
	"encoding/hex"
	"testing"

	"buka/internal/entry"
)

// TestConversation is a whole top-up with the keys, the card and the results of
// the computed set of reference/pboc-purse.md 1.8.
func TestConversation(t *testing.T) {
	w := newWorld(t, nil)
	sale := saleID(1)
	a := attempt(testNumber, 2, 0x0B22, 50_00, 0xA1B2C3D4)
	if hex.EncodeToString(a.MAC1) != "233e6c43" {
		t.Fatalf("MAC1 %v", a.MAC1)
	}
	if got, err := w.client.Eligible(w.ctx(), w.query(sale, a)); err != nil || got.Code != "00" {
		t.Fatalf("eligible: %+v, %v", got, err)
	}
	p := w.payment(sale, 50_00, testPIN)
	paid := w.pay(p, "00")
	if paid.Amount != 50_00 || len(paid.RRN) != 12 || len(paid.Auth) != 6 {
		t.Fatalf("%+v", paid)
	}
	w.charged(50_00)

	q := w.query(sale, a)
	load, err := w.client.AuthoriseLoad(w.ctx(), q)
	if err != nil || load.Code != "00" || load.MAC2.String() != "0c60f9f3" || load.At != "20260115093015" || len(load.RRN) != 12 {
		t.Fatalf("authorise: %+v, %v", load, err)
	}
	a.STAN, a.At = q.STAN, load.At
	tac := tacOf(a)
	if tac.String() != "f086742f" {
		t.Fatalf("TAC %v", tac)
	}
	for want, given := range map[entry.Opinion]entry.Hex{entry.Verified: tac, entry.Rejected: {1, 2, 3, 4}} {
		got, err := w.client.VerifyTAC(w.ctx(), w.query(sale, a), entry.Proof{Asked: 3, TAC: given})
		if err != nil || got != want {
			t.Fatalf("opinion %v, %v; want %v", got, err, want)
		}
	}
	w.confirm(sale, a, tac, "00")
	w.reverse(p, "C0")
	w.charged(50_00)
	w.authorise(sale, attempt(testNumber, 3, 0x0B22+50_00, 50_00, 7), "C0")
	got, err := w.host.Sale(w.ctx(), sale)
	if err != nil || got != (SaleState{Paid: 50_00, Credited: 50_00}) {
		t.Fatalf("%+v, %v", got, err)
	}
	secretsStayIn(t, w)
}

// secretsStayIn looks for PAN, PIN and PIN block in everything that is kept.
func secretsStayIn(t *testing.T, w *world) {
	t.Helper()
	block := pinBlock(t, w.ksn, testPIN, testPAN)
	kept := readAll(t, w.dir)
	for name, b := range map[string][]byte{"PAN": []byte(testPAN), "PAN, packed": {0x62, 0x25, 0x88, 0, 0, 0, 0, 1},
		"PIN": []byte(testPIN), "PIN block": block[:], "track": []byte("D3012201")} {
		if bytes.Contains(kept, b) {
			t.Errorf("the host keeps a %s", name)
		}
		if bytes.Contains([]byte(w.log.String()), b) {
			t.Errorf("the logs show a %s", name)
		}
	}
}

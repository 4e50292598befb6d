package switchlink

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
)

var (
	genAmount = rapid.Int64Range(0, int64(money.Max))
	genSTAN   = rapid.Uint32Range(0, MaxSTAN)
)

func genBytes(r *rapid.T, n int, label string) []byte {
	return rapid.SliceOfN(rapid.Byte(), n, n).Draw(r, label)
}

func genStamp(r *rapid.T) entry.Stamp {
	at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(r, "at"), 0)
	return entry.Stamp(at.UTC().Format(stampLayout))
}

func genCard(r *rapid.T) entry.Card {
	return entry.Card{Family: rapid.SampledFrom([]string{"tunion", "pboc"}).Draw(r, "family"),
		Number: rapid.StringMatching(`[0-9]{19}`).Draw(r, "number")}
}

func genAttempt(r *rapid.T) entry.Attempt {
	a := entry.Attempt{Card: genCard(r), Slot: entry.Slot(rapid.Uint32().Draw(r, "slot")),
		OldBalance: money.Fen(rapid.Int64Range(-1<<31, int64(money.Max)).Draw(r, "old")), Amount: money.Fen(genAmount.Draw(r, "amount")),
		Terminal: genBytes(r, 6, "terminal"), KeyVersion: rapid.Byte().Draw(r, "key version"), Algorithm: rapid.Byte().Draw(r, "algorithm"),
		Random: genBytes(r, 4, "random"), MAC1: genBytes(r, 4, "mac1"), STAN: genSTAN.Draw(r, "load stan")}
	if rapid.Bool().Draw(r, "dated") {
		a.At = genStamp(r)
	}
	return a
}

func genRequest(r *rapid.T, k Kind) *Request {
	q := &Request{Kind: k, Terminal: "BUKA0001", Merchant: "BUKAMERCHANT001", STAN: genSTAN.Draw(r, "stan"), Batch: genSTAN.Draw(r, "batch")}
	if k.numbered() {
		q.Exchange = rapid.Uint32Range(1, 1<<32-1).Draw(r, "exchange")
	}
	switch k {
	case KindSettle:
		q.Totals = entry.Totals{Debit: money.Fen(genAmount.Draw(r, "debit")), Debits: genSTAN.Draw(r, "debits"),
			Credit: money.Fen(genAmount.Draw(r, "credit")), Credits: genSTAN.Draw(r, "credits")}
		q.Repeat = rapid.Bool().Draw(r, "repeat")
	}
	if !k.carriesAmount() {
		return q
	}
	q.Sale = entry.SaleID(rapid.StringMatching(`[0-9A-Z]{16}`).Draw(r, "sale"))
	q.Amount = money.Fen(genAmount.Draw(r, "amount"))
	if k.carriesLoad() {
		q.Attempt = genAttempt(r)
		q.Amount = q.Attempt.Amount
	}
	switch k {
	case KindVerifyTAC:
		q.Proof = entry.Proof{Asked: entry.Slot(rapid.Uint32().Draw(r, "asked")), TAC: genBytes(r, 4, "tac")}
	case KindVerifyCounter:
		q.Probe = genAttempt(r)
	case KindConfirm:
		q.Repeat, q.By = rapid.Bool().Draw(r, "repeat"), "card"
		if rapid.Bool().Draw(r, "has tac") {
			q.Proof.TAC = genBytes(r, 4, "tac")
		}
	case KindRefund:
		q.Repeat, q.OrigBatch, q.OrigSTAN = rapid.Bool().Draw(r, "repeat"), genSTAN.Draw(r, "original batch"), rapid.Uint32Range(1, MaxSTAN).Draw(r, "original stan")
		if rapid.Bool().Draw(r, "approved") {
			q.RRN = "000000000017"
		}
	case KindVoid:
		q.Repeat = rapid.Bool().Draw(r, "repeat")
	case KindReverse:
		q.Repeat, q.Reason = rapid.Bool().Draw(r, "repeat"), ReasonNoAnswer
		if rapid.Bool().Draw(r, "approved") {
			q.RRN, q.Auth = "000000000017", "000017"
		}
		q.ICC, q.EntryMode = genICC(r), rapid.SampledFrom([]string{"", "051", "072"}).Draw(r, "entry mode")
	case KindUpload:
		q.OrigSTAN, q.OrigBatch, q.Credit = rapid.Uint32Range(1, MaxSTAN).Draw(r, "original"), q.Batch, rapid.Bool().Draw(r, "credit")
		q.Index, q.Last, q.Repeat = rapid.Uint32Range(1, 1<<32-1).Draw(r, "index"), rapid.Bool().Draw(r, "last"), rapid.Bool().Draw(r, "repeat")
		if q.Last {
			q.page = rapid.Uint32Range(0, 2).Draw(r, "page")
		}
	case KindScript:
		q.OrigSTAN, q.OrigBatch, q.ICC = rapid.Uint32Range(1, MaxSTAN).Draw(r, "original"), q.Batch, genICC(r)
		q.Repeat = rapid.Bool().Draw(r, "repeat")
	case KindPay:
		q.Card, q.Slot = genCard(r), entry.Slot(rapid.Uint32().Draw(r, "slot"))
		q.PAN, q.Expiry, q.EntryMode = rapid.StringMatching(`[0-9]{8,19}`).Draw(r, "pan"), "3012", "052"
		q.Track2, q.PSN = q.PAN+"D30122010000", rapid.SampledFrom([]string{"", "001"}).Draw(r, "psn")
		q.ICC = genICC(r)
		if q.PIN = genPIN(r); q.PIN != nil {
			q.EntryMode = "051"
		}
	}
	return q
}

// genPIN is a block of any scheme and format, or none.
func genPIN(r *rapid.T) *pin.Sealed {
	scheme := rapid.SampledFrom([]pin.Scheme{pin.TDESDUKPT, pin.AESDUKPT, pin.MasterSession}).Draw(r, "scheme")
	format := rapid.SampledFrom([]pin.Format{pin.Format0, pin.Format3, pin.Format4}).Draw(r, "format")
	if rapid.Bool().Draw(r, "no pin") {
		return nil
	}
	p, err := pin.NewSealed(scheme, format)
	if err != nil {
		r.Fatal(err)
	}
	copy(p.Bytes(), genBytes(r, 16, "block"))
	switch scheme {
	case pin.TDESDUKPT:
		p.KSN = pin.KSN(genBytes(r, 10, "ksn"))
	case pin.AESDUKPT:
		p.AESKSN = pin.AESKSN(genBytes(r, 12, "ksn"))
	}
	return p
}

// genICC is DE55 as it may be, in any order: the link does not read it.
func genICC(r *rapid.T) []byte {
	icc := rapid.SliceOfN(rapid.Byte(), 0, maxICC).Draw(r, "icc")
	if len(icc) == 0 {
		return nil
	}
	return icc
}

func genResponse(r *rapid.T, q *Request) Response {
	a := Response{Code: rapid.SampledFrom([]string{"00", "51", "C0"}).Draw(r, "code"), RRN: "000000000017"}
	ok := a.Code == CodeApproved
	switch q.Kind {
	case KindSignOn:
		if ok {
			a.Batch, a.LastSTAN = genSTAN.Draw(r, "batch"), genSTAN.Draw(r, "last")
			a.At, _ = time.Parse(stampLayout, string(genStamp(r)))
		}
	case KindPay, KindQuery:
		if ok {
			a.Amount, a.Auth = q.Amount, "000017"
		}
		a.ICC = genICC(r)
	case KindSettle:
		a.Balanced = ok && rapid.Bool().Draw(r, "balanced")
	case KindUpload:
		if ok && q.Last {
			a.Differs = rapid.SliceOfN(rapid.Custom(genDifference), int(q.page)*pageSize+min(1, int(q.page)), 3*pageSize).Draw(r, "differs")
			if len(a.Differs) == 0 {
				a.Differs, a.Balanced = nil, true
			}
		}
	case KindAuthorise:
		if ok {
			a.MAC2, a.Stamp = genBytes(r, 4, "mac2"), genStamp(r)
		}
	case KindVerifyTAC:
		if ok {
			a.Opinion = entry.Rejected
		}
	case KindVerifyCounter:
		if ok {
			a.Counter = entry.Counter{Value: q.Probe.Slot, MAC1: entry.Verified, Fresh: true, Ledger: entry.LedgerOthers}
		}
	}
	return a
}

// TestEveryKindThereAndBack goes through the bytes of the wire with requests and
// answers of every kind.
func TestEveryKindThereAndBack(t *testing.T) {
	secrets := cmp.Options{cmp.AllowUnexported(Request{}, Response{}), cmp.Comparer(func(a, b *pin.Sealed) bool {
		return a == b || a != nil && b != nil && a.Scheme == b.Scheme && a.Layout == b.Layout && a.KSN == b.KSN && a.AESKSN == b.AESKSN &&
			bytes.Equal(a.Bytes(), b.Bytes())
	})}
	for _, spec := range []*Spec{UnionPay(), ASCII87()} {
		for k := range spec.shapes {
			t.Run(spec.Name+"/"+k.String(), func(t *testing.T) {
				rapid.Check(t, func(r *rapid.T) {
					q := genRequest(r, k)
					if k == KindSignOn {
						q.Net = spec.shapes[k].net
					}
					got, err := spec.DecodeRequest(overWire(r, must(r)(spec.EncodeRequest(q))))
					if err != nil {
						r.Fatal(err)
					}
					if k == KindPay && (q.PIN == nil) != (got.PIN == nil) {
						r.Fatal("a PIN came or went")
					}
					q.Repeat = q.Repeat && spec.shapes[k].again != spec.shapes[k].mti // else nobody can see it
					if d := cmp.Diff(q, got, secrets); d != "" {
						r.Fatalf("request: %s", d)
					}
					a := genResponse(r, q)
					back, err := spec.DecodeResponse(q, overWire(r, must(r)(spec.EncodeResponse(q, a))))
					if err != nil {
						r.Fatal(err)
					}
					if k == KindUpload && len(a.Differs) > 0 { // a page of them comes
						a.pages, a.Differs = pagesOf(a.Differs), a.Differs[q.page*pageSize:]
						a.Differs = a.Differs[:min(pageSize, len(a.Differs))]
					}
					if d := cmp.Diff(a, back, secrets); d != "" {
						r.Fatalf("answer: %s", d)
					}
				})
			})
		}
	}
}

func genDifference(r *rapid.T) entry.Difference {
	return entry.Difference{Sale: entry.SaleID(rapid.StringMatching(`[0-9A-Z]{1,16}`).Draw(r, "sale")), STAN: genSTAN.Draw(r, "stan"),
		Kiosk: money.Fen(rapid.Int32().Draw(r, "kiosk")), Host: money.Fen(rapid.Int32().Draw(r, "host"))}
}

func must(r *rapid.T) func(*Message, error) *Message {
	return func(m *Message, err error) *Message {
		if err != nil {
			r.Fatal(err)
		}
		return m
	}
}

func overWire(r *rapid.T, m *Message) *Message {
	b, err := m.Pack()
	if err != nil {
		r.Fatal(err)
	}
	back, err := m.spec.Unpack(b)
	if err != nil {
		r.Fatal(err)
	}
	return back
}

// TestEchoesAreCompared changes each identifier of an approval, and takes it
// away: both count as no answer.
func TestEchoesAreCompared(t *testing.T) {
	q := &Request{Kind: KindPay, Terminal: "BUKA0001", Merchant: "BUKAMERCHANT001", STAN: 7, Batch: 3, Amount: 50_00}
	for _, de := range []int{3, 4, 11, 41, 42, 39} {
		for _, gone := range []bool{true, false} {
			m, err := UnionPay().EncodeResponse(q, Response{Code: "00"})
			if err != nil {
				t.Fatal(err)
			}
			if gone {
				delete(m.Fields, de)
			} else {
				m.Fields[de][0]++
			}
			if _, err := UnionPay().DecodeResponse(q, m); err == nil && de != 39 {
				t.Errorf("DE%d gone=%v was taken", de, gone)
			}
		}
	}
	m, _ := UnionPay().EncodeResponse(q, Response{Code: CodePartial, Amount: 20_00})
	if a, err := UnionPay().DecodeResponse(q, m); err != nil || a.Amount != 20_00 {
		t.Errorf("a partial approval: %+v, %v", a, err)
	}
	declined, _ := UnionPay().EncodeResponse(q, Response{Code: "96"})
	for _, de := range []int{3, 4, 42} { // hosts leave them out when they decline
		delete(declined.Fields, de)
	}
	if a, err := UnionPay().DecodeResponse(q, declined); err != nil || a.Code != "96" {
		t.Errorf("a short decline: %+v, %v", a, err)
	}
	reversal, _ := UnionPay().EncodeResponse(&Request{Kind: KindReverse, Terminal: q.Terminal, Merchant: q.Merchant, STAN: 7, Batch: 3, Amount: 50_00}, Response{Code: "00"})
	if _, err := UnionPay().DecodeResponse(q, reversal); err == nil {
		t.Error("a 0410 answered a payment")
	}
}

func TestRequestsThatCannotBeSent(t *testing.T) {
	good := func() *Request {
		return &Request{Kind: KindPay, Terminal: "BUKA0001", Merchant: "BUKAMERCHANT001", Sale: "S", Amount: 1,
			Card: entry.Card{Family: "tunion", Number: "1"}, PAN: "6225880000000001", EntryMode: "051"}
	}
	if _, err := UnionPay().EncodeRequest(good()); err != nil {
		t.Fatal(err)
	}
	for i, change := range []func(*Request){
		func(r *Request) { r.Kind = 99 }, func(r *Request) { r.STAN = 1_000_000 }, func(r *Request) { r.Batch = 1_000_000 },
		func(r *Request) { r.Terminal = "x" }, func(r *Request) { r.Merchant = "" }, func(r *Request) { r.Amount = -1 },
		func(r *Request) { r.Amount = money.Max + 1 }, func(r *Request) { r.Sale = "" }, func(r *Request) { r.Sale = "lower" },
		func(r *Request) { r.Sale = "12345678901234567" }, func(r *Request) { r.Card.Number = "x" }, func(r *Request) { r.Card.Family = "" },
		func(r *Request) { r.PAN = "1" }, func(r *Request) { r.PSN = "1234" },
	} {
		r := good()
		change(r)
		if _, err := UnionPay().EncodeRequest(r); err == nil {
			t.Error(fmt.Sprint("case ", i, " was taken"))
		}
	}
}

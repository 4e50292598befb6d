package switchlink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
)

// TestSettlement: totals go there and the result comes back, also where there are
// more payments than DE48 can count.
func TestSettlement(t *testing.T) {
	for _, spec := range []*Spec{UnionPay(), ASCII87()} {
		var got []entry.Totals
		_, addr := serve(t, ServerConfig{Spec: spec, Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
			if r.Kind != KindSettle {
				return Response{Code: "00"}, true
			}
			got = append(got, r.Totals)
			if r.STAN == 4 {
				return Response{Code: CodeNotFound}, true
			}
			return Response{Code: "00", Balanced: r.Totals.Credits == 0}, true
		})})
		c := dialTo(t, Config{Addr: addr, Spec: spec, Timeout: 20 * time.Second})
		var want []entry.Totals
		for i, totals := range []entry.Totals{
			{}, {Debit: 5_00, Debits: 1}, {Debit: 250_000_00, Debits: 5000, Credit: 7, Credits: 1000}, {Debit: 999_999_999_999, Debits: 999, Credits: 999},
		} {
			want = append(want, totals)
			s, err := c.Settle(bg(), Settlement{STAN: uint32(i + 1), Batch: 7, Totals: totals})
			if i == 3 {
				if err != nil || s.Code != CodeNotFound {
					t.Errorf("%+v, %v", s, err)
				}
				continue
			}
			if err != nil || s.Code != "00" || s.Balanced != (totals.Credits == 0) {
				t.Errorf("%+v: %+v, %v", totals, s, err)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the host counted %+v", got)
		}
		if _, err := c.Settle(bg(), Settlement{STAN: 9, Batch: 7, Totals: entry.Totals{Debit: maxTotal + 1}}); !errors.Is(err, ErrNotSent) {
			t.Error(err)
		}
	}
}

// TestSettlementOnTheWire: DE48 has the 62 digits of UnionPay, and the exact
// counts stand beside it only where it cannot hold them.
func TestSettlementOnTheWire(t *testing.T) {
	r := wholeRequest(KindSettle, 42)
	r.Totals = entry.Totals{Debit: 123_45, Debits: 17, Credit: 6_78, Credits: 9}
	m, err := UnionPay().EncodeRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	want := "000000012345" + "017" + "000000000678" + "009" + "0" + strings.Repeat("0", 31)
	if m.MTI != "0500" || m.Text(48) != want || m.Text(60) != "00000007201" || m.Text(49) != "156" || m.Fields[59] != nil {
		t.Errorf("%s %q %q %X", m.MTI, m.Text(48), m.Text(60), m.Fields[59])
	}
	a, err := UnionPay().EncodeResponse(r, Response{Code: "00"})
	if err != nil || a.MTI != "0510" || a.Text(48) != want[:30]+"2"+want[31:61]+"2" {
		t.Errorf("%v %q", err, a.Text(48))
	}
	for name, change := range map[string]func(*Message){
		"no DE48":     func(m *Message) { delete(m.Fields, 48) },
		"no result":   func(m *Message) { m.set(48, want) },
		"an error":    func(m *Message) { m.set(48, want[:30]+"3"+want[31:]) },
		"a short one": func(m *Message) { m.set(48, want[:31]) },
	} {
		bad, _ := UnionPay().EncodeResponse(r, Response{Code: "00", Balanced: true})
		change(bad)
		if got, err := UnionPay().DecodeResponse(r, bad); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, change := range map[string]func(*Message){
		"foreign": func(m *Message) { m.set(48, want[:31]+"1"+want[32:]) },
		"counts":  func(m *Message) { m.Fields[59] = append([]byte{0xDF, 0x0A, 8}, make([]byte, 8)...) },
		"short":   func(m *Message) { m.set(48, want[:61]) },
	} {
		bad, _ := UnionPay().EncodeRequest(r)
		change(bad)
		if got, err := UnionPay().DecodeRequest(bad); err == nil {
			t.Errorf("%s: %+v", name, got.Totals)
		}
	}
}

// TestUpload sends a batch one by one; what the host found comes back whole, in
// as many messages as it needs, and an answer to another upload is not taken.
func TestUpload(t *testing.T) {
	for _, n := range []int{0, 1, pageSize, pageSize + 1, 5*pageSize + 3} {
		for _, spec := range []*Spec{UnionPay(), ASCII87()} {
			t.Run(fmt.Sprint(spec.Name, "/", n), func(t *testing.T) {
				var differs []entry.Difference
				for i := range n {
					differs = append(differs, entry.Difference{Sale: entry.SaleID(fmt.Sprintf("SALE%d", i)), STAN: uint32(i), Kiosk: -money.Fen(i), Host: 5_00})
				}
				var mu sync.Mutex
				asked := map[uint32]int{}
				_, addr := serve(t, ServerConfig{Spec: spec, Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
					if r.Kind != KindUpload {
						return Response{Code: "00"}, true
					}
					mu.Lock()
					defer mu.Unlock()
					asked[r.Index]++
					if want := (r.Index == 2); r.Credit != want || r.Last != (r.Index == 3) || r.OrigSTAN != r.Index+100 || r.OrigBatch != 7 || r.STAN != 42 {
						t.Errorf("%+v", r)
					}
					if !r.Last {
						return Response{Code: "00"}, true
					}
					return Response{Code: "00", Balanced: n == 0, Differs: differs}, true
				})})
				c := dialTo(t, Config{Addr: addr, Spec: spec, Timeout: 20 * time.Second})
				for i := uint32(1); i <= 3; i++ {
					got, err := c.Upload(bg(), Upload{STAN: 42, Batch: 7, Index: i, Last: i == 3, Sale: "S", OrigSTAN: 100 + i, Amount: 5_00, Credit: i == 2})
					want := Uploaded{Code: "00"}
					if i == 3 {
						want.Balanced, want.Differs = n == 0, differs
					}
					if err != nil || !reflect.DeepEqual(got, want) {
						t.Fatalf("%d: %+v, %v", i, got, err)
					}
				}
				if pages := max(1, (n+pageSize-1)/pageSize); asked[1] != 1 || asked[2] != 1 || asked[3] != pages {
					t.Errorf("%v: the last one %d times", asked, pages)
				}
			})
		}
	}
}

// TestStaleUpload: an upload that is repeated, and the next one under the same
// STAN, do not take the answer to the one before.
func TestStaleUpload(t *testing.T) {
	h := newRawHost(t)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second})
	ctx, cancel := context.WithCancel(bg())
	done := make(chan error, 1)
	up := Upload{STAN: 42, Batch: 7, Index: 1, Sale: "S", OrigSTAN: 5, Amount: 5_00}
	go func() {
		_, err := c.Upload(ctx, up)
		done <- err
	}()
	first := h.next()
	cancel()
	if err := <-done; !errors.Is(err, ErrNoAnswer) {
		t.Fatal(err)
	}
	up.Index, up.Last = 2, true
	go func() {
		u, err := c.Upload(bg(), up)
		if err == nil && (!u.Balanced || len(u.Differs) > 0) {
			err = fmt.Errorf("%+v", u)
		}
		done <- err
	}()
	last := h.next()
	first.answer(t, Response{Code: "30"})
	last.answer(t, Response{Code: "00", Balanced: true})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestEmptyUpload: a kiosk that has nothing of a batch ends the upload at once; no
// other upload goes without a sale.
func TestEmptyUpload(t *testing.T) {
	for _, spec := range []*Spec{UnionPay(), ASCII87()} {
		_, addr := serve(t, ServerConfig{Spec: spec, Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
			if r.Kind == KindUpload && (r.Sale != "" || r.Amount != 0 || !r.Last || r.Index != 1) {
				t.Errorf("%+v", r)
			}
			return Response{Code: "00", Differs: []entry.Difference{{Sale: "S", STAN: 5, Host: 5_00}}}, true
		})})
		c := dialTo(t, Config{Addr: addr, Spec: spec, Timeout: 20 * time.Second})
		u := Upload{STAN: 42, Batch: 7, Index: 1, Last: true, OrigSTAN: 42}
		if got, err := c.Upload(bg(), u); err != nil || len(got.Differs) != 1 || got.Balanced {
			t.Errorf("%+v, %v", got, err)
		}
		for _, change := range []func(*Upload){func(u *Upload) { u.Last = false }, func(u *Upload) { u.Amount = 1 }, func(u *Upload) { u.Index = 0 }, func(u *Upload) { u.OrigSTAN = 0 }} {
			bad := u
			change(&bad)
			if _, err := c.Upload(bg(), bad); !errors.Is(err, ErrNotSent) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	}
}

// TestPagesAreCompared: a page that was not asked for, and one that cannot be, is
// no answer.
func TestPagesAreCompared(t *testing.T) {
	q := wholeRequest(KindUpload, 42)
	q.Last, q.page = true, 1
	a := Response{Code: "00", Differs: make([]entry.Difference, 3*pageSize)}
	for i := range a.Differs {
		a.Differs[i].Sale = "S"
	}
	other := *q
	other.page = 2
	for name, change := range map[string]func(*Message){
		"right":        func(*Message) {},
		"another page": func(m *Message) { o, _ := UnionPay().EncodeResponse(&other, a); m.Fields[59] = o.Fields[59] },
		"no page":      func(m *Message) { m.Fields[59] = []byte{0xDF, 0x0E, 1, 2} },
		"no result":    func(m *Message) { delete(m.Fields, 59) },
		"half a line":  func(m *Message) { m.Fields[62] = m.Fields[62][:40] },
		"nothing":      func(m *Message) { delete(m.Fields, 62) },
		"balanced": func(m *Message) {
			m.Fields[59] = bytes.Replace(m.Fields[59], []byte{0xDF, 0x0E, 1, 2}, []byte{0xDF, 0x0E, 1, 1}, 1)
		},
		"a sale id": func(m *Message) { m.Fields[62][0] = '*' },
	} {
		m, err := UnionPay().EncodeResponse(q, a)
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		if got, err := UnionPay().DecodeResponse(q, m); (err == nil) != (name == "right") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	other.page = 3
	if _, err := UnionPay().EncodeResponse(&other, a); err == nil {
		t.Error("a page that is not there")
	}
}

// TestScriptResult: the chip's objects arrive as they are, in their order.
func TestScriptResult(t *testing.T) {
	icc := unhexed("DF310500000000009F2608112233445566778895050080008000")
	var got *Request
	_, addr := serve(t, ServerConfig{Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
		if r.Kind == KindScript {
			got = r
		}
		return Response{Code: "00"}, true
	})})
	c := dialTo(t, Config{Addr: addr, Timeout: 20 * time.Second})
	a, err := c.ScriptResult(bg(), Script{STAN: 9, Batch: 7, OrigSTAN: 5, Sale: "S", Amount: 5_00, RRN: "260115000001", ICC: icc, Repeat: true})
	if err != nil || a.Code != "00" {
		t.Fatal(a, err)
	}
	if !bytes.Equal(got.ICC, icc) || got.OrigSTAN != 5 || got.OrigBatch != 7 || got.STAN != 9 || !got.Repeat || got.RRN != "260115000001" {
		t.Errorf("%+v", got)
	}
}

// TestICC goes both ways with a payment.
func TestICC(t *testing.T) {
	there, back := bytes.Repeat([]byte{0x9F}, maxICC), unhexed("910A11223344556677883030720F9F18040000000186068424000004")
	_, addr := serve(t, ServerConfig{Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
		if r.Kind != KindEcho && !bytes.Equal(r.ICC, there) {
			t.Errorf("%v: %X", r.Kind, r.ICC)
		}
		return Response{Code: "00", Amount: r.Amount, ICC: back}, true
	})})
	c := dialTo(t, Config{Addr: addr, Timeout: 20 * time.Second})
	p := testPayment(1)
	p.ICC = there
	if paid, err := c.Pay(bg(), p); err != nil || !bytes.Equal(paid.ICC, back) {
		t.Errorf("%X, %v", paid.ICC, err)
	}
	if there[0] != 0x9F {
		t.Error("the caller's data was wiped")
	}
	r := testReversal(1)
	r.ICC = there
	if _, err := c.Reverse(bg(), r); err != nil {
		t.Error(err)
	}
}

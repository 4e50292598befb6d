package switchlink

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"buka/internal/mac"
)

// TestThirdSpec: an acquirer who counts, frames and arranges otherwise is a file.
// Every kind goes over a real link in it, with MACs.
func TestThirdSpec(t *testing.T) {
	file, err := os.ReadFile("testdata/third.json")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := LoadSpec(file)
	if err != nil {
		t.Fatal(err)
	}
	key := testKey{mac.X919, unhex(t, "0123456789ABCDEFFEDCBA9876543210")}
	var mu sync.Mutex
	seen := map[Kind]*Request{}
	_, addr := serve(t, ServerConfig{Spec: spec, MAC: func(context.Context, string, string) (Authenticator, error) { return key, nil },
		Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
			mu.Lock()
			seen[r.Kind] = r
			mu.Unlock()
			a := Response{Code: "00", At: time.Now(), Amount: r.Amount, Batch: 7, MAC2: []byte{1, 2, 3, 4}, Stamp: "20260115093015"}
			a.Counter.Value = r.Probe.Slot
			return a, true
		})})
	c := dialTo(t, Config{Addr: addr, Spec: spec, MAC: key, Timeout: 20 * time.Second})
	for k := range kindNames {
		a, err := c.ask(bg(), wholeRequest(k, 42))
		if err != nil || a.Code != "00" {
			t.Errorf("%v: %+v, %v", k, a, err)
		}
		mu.Lock()
		got := seen[k]
		mu.Unlock()
		if got == nil || got.STAN != 42 || k != KindSignOn && k != KindEcho && got.Batch != 7 {
			t.Errorf("%v: the host has %+v", k, got)
		}
	}
	if spec.MTI(KindReverse) != "0420" || spec.AnswerMTI(KindReverse) != "0430" {
		t.Error("not this file's reversal")
	}
	rapid.Check(t, func(r *rapid.T) {
		q := genRequest(r, KindPay)
		if got, err := spec.DecodeRequest(overWire(r, must(r)(spec.EncodeRequest(q)))); err != nil || !samePIN(got.PIN, q.PIN) || got.PAN != q.PAN {
			r.Fatal(err)
		}
	})
	testRepeats(t, spec, map[Kind]string{KindReverse: "0421", KindSettle: "0520", KindConfirm: "0221"})
}

// testRepeats: a repeat has the MTI that the file gives it, and nothing else in it is
// another; a host of this file takes both forms.
func testRepeats(t *testing.T, spec *Spec, forms map[Kind]string) {
	t.Helper()
	for k, form := range forms {
		first := wholeRequest(k, 42)
		repeat := *first
		repeat.Repeat = true
		m, err1 := spec.EncodeRequest(first)
		again, err2 := spec.EncodeRequest(&repeat)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if m.MTI != spec.MTI(k) || again.MTI != form || !reflect.DeepEqual(m.Fields, again.Fields) {
			t.Errorf("%v: %s %v, again %s %v", k, m.MTI, m.Fields, again.MTI, again.Fields)
		}
		for _, origin := range "01" {
			m.MTI = spec.MTI(k)[:3] + string(origin)
			if got, err := spec.DecodeRequest(m); err != nil || got.Kind != k || got.STAN != 42 || got.Repeat != (origin == '1') {
				t.Errorf("%s: %+v, %v", m.MTI, got, err)
			}
		}
	}
}

// TestRepeatForms: UnionPay terminals send a reversal again as 0400.
func TestRepeatForms(t *testing.T) {
	testRepeats(t, UnionPay(), map[Kind]string{KindReverse: "0400", KindConfirm: "0221", KindVoid: "0221", KindRefund: "0221", KindSettle: "0501", KindUpload: "0321", KindScript: "0621"})
	testRepeats(t, ASCII87(), map[Kind]string{KindReverse: "0401", KindConfirm: "0221", KindVoid: "0221", KindRefund: "0221", KindSettle: "0501", KindUpload: "0321", KindScript: "0621"})
	file, err := specFiles.ReadFile("specs/unionpay.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, again := range []string{"0402", "0410", "040", "04000", "0200"} {
		if s, err := LoadSpec(bytes.Replace(file, []byte(`"again": "0400"`), []byte(`"again": "`+again+`"`), 1)); err == nil {
			t.Errorf("%s: %v", again, s.Name)
		}
	}
}

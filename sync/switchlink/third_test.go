package switchlink

import (
	"context"
	"os"
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
}

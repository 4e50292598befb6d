package switchlink

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// TestOutOfStep: what a host says about keys and batches makes the kiosk sign on
// again; what it says about a sign-on itself does not.
func TestOutOfStep(t *testing.T) {
	h := newRawHost(t)
	var mu sync.Mutex
	var wanted []byte
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second, OnRequirement: func(b byte) {
		mu.Lock()
		defer mu.Unlock()
		wanted = append(wanted, b)
	}})
	after := func(code string, signOn bool, header byte) []byte {
		mu.Lock()
		wanted = nil
		mu.Unlock()
		go func() {
			in := h.next()
			in.f.Header = slices.Clone(in.f.Header)
			in.f.Header[2] = in.f.Header[2]&0xF0 | header
			in.answer(t, Response{Code: code, At: time.Now(), Batch: 7})
		}()
		var err error
		if signOn {
			_, err = c.SignOn(bg(), 1)
		} else {
			_, err = c.Reverse(bg(), testReversal(1))
		}
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return wanted
	}
	for _, code := range []string{"22", "77", "99", "A0", "A7"} {
		if got := after(code, false, 0); !slices.Equal(got, []byte{RequireSignOn}) {
			t.Errorf("%s: %v", code, got)
		}
		if got := after(code, true, 0); got != nil {
			t.Errorf("sign-on answered %s: %v", code, got)
		}
	}
	for _, code := range []string{"00", "25", "96"} {
		if got := after(code, false, 0); got != nil {
			t.Errorf("%s: %v", code, got)
		}
	}
	if got := after("00", false, 3); !slices.Equal(got, []byte{3}) {
		t.Errorf("the header: %v", got)
	}
}

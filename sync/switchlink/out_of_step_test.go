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
	inStep := 0
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second, OnRequirement: func(b byte) {
		mu.Lock()
		defer mu.Unlock()
		wanted = append(wanted, b)
	}, OnInStep: func() {
		mu.Lock()
		defer mu.Unlock()
		inStep++
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
	if inStep != 3 {
		t.Errorf("told of %d answers with which the host wants nothing, of 3", inStep)
	}
	if got := after("00", true, 3); got != nil {
		t.Errorf("the header of a sign-on's own answer: %v", got)
	}
	if got := after("00", true, 4); !slices.Equal(got, []byte{4}) {
		t.Errorf("a sign-on's answer that wants other keys: %v", got)
	}

	older := make(chan error, 1) // what was sent before a sign-on says nothing about it
	go func() { _, err := c.Reverse(bg(), testReversal(2)); older <- err }()
	late := h.next()
	after("00", true, 0)
	late.answer(t, Response{Code: CodeBadMAC, At: time.Now()})
	if err := <-older; err != nil || wanted != nil || inStep != 3 {
		t.Errorf("an answer to an older message: %v, wanted %v, in step %d", err, wanted, inStep)
	}
}

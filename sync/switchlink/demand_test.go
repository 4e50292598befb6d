package switchlink

import (
	"errors"
	"slices"
	"testing"
	"time"

	"buka/internal/mac"
)

// TestADemandInALateAnswer: what the host wants in a header counts, whoever has gone
// that the answer was for; but not in an answer to a sign-on, which is over.
func TestADemandInALateAnswer(t *testing.T) {
	h := newRawHost(t)
	wanted := make(chan byte, 8)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Timeout: 20 * time.Second, OnRequirement: func(b byte) { wanted <- b }})
	late := func(signOn bool) {
		done := make(chan error, 1)
		go func() {
			var err error
			if signOn {
				_, err = c.SignOn(bg(), 9)
			} else {
				_, err = c.Reverse(bg(), testReversal(9))
			}
			done <- err
		}()
		in := h.next()
		in.answer(t, Response{Code: "00", At: time.Now(), Batch: 7})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		in.f.Header = slices.Clone(in.f.Header)
		in.f.Header[2] = in.f.Header[2]&0xF0 | RequireSignOn
		in.answer(t, Response{Code: "00", At: time.Now(), Batch: 7}) // nobody waits for it
	}
	late(true)
	late(false)
	select {
	case b := <-wanted:
		if b != RequireSignOn {
			t.Error(b)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the demand was not heard")
	}
	c.Close()
	if len(wanted) > 0 {
		t.Error("the demand in the answer to a sign-on was heard too")
	}
}

// TestKeysThatTheAlgorithmCannotUse are refused as a whole, and the old ones stay.
func TestKeysThatTheAlgorithmCannotUse(t *testing.T) {
	master := tdes(t, unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	long, short := tdes(t, unhex(t, "1123456789ABCDEFFEDCBA9876543211")), tdes(t, unhex(t, "2123456789ABCDEF"))
	r := NewRing(mac.X99, master)
	good, err := sealKeys(master, long, short, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Take(good); err != nil {
		t.Fatal(err)
	}
	before, err := r.MAC([]byte("a message"))
	if err != nil {
		t.Fatal(err)
	}
	bad, err := sealKeys(master, long, long, nil) // X9.9 has one half
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Take(bad); !errors.Is(err, ErrKeys) {
		t.Errorf("%v", err)
	}
	if after, err := r.MAC([]byte("a message")); err != nil || after != before || !r.Ready() {
		t.Errorf("the keys that were there are gone: %v", err)
	}
	for _, a := range []mac.Algorithm{mac.UnionPayECB, mac.X919} {
		if err := NewRing(a, master).Take(bad); err != nil {
			t.Errorf("%v: %v", a, err)
		}
	}
}

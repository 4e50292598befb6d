package switchlink

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"buka/internal/mac"
)

// testKey is an authenticator with its key in memory.
type testKey struct {
	algorithm mac.Algorithm
	key       []byte
}

func (k testKey) MAC(mab []byte) ([macBytes]byte, error) {
	return mac.Sum(k.algorithm, k.key, mab)
}

// TestUnionPaySampleMAC: the MAC of the public 0200 agrees, over the raw bytes.
func TestUnionPaySampleMAC(t *testing.T) {
	var v struct{ Message string }
	raw, err := os.ReadFile("testdata/unionpay-0200.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	k := testKey{mac.UnionPayECB, unhex(t, "C24A8FB57AA20123")}
	wire := unhex(t, v.Message)
	m, err := UnionPay().Unpack(wire)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.checkSeal(k); err != nil {
		t.Error(err)
	}
	for at := range len(wire) - macBytes {
		bad := append([]byte(nil), wire...)
		bad[at] ^= 1
		if m, err := UnionPay().Unpack(bad); err == nil && m.checkSeal(k) == nil {
			t.Errorf("byte %d may be changed", at)
		}
	}
}

// TestSealedLink: both ends have the key, in every algorithm and both specs; an
// answer with another key, or none, is no answer; a request with a bad MAC
// never reaches the handler.
func TestSealedLink(t *testing.T) {
	key := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	for _, spec := range []*Spec{UnionPay(), ASCII87()} {
		for _, k := range []testKey{{mac.UnionPayECB, key}, {mac.X99, key[:8]}, {mac.X919, key}} {
			t.Run(spec.Name+"/"+k.algorithm.String(), func(t *testing.T) {
				other := testKey{k.algorithm, append([]byte{0x98}, k.key[1:]...)}
				handled := 0
				hostKey, mute := k, false
				_, addr := serve(t, ServerConfig{Spec: spec,
					MAC: func(context.Context, string, string) (Authenticator, error) {
						if mute {
							return nil, nil
						}
						return hostKey, nil
					},
					Handler: handlerFunc(func(_ context.Context, r *Request) (Response, bool) {
						if r.Kind == KindPay {
							handled++
						}
						return Response{Code: "00", At: time.Now(), Amount: r.Amount}, true
					})})
				c := dialTo(t, Config{Addr: addr, Spec: spec, MAC: k, Timeout: 20 * time.Second})
				if paid, err := c.Pay(bg(), testPayment(1)); err != nil || paid.Code != "00" || handled != 1 {
					t.Fatalf("%+v, %v, handled %d", paid, err, handled)
				}
				if _, err := c.SignOn(bg(), 2); errors.Is(err, ErrBadMAC) {
					t.Errorf("sign-on has no MAC: %v", err)
				}
				hostKey = other
				if paid, err := c.Pay(bg(), testPayment(3)); !errors.Is(err, ErrBadMAC) || !errors.Is(err, ErrNoAnswer) || handled != 1 {
					t.Errorf("another key: %+v, %v, handled %d", paid, err, handled)
				}
				mute = true
				if paid, err := c.Pay(bg(), testPayment(4)); !errors.Is(err, ErrBadMAC) {
					t.Errorf("no MAC in the answer: %+v, %v", paid, err)
				}
			})
		}
	}
}

// TestUnsealedRequestIsRefused: a host with keys does not take a message without
// a MAC, and answers A0.
func TestUnsealedRequestIsRefused(t *testing.T) {
	k := testKey{mac.X99, unhex(t, "0123456789ABCDEF")}
	_, addr := serve(t, ServerConfig{
		MAC:     func(context.Context, string, string) (Authenticator, error) { return k, nil },
		Handler: handlerFunc(func(context.Context, *Request) (Response, bool) { return Response{Code: "00"}, true })})
	c := dialTo(t, Config{Addr: addr, Timeout: 20 * time.Second})
	if a, err := c.Reverse(bg(), testReversal(5)); err != nil || a.Code != CodeBadMAC {
		t.Errorf("%+v, %v", a, err)
	}
}

package switchlink

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buka/internal/mac"
	"buka/internal/pin"
)

// keyedHost answers every request with 00 and issues new working keys at each
// sign-on. The authenticator of a request is that of the moment it came.
type keyedHost struct {
	t      *testing.T
	ring   *Ring
	mu     sync.Mutex
	length int // of the PIN key, in bytes
	spoil  bool
	mute   bool // no keys in the answer
	paid   atomic.Int32
}

func newKeyedHost(t *testing.T, a mac.Algorithm, master pin.SecretKey) *keyedHost {
	return &keyedHost{t: t, ring: NewRing(a, master), length: 16}
}

func (h *keyedHost) Handle(_ context.Context, r *Request) (Response, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := Response{Code: "00", At: time.Now(), Amount: r.Amount, Batch: 7}
	if r.Kind == KindSignOn && !h.mute {
		de62, err := h.issue()
		if err != nil {
			h.t.Error(err)
		}
		a.Keys = de62
		if h.spoil {
			a.Keys[17] ^= 1
		}
	}
	if r.Kind == KindPay {
		h.paid.Add(1)
	}
	return a, true
}

// issue changes the keys, as a sign-on does.
func (h *keyedHost) issue() ([]byte, error) {
	key := func(n int) pin.SecretKey {
		b := make([]byte, n)
		rand.Read(b)
		return tdes(h.t, b)
	}
	n := 16
	if h.ring.algorithm == mac.X99 {
		n = 8
	}
	return h.ring.Issue(key(max(n, h.length)), key(n), nil)
}

func (h *keyedHost) auth(context.Context, string, string) (Authenticator, error) { return h.ring, nil }

// TestKeysChangeWhileTheLinkRuns: nothing sealed is sent before the first sign-on;
// each sign-on brings other keys, which serve at once; keys that the host has
// changed behind the kiosk's back make it sign on again.
func TestKeysChangeWhileTheLinkRuns(t *testing.T) {
	master := tdes(t, unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	for _, spec := range []*Spec{UnionPay(), ASCII87()} {
		for _, a := range []mac.Algorithm{mac.UnionPayECB, mac.X99, mac.X919} {
			t.Run(spec.Name+"/"+a.String(), func(t *testing.T) {
				h := newKeyedHost(t, a, master)
				if a == mac.X99 {
					h.length = 8
				}
				_, addr := serve(t, ServerConfig{Spec: spec, Handler: h, MAC: h.auth})
				var wanted atomic.Int32
				kiosk := NewRing(a, master)
				c := dialTo(t, Config{Addr: addr, Spec: spec, Keys: kiosk, Timeout: 20 * time.Second,
					OnRequirement: func(b byte) {
						if b == RequireSignOn {
							wanted.Add(1)
						}
					}})
				if _, err := c.Pay(bg(), testPayment(1)); !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrNoKeys) {
					t.Fatalf("before the sign-on: %v", err)
				}
				for stan := range uint32(5) {
					if s, err := c.SignOn(bg(), stan+10); err != nil || s.Code != "00" {
						t.Fatalf("%+v, %v", s, err)
					}
					if p, err := c.Pay(bg(), testPayment(stan+20)); err != nil || p.Code != "00" {
						t.Fatalf("%+v, %v", p, err)
					}
				}
				if wanted.Load() != 0 {
					t.Errorf("the host wanted %d sign-ons", wanted.Load())
				}
				if _, err := h.issue(); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Pay(bg(), testPayment(40)); !errors.Is(err, ErrBadMAC) {
					t.Errorf("after the host has changed its keys: %v", err)
				}
				if wanted.Load() == 0 || h.paid.Load() != 5 {
					t.Errorf("%d sign-ons wanted, %d payments handled", wanted.Load(), h.paid.Load())
				}
				if _, err := c.SignOn(bg(), 41); err != nil {
					t.Fatal(err)
				}
				if p, err := c.Pay(bg(), testPayment(42)); err != nil || p.Code != "00" {
					t.Fatalf("%+v, %v", p, err)
				}
			})
		}
	}
}

// TestSignOnWithBadKeys: a key block that does not open is no answer, and the keys
// that were there stay; the first sign-on must bring keys, later ones need not.
func TestSignOnWithBadKeys(t *testing.T) {
	master := tdes(t, unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	h := newKeyedHost(t, mac.X919, master)
	_, addr := serve(t, ServerConfig{Handler: h, MAC: h.auth})
	log := &safeLog{}
	c := dialTo(t, Config{Addr: addr, Keys: NewRing(mac.X919, master), Timeout: 20 * time.Second, Logger: log.logger()})
	set := func(spoil, mute bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.spoil, h.mute = spoil, mute
	}
	set(false, true)
	if _, err := c.SignOn(bg(), 1); !errors.Is(err, ErrKeys) || !errors.Is(err, ErrNoAnswer) {
		t.Errorf("no keys: %v", err)
	}
	set(false, false)
	if _, err := c.SignOn(bg(), 2); err != nil {
		t.Fatal(err)
	}
	set(false, true)
	if _, err := c.SignOn(bg(), 3); err != nil {
		t.Errorf("the keys stay: %v", err)
	}
	if _, err := c.Reverse(bg(), testReversal(4)); err != nil {
		t.Error(err)
	}
	set(true, false)
	if _, err := c.SignOn(bg(), 5); !errors.Is(err, ErrKeys) {
		t.Errorf("spoilt: %v", err)
	}
	if !log.has("check value of the PIN key differs") {
		t.Error("the log does not say why")
	}
}

// TestAnswerUnderTheKeysOfItsRequest: a sign-on changes the keys while a request is
// under way. Its answer may be sealed under either, and under no other.
func TestAnswerUnderTheKeysOfItsRequest(t *testing.T) {
	master := tdes(t, unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	key := func(hex string) testKey { return testKey{mac.X919, unhex(t, hex)} }
	before, after, other := key("807A23AD32B36D457AE91FDF927570EA"), key("C24A8FB57AA20123807A23AD32B36D45"), key("0123456789ABCDEF0123456789ABCDEF")
	for name, c := range map[string]struct {
		auth Authenticator
		want error
	}{"old": {before, nil}, "new": {after, nil}, "another": {other, ErrBadMAC}, "none": {nil, ErrBadMAC}} {
		h := newRawHost(t)
		host, kiosk := NewRing(mac.X919, master), NewRing(mac.X919, master)
		issue := func(k testKey) []byte {
			de62, err := host.Issue(tdes(t, k.key), tdes(t, k.key), nil)
			if err != nil {
				t.Fatal(err)
			}
			return de62
		}
		if err := kiosk.Take(issue(before)); err != nil {
			t.Fatal(err)
		}
		link := dialTo(t, Config{Addr: h.ln.Addr().String(), Keys: kiosk, Timeout: 20 * time.Second})
		paid := make(chan error, 1)
		go func() {
			_, err := link.Pay(bg(), testPayment(5))
			paid <- err
		}()
		payment := h.next()
		signed := make(chan error, 1)
		go func() {
			_, err := link.SignOn(bg(), 6)
			signed <- err
		}()
		h.next().answer(t, Response{Code: "00", Batch: 7, At: time.Now(), Keys: issue(after)})
		if err := <-signed; err != nil {
			t.Fatal(err)
		}
		payment.sealed = c.auth
		payment.answer(t, Response{Code: "00", Amount: 5000})
		if err := <-paid; !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLateAnswerWithABadMAC is told to nobody: anybody could have sent it.
func TestLateAnswerWithABadMAC(t *testing.T) {
	key := testKey{mac.X919, unhex(t, "0123456789ABCDEFFEDCBA9876543210")}
	other := testKey{mac.X919, unhex(t, "FEDCBA98765432100123456789ABCDEF")}
	h := newRawHost(t)
	late := make(chan Late, 8)
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), MAC: key, Timeout: 20 * time.Second, OnLate: func(l Late) { late <- l }})
	ctx, cancel := context.WithCancel(bg())
	done := make(chan error, 1)
	go func() {
		_, err := c.Pay(ctx, testPayment(5))
		done <- err
	}()
	in := h.next()
	cancel()
	if err := <-done; !errors.Is(err, ErrNoAnswer) {
		t.Fatal(err)
	}
	for _, forged := range []Authenticator{other, nil} {
		in.sealed = forged
		in.answer(t, Response{Code: "00", Amount: 5000, RRN: "forged"}, func(m *Message) { m.set(37, "000000forged") })
	}
	in.sealed = key
	in.answer(t, Response{Code: "51"})
	if got := <-late; got.Code != "51" {
		t.Errorf("%+v", got)
	}
}

// taken is a context that tells when the link has taken the call.
type taken struct {
	context.Context
	asked atomic.Int32
}

func (t *taken) Done() <-chan struct{} {
	t.asked.Add(1)
	return t.Context.Done()
}

// TestSealedWaitsForASignOn: what is asked while a sign-on is under way goes out
// behind it, under its keys; a sign-on that is not answered lets it go.
func TestSealedWaitsForASignOn(t *testing.T) {
	master := tdes(t, unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	h := newRawHost(t)
	host, kiosk := NewRing(mac.X919, master), NewRing(mac.X919, master)
	first := tdes(t, unhex(t, "807A23AD32B36D457AE91FDF927570EA"))
	de62, err := host.Issue(first, first, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := kiosk.Take(de62); err != nil {
		t.Fatal(err)
	}
	c := dialTo(t, Config{Addr: h.ln.Addr().String(), Keys: kiosk, Timeout: 20 * time.Second})
	soon(t, "up", func() bool { return c.State().Up })
	for _, answered := range []bool{true, false} {
		ctx, cancel := context.WithCancel(bg())
		done := make(chan error, 1)
		go func() {
			_, err := c.SignOn(ctx, 1)
			done <- err
		}()
		signOn := h.next()
		watched := &taken{Context: bg()}
		reversed := make(chan error, 1)
		go func() {
			_, err := c.Reverse(watched, testReversal(5))
			reversed <- err
		}()
		soon(t, "the link has the reversal", func() bool { return watched.asked.Load() >= 2 })
		if answered {
			second := tdes(t, unhex(t, "C24A8FB57AA20123807A23AD32B36D45"))
			if de62, err = host.Issue(second, second, nil); err != nil {
				t.Fatal(err)
			}
			signOn.answer(t, Response{Code: "00", Batch: 7, At: time.Now(), Keys: de62})
		} else {
			cancel()
		}
		if err := <-done; (err == nil) != answered {
			t.Fatalf("sign-on: %v", err)
		}
		reversal := h.next()
		if err := reversal.m.checkSeal(host); err != nil {
			t.Errorf("answered %v: the reversal went out under other keys: %v", answered, err)
		}
		reversal.sealed = host
		reversal.answer(t, Response{Code: "00"})
		if err := <-reversed; err != nil {
			t.Fatal(err)
		}
		cancel()
	}
}

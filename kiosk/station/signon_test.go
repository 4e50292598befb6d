package station

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/internal/mac"
	"buka/internal/pin"
	"buka/kiosk/config"
	"buka/sync/switchlink"
	"buka/topup"
)

// gate stands before a host: while it is shut whoever comes is hung up on.
type gate struct {
	open atomic.Bool
}

// before gives an address that leads through the gate.
func (g *gate) before(t *testing.T) func(addr string) string {
	return func(addr string) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		go func() {
			for {
				from, err := ln.Accept()
				if err != nil {
					return
				}
				go g.through(from, addr)
			}
		}()
		return ln.Addr().String()
	}
}

func (g *gate) through(from net.Conn, addr string) {
	defer from.Close()
	if !g.open.Load() {
		return
	}
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer to.Close()
	go func() { io.Copy(to, from); to.Close() }()
	io.Copy(from, to)
}

// TestADeadAuthority: the payment host has its keys without it, batches settle,
// nothing is sold, and once it is back it is signed on at by itself.
func TestADeadAuthority(t *testing.T) {
	g := &gate{}
	w := newHostTownBehind(t, g.before(t))
	w.until("the payment host's keys", func(s topup.State) bool {
		return s.Live.SignedOn && w.st.links.payRing.Ready() && w.st.links.payments.State().Up
	})
	if state, _ := w.st.Engine().State(); state.NoPayment() != "network-down" {
		t.Errorf("a kiosk without an authority sells: %q", state.NoPayment())
	}
	w.st.post(topup.SettleAsked{Who: "mei"})
	w.until("the next batch, and no sales in it", func(s topup.State) bool {
		return s.Durable.LastSettled == 1 && s.Durable.Batch == 2 && s.NoPayment() == "network-down" && !s.Live.HostUp
	})
	g.open.Store(true)
	card, err := virtual.NewBank(virtual.BankOptions{PAN: bankPAN})
	if err != nil {
		t.Fatal(err)
	}
	w.until("the authority's keys", func(topup.State) bool { return w.st.links.signOn.stands() })
	w.buys(50_00, card)
}

// TestASettlementWantsThePaymentHostAlone: an authority whose keys do not open keeps
// no batch from its settlement; and nobody pays.
func TestASettlementWantsThePaymentHostAlone(t *testing.T) {
	w := newHostTown(t, func(c *config.Config) {
		c.Authority.MasterKey = filepath.Join(filepath.Dir(c.Data), "another")
		if err := os.WriteFile(c.Authority.MasterKey, []byte(strings.Repeat("0123456789abcdef", 2)), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	w.until("both links", func(s topup.State) bool { return s.Live.SignedOn && s.Live.HostUp })
	w.st.post(topup.SettleAsked{Who: "mei"})
	w.until("the next batch", func(s topup.State) bool { return s.Durable.LastSettled == 1 && s.Durable.Batch == 2 })
	if w.st.links.signOn.stands() {
		t.Error("signed on at the authority")
	}
	for _, d := range w.st.heartbeat().Devices {
		if code := map[string]string{"authority": "sign-on-failed"}[d.Name]; (d.Name == "switch" || d.Name == "authority") && (d.OK != (code == "") || d.Code != code) {
			t.Errorf("the operator sees %+v", d)
		}
	}
}

// aProbe is what a card dialogue asks the authority.
func aProbe() (topup.ProbeCard, entry.Attempt) {
	return topup.ProbeCard{Sale: "4Q7ZK1M2N8P3R5T6", STAN: 7, Batch: 8}, entry.Attempt{
		Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Amount: 5000, Random: make(entry.Hex, 4), MAC1: make(entry.Hex, 4), Terminal: make(entry.Hex, 6),
	}
}

// TestAProbeIsAskedAgainAfterASignOn: an authority that wants a sign-on first costs
// no passenger the sale, whether it is the payment host or another; in the batch
// that is open since.
func TestAProbeIsAskedAgainAfterASignOn(t *testing.T) {
	for _, own := range []bool{true, false} {
		for _, code := range []string{"A0", "77", "99"} {
			loads := &noHost{probes: code, mends: true}
			stan := atomic.Uint32{}
			var h *hosts
			ready := make(chan struct{})
			l := &links{}
			l.loads = clientOf(t, loads, func(c *switchlink.Config) {
				c.OnRequirement = func(byte) {
					go func() { <-ready; h.signOn(t.Context(), topup.SignOn{STAN: stan.Add(1)}) }()
				}
			})
			if l.payments = l.loads; own {
				l.payments, l.signOn = clientOf(t, &noHost{}), newLoadSignOn(l.signedOn.ring, slog.New(slog.DiscardHandler))
				l.signOn.client = l.loads
				ended := make(chan struct{})
				go func() { defer close(ended); l.signOn.run(t.Context()) }()
				t.Cleanup(func() { <-ended })
			}
			h = newHosts(l, func(topup.Event) {}, time.Now, slog.New(slog.DiscardHandler))
			close(ready)
			ctx, cancel := context.WithTimeout(t.Context(), hostWait)
			defer cancel()
			probe, attempt := aProbe()
			if got, err := h.Eligible(ctx, probe, attempt); got != "00" || err != nil || loads.probed.Load() != 2 || loads.batch.Load() != 1 {
				t.Errorf("%s, own %v: %q, %v, asked %d times, in batch %d", code, own, got, err, loads.probed.Load(), loads.batch.Load())
			}
		}
	}
}

// TestAProbeIsAskedAgainOnce, and not at all if no sign-on comes in its time.
func TestAProbeIsAskedAgainOnce(t *testing.T) {
	host := &noHost{probes: "A0"}
	client := clientOf(t, host)
	h := newHosts(&links{payments: client, loads: client}, func(topup.Event) {}, time.Now, slog.New(slog.DiscardHandler))
	h.batch.Store(9)
	probe, attempt := aProbe()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // it is waited out, and the first answer has to come in it
	defer cancel()
	if code, err := h.Eligible(ctx, probe, attempt); code != "A0" || err != nil || host.probed.Load() != 1 {
		t.Errorf("no sign-on: %q, %v, asked %d times", code, err, host.probed.Load())
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			h.links.signedOn.ring()
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	if code, err := h.Eligible(t.Context(), probe, attempt); code != "A0" || err != nil || host.probed.Load() != 3 || host.batch.Load() != 9 {
		t.Errorf("after one: %q, %v, asked %d times, batch %d", code, err, host.probed.Load(), host.batch.Load())
	}
}

// TestSignOnsThatWaitAreOne: a link that flickered does not change the keys as often.
func TestSignOnsThatWaitAreOne(t *testing.T) {
	host := &noHost{}
	client := clientOf(t, host)
	answered := make(chan topup.Event, 9)
	h := newHosts(&links{payments: client, loads: client}, func(ev topup.Event) { answered <- ev }, time.Now, slog.New(slog.DiscardHandler))
	for stan := range uint32(5) {
		h.do(topup.SignOn{STAN: stan + 1})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.run(ctx, "sign-on") }()
	if ev, ok := (<-answered).(topup.SignedOn); !ok || ev.Batch != 1 {
		t.Errorf("%+v", ev)
	}
	cancel()
	<-ended
	if n := host.signed.Load(); n != 1 || host.stan.Load() != 5 {
		t.Errorf("%d sign-ons, the last under %d", n, host.stan.Load())
	}
}

// TestASignOnAnswersWhoAskedMeanwhile: what the kiosk signs on for at a start, and
// once more when its link is there, draws keys once.
func TestASignOnAnswersWhoAskedMeanwhile(t *testing.T) {
	host := &noHost{}
	client := clientOf(t, host)
	answered := make(chan topup.Event, 9)
	h := newHosts(&links{payments: client, loads: client}, func(ev topup.Event) { answered <- ev }, time.Now, slog.New(slog.DiscardHandler))
	host.during = func() { h.do(topup.SignOn{STAN: 2}) }
	h.perform(t.Context(), topup.SignOn{STAN: 1})
	if _, ok := (<-answered).(topup.SignedOn); !ok {
		t.Error("not signed on")
	}
	if n, left := host.signed.Load(), len(h.queues["sign-on"]); n != 1 || left != 0 {
		t.Errorf("%d sign-ons, %d to come", n, left)
	}
}

// noHost refuses sign-ons.
type noHost struct {
	refuses  atomic.Int32
	keys     []byte // that a sign-on brings
	signed   atomic.Int32
	during   func()        // each sign-on
	stan     atomic.Uint32 // of the last
	probes   string        // code of the answers to those
	confirms string        // and to what concerns a load
	mends    bool          // a sign-on ends that
	mended   atomic.Bool
	probed   atomic.Int32
	batch    atomic.Uint32 // of the last
}

func (h *noHost) Handle(_ context.Context, r *switchlink.Request) (switchlink.Response, bool) {
	if r.Kind == switchlink.KindSignOn && h.refuses.Add(-1) >= 0 {
		return switchlink.Response{Code: "03", At: time.Now()}, true
	}
	if r.Kind == switchlink.KindSignOn {
		h.signed.Add(1)
		h.stan.Store(r.STAN)
		if h.during != nil {
			h.during()
		}
	}
	if r.Kind == switchlink.KindEligible {
		h.probed.Add(1)
		h.batch.Store(r.Batch)
		if code := h.probes; !h.mended.Load() {
			return switchlink.Response{Code: code, At: time.Now()}, true
		}
	}
	if r.Kind == switchlink.KindConfirm || r.Kind == switchlink.KindVoid || r.Kind == switchlink.KindAuthorise {
		return switchlink.Response{Code: cmp.Or(h.confirms, "00"), At: time.Now()}, true
	}
	h.mended.Store(h.mended.Load() || h.mends && r.Kind == switchlink.KindSignOn)
	return switchlink.Response{Code: "00", Batch: 1, At: time.Now(), Keys: h.keys}, true
}

// TestAnAuthorityThatRefuses is asked again without a word from anybody.
func TestAnAuthorityThatRefuses(t *testing.T) {
	host := &noHost{}
	host.refuses.Store(2)
	l := newLoadSignOn(func() {}, slog.New(slog.DiscardHandler))
	l.client = clientOf(t, host)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	<-l.ask(1)
	if l.stands() {
		t.Fatal("it refused")
	}
	for deadline := time.Now().Add(hostWait); !l.stands(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not asked again; %d refusals left", host.refuses.Load())
		}
	}
}

// TestThePadIsGivenThePINKeyOfTheLink: with a key that is shorter than its room in
// DE62 (84 bytes, keys of 16), on a link with MACs and on one without.
func TestThePadIsGivenThePINKeyOfTheLink(t *testing.T) {
	key := func(b byte) pin.SecretKey {
		k, err := pin.NewSecretKey(pin.TDES2, bytes.Repeat([]byte{b, b + 2}, 8))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	master := key(0x10)
	var de62 []byte
	var want pin.WrappedKey
	for i, k := range []pin.SecretKey{key(0x20), key(0x40), key(0x80)} {
		w, err := pin.Wrap(master, k)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = w
		}
		de62 = append(append(append(de62, w.Cryptogram...), make([]byte, 8)...), w.Check...)
	}
	host := &noHost{keys: de62}
	for _, ring := range []*switchlink.Ring{switchlink.NewRing(mac.UnionPayECB, master), nil} {
		client := clientOf(t, host, func(c *switchlink.Config) { c.Keys = ring })
		h := newHosts(&links{payments: client, loads: client, payRing: ring}, func(topup.Event) {}, time.Now, slog.New(slog.DiscardHandler))
		h.signOn(t.Context(), topup.SignOn{STAN: 1})
		if got := h.pinKey(); !bytes.Equal(got.Cryptogram, want.Cryptogram) || !bytes.Equal(got.Check, want.Check) {
			t.Errorf("ring %v: the pad is given %v", ring != nil, got)
		}
	}
}

package station

import (
	"bytes"
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

// TestADeadAuthority: the payment host has its keys without it, nothing is sold, and
// once it is back it is signed on at by itself.
func TestADeadAuthority(t *testing.T) {
	g := &gate{}
	w := newHostTownBehind(t, g.before(t))
	w.until("the payment host's keys", func(s topup.State) bool {
		return s.Live.SignedOn && w.st.links.payRing.Ready() && w.st.links.payments.State().Up
	})
	if state, _ := w.st.Engine().State(); state.NoPayment() != "network-down" {
		t.Errorf("a kiosk without an authority sells: %q", state.NoPayment())
	}
	keys := w.st.links.payRing.PINKey()
	g.open.Store(true)
	card, err := virtual.NewBank(virtual.BankOptions{PAN: bankPAN})
	if err != nil {
		t.Fatal(err)
	}
	w.until("the authority's keys", func(topup.State) bool { return w.st.links.signOn.stands() })
	w.buys(50_00, card)
	if now := w.st.links.payRing.PINKey(); string(now.Cryptogram) != string(keys.Cryptogram) {
		t.Error("the payment host was signed on at again")
	}
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
}

// noHost refuses sign-ons.
type noHost struct {
	refuses atomic.Int32
	keys    []byte // that a sign-on brings
}

func (h *noHost) Handle(_ context.Context, r *switchlink.Request) (switchlink.Response, bool) {
	if r.Kind == switchlink.KindSignOn && h.refuses.Add(-1) >= 0 {
		return switchlink.Response{Code: "03", At: time.Now()}, true
	}
	return switchlink.Response{Code: "00", Batch: 1, At: time.Now(), Keys: h.keys}, true
}

// TestAnAuthorityThatRefuses is asked again without a word from anybody.
func TestAnAuthorityThatRefuses(t *testing.T) {
	host := &noHost{}
	host.refuses.Store(2)
	l := newLoadSignOn(slog.New(slog.DiscardHandler))
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

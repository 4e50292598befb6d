package host

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"buka/internal/mac"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

// macPad is a terminal's end of the working keys.
type macPad struct{ set atomic.Pointer[keySet] }

func (p *macPad) MAC(mab []byte) ([mac.Size]byte, error) {
	if k := p.set.Load(); k != nil {
		return k.MAC(mab)
	}
	return [mac.Size]byte{}, nil // of no key: wrong
}

// signOnKeys signs on and takes the working keys out of DE62.
func (w *world) signOnKeys(c *switchlink.Client, p *macPad, a mac.Algorithm) *keySet {
	w.Helper()
	s, err := c.SignOn(w.ctx(), w.next())
	if err != nil || s.Code != "00" {
		w.Fatalf("sign-on: %+v, %v", s, err)
	}
	set, err := readKeys(DefaultKeys().TMK, a, s.Keys)
	if err != nil {
		w.Fatalf("DE62 of %d bytes: %v", len(s.Keys), err)
	}
	w.batch = s.Batch
	p.set.Store(set)
	return set
}

// macWorld is a world whose link has MACs.
func macWorld(t *testing.T, a mac.Algorithm, change func(*Config)) (*world, *macPad) {
	t.Helper()
	w := newWorld(t, func(c *Config) {
		c.MAC = a
		if change != nil {
			change(c)
		}
	})
	w.client.Close()
	p := &macPad{}
	w.client = w.connectMAC(p)
	w.signOnKeys(w.client, p, a)
	return w, p
}

func (w *world) connectMAC(p *macPad) *switchlink.Client {
	w.Helper()
	c, err := switchlink.New(switchlink.Config{Addr: w.host.SwitchAddr(), TerminalID: testTerminal, MerchantID: testMerchant,
		Timeout: 10 * time.Second, MaxBackoff: 100 * time.Millisecond, MAC: p})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// restartMAC restarts the host, and connects to the new one.
func (w *world) restartMAC(p *macPad) {
	w.Helper()
	w.client.Close()
	if err := w.host.Close(); err != nil {
		w.Fatal(err)
	}
	w.openHost("")
	w.client = w.connectMAC(p)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReadKeys is the published sign-on of reference/iso8583.md 1.8, all four
// check values of which agree.
func TestReadKeys(t *testing.T) {
	master := mustKey(pin.TDES2, "CA5D92598DCA48CE8A4C76361A9269E9")
	block := unhex(t, "6701EAD6A9AD51E51AA406E2C27FCFA9 8D0A74B8 B651F9E9BACE9AE1 0000000000000000 AB7153CA")
	k, err := readKeys(master, mac.UnionPayECB, block)
	if err != nil || !k.pin.Equal(mustKey(pin.TDES2, "807A23AD32B36D457AE91FDF927570EA")) || !k.mac.Equal(mustKey(pin.DES, "5BB5C72CD00B7338")) {
		t.Fatal(err)
	}
	for _, at := range []int{0, 17, 20, 36} {
		bad := bytes.Clone(block)
		bad[at] ^= 1
		if _, err := readKeys(master, mac.UnionPayECB, bad); !errors.Is(err, errKeyBlock) {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
	if _, err := readKeys(master, mac.UnionPayECB, block[:39]); !errors.Is(err, errKeyBlock) {
		t.Error(err)
	}
}

// TestDrawnKeys are read again from each form of the block.
func TestDrawnKeys(t *testing.T) {
	master := DefaultKeys().TMK
	for _, size := range []int{singleLength, doubleLength, withTrackKey} {
		for _, a := range []mac.Algorithm{mac.UnionPayECB, mac.X99, mac.X919} {
			k, err := drawKeys(master, a, size)
			if err != nil || len(k.block) != size {
				t.Fatalf("%d bytes for %d: %v", len(k.block), size, err)
			}
			again, err := readKeys(master, a, k.block)
			if err != nil || !again.pin.Equal(k.pin) || !again.mac.Equal(k.mac) || !again.data.Equal(k.data) {
				t.Errorf("%d, %v: %v", size, a, err)
			}
			other, err := drawKeys(master, a, size)
			if err != nil || other.pin.Equal(k.pin) || other.mac.Equal(k.mac) {
				t.Error("drawn twice")
			}
		}
	}
}

// TestMACs: every algorithm in every form of the keys serves a payment and its
// reversal; what comes without a MAC or with a wrong one is A0, and nothing is
// stored of it.
func TestMACs(t *testing.T) {
	for _, a := range []mac.Algorithm{mac.UnionPayECB, mac.X99, mac.X919} {
		for _, size := range []int{0, singleLength, doubleLength, withTrackKey} {
			t.Run(fmt.Sprint(a, size), func(t *testing.T) {
				w, p := macWorld(t, a, func(c *Config) { c.KeyBlock = size })
				one := w.payment(saleID(1), 10_00, testPIN)
				w.pay(one, "00")
				w.reverse(one, "00")

				good := p.set.Load()
				bad, err := drawKeys(DefaultKeys().TMK, a, doubleLength)
				if err != nil {
					t.Fatal(err)
				}
				two := w.payment(saleID(2), 20_00, testPIN)
				p.set.Store(bad)
				if _, err := w.client.Pay(w.ctx(), anew(two)); !errors.Is(err, switchlink.ErrBadMAC) && err == nil {
					t.Fatalf("under another key: %v", err)
				}
				bare := w.connect(testTerminal, 10*time.Second)
				defer bare.Close()
				if got, err := bare.Pay(w.ctx(), anew(two)); err != nil || got.Code != "A0" {
					t.Fatalf("without a MAC: %+v, %v", got, err)
				}
				w.charged(0)
				p.set.Store(good)
				w.pay(two, "00") // the same message under the right key
				w.charged(20_00)
			})
		}
	}
}

// TestASecondSignOn: new keys take the place of the old ones. What was sent under
// the old ones is not done, and is done once under the new ones.
func TestASecondSignOn(t *testing.T) {
	w, p := macWorld(t, mac.UnionPayECB, nil)
	old := p.set.Load()
	one := w.payment(saleID(1), 10_00, testPIN)
	w.pay(one, "00")
	now := w.signOnKeys(w.client, p, mac.UnionPayECB)
	if now.mac.Equal(old.mac) || now.pin.Equal(old.pin) {
		t.Fatal("the same keys")
	}
	p.set.Store(old)
	two := w.payment(saleID(2), 20_00, testPIN)
	if got, err := w.client.Pay(w.ctx(), anew(two)); err == nil {
		t.Fatalf("under the old keys: %+v", got)
	}
	w.charged(10_00)
	p.set.Store(now)
	w.pay(two, "00")
	w.pay(one, "00") // a repeat over the change: the stored answer
	w.charged(30_00)
}

// TestASignOnThatComesTwice, as a network may have it, gives the same keys until
// one of them was used.
func TestASignOnThatComesTwice(t *testing.T) {
	w, p := macWorld(t, mac.UnionPayECB, nil)
	sign := func(stan uint32) []byte {
		t.Helper()
		s, err := w.client.SignOn(w.ctx(), stan)
		if err != nil {
			t.Fatal(err)
		}
		return s.Keys
	}
	stan := w.next()
	first := sign(stan)
	if !bytes.Equal(sign(stan), first) {
		t.Error("two sets for one sign-on")
	}
	set, err := readKeys(DefaultKeys().TMK, mac.UnionPayECB, first)
	if err != nil {
		t.Fatal(err)
	}
	p.set.Store(set)
	w.pay(w.payment(saleID(1), 10_00, testPIN), "00")
	if bytes.Equal(sign(stan), first) {
		t.Error("keys that were used are given again")
	}
}

// TestRequireNewKeys: nothing is heard of a terminal until it has signed on for
// other keys; then everything is.
func TestRequireNewKeys(t *testing.T) {
	w, p := macWorld(t, mac.X919, nil)
	one := w.payment(saleID(1), 10_00, testPIN)
	w.pay(one, "00")
	if err := w.host.RequireNewKeys(w.ctx(), testMerchant, testTerminal); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		two := w.payment(saleID(2), 20_00, testPIN)
		w.pay(two, "A0")
		w.reverse(one, "A0") // and is owed still
		w.charged(10_00)
		w.restartMAC(p) // the demand survives the host
	}
	w.signOnKeys(w.client, p, mac.X919)
	w.reverse(one, "00")
	w.pay(w.payment(saleID(2), 20_00, testPIN), "00")
	w.charged(20_00)
	if err := w.host.RequireNewKeys(w.ctx(), testMerchant, "BUKA0009"); !errors.Is(err, ErrNoTerminal) {
		t.Error(err)
	}
}

// TestKeysSurvive a restart of the host, but not another master key.
func TestKeysSurvive(t *testing.T) {
	w, p := macWorld(t, mac.UnionPayECB, nil)
	w.restartMAC(p)
	w.pay(w.payment(saleID(1), 10_00, testPIN), "00")
	w.change = func(c *Config) {
		c.MAC, c.TMKs = mac.UnionPayECB, map[string]pin.SecretKey{testMerchant + "/" + testTerminal: mustKey(pin.TDES2, "70F2A84CCBC2AE8625CBB0F2C22AB923")}
	}
	w.restartMAC(p)
	if got, err := w.client.Pay(w.ctx(), w.payment(saleID(2), 10_00, testPIN)); err == nil && got.Code != "A0" {
		t.Errorf("under a master key of before: %+v", got)
	}
	s, err := w.client.SignOn(w.ctx(), w.next())
	if err != nil {
		t.Fatal(err)
	}
	set, err := readKeys(mustKey(pin.TDES2, "70F2A84CCBC2AE8625CBB0F2C22AB923"), mac.UnionPayECB, s.Keys)
	if err != nil {
		t.Fatal(err)
	}
	p.set.Store(set)
	w.pay(w.payment(saleID(2), 10_00, testPIN), "00")
}

// TestNothingClearIsKept: neither the database nor its key files nor the log hold
// a key, a PIN or a PIN block, in bytes or in hex.
func TestNothingClearIsKept(t *testing.T) {
	w, p := macWorld(t, mac.X919, func(c *Config) { c.KeyBlock = withTrackKey })
	seal := sealedAs(t, pin.MasterSession, pin.Format0, 0, p.set.Load().pin, testPIN, testPAN)
	block := bytes.Clone(seal.Bytes())
	pay := w.payment(saleID(1), 1_00, testPIN)
	dukpt := bytes.Clone(pay.PIN.Bytes())
	w.pay(pay, "00")
	pay = w.payment(saleID(2), 1_00, testPIN)
	pay.PIN = seal
	w.pay(pay, "00")
	set, bdk := p.set.Load(), DefaultKeys().BDK.Secret()
	w.host.Close()
	kept := append(readAll(t, w.dir), w.log.String()...)
	secrets := map[string][]byte{"PIN block": block, "PIN block under DUKPT": dukpt, "PIN key": set.pin.Reveal(), "MAC key": set.mac.Reveal(),
		"track key": set.data.Reveal(), "master key": DefaultKeys().TMK.Reveal(), "BDK": bdk.Reveal(), "clear block": unhex(t, "0612622E6FFFFFFF"), "PAN": []byte(testPAN)}
	for what, b := range secrets {
		for _, form := range [][]byte{b, []byte(hex.EncodeToString(b)), []byte(strings.ToUpper(hex.EncodeToString(b)))} {
			if bytes.Contains(kept, form) {
				t.Errorf("the %s is on the disk or in the log", what)
			}
		}
	}
	if !bytes.Contains(kept, set.block) {
		t.Error("what is looked for where it should be: the block under the master key is not there")
	}
}

// TestTwoLinks: payments and loads on two addresses, each with keys of its own;
// what the other serves is refused.
func TestTwoLinks(t *testing.T) {
	w, _ := macWorld(t, mac.UnionPayECB, func(c *Config) { c.Authority = "127.0.0.1:0" })
	if w.host.AuthorityAddr() == w.host.SwitchAddr() {
		t.Fatal("one address")
	}
	q := w.payment(saleID(1), 20_00, testPIN)
	w.pay(q, "00")
	loads := &macPad{}
	c, err := switchlink.New(switchlink.Config{Addr: w.host.AuthorityAddr(), TerminalID: testTerminal, MerchantID: testMerchant, Timeout: 10 * time.Second, MAC: loads})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w.signOnKeys(c, loads, mac.UnionPayECB)
	a := attempt(testNumber, 2, 10_00, 20_00, 1)
	if got, err := w.client.AuthoriseLoad(w.ctx(), w.query(saleID(1), a)); err != nil || got.Code != "40" {
		t.Errorf("a load at the payment host: %+v, %v", got, err)
	}
	if got, err := c.Pay(w.ctx(), w.payment(saleID(2), 1_00, testPIN)); err != nil || got.Code != "40" {
		t.Errorf("a payment at the load authority: %+v, %v", got, err)
	}
	if got, err := c.AuthoriseLoad(w.ctx(), w.query(saleID(1), a)); err != nil || got.Code != "00" {
		t.Errorf("a load: %+v, %v", got, err)
	}
	w.pay(w.payment(saleID(3), 1_00, testPIN), "00") // its keys are still good
	if err := c.Echo(w.ctx(), 9); err != nil {
		t.Error(err)
	}
}

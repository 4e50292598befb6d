package device_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"buka/internal/mac"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/kiosk/device/virtualpad"
)

// mode is one way to set up pad and driver, and the host that can open what
// comes out.
type mode struct {
	name string
	pad  virtualpad.Config
	cfg  device.Config
	key  pin.WrappedKey
	open func(s *pin.Sealed, pan string) (pin.PIN, error)
}

func secret(t testing.TB, a pin.Algorithm, hex string) pin.SecretKey {
	t.Helper()
	k, err := pin.ParseSecretKey(a, hex)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The master key and the PIN working key of a public DE62: reference/iso8583.md
// 1.8.
const tmk, pik = "CA5D92598DCA48CE8A4C76361A9269E9", "807A23AD32B36D457AE91FDF927570EA"

func wrapped(t testing.TB, master, key string) pin.WrappedKey {
	t.Helper()
	k, err := pin.TDESKey(secret(t, pin.TDES2, key).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	w, err := pin.Wrap(secret(t, pin.TDES2, master), k)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func tdesMode(packet device.Packet, f pin.Format) mode {
	return mode{
		name: fmt.Sprintf("TDES DUKPT, format %d, %s", f, packet),
		pad:  virtualpad.Config{Format: f},
		cfg:  device.Config{Format: f, Packet: packet},
		open: func(s *pin.Sealed, pan string) (pin.PIN, error) {
			if s.Scheme != pin.TDESDUKPT {
				return pin.PIN{}, errors.New("another scheme")
			}
			k, err := pin.TransactionKey(pin.InitialKey(bdk, s.KSN), s.KSN)
			if err != nil {
				return pin.PIN{}, err
			}
			return pin.Decipher(k.PINKey().Secret(), s.Layout, s.Bytes(), pan)
		},
	}
}

func aesMode(t testing.TB, a pin.Algorithm, packet device.Packet, f pin.Format) mode {
	t.Helper()
	const digits = "FEDCBA9876543210F1F1F1F1F1F1F1F1FEDCBA9876543210F1F1F1F1F1F1F1F1"
	base := secret(t, a, digits[:2*a.Size()])
	ksn, err := pin.ParseAESKSN("123456789012345600000000")
	if err != nil {
		t.Fatal(err)
	}
	ik, err := pin.AESInitialKey(base, ksn)
	if err != nil {
		t.Fatal(err)
	}
	return mode{
		name: fmt.Sprintf("AES-%d DUKPT, format %d, %s", 8*a.Size(), f, packet),
		pad:  virtualpad.Config{Scheme: pin.AESDUKPT, AESIK: ik, AESKSN: ksn, Format: f},
		cfg:  device.Config{Scheme: pin.AESDUKPT, Format: f, Packet: packet},
		open: func(s *pin.Sealed, pan string) (pin.PIN, error) {
			return pin.OpenAES(base, s.AESKSN, s.Layout, s.Bytes(), pan)
		},
	}
}

func sessionMode(t testing.TB, packet device.Packet, f pin.Format, d virtualpad.Dialect) mode {
	t.Helper()
	working := secret(t, pin.TDES2, pik)
	return mode{
		name: fmt.Sprintf("master/session, format %d, %s, dialect %d", f, packet, d),
		pad: virtualpad.Config{Scheme: pin.MasterSession, Format: f, Dialect: d,
			MasterKeys: map[byte]pin.SecretKey{'3': secret(t, pin.TDES2, tmk)}},
		cfg: device.Config{Scheme: pin.MasterSession, Format: f, Packet: packet, KeySlot: "3"},
		key: wrapped(t, tmk, pik),
		open: func(s *pin.Sealed, pan string) (pin.PIN, error) {
			return pin.Decipher(working, s.Layout, s.Bytes(), pan)
		},
	}
}

func modes(t testing.TB) []mode {
	return []mode{
		tdesMode(device.PacketZ60, pin.Format0), tdesMode(device.PacketZ62, pin.Format0),
		tdesMode(device.PacketZ63, pin.Format3), tdesMode(device.Packet70, pin.Format3),
		aesMode(t, pin.AES128, device.PacketZ60, pin.Format4), aesMode(t, pin.AES256, device.PacketZ62, pin.Format4),
		aesMode(t, pin.AES192, device.PacketZ63, pin.Format4), aesMode(t, pin.AES128, device.Packet70, pin.Format0),
		sessionMode(t, device.PacketZ60, pin.Format0, virtualpad.VeriFone), sessionMode(t, device.PacketZ62, pin.Format3, virtualpad.UIC),
		sessionMode(t, device.PacketZ63, pin.Format0, virtualpad.UIC), sessionMode(t, device.Packet70, pin.Format0, virtualpad.UIC),
	}
}

func (r *rig) askFor(m mode, pan string, amount money.Fen) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		res, err := r.driver.EnterPIN(context.Background(), device.Request{PAN: pan, Amount: amount, Prompt: "ENTER PIN", Key: m.key})
		out <- answer{res, err}
	}()
	return out
}

// wantPIN opens an answer as the host would.
func (r *rig) wantPIN(m mode, a answer, pan, digits string) {
	r.t.Helper()
	if a.err != nil {
		r.t.Fatal(a.err)
	}
	defer a.res.PIN.Wipe()
	r.blocks = append(r.blocks, bytes.Clone(a.res.PIN.Bytes()))
	if len(m.key.Cryptogram) > 0 {
		r.blocks = append(r.blocks, m.key.Cryptogram)
	}
	p, err := m.open(a.res.PIN, pan)
	if err != nil {
		r.t.Fatal(err)
	}
	if string(p.Reveal()) != digits {
		r.t.Error("another PIN came out")
	}
}

// TestModes takes three PINs for one sale and one for another, each mode: wrong
// PINs are asked for again with a fresh block.
func TestModes(t *testing.T) {
	for _, m := range modes(t) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, m.pad, m.cfg)
			seen := map[string]bool{}
			for i, typed := range []string{"1234", "123456", "999999999999", "739182"} {
				number, amount, shown := pan, money.Fen(5000), "50.00"
				if i == 3 {
					number, amount, shown = "4111111111111111", 12345, "123.45"
				}
				c := r.askFor(m, number, amount)
				r.prompt()
				want := "CNY " + shown + "\nENTER PIN"
				if m.cfg.Packet == device.Packet70 {
					want = "TOTAL " + shown + "\nENTER PIN"
				}
				if s := r.pad.Snapshot(); s.Display != want {
					t.Errorf("the pad shows %q, want %q", s.Display, want)
				}
				for _, k := range typed {
					r.keys(string(k))
				}
				r.keys("enter")
				a := r.get(c)
				if a.err == nil {
					fresh := fmt.Sprintf("%x %v %v", a.res.PIN.Bytes(), a.res.PIN.KSN, a.res.PIN.AESKSN)
					if seen[fresh] {
						t.Error("the same block twice")
					}
					seen[fresh] = true
				}
				r.wantPIN(m, a, number, typed)
			}
		})
	}
}

// TestSamePINAgain: a master/session pad gives the same block of format 0 for the
// same PIN; that is not taken for an old one.
func TestSamePINAgain(t *testing.T) {
	m := sessionMode(t, device.PacketZ60, pin.Format0, virtualpad.VeriFone)
	r := newRig(t, m.pad, m.cfg)
	for range 3 {
		c := r.askFor(m, pan, 100)
		r.prompt()
		r.typePIN()
		r.wantPIN(m, r.get(c), pan, digits)
	}
}

// TestMACInThePad makes all three codes in the pad and compares with our own.
func TestMACInThePad(t *testing.T) {
	for _, d := range []virtualpad.Dialect{virtualpad.VeriFone, virtualpad.UIC} {
		m := sessionMode(t, device.PacketZ60, pin.Format0, d)
		r := newRig(t, m.pad, m.cfg)
		key8, err := pin.TDESKey(secret(t, pin.TDES2, pik).Reveal()[:8])
		if err != nil {
			t.Fatal(err)
		}
		short, err := pin.Wrap(secret(t, pin.TDES2, tmk), key8)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 8, 111, 112, 113, 224, 1000, 11200} {
			message := make([]byte, n)
			for i := range message {
				message[i] = byte(i * 7)
			}
			for _, c := range []struct {
				a   mac.Algorithm
				w   pin.WrappedKey
				key []byte
			}{
				{mac.X919, m.key, secret(t, pin.TDES2, pik).Reveal()}, {mac.X99, short, key8.Reveal()},
				{mac.UnionPayECB, m.key, secret(t, pin.TDES2, pik).Reveal()}, {mac.UnionPayECB, short, key8.Reveal()},
			} {
				if n == 11200 && c.a == mac.X919 && d == virtualpad.UIC {
					continue // once is enough for the longest
				}
				want, err := mac.Sum(c.a, c.key, message)
				if err != nil {
					t.Fatal(err)
				}
				got, err := r.driver.MAC(context.Background(), device.MACRequest{Algorithm: c.a, Key: c.w, Message: message})
				if err != nil || got != want {
					t.Errorf("%v over %d bytes: %X, %v; want %X", c.a, n, got, err, want)
				}
			}
		}
	}
}

// TestMACOfThePublicSample: the pad that holds the public TMK makes the code of the
// public 0200.
func TestMACOfThePublicSample(t *testing.T) {
	const master = "70F2A84CCBC2AE8625CBB0F2C22AB923"
	m := sessionMode(t, device.PacketZ60, pin.Format0, virtualpad.UIC)
	m.pad.MasterKeys = map[byte]pin.SecretKey{'3': secret(t, pin.TDES2, master)}
	r := newRig(t, m.pad, m.cfg)
	mab, err := hex.DecodeString("0200302004C020C0981100000000000000005100183402100006324392260009942820D13121011200843931363638383031" +
		"34303030303030303030303030303031313536ACF46E73838A82F92600000000000000000822000001")
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.driver.MAC(context.Background(), device.MACRequest{
		Algorithm: mac.UnionPayECB, Message: mab,
		Key: pin.WrappedKey{Cryptogram: []byte{0x96, 0xD6, 0x05, 0xEA, 0x17, 0x6B, 0x7E, 0x9E}},
	})
	if err != nil || string(got[:]) != "8A9E91B8" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMACRefuses(t *testing.T) {
	m := sessionMode(t, device.PacketZ60, pin.Format0, virtualpad.UIC)
	r := newRig(t, m.pad, m.cfg)
	ctx := context.Background()
	for _, req := range []device.MACRequest{
		{Algorithm: mac.X919}, {Key: m.key}, {Algorithm: mac.X99, Key: m.key}, {Algorithm: mac.X919, Key: pin.WrappedKey{Cryptogram: make([]byte, 24)}},
		{Algorithm: mac.X919, Key: m.key, Message: make([]byte, 11201)},
	} {
		if _, err := r.driver.MAC(ctx, req); !errors.Is(err, device.ErrPrompt) {
			t.Errorf("%v: %v", req.Algorithm, err)
		}
	}
	r2 := newRig(t, virtualpad.Config{}, device.Config{KeySlot: "0"}) // a DUKPT pad without master keys
	var refused device.ErrPadRefused
	if _, err := r2.driver.MAC(ctx, device.MACRequest{Algorithm: mac.X919, Key: m.key}); !errors.As(err, &refused) || refused.Message != "Z67" || refused.Code != "3" {
		t.Error(err)
	}
	r3 := newRig(t, virtualpad.Config{}, device.Config{})
	if _, err := r3.driver.MAC(ctx, device.MACRequest{Algorithm: mac.X919, Key: m.key}); !errors.Is(err, device.ErrPrompt) {
		t.Error(err)
	}
}

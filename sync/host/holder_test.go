package host

import (
	"testing"

	"buka/internal/mac"
	"buka/internal/pin"
)

// sealedAs enciphers a PIN as the pads of each scheme do.
func sealedAs(t *testing.T, scheme pin.Scheme, f pin.Format, ksn uint32, key pin.SecretKey, digits, pan string) *pin.Sealed {
	t.Helper()
	s, err := pin.NewSealed(scheme, f)
	if err != nil {
		t.Fatal(err)
	}
	switch scheme {
	case pin.TDESDUKPT:
		s.KSN = pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x11, 0xE0, 0, 0}.WithCounter(ksn)
		k, err := pin.TransactionKey(pin.InitialKey(DefaultKeys().BDK, s.KSN), s.KSN)
		if err != nil {
			t.Fatal(err)
		}
		key = k.PINKey().Secret()
	case pin.AESDUKPT:
		s.AESKSN = pin.AESKSN{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56}.WithCounter(ksn)
		ik, err := pin.AESInitialKey(DefaultKeys().AESBDK, s.AESKSN)
		if err != nil {
			t.Fatal(err)
		}
		if key, err = pin.AESPINKey(ik, s.AESKSN, f); err != nil {
			t.Fatal(err)
		}
	}
	p, err := pin.NewPIN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	block, err := pin.Encipher(key, f, p, pan)
	if err != nil {
		t.Fatal(err)
	}
	copy(s.Bytes(), block)
	return s
}

// TestPINSchemes: blocks of every scheme and format that a pad makes.
func TestPINSchemes(t *testing.T) {
	w, p := macWorld(t, mac.UnionPayECB, nil)
	pay := func(s *pin.Sealed, want string) {
		t.Helper()
		pay := w.payment(saleID(int(w.stan)), 1_00, testPIN)
		pay.PIN = s
		w.pay(pay, want)
	}
	counter := uint32(0)
	for _, c := range []struct {
		scheme pin.Scheme
		format pin.Format
	}{{pin.TDESDUKPT, pin.Format0}, {pin.TDESDUKPT, pin.Format3}, {pin.AESDUKPT, pin.Format4}, {pin.AESDUKPT, pin.Format0},
		{pin.MasterSession, pin.Format0}, {pin.MasterSession, pin.Format3}} {
		counter++
		seal := func(digits string, counter uint32) *pin.Sealed {
			return sealedAs(t, c.scheme, c.format, counter, p.set.Load().pin, digits, testPAN)
		}
		pay(seal(testPIN, 2*counter), "00")
		pay(seal("9999", 2*counter+1), "55")
		pay(sealedAs(t, c.scheme, c.format, 2*counter+2, p.set.Load().pin, testPIN, "6225889999990001"), "99")
		if c.scheme != pin.MasterSession {
			pay(seal(testPIN, 2*counter), "99") // used before
			never := seal(testPIN, 2*counter+2)
			never.KSN, never.AESKSN = never.KSN.WithCounter(0), never.AESKSN.WithCounter(0)
			pay(never, "99") // of no transaction
		}
		counter += 2
	}
	before := p.set.Load().pin
	w.signOnKeys(w.client, p, mac.UnionPayECB)
	pay(sealedAs(t, pin.MasterSession, pin.Format0, 0, before, testPIN, testPAN), "99")
}

// TestMasterSessionWithoutMAC: a PIN key may be wanted anew where no MAC is made.
func TestMasterSessionWithoutMAC(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.WorkingKeys = true })
	p := &macPad{}
	set := w.signOnKeys(w.client, p, 0)
	pay := func(set *keySet, want string) {
		t.Helper()
		r := w.payment(saleID(int(w.stan)), 1_00, testPIN)
		r.PIN = sealedAs(t, pin.MasterSession, pin.Format0, 0, set.pin, testPIN, testPAN)
		w.pay(r, want)
	}
	pay(set, "00")
	beside, err := Open(w.ctx(), Config{Dir: w.dir, WorkingKeys: true}) // as a command does
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	if err := beside.RequireNewKeys(w.ctx(), testMerchant, testTerminal); err != nil {
		t.Fatal(err)
	}
	pay(set, "99")
	pay(w.signOnKeys(w.client, p, 0), "00")
	w.charged(2_00)
}

package pin

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"os/exec"
	"testing"
)

func TestAESDUKPTVectors(t *testing.T) {
	var v struct {
		PAN, PIN, Fill string
		Suites         []struct {
			Name             string
			BDK, IK          string
			BDKAlgorithm     Algorithm `json:"bdk_algorithm"`
			WorkingAlgorithm Algorithm `json:"working_algorithm"`
			Rows             []struct {
				KSN                             AESKSN
				Key, PIN, MAC, Data, KEK, Block string
			}
		}
	}
	load(t, "aesdukpt.json", &v)
	var fill [16]byte
	copy(fill[:], unhex(t, v.Fill))
	for _, s := range v.Suites {
		bdk := secret(t, s.BDKAlgorithm, s.BDK)
		ik, err := AESInitialKey(bdk, s.Rows[0].KSN)
		if err != nil || !ik.Equal(secret(t, s.BDKAlgorithm, s.IK)) {
			t.Fatalf("%s: initial key %X, %v", s.Name, ik.Reveal(), err)
		}
		for _, row := range s.Rows {
			tx, err := AESTransactionKey(ik, row.KSN)
			if err != nil || !tx.Equal(secret(t, s.BDKAlgorithm, row.Key)) {
				t.Fatalf("%s, %v: key %X, %v", s.Name, row.KSN, tx.Reveal(), err)
			}
			for _, w := range []struct {
				usage Usage
				want  string
			}{{UsagePIN, row.PIN}, {UsageMACGeneration, row.MAC}, {UsageDataEncryption, row.Data}, {UsageKeyEncryption, row.KEK}} {
				if w.want == "" {
					continue
				}
				got, err := WorkingKey(tx, w.usage, s.WorkingAlgorithm, row.KSN)
				if err != nil || !got.Equal(secret(t, s.WorkingAlgorithm, w.want)) {
					t.Errorf("%s, %v, usage %04X: %X, %v", s.Name, row.KSN, w.usage, got.Reveal(), err)
				}
			}
			if row.Block == "" {
				continue
			}
			key, err := AESPINKey(ik, row.KSN, Format4)
			if err != nil {
				t.Fatal(err)
			}
			b, err := encipher(key, Format4, mustPIN(t, v.PIN), v.PAN, fill)
			if err != nil || !bytes.Equal(b, unhex(t, row.Block)) {
				t.Errorf("%s, %v: block %X, %v", s.Name, row.KSN, b, err)
			}
			if p, err := OpenAES(bdk, row.KSN, Format4, b, v.PAN); err != nil || string(p.Reveal()) != v.PIN {
				t.Errorf("%s, %v: opened as %s, %v", s.Name, row.KSN, p.Reveal(), err)
			}
		}
	}
}

// TestAESDUKPTWithTDESFormats: pads of the AES scheme may still send 8-byte
// blocks.
func TestAESDUKPTWithTDESFormats(t *testing.T) {
	bdk := secret(t, AES256, "FEDCBA9876543210F1F1F1F1F1F1F1F1FEDCBA9876543210F1F1F1F1F1F1F1F1")
	ksn, err := ParseAESKSN("123456789012345600000005")
	if err != nil {
		t.Fatal(err)
	}
	ik, err := AESInitialKey(bdk, ksn)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Format{Format0, Format3, Format4} {
		key, err := AESPINKey(ik, ksn, f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Encipher(key, f, mustPIN(t, "1234"), "4111111111111111")
		if err != nil {
			t.Fatal(err)
		}
		if p, err := OpenAES(bdk, ksn, f, b, "4111111111111111"); err != nil || string(p.Reveal()) != "1234" {
			t.Errorf("format %d: %v", f, err)
		}
	}
}

// TestDerivationAgainstOpenSSL derives an AES-192 key, for which the supplement
// has no rows, from openssl's cipher.
func TestDerivationAgainstOpenSSL(t *testing.T) {
	const bdkHex = "FEDCBA9876543210F1F1F1F1F1F1F1F1FEDCBA9876543210"
	ksn, err := ParseAESKSN("123456789012345600000001")
	if err != nil {
		t.Fatal(err)
	}
	ecb := func(key, in []byte) []byte {
		cmd := exec.Command("openssl", "enc", "-e", fmt.Sprintf("-aes-%d-ecb", 8*len(key)), "-nopad", "-nosalt", "-K", hex.EncodeToString(key))
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil || len(out) != len(in) {
			t.Fatalf("openssl, which this test needs (apt-get install openssl): %v", err)
		}
		return out
	}
	blocks := func(usageAndKind, data string) []byte {
		return unhex(t, "0101"+usageAndKind+data+"0102"+usageAndKind+data)
	}
	ik, err := AESInitialKey(secret(t, AES192, bdkHex), ksn)
	if err != nil {
		t.Fatal(err)
	}
	want := ecb(unhex(t, bdkHex), blocks("8001000300C0", "1234567890123456"))[:24]
	if !bytes.Equal(ik.Reveal(), want) {
		t.Fatalf("initial key %X, openssl has %X", ik.Reveal(), want)
	}
	tx, err := AESTransactionKey(ik, ksn)
	if err != nil {
		t.Fatal(err)
	}
	want = ecb(want, blocks("8000000300C0", "9012345600000001"))[:24]
	if !bytes.Equal(tx.Reveal(), want) {
		t.Fatalf("transaction key %X, openssl has %X", tx.Reveal(), want)
	}
	key, err := WorkingKey(tx, UsagePIN, AES192, ksn)
	if err != nil || !bytes.Equal(key.Reveal(), ecb(want, blocks("1000000300C0", "9012345600000001"))[:24]) {
		t.Fatalf("PIN key %X, %v", key.Reveal(), err)
	}
}

func TestDerivationRefuses(t *testing.T) {
	ksn := AESKSN{11: 1}
	aes := secret(t, AES128, "FEDCBA9876543210F1F1F1F1F1F1F1F1")
	tdes := secret(t, TDES2, "FEDCBA9876543210F1F1F1F1F1F1F1F1")
	if _, err := AESInitialKey(tdes, ksn); !errors.Is(err, ErrDerivation) {
		t.Errorf("from TDES: %v", err)
	}
	for _, a := range []Algorithm{AES192, AES256, DES, 9} {
		if _, err := WorkingKey(aes, UsagePIN, a, ksn); !errors.Is(err, ErrDerivation) {
			t.Errorf("algorithm %04X from AES-128: %v", uint16(a), err)
		}
	}
	for _, c := range []uint32{0, 0x1FFFF, 0xFFFFFFFF} {
		if _, err := AESTransactionKey(aes, ksn.WithCounter(c)); !errors.Is(err, ErrKSN) {
			t.Errorf("counter %X: %v", c, err)
		}
	}
	if _, err := OpenAES(aes, ksn.WithCounter(0), Format4, make([]byte, 16), "4111111111111111"); !errors.Is(err, ErrKSN) {
		t.Error(err)
	}
	if _, err := OpenAES(tdes, ksn, Format4, make([]byte, 16), "4111111111111111"); !errors.Is(err, ErrDerivation) {
		t.Error(err)
	}
}

func TestAESCounter(t *testing.T) {
	at := AESKSN{1, 2, 3, 4, 5, 6, 7, 8}
	// The neighbourhoods of the first skips, the long way round.
	for _, from := range []uint32{0, 0x1FFF0, 0x3FF00, 0x7FFF0000, 0xFFFE0000} {
		ksn := at.WithCounter(from)
		for c := from + 1; c < from+0x500; c++ {
			if bits.OnesCount32(c) > aesMaxOnes {
				continue
			}
			var err error
			if ksn, err = ksn.Next(); err != nil || ksn.Counter() != c {
				t.Fatalf("after %X: %v, %v", c-1, ksn, err)
			}
		}
	}
	for _, last := range []uint32{0xFFFF0000, 0xFFFFFFFF} {
		if _, err := at.WithCounter(last).Next(); !errors.Is(err, ErrExhausted) {
			t.Errorf("after %X: %v", last, err)
		}
	}
	if !at.SameDevice(at.WithCounter(77)) || at.SameDevice(AESKSN{}) {
		t.Error("SameDevice")
	}
	for _, bad := range []string{"", "12345678901234560000000", "1234567890123456000000011", "12345678901234560000000G"} {
		if _, err := ParseAESKSN(bad); !errors.Is(err, ErrKSN) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

package pin

import (
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/bits"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"buka/internal/mac"
)

func load(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustPIN(t testing.TB, digits string) PIN {
	t.Helper()
	p, err := NewPIN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFormat0Vectors(t *testing.T) {
	var v struct {
		Blocks []struct{ PIN, PAN, Block string }
	}
	load(t, "blocks.json", &v)
	for _, row := range v.Blocks {
		got, err := Encode0(mustPIN(t, row.PIN), row.PAN)
		if err != nil {
			t.Fatal(err)
		}
		if want := ClearBlock(unhex(t, row.Block)); got != want {
			t.Errorf("PIN %s PAN %s: %X, want %s", row.PIN, row.PAN, got[:], row.Block)
		}
		back, err := Decode0(got, row.PAN)
		if err != nil || string(back.Reveal()) != row.PIN {
			t.Errorf("decode %s: %s, %v", row.Block, back.Reveal(), err)
		}
	}
}

func TestFormat0RoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		digits := rapid.StringMatching(`[0-9]{4,12}`).Draw(r, "pin")
		pan := rapid.StringMatching(`[0-9]{8,19}`).Draw(r, "pan")
		p, err := NewPIN([]byte(digits))
		if err != nil {
			r.Fatal(err)
		}
		b, err := Encode0(p, pan)
		if err != nil {
			r.Fatal(err)
		}
		back, err := Decode0(b, pan)
		if err != nil || !back.Equal(p) {
			r.Fatalf("%v", err)
		}
	})
}

func TestDecode0Refuses(t *testing.T) {
	const pan = "4012345678909"
	for name, field := range map[string]string{
		"control 1":     "141234FFFFFFFFFF",
		"3 digits":      "03123FFFFFFFFFFF",
		"13 digits":     "0D1234567890123F",
		"digit A":       "04123AFFFFFFFFFF",
		"fill not F":    "041234FFFFFFFFF0",
		"fill too soon": "0512F4FFFFFFFFFF",
	} {
		b := ClearBlock(unhex(t, field))
		account, err := accountField(pan)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] ^= account[i]
		}
		if _, err := Decode0(b, pan); !errors.Is(err, ErrBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "1234567", "12345678901234567890", "40123456789O9", "４０１２３４５６７８９０９"} {
		if _, err := Decode0(ClearBlock{}, bad); !errors.Is(err, ErrPAN) {
			t.Errorf("PAN %q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "123", "1234567890123", "12a4"} {
		if _, err := NewPIN([]byte(bad)); !errors.Is(err, ErrPIN) {
			t.Errorf("PIN %q: %v", bad, err)
		}
	}
	if _, err := Encode0(PIN{}, pan); !errors.Is(err, ErrPIN) {
		t.Errorf("no PIN: %v", err)
	}
}

func TestDUKPTVectors(t *testing.T) {
	var v struct {
		BDK, IK, PIN, PAN, Text string
		PINKey1                 string `json:"pin_key_1"`
		DataRequestKey1         string `json:"data_request_key_1"`
		Rows                    []struct {
			KSN          KSN
			Key, Block   string
			MACRequest   string `json:"mac_request"`
			MACResponse  string `json:"mac_response"`
			DataRequest  string `json:"data_request"`
			DataResponse string `json:"data_response"`
		}
	}
	load(t, "dukpt.json", &v)
	bdk := Key(unhex(t, v.BDK))
	at := v.Rows[0].KSN.WithCounter(0)
	ik := InitialKey(bdk, v.Rows[0].KSN)
	if ik != Key(unhex(t, v.IK)) {
		t.Fatalf("initial key %X", ik[:])
	}
	clearBlock, err := Encode0(mustPIN(t, v.PIN), v.PAN)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range v.Rows {
		if at, err = at.Next(); err != nil || at != row.KSN {
			t.Fatalf("row %d: counter went to %v, %v", i, at, err)
		}
		key, err := TransactionKey(ik, row.KSN)
		if err != nil || key != Key(unhex(t, row.Key)) {
			t.Fatalf("%v: key %X, %v", row.KSN, key[:], err)
		}
		if i == 0 && (key.PINKey() != Key(unhex(t, v.PINKey1)) || key.DataRequestKey() != Key(unhex(t, v.DataRequestKey1))) {
			t.Error("variants of the first key differ")
		}
		b := EncryptBlock(key, clearBlock)
		if b != Block(unhex(t, row.Block)) {
			t.Errorf("%v: block %X", row.KSN, b[:])
		}
		if p, err := Open(bdk, row.KSN, b, v.PAN); err != nil || string(p.Reveal()) != v.PIN {
			t.Errorf("%v: opened as %s, %v", row.KSN, p.Reveal(), err)
		}
		if m := retail(t, key.MACRequestKey(), v.Text); !m.Equal(mac.Code(unhex(t, row.MACRequest))) {
			t.Errorf("%v: request MAC %X", row.KSN, m)
		}
		if m := retail(t, key.MACResponseKey(), v.Text); !m.Equal(mac.Code(unhex(t, row.MACResponse))) {
			t.Errorf("%v: response MAC %X", row.KSN, m)
		}
		for _, d := range []struct {
			key  Key
			want string
		}{{key.DataRequestKey(), row.DataRequest}, {key.DataResponseKey(), row.DataResponse}} {
			if got := cbc(d.key, v.Text); got != d.want {
				t.Errorf("%v: data %s, want %s", row.KSN, got, d.want)
			}
		}
	}
}

func retail(t *testing.T, k Key, text string) mac.Code {
	t.Helper()
	m, err := mac.Sum(mac.X919, k[:], []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// cbc enciphers the vectors' text: TDES-CBC, IV 0, zero padding.
func cbc(k Key, text string) string {
	buf := make([]byte, (len(text)+7)/8*8)
	copy(buf, text)
	cipher.NewCBCEncrypter(k.cipher(), make([]byte, 8)).CryptBlocks(buf, buf)
	return strings.ToUpper(hex.EncodeToString(buf))
}

func TestCounterSkips(t *testing.T) {
	base, err := ParseKSN("9876543210E00000")
	if err != nil {
		t.Fatal(err)
	}
	// The long way round, over all 2^21 counters: X9.24-1:2009 A.2 counts
	// 1,048,575 keys for a device.
	keys, at := 0, base
	for c := uint32(1); c <= counterMask; c++ {
		if bits.OnesCount32(c) > maxOnes {
			continue
		}
		if at, err = at.Next(); err != nil || at.Counter() != c {
			t.Fatalf("after %d: %v, %v", c-1, at, err)
		}
		keys++
	}
	if keys != 1_048_575 {
		t.Errorf("%d keys", keys)
	}
	if _, err := at.Next(); !errors.Is(err, ErrExhausted) {
		t.Errorf("after the last: %v", err)
	}
	for _, c := range []uint32{0, 0x1FFFFF, 0x7FF} {
		if _, err := TransactionKey(Key{}, base.WithCounter(c)); !errors.Is(err, ErrKSN) {
			t.Errorf("counter %X: %v", c, err)
		}
	}
	if !base.SameDevice(at) || base.SameDevice(KSN{}) {
		t.Error("SameDevice")
	}
}

func TestParseKSN(t *testing.T) {
	for in, want := range map[string]string{
		"9876543210E00001":     "FFFF9876543210E00001",
		"ffff9876543210e00001": "FFFF9876543210E00001",
		"0000E00001":           "FFFFFFFFFF0000E00001",
	} {
		got, err := ParseKSN(in)
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "123456789", "123456789012345678901", "98765432G0"} {
		if _, err := ParseKSN(in); !errors.Is(err, ErrKSN) {
			t.Errorf("%q: %v", in, err)
		}
	}
	if _, err := ParseKey("00"); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	if _, err := ParseKey(strings.Repeat("G", 32)); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
}

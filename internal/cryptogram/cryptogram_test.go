package cryptogram

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"buka/internal/mac"
)

type vector struct {
	IMK, PAN, R, Data, MK, SK, ARQC, ARPC1, ARPC2 string
	PSN                                           byte
	ATC                                           uint16
}

func vectors(t *testing.T) (v struct{ Derivation, CVN18 vector }) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, what, want string, got []byte) {
	t.Helper()
	if g := strings.ToUpper(hex.EncodeToString(got)); g != want {
		t.Errorf("%s: %s, want %s", what, g, want)
	}
}

// TestDerivation is vector 1, whose session key comes from a diversifier that is
// not an ATC alone: the halves replace its third byte.
func TestDerivation(t *testing.T) {
	v := vectors(t).Derivation
	mk, err := CardKey(Key(unhex(t, v.IMK)), v.PAN, v.PSN)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "MK", v.MK, mk[:])
	r := [8]byte(unhex(t, v.R))
	left, right := r, r
	left[2], right[2] = 0xF0, 0x0F
	sk := joined(encipher(mk, left), encipher(mk, right))
	same(t, "SK", v.SK, sk[:])
	sum, err := mac.Sum(mac.X919, sk[:], padded(unhex(t, v.Data)))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ARQC", v.ARQC, sum[:])
	arpc1 := method1(mk, AC(sum), [2]byte{})
	same(t, "ARPC method 1", v.ARPC1, arpc1[:])
	arpc2, err := method2(sk, AC(sum), [4]byte{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ARPC method 2", v.ARPC2, arpc2[:])
}

func TestCVN18(t *testing.T) {
	v := vectors(t).CVN18
	mk, err := CardKey(Key(unhex(t, v.IMK)), v.PAN, v.PSN)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "MK", v.MK, mk[:])
	sk := SessionKey(mk, v.ATC)
	same(t, "SK", v.SK, sk[:])
	ac, err := CVN18.AC(mk, v.ATC, unhex(t, v.Data))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ARQC", v.ARQC, ac[:])
	answer, err := CVN18.ARPC(mk, v.ATC, ac, [2]byte{}, [4]byte{}, nil)
	if err != nil || len(answer) != 8 {
		t.Fatalf("%X, %v", answer, err)
	}
	same(t, "ARPC", v.ARPC2, answer[:4])
}

// TestEveryInputCounts changes one bit of each input: the cryptogram changes.
func TestEveryInputCounts(t *testing.T) {
	key, data := Key(unhex(t, "0123456789ABCDEFFEDCBA9876543210")), unhex(t, "00112233445566778899AABB")
	for _, p := range []Profile{CVN10, CVN18, Common} {
		ac, err := p.AC(key, 7, data)
		if err != nil {
			t.Fatal(err)
		}
		data[3] ^= 1
		other, _ := p.AC(key, 7, data)
		data[3] ^= 1
		if ac.Equal(other) {
			t.Errorf("profile %d: the data does not count", p)
		}
		if later, _ := p.AC(key, 8, data); ac.Equal(later) != (p == CVN10) {
			t.Errorf("profile %d: the counter", p)
		}
		a, _ := p.ARPC(key, 7, ac, [2]byte{'0', '0'}, [4]byte{}, nil)
		b, _ := p.ARPC(key, 7, ac, [2]byte{'0', '5'}, [4]byte{1}, nil)
		if string(a) == string(b) {
			t.Errorf("profile %d: approval and refusal look the same", p)
		}
	}
	if _, err := Profile(3).AC(key, 1, data); !errors.Is(err, ErrProfile) {
		t.Error(err)
	}
}

// TestLongPANs: option B is used from 17 digits on, and only the digits count.
func TestLongPANs(t *testing.T) {
	imk := Key(unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	a, err1 := CardKey(imk, "6225880000000000001", 1)
	b, err2 := CardKey(imk, "5225880000000000001", 1)
	if err1 != nil || err2 != nil || a == b {
		t.Errorf("%v %v: the first digit of a long PAN does not count", err1, err2)
	}
	for _, bad := range []string{"", "1234567", "62258800000000000012", "62258800000000A1"} {
		if _, err := CardKey(imk, bad, 0); !errors.Is(err, ErrPAN) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestInput puts vector 2 together from its objects.
func TestInput(t *testing.T) {
	v := vectors(t).CVN18
	objects := map[uint32]string{0x9F02: "000000004000", 0x9F03: "000000000000", 0x9F1A: "0124", 0x95: "8000048000", 0x5F2A: "0124",
		0x9A: "191105", 0x9C: "01", 0x9F37: "52BF4585", 0x82: "1800", 0x9F36: "001C", 0x9F10: "06011203A0B800"}
	get := func(tag uint32) []byte { return unhex(t, objects[tag]) }
	p, err := Of(get(0x9F10))
	if err != nil || p != CVN18 {
		t.Fatal(p, err)
	}
	data, err := p.Input(get)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "input", strings.ReplaceAll(v.Data, " ", ""), data)
	for tag := range objects {
		if _, err := p.Input(func(x uint32) []byte {
			if x == tag {
				return nil
			}
			return get(x)
		}); err == nil {
			t.Errorf("%X may be missing", tag)
		}
	}
}

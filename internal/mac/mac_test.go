package mac

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

type vector struct {
	Name              string
	Algorithm         Algorithm
	Key, Message, MAC string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Rows []vector }
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Rows) < 5 {
		t.Fatalf("%d rows, %v", len(file.Rows), err)
	}
	return file.Rows
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		key, message, want := unhex(t, v.Key), unhex(t, v.Message), Code(unhex(t, v.MAC))
		got, err := Sum(v.Algorithm, key, message)
		if err != nil || got != want {
			t.Errorf("%s, %v: %X, %v; want %X", v.Name, v.Algorithm, got, err, want)
		}
		if !Verify(v.Algorithm, key, message, want) {
			t.Errorf("%s, %v: does not verify", v.Name, v.Algorithm)
		}
		for i := range 8 * len(message) {
			message[i/8] ^= 1 << (i % 8)
			if Verify(v.Algorithm, key, message, want) {
				t.Errorf("%s, %v: verifies with bit %d changed", v.Name, v.Algorithm, i)
			}
			message[i/8] ^= 1 << (i % 8)
		}
		for i := range 8 * Size {
			wrong := want
			wrong[i/8] ^= 1 << (i % 8)
			if wrong.Equal(want) || Verify(v.Algorithm, key, message, wrong) {
				t.Errorf("%s, %v: a code with bit %d changed is taken", v.Name, v.Algorithm, i)
			}
		}
	}
}

// TestUnionPaySteps follows the steps of the published sample.
func TestUnionPaySteps(t *testing.T) {
	v := vectors(t)[0]
	var blocks [][Size]byte
	key := unhex(t, v.Key)
	c, err := single(key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = UnionPay(func(b [Size]byte) (out [Size]byte, _ error) {
		c.Encrypt(out[:], b[:])
		blocks = append(blocks, b, out)
		return out, nil
	}, unhex(t, v.Message))
	if err != nil || len(blocks) != 4 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	for i, want := range []string{hex.EncodeToString([]byte("4D08F434")), "6A4DF084B6D23759", "5E7BC4C2F3E5751F", "8A9E91B88D839AC5"} {
		if got := hex.EncodeToString(blocks[i][:]); !strings.EqualFold(got, want) {
			t.Errorf("step %d: %s, want %s", i, got, want)
		}
	}
	stop := errors.New("the pad is gone")
	for at := range 2 {
		calls := 0
		_, err := UnionPay(func(b [Size]byte) ([Size]byte, error) {
			if calls++; calls > at {
				return b, stop
			}
			return b, nil
		}, nil)
		if !errors.Is(err, stop) {
			t.Errorf("a cipher that fails at %d: %v", at, err)
		}
	}
}

func TestPaddingAndKeys(t *testing.T) {
	key := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	for _, a := range []Algorithm{UnionPayECB, X99, X919} {
		k := key
		if a == X99 {
			k = key[:8]
		}
		sum := func(m string) Code {
			c, err := Sum(a, k, []byte(m))
			if err != nil {
				t.Fatal(a, err)
			}
			return c
		}
		if sum("") != sum(strings.Repeat("\x00", 8)) || sum("abc") != sum("abc\x00\x00\x00\x00\x00") {
			t.Errorf("%v: padding is not zeros", a)
		}
		if sum("12345678") == sum("12345679") || sum("12345678abcdefgh") == sum("12345678") {
			t.Errorf("%v: two messages, one code", a)
		}
		for _, n := range []int{0, 7, 9, 15, 17, 24} {
			if _, err := Sum(a, make([]byte, n), nil); !errors.Is(err, ErrKey) {
				t.Errorf("%v, key of %d: %v", a, n, err)
			}
		}
	}
	if _, err := Sum(X99, key, nil); !errors.Is(err, ErrKey) {
		t.Errorf("X9.9 with 16 bytes: %v", err)
	}
	if _, err := Sum(0, key, nil); !errors.Is(err, ErrAlgorithm) {
		t.Error(err)
	}
	// With equal halves X9.19 is X9.9, and TDES is DES.
	twice := append(bytes.Clone(key[:8]), key[:8]...)
	for _, a := range []Algorithm{X919, UnionPayECB} {
		one, err1 := Sum(a, key[:8], []byte("some message"))
		two, err2 := Sum(a, twice, []byte("some message"))
		if one != two || err1 != nil || err2 != nil {
			t.Errorf("%v: %X and %X, %v, %v", a, one, two, err1, err2)
		}
	}
}

func TestNames(t *testing.T) {
	for _, a := range []Algorithm{UnionPayECB, X99, X919} {
		text, err := a.MarshalText()
		var back Algorithm
		if err != nil || back.UnmarshalText(text) != nil || back != a {
			t.Errorf("%v: %s, %v", a, text, err)
		}
	}
	var a Algorithm
	if err := a.UnmarshalText([]byte("cmac")); !errors.Is(err, ErrAlgorithm) {
		t.Error(err)
	}
	if _, err := a.MarshalText(); !errors.Is(err, ErrAlgorithm) || a.String() != "none" {
		t.Error(err)
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte("0123456789ABCDEF"), []byte("message"), byte(2))
	f.Fuzz(func(t *testing.T, key, message []byte, a byte) {
		c, err := Sum(Algorithm(a), key, message)
		if err != nil && c != (Code{}) {
			t.Fatal("a code beside an error")
		}
		if err == nil && !Verify(Algorithm(a), key, message, c) {
			t.Fatal("its own code does not verify")
		}
	})
}

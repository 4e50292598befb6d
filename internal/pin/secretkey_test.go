package pin

import (
	"bytes"
	"errors"
	"testing"
)

func TestWrappedKeyVectors(t *testing.T) {
	var v struct {
		Rows []struct{ Master, Cryptogram, Key, Check string }
	}
	load(t, "wrapped.json", &v)
	for _, row := range v.Rows {
		master, key := secret(t, TDES2, row.Master), unhex(t, row.Key)
		plain, err := TDESKey(key)
		if err != nil {
			t.Fatal(err)
		}
		kcv := plain.CheckValue()
		if !bytes.Equal(kcv[:], unhex(t, row.Check)) {
			t.Errorf("check value %X, want %s", kcv, row.Check)
		}
		w, err := Wrap(master, plain)
		if err != nil || !bytes.Equal(w.Cryptogram, unhex(t, row.Cryptogram)) || !bytes.Equal(w.Check, kcv[:]) {
			t.Errorf("wrapped as %X, %X, %v", w.Cryptogram, w.Check, err)
		}
		back, err := Unwrap(master, w)
		if err != nil || !back.Equal(plain) {
			t.Errorf("unwrapped: %v", err)
		}
		for _, check := range [][]byte{nil, kcv[:3]} {
			if back, err := Unwrap(master, WrappedKey{w.Cryptogram, check}); err != nil || !back.Equal(plain) {
				t.Errorf("check value of %d bytes: %v", len(check), err)
			}
		}
		w.Check = bytes.Clone(kcv[:])
		w.Check[2]++
		if _, err := Unwrap(master, w); !errors.Is(err, ErrCheckValue) {
			t.Errorf("a wrong check value: %v", err)
		}
		w.Check, w.Cryptogram = kcv[:], bytes.Clone(w.Cryptogram)
		w.Cryptogram[0] ^= 1
		if _, err := Unwrap(master, w); !errors.Is(err, ErrCheckValue) {
			t.Errorf("a damaged cryptogram: %v", err)
		}
	}
}

func TestSecretKeyRefuses(t *testing.T) {
	for _, a := range []Algorithm{DES, TDES2, TDES3, AES128, AES192, AES256, 7} {
		for _, n := range []int{0, a.Size() - 1, a.Size() + 1} {
			if n >= 0 {
				if _, err := NewSecretKey(a, make([]byte, n)); !errors.Is(err, ErrSecretKey) {
					t.Errorf("algorithm %04X, %d bytes: %v", uint16(a), n, err)
				}
			}
		}
	}
	if _, err := ParseSecretKey(DES, "zz"); !errors.Is(err, ErrSecretKey) {
		t.Error(err)
	}
	aes, des := secret(t, AES128, "AF8CB133A78F8DC2D1359F18527593FB"), secret(t, DES, "5BB5C72CD00B7338")
	if _, err := Wrap(aes, des); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := Wrap(des, aes); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := Unwrap(aes, WrappedKey{Cryptogram: make([]byte, 8)}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := Unwrap(des, WrappedKey{Cryptogram: make([]byte, 9)}); !errors.Is(err, ErrSecretKey) {
		t.Error(err)
	}
	if k := (Key{1, 2}); !bytes.Equal(k.Secret().Reveal(), k[:]) || k.Secret().Algorithm() != TDES2 {
		t.Error("a DUKPT key changes on its way")
	}
	if !(WrappedKey{}).IsZero() || (WrappedKey{Cryptogram: []byte{1}}).IsZero() {
		t.Error("IsZero")
	}
}

func TestSealed(t *testing.T) {
	for f, n := range map[Format]int{Format0: 8, Format3: 8, Format4: 16} {
		s, err := NewSealed(AESDUKPT, f)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Bytes()) != n || !s.Wiped() {
			t.Errorf("format %d: %d bytes", f, len(s.Bytes()))
		}
		copy(s.Bytes(), "0123456789abcdef")
		kept := s.Bytes() // the same memory, so wiped with it
		if s.Wiped() || (s.Block() == Block([]byte("01234567"))) != (n == 8) {
			t.Errorf("format %d: not what was written", f)
		}
		s.Wipe()
		s.Wipe()
		if !s.Wiped() || !bytes.Equal(kept, make([]byte, n)) {
			t.Errorf("format %d: a block outlives Wipe", f)
		}
	}
	if _, err := NewSealed(TDESDUKPT, 1); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	var none *Sealed
	none.Wipe()
	if !none.Wiped() {
		t.Error("nil holds a block")
	}
	for _, s := range []Scheme{TDESDUKPT, AESDUKPT, MasterSession} {
		var back Scheme
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%v: %v", s, err)
		}
	}
	if err := new(Scheme).UnmarshalText([]byte("tmk")); !errors.Is(err, ErrScheme) {
		t.Error(err)
	}
}

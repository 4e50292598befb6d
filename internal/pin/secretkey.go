package pin

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
)

// Algorithm is what a key is for, by the codes of X9.24-3:2017 table 2.
type Algorithm uint16

const (
	TDES2  Algorithm = 0x0000 // two-key TDES, 16 bytes
	TDES3  Algorithm = 0x0001 // three-key TDES, 24 bytes
	AES128 Algorithm = 0x0002
	AES192 Algorithm = 0x0003
	AES256 Algorithm = 0x0004
	// DES is single DES, 8 bytes. X9.24-3 has no code for it; it lives on as
	// the single-length session key of older acquirers.
	DES Algorithm = 0xFFFF
)

// Size is the length of a key in bytes, 0 for an unknown algorithm.
func (a Algorithm) Size() int {
	switch a {
	case DES:
		return 8
	case TDES2, AES128:
		return 16
	case TDES3, AES192:
		return 24
	case AES256:
		return 32
	}
	return 0
}

func (a Algorithm) aes() bool { return a == AES128 || a == AES192 || a == AES256 }

func (a Algorithm) blockSize() int {
	switch {
	case a.aes():
		return aes.BlockSize
	case a.Size() != 0:
		return des.BlockSize
	}
	return 0
}

var (
	// ErrSecretKey says that bytes are no key of the algorithm. It does not
	// repeat them.
	ErrSecretKey = errors.New("pin: not a key of this algorithm: wrong length")
	// ErrCheckValue says that a key was unwrapped and its check value is not
	// the one that came with it: another master key, or damage.
	ErrCheckValue = errors.New("pin: the key's check value differs: sign on again, or load the right master key")
)

// SecretKey is a key of any algorithm. The zero value is two-key TDES of zeros
// and is refused nowhere: make keys with NewSecretKey. Keys of TDES DUKPT have
// a type of their own, Key.
type SecretKey struct {
	alg      Algorithm
	material [32]byte
}

// NewSecretKey takes the bytes of a key; the caller zeroes its own. Parity is
// neither checked nor mended. ErrSecretKey for a wrong length.
func NewSecretKey(a Algorithm, b []byte) (SecretKey, error) {
	if a.Size() == 0 || len(b) != a.Size() {
		return SecretKey{}, ErrSecretKey
	}
	k := SecretKey{alg: a}
	copy(k.material[:], b)
	return k, nil
}

// TDESKey takes a key of 8, 16 or 24 bytes by its length.
func TDESKey(b []byte) (SecretKey, error) {
	switch len(b) {
	case 8:
		return NewSecretKey(DES, b)
	case 16:
		return NewSecretKey(TDES2, b)
	}
	return NewSecretKey(TDES3, b)
}

// ParseSecretKey reads a key from hex digits.
func ParseSecretKey(a Algorithm, s string) (SecretKey, error) {
	raw, err := hex.DecodeString(s)
	defer clear(raw)
	if err != nil {
		return SecretKey{}, ErrSecretKey
	}
	return NewSecretKey(a, raw)
}

// Secret is a TDES DUKPT key as a key of the general kind.
func (k Key) Secret() SecretKey {
	s := SecretKey{alg: TDES2}
	copy(s.material[:], k[:])
	return s
}

// Algorithm is the one that the key is for.
func (k SecretKey) Algorithm() Algorithm { return k.alg }

// Equal compares in a time that does not depend on the content.
func (k SecretKey) Equal(o SecretKey) bool {
	return k.alg == o.alg && subtle.ConstantTimeCompare(k.material[:], o.material[:]) == 1
}

// Reveal gives a copy of the bytes, for a MAC or another cipher. The caller
// zeroes it.
func (k SecretKey) Reveal() []byte { return bytes.Clone(k.material[:k.alg.Size()]) }

// CheckValue is the key check value: the first four bytes of a block of zeros
// enciphered under the key. Three or four of them are compared, as the sender
// has sent. (X9.24-1:2017 wants CMAC for AES keys; the terminals of the sheet
// have TDES keys only.)
func (k SecretKey) CheckValue() (kcv [4]byte) {
	var zeros [aes.BlockSize]byte
	k.cipher().Encrypt(zeros[:], zeros[:])
	copy(kcv[:], zeros[:])
	return kcv
}

func (k *SecretKey) cipher() cipher.Block {
	b := k.material[:k.alg.Size()]
	var c cipher.Block
	var err error
	switch {
	case k.alg.aes():
		c, err = aes.NewCipher(b)
	case k.alg == DES:
		c, err = des.NewCipher(b)
	default:
		var triple [24]byte
		defer clear(triple[:])
		copy(triple[copy(triple[:], b):], b) // two keys: left, right, left
		c, err = des.NewTripleDESCipher(triple[:])
	}
	if err != nil {
		panic("pin: " + err.Error()) // only for a wrong length, which the type excludes
	}
	return c
}

// WrappedKey is a working key as it travels: enciphered under a master key that
// terminal and host share, block by block (ECB), with its check value. It is no
// secret, and no use to whoever lacks the master key. DE62 of a sign-on brings
// them; a PIN pad takes them with each request.
type WrappedKey struct {
	Cryptogram []byte // 8, 16 or 24 bytes
	Check      []byte // 3 or 4 bytes of the check value; empty: not told
}

// IsZero says that there is no key.
func (w WrappedKey) IsZero() bool { return len(w.Cryptogram) == 0 }

// String tells the length only.
func (w WrappedKey) String() string { return fmt.Sprintf("wrapped key of %d bytes", len(w.Cryptogram)) }

// Matches compares a check value with the one that came with the key. True when
// none came.
func (w WrappedKey) Matches(kcv [4]byte) bool {
	n := min(len(w.Check), len(kcv))
	return subtle.ConstantTimeCompare(w.Check[:n], kcv[:n]) == 1
}

// Wrap enciphers a TDES working key under a TDES master key and adds the check
// value, as a host does at sign-on. ErrFormat for other algorithms.
func Wrap(master, key SecretKey) (WrappedKey, error) {
	if master.alg.blockSize() != des.BlockSize || key.alg.blockSize() != des.BlockSize {
		return WrappedKey{}, ErrFormat
	}
	out := key.Reveal()
	c := master.cipher()
	for at := 0; at < len(out); at += des.BlockSize {
		c.Encrypt(out[at:], out[at:at+des.BlockSize])
	}
	kcv := key.CheckValue()
	return WrappedKey{Cryptogram: out, Check: kcv[:]}, nil
}

// Unwrap is the inverse of Wrap, as a PIN pad or an HSM does it. ErrSecretKey
// for a wrong length, ErrFormat for a master key that is not TDES,
// ErrCheckValue when a check value came with the key and differs.
func Unwrap(master SecretKey, w WrappedKey) (SecretKey, error) {
	if master.alg.blockSize() != des.BlockSize {
		return SecretKey{}, ErrFormat
	}
	raw := bytes.Clone(w.Cryptogram)
	defer clear(raw)
	key, err := TDESKey(raw) // for the length
	if err != nil {
		return SecretKey{}, err
	}
	c := master.cipher()
	for at := 0; at < len(raw); at += des.BlockSize {
		c.Decrypt(raw[at:], raw[at:at+des.BlockSize])
	}
	copy(key.material[:], raw)
	if !w.Matches(key.CheckValue()) {
		key.Zero()
		return SecretKey{}, ErrCheckValue
	}
	return key, nil
}

package mac

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
)

// Size of a code in bytes. All three algorithms fill DE64 or DE128 whole.
const Size = 8

// Code is the content of DE64. That of UnionPay's algorithm is eight ASCII
// digits, those of the others are eight binary bytes.
type Code [Size]byte

// Equal compares in a time that does not depend on the content.
func (c Code) Equal(o Code) bool { return subtle.ConstantTimeCompare(c[:], o[:]) == 1 }

// Algorithm says how a code is made. The zero value is none.
type Algorithm uint8

const (
	// UnionPayECB is the terminal specification of China UnionPay: see UnionPay.
	// The key is 8 bytes (DES) or 16 (TDES).
	UnionPayECB Algorithm = iota + 1
	// X99 is ANSI X9.9: DES in CBC mode, IV 0, zero padding; the last block. The
	// key is 8 bytes.
	X99
	// X919 is ANSI X9.19, ISO/IEC 9797-1 MAC algorithm 3 with padding method 1:
	// X99 under the left half, then decipher-right, encipher-left. The key is 16
	// bytes; an 8-byte one counts as two equal halves, which gives X99.
	X919
)

var (
	// ErrKey says that a key has not the length of its algorithm.
	ErrKey = errors.New("mac: wrong length of key")
	// ErrAlgorithm says that a name or a number is no algorithm.
	ErrAlgorithm = errors.New(`mac: no such algorithm: "ecb", "x9.9" or "x9.19"`)
)

var names = map[Algorithm]string{UnionPayECB: "ecb", X99: "x9.9", X919: "x9.19"}

// String is the name that a configuration uses.
func (a Algorithm) String() string {
	if name, ok := names[a]; ok {
		return name
	}
	return "none"
}

// MarshalText gives the name. ErrAlgorithm for none.
func (a Algorithm) MarshalText() ([]byte, error) {
	if _, ok := names[a]; !ok {
		return nil, ErrAlgorithm
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads "ecb", "x9.9" or "x9.19". Otherwise ErrAlgorithm.
func (a *Algorithm) UnmarshalText(text []byte) error {
	for known, name := range names {
		if name == string(text) {
			*a = known
			return nil
		}
	}
	return fmt.Errorf("%w, not %q", ErrAlgorithm, text)
}

// Sum makes the code of a message. An empty message counts as one block of
// zeros. Errors: ErrKey, ErrAlgorithm.
func Sum(a Algorithm, key, message []byte) (Code, error) {
	switch a {
	case UnionPayECB:
		c, err := single(key)
		if len(key) == 16 {
			c, err = double(key)
		}
		if err != nil {
			return Code{}, err
		}
		return UnionPay(func(b [Size]byte) ([Size]byte, error) {
			c.Encrypt(b[:], b[:])
			return b, nil
		}, message)
	case X99:
		return chained(key, nil, message)
	case X919:
		if len(key) == 8 {
			return chained(key, nil, message)
		}
		if len(key) != 16 {
			return Code{}, fmt.Errorf("%w: %d bytes for %v", ErrKey, len(key), a)
		}
		return chained(key[:8], key[8:], message)
	}
	return Code{}, ErrAlgorithm
}

// Verify makes the code of a message and compares. False also for a key or an
// algorithm that Sum refuses.
func Verify(a Algorithm, key, message []byte, got Code) bool {
	want, err := Sum(a, key, message)
	return err == nil && want.Equal(got)
}

// UnionPay is the ECB algorithm over any cipher, such as a PIN pad that holds
// the key: T is the XOR of all blocks, H the 16 upper-case hex digits of T;
// E1 = E(H[0:8]), E2 = E(E1 XOR H[8:16]), and the code is the first eight of the
// hex digits of E2. encrypt enciphers one block; its error is returned as it is.
func UnionPay(encrypt func([Size]byte) ([Size]byte, error), message []byte) (Code, error) {
	var t [Size]byte
	for i, b := range message {
		t[i%Size] ^= b
	}
	h := upperHex(t)
	e, err := encrypt([Size]byte(h[:Size]))
	if err != nil {
		return Code{}, err
	}
	subtle.XORBytes(e[:], e[:], h[Size:])
	if e, err = encrypt(e); err != nil {
		return Code{}, err
	}
	digits := upperHex(e)
	return Code(digits[:Size]), nil
}

func upperHex(b [Size]byte) (out [2 * Size]byte) {
	hex.Encode(out[:], b[:])
	for i, c := range out {
		if c >= 'a' {
			out[i] = c - 'a' + 'A'
		}
	}
	return out
}

// chained is the CBC chain of X9.9, and with a right half the end of X9.19.
func chained(left, right, message []byte) (mac Code, err error) {
	l, err := single(left)
	if err != nil {
		return Code{}, err
	}
	for first := true; first || len(message) > 0; first = false {
		n := subtle.XORBytes(mac[:], mac[:], message[:min(Size, len(message))])
		l.Encrypt(mac[:], mac[:])
		message = message[n:]
	}
	if right == nil {
		return mac, nil
	}
	r, err := single(right)
	if err != nil {
		return Code{}, err
	}
	r.Decrypt(mac[:], mac[:])
	l.Encrypt(mac[:], mac[:])
	return mac, nil
}

func single(key []byte) (cipher.Block, error) {
	if len(key) != 8 {
		return nil, fmt.Errorf("%w: %d bytes", ErrKey, len(key))
	}
	return des.NewCipher(key)
}

func double(key []byte) (cipher.Block, error) {
	triple := make([]byte, 0, 24)
	triple = append(append(triple, key...), key[:8]...)
	defer clear(triple)
	return des.NewTripleDESCipher(triple)
}

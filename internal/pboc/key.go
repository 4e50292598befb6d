package pboc

import (
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"errors"
	"fmt"
)

// Key is a two-key triple DES key, left half first. It prints as stars.
type Key [16]byte

// SessionKey is the single DES key of one load or purchase. It prints as stars.
type SessionKey [8]byte

// ErrKey says that a text is not a key of 32 hexadecimal digits.
var ErrKey = errors.New("not a key of 32 hexadecimal digits")

// ParseKey reads 32 hexadecimal digits. The error does not repeat the text.
func ParseKey(s string) (Key, error) {
	var k Key
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(k) {
		return Key{}, ErrKey
	}
	copy(k[:], b)
	return k, nil
}

const hidden = "****"

// String hides the key.
func (Key) String() string { return hidden }

// GoString hides the key from %#v.
func (Key) GoString() string { return hidden }

// Format hides the key from every verb, %x included.
func (Key) Format(f fmt.State, _ rune) { f.Write([]byte(hidden)) }

// MarshalText hides the key from JSON and logs.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// String hides the key.
func (SessionKey) String() string { return hidden }

// GoString hides the key from %#v.
func (SessionKey) GoString() string { return hidden }

// Format hides the key from every verb, %x included.
func (SessionKey) Format(f fmt.State, _ rune) { f.Write([]byte(hidden)) }

// MarshalText hides the key from JSON and logs.
func (SessionKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// IsZero reports the zero value, which is no key.
func (k Key) IsZero() bool { return k == Key{} }

// block encrypts one block with EDE.
func (k Key) block(in [8]byte) (out [8]byte) {
	var three [24]byte
	copy(three[:], k[:])
	copy(three[16:], k[:8])
	c, err := des.NewTripleDESCipher(three[:])
	if err != nil { // only a wrong length is one
		panic("pboc: " + err.Error())
	}
	c.Encrypt(out[:], in[:])
	return out
}

// fold is the TAC key: left half xor right half.
func (k Key) fold() (s SessionKey) {
	for i := range s {
		s[i] = k[i] ^ k[8+i]
	}
	return s
}

// Diversify makes a card's key from a master key and eight bytes that name the
// card: 3DES(k, x) ‖ 3DES(k, not x). For the second level call it again with the
// issuer's eight bytes.
func (k Key) Diversify(x [8]byte) Key {
	left := k.block(x)
	for i := range x {
		x[i] = ^x[i]
	}
	right := k.block(x)
	var d Key
	copy(d[:8], left[:])
	copy(d[8:], right[:])
	return d
}

// DiversifyTwo is diversification in two levels: the application serial number
// first, then the issuer id. Some issuers take them in the other order.
func (k Key) DiversifyTwo(asn ASN, issuer [8]byte) Key {
	return k.Diversify(asn.X()).Diversify(issuer)
}

// MAC is the first four bytes of a single DES CBC-MAC over data with zero
// initial vector; data is padded with 80 00…, always.
type MAC [4]byte

func (m MAC) String() string { return fmt.Sprintf("%X", m[:]) }

func (s SessionKey) mac(parts ...[]byte) MAC {
	var data []byte
	for _, p := range parts {
		data = append(data, p...)
	}
	data = append(data, 0x80)
	for len(data)%8 != 0 {
		data = append(data, 0)
	}
	c, err := des.NewCipher(s[:])
	if err != nil { // only a wrong length is one
		panic("pboc: " + err.Error())
	}
	cipher.NewCBCEncrypter(c, make([]byte, 8)).CryptBlocks(data, data)
	return MAC(data[len(data)-8:])
}

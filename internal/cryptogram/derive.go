package cryptogram

import (
	"crypto/des"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// Key is a two-key TDES key.
type Key [16]byte

// ErrPAN says that a PAN is not 8 to 19 digits, or the sequence number is above
// 99.
var ErrPAN = errors.New("cryptogram: a PAN has 8 to 19 digits, its sequence number at most 2")

// CardKey derives the card's master key from the issuer's: EMV Book 2 A1.4.1,
// option A for PANs of up to 16 digits and option B for longer ones. psn is the
// PAN sequence number, 0 if the card has none.
func CardKey(issuer Key, pan string, psn byte) (Key, error) {
	if len(pan) < 8 || len(pan) > 19 || strings.Trim(pan, "0123456789") != "" || psn > 99 {
		return Key{}, ErrPAN
	}
	digits := fmt.Sprintf("%s%02d", pan, psn)
	if len(pan) > 16 {
		digits = decimalise(digits)
	}
	if len(digits) < 16 {
		digits = strings.Repeat("0", 16-len(digits)) + digits
	}
	var y [8]byte
	hex.Decode(y[:], []byte(digits[len(digits)-16:]))
	return pair(issuer, y), nil
}

// decimalise is step 2 of option B: the first 16 decimal digits of the SHA-1 of
// the packed digits; if there are fewer, the letters A to F follow as 0 to 5.
func decimalise(digits string) string {
	if len(digits)%2 != 0 {
		digits = "0" + digits
	}
	packed, _ := hex.DecodeString(digits) // it has digits only
	sum := sha1.Sum(packed)
	var first, then []byte
	for _, c := range []byte(hex.EncodeToString(sum[:])) {
		if c <= '9' {
			first = append(first, c)
		} else {
			then = append(then, c-'a'+'0')
		}
	}
	return string(append(first, then...)[:16])
}

// SessionKey derives the key of one transaction from the card's master key and
// its application transaction counter: the common session key derivation, EMV
// Book 2 A1.3.
func SessionKey(card Key, atc uint16) Key {
	var left, right [8]byte
	left[0], left[1], left[2] = byte(atc>>8), byte(atc), 0xF0
	right[0], right[1], right[2] = byte(atc>>8), byte(atc), 0x0F
	return joined(encipher(card, left), encipher(card, right))
}

// pair is the two halves E(y) and E(not y).
func pair(k Key, y [8]byte) Key {
	inverted := y
	for i := range inverted {
		inverted[i] ^= 0xFF
	}
	return joined(encipher(k, y), encipher(k, inverted))
}

// joined puts two halves together with odd parity.
func joined(left, right [8]byte) (k Key) {
	copy(k[:8], left[:])
	copy(k[8:], right[:])
	for i, b := range k {
		if bits.OnesCount8(b)%2 == 0 {
			k[i] ^= 1
		}
	}
	return k
}

// encipher is one block under TDES.
func encipher(k Key, block [8]byte) [8]byte {
	var triple [24]byte
	copy(triple[:], k[:])
	copy(triple[16:], k[:8])
	defer clear(triple[:])
	c, err := des.NewTripleDESCipher(triple[:])
	if err != nil { // 24 bytes are a key
		panic("cryptogram: " + err.Error())
	}
	c.Encrypt(block[:], block[:])
	return block
}

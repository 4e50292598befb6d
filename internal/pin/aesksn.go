package pin

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
)

// aesMaxOnes bounds the one bits of a counter of AES DUKPT (X9.24-3:2017 6.1).
const aesMaxOnes = 16

// AESKSN is a key serial number of AES DUKPT: 8 bytes that name the initial key
// (base key and device), then the 32-bit transaction counter, big endian. It is
// no secret.
type AESKSN [12]byte

// ParseAESKSN reads 24 hex digits.
func ParseAESKSN(s string) (k AESKSN, err error) {
	if len(s) != 2*len(k) {
		return AESKSN{}, fmt.Errorf("%w: %d hex digits", ErrKSN, len(s))
	}
	if _, err := hex.Decode(k[:], []byte(s)); err != nil {
		return AESKSN{}, fmt.Errorf("%w: not hex", ErrKSN)
	}
	return k, nil
}

// String gives 24 upper-case hex digits.
func (k AESKSN) String() string { return fmt.Sprintf("%X", k[:]) }

// MarshalText gives the same 24 digits as String.
func (k AESKSN) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what ParseAESKSN reads.
func (k *AESKSN) UnmarshalText(text []byte) (err error) {
	*k, err = ParseAESKSN(string(text))
	return err
}

// Counter is the transaction counter, 0 for a device that has not worked yet.
func (k AESKSN) Counter() uint32 { return binary.BigEndian.Uint32(k[8:]) }

// WithCounter gives the KSN of the same device at another counter.
func (k AESKSN) WithCounter(c uint32) AESKSN {
	binary.BigEndian.PutUint32(k[8:], c)
	return k
}

// SameDevice says whether two KSNs differ in the counter only.
func (k AESKSN) SameDevice(o AESKSN) bool { return [8]byte(k[:8]) == [8]byte(o[:8]) }

// Next is the KSN of the next transaction: the counter goes up by one and past
// every value with more than 16 one bits. ErrExhausted after FFFF0000, the last
// (FFFFFFFF is kept for the update of the initial key).
func (k AESKSN) Next() (AESKSN, error) {
	c := k.Counter()
	if c == 0xFFFFFFFF {
		return AESKSN{}, ErrExhausted
	}
	c++
	for bits.OnesCount32(c) > aesMaxOnes {
		// Adding the lowest one bit is the shortest step that can lose ones.
		c += c & -c
	}
	if c == 0 {
		return AESKSN{}, ErrExhausted
	}
	return k.WithCounter(c), nil
}

// derivationData is the right half of the initial key's name and the counter.
func (k AESKSN) derivationData() [8]byte { return [8]byte(k[4:]) }

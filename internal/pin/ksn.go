package pin

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

const (
	counterBits = 21
	counterMask = 1<<counterBits - 1
	// maxOnes bounds the one bits of a transaction counter, and with it the
	// derivation steps of a key (X9.24-1:2009 A.2).
	maxOnes = 10
)

var (
	// ErrKSN says that a text or a counter is no key serial number that a
	// transaction key can be derived for.
	ErrKSN = errors.New("pin: not a usable key serial number")
	// ErrExhausted says that the device has used its million keys and must be
	// given a new initial key.
	ErrExhausted = errors.New("pin: no DUKPT key is left, load a new initial key")
)

// KSN is a key serial number: 59 bits that name the base key and the device,
// then the 21-bit transaction counter, big endian. It is no secret.
type KSN [10]byte

// ParseKSN reads 10 to 20 hex digits. PIN pads suppress leading F digits; they
// are put back.
func ParseKSN(s string) (KSN, error) {
	if len(s) < 10 || len(s) > 20 {
		return KSN{}, fmt.Errorf("%w: %d hex digits", ErrKSN, len(s))
	}
	var k KSN
	if _, err := hex.Decode(k[:], []byte(strings.Repeat("F", 20-len(s))+s)); err != nil {
		return KSN{}, fmt.Errorf("%w: not hex", ErrKSN)
	}
	return k, nil
}

// String gives 20 upper-case hex digits.
func (k KSN) String() string { return fmt.Sprintf("%X", k[:]) }

// MarshalText gives the same 20 digits as String.
func (k KSN) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what ParseKSN reads.
func (k *KSN) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKSN(string(text))
	return err
}

// Counter is the transaction counter, 0 for a device that has not worked yet.
func (k KSN) Counter() uint32 {
	return (uint32(k[7])<<16 | uint32(k[8])<<8 | uint32(k[9])) & counterMask
}

// WithCounter gives the KSN of the same device at another counter. Bits above
// the 21 of a counter are dropped.
func (k KSN) WithCounter(c uint32) KSN {
	c &= counterMask
	k[7] = k[7]&^(counterMask>>16) | byte(c>>16)
	k[8], k[9] = byte(c>>8), byte(c)
	return k
}

// SameDevice says whether two KSNs differ in the counter only.
func (k KSN) SameDevice(o KSN) bool { return k.WithCounter(0) == o.WithCounter(0) }

// Next is the KSN of the next transaction: the counter goes up by one and past
// every value with more than 10 one bits (X9.24-1:2009 A.2). ErrExhausted after
// the last.
func (k KSN) Next() (KSN, error) {
	c := k.Counter() + 1
	for bits.OnesCount32(c) > maxOnes {
		// Adding the lowest one bit is the shortest step that can lose ones.
		c += c & -c
	}
	if c > counterMask {
		return KSN{}, ErrExhausted
	}
	return k.WithCounter(c), nil
}

package pin

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
)

// Key is a double-length TDES key.
type Key [16]byte

// ErrKey says that a text is not 32 hex digits. It does not repeat the text.
var ErrKey = errors.New("pin: a key is 32 hex digits")

// ParseKey reads 32 hex digits. Parity is not checked: DUKPT keys have none.
func ParseKey(s string) (Key, error) {
	var k Key
	if len(s) != 2*len(k) {
		return Key{}, ErrKey
	}
	if _, err := hex.Decode(k[:], []byte(s)); err != nil {
		return Key{}, ErrKey
	}
	return k, nil
}

// Masks of X9.24-1:2009 A.4.1 and A.2: what separates the keys of one
// transaction, and the halves of each derivation step.
var (
	maskPIN      = Key{7: 0xFF, 15: 0xFF}
	maskMACReq   = Key{6: 0xFF, 14: 0xFF}
	maskMACResp  = Key{4: 0xFF, 12: 0xFF}
	maskDataReq  = Key{5: 0xFF, 13: 0xFF}
	maskDataResp = Key{3: 0xFF, 11: 0xFF}
	maskLeft     = Key{0: 0xC0, 1: 0xC0, 2: 0xC0, 3: 0xC0, 8: 0xC0, 9: 0xC0, 10: 0xC0, 11: 0xC0}
)

// InitialKey derives what is loaded into one device (IK, formerly IPEK) from
// the base derivation key. The counter of the KSN does not matter.
func InitialKey(bdk Key, ksn KSN) Key {
	base := ksn.WithCounter(0)
	var ik Key
	bdk.cipher().Encrypt(ik[:8], base[:8])
	bdk.xor(maskLeft).cipher().Encrypt(ik[8:], base[:8])
	return ik
}

// TransactionKey derives the key of one transaction from a device's initial
// key, as a host does: one non-reversible step for each one bit of the counter,
// highest first. ErrKSN for counter 0 and for counters that a device skips.
func TransactionKey(ik Key, ksn KSN) (Key, error) {
	c := ksn.Counter()
	if ones := bits.OnesCount32(c); ones == 0 || ones > maxOnes {
		return Key{}, fmt.Errorf("%w: counter %d", ErrKSN, c)
	}
	key, at := ik, uint32(0)
	for bit := uint32(1) << (counterBits - 1); bit != 0; bit >>= 1 {
		if c&bit == 0 {
			continue
		}
		at |= bit
		reg := ksn.WithCounter(at)
		key = step(key, [8]byte(reg[2:]))
	}
	return key, nil
}

// step is the non-reversible key generation process of X9.24-1:2009 A.2.
func step(key Key, reg [8]byte) (next Key) {
	half := func(k Key) (out [8]byte) {
		subtle.XORBytes(out[:], reg[:], k[8:])
		single(k[:8]).Encrypt(out[:], out[:])
		subtle.XORBytes(out[:], out[:], k[8:])
		return out
	}
	right, left := half(key), half(key.xor(maskLeft))
	copy(next[:8], left[:])
	copy(next[8:], right[:])
	return next
}

// The methods below take a transaction key to the key of one use.

// PINKey enciphers PIN blocks.
func (k Key) PINKey() Key { return k.xor(maskPIN) }

// MACRequestKey makes the MAC of a message from the device.
func (k Key) MACRequestKey() Key { return k.xor(maskMACReq) }

// MACResponseKey makes the MAC of a message to the device.
func (k Key) MACResponseKey() Key { return k.xor(maskMACResp) }

// DataRequestKey enciphers data from the device.
func (k Key) DataRequestKey() Key { return k.xor(maskDataReq).oneWay() }

// DataResponseKey enciphers data to the device.
func (k Key) DataResponseKey() Key { return k.xor(maskDataResp).oneWay() }

// EncryptBlock enciphers a clear block under the PIN variant of a transaction
// key.
func EncryptBlock(transaction Key, c ClearBlock) (b Block) {
	transaction.PINKey().cipher().Encrypt(b[:], c[:])
	return b
}

// DecryptBlock is the inverse of EncryptBlock. A wrong key gives noise, which
// Decode0 refuses.
func DecryptBlock(transaction Key, b Block) (c ClearBlock) {
	transaction.PINKey().cipher().Decrypt(c[:], b[:])
	return c
}

// Open is the host's way from an enciphered block to the PIN: base key and KSN
// to transaction key to clear block to digits. ErrKSN, ErrPAN or ErrBlock.
func Open(bdk Key, ksn KSN, b Block, pan string) (PIN, error) {
	ik := InitialKey(bdk, ksn)
	defer ik.Zero()
	key, err := TransactionKey(ik, ksn)
	if err != nil {
		return PIN{}, err
	}
	defer key.Zero()
	c := DecryptBlock(key, b)
	defer c.Zero()
	return Decode0(c, pan)
}

func (k Key) xor(mask Key) (out Key) {
	subtle.XORBytes(out[:], k[:], mask[:])
	return out
}

// oneWay enciphers each half of a data variant under the variant itself, so
// that a data key does not give away the transaction key.
func (k Key) oneWay() (out Key) {
	c := k.cipher()
	c.Encrypt(out[:8], k[:8])
	c.Encrypt(out[8:], k[8:])
	return out
}

// cipher is two-key TDES: left, right, left.
func (k Key) cipher() cipher.Block {
	var triple [24]byte
	copy(triple[:], k[:])
	copy(triple[16:], k[:8])
	defer clear(triple[:])
	c, err := des.NewTripleDESCipher(triple[:])
	if err != nil {
		panic("pin: " + err.Error()) // only for a wrong length, which the type excludes
	}
	return c
}

func single(half []byte) cipher.Block {
	c, err := des.NewCipher(half)
	if err != nil {
		panic("pin: " + err.Error()) // as above
	}
	return c
}

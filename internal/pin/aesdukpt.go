package pin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Usage is what a working key of AES DUKPT is for: X9.24-3:2017 table 3.
type Usage uint16

const (
	UsageKeyEncryption  Usage = 0x0002
	UsagePIN            Usage = 0x1000
	UsageMACGeneration  Usage = 0x2000
	UsageDataEncryption Usage = 0x3000

	usageDerivation Usage = 0x8000
	usageInitial    Usage = 0x8001
)

// ErrDerivation says that a key cannot be derived from this one: the parent is
// not AES, or is weaker than what it should give.
var ErrDerivation = errors.New("pin: AES DUKPT derives from an AES key that is at least as strong")

// strength orders algorithms for the rule that no key protects a stronger one.
func (a Algorithm) strength() int {
	if a.aes() {
		return 8 * a.Size()
	}
	return 112
}

// derive fills a key of algorithm a from as many enciphered derivation blocks
// as it is long: 01, number of the block, usage, algorithm, length in bits, 8
// bytes of data (X9.24-3:2017 6.3).
func derive(parent SecretKey, u Usage, a Algorithm, data [8]byte) (SecretKey, error) {
	if !parent.alg.aes() || a.Size() == 0 || a == DES || a.strength() > parent.alg.strength() {
		return SecretKey{}, ErrDerivation
	}
	block := [16]byte{0: 1}
	binary.BigEndian.PutUint16(block[2:], uint16(u))
	binary.BigEndian.PutUint16(block[4:], uint16(a))
	binary.BigEndian.PutUint16(block[6:], uint16(8*a.Size()))
	copy(block[8:], data[:])
	c := parent.cipher()
	var out [32]byte
	defer clear(out[:])
	for i := range (a.Size() + 15) / 16 {
		block[1] = byte(i + 1)
		c.Encrypt(out[16*i:], block[:])
	}
	return NewSecretKey(a, out[:a.Size()])
}

// AESInitialKey derives what is loaded into one device from the base derivation
// key, of the same algorithm. The counter of the KSN does not matter.
func AESInitialKey(bdk SecretKey, ksn AESKSN) (SecretKey, error) {
	return derive(bdk, usageInitial, bdk.alg, [8]byte(ksn[:8]))
}

// AESTransactionKey derives the key of one transaction from a device's initial
// key, as a host does: one step for each one bit of the counter, highest first.
// ErrKSN for counter 0 and for counters that a device skips.
func AESTransactionKey(ik SecretKey, ksn AESKSN) (SecretKey, error) {
	c := ksn.Counter()
	if ones := bits.OnesCount32(c); ones == 0 || ones > aesMaxOnes {
		return SecretKey{}, fmt.Errorf("%w: counter %d", ErrKSN, c)
	}
	key, at := ik, uint32(0)
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if c&bit == 0 {
			continue
		}
		at |= bit
		next, err := derive(key, usageDerivation, ik.alg, ksn.WithCounter(at).derivationData())
		if err != nil {
			return SecretKey{}, err
		}
		key = next
	}
	return key, nil
}

// WorkingKey derives the key of one use from a transaction key. The algorithm
// may be TDES, for hosts that do not take format 4 yet. ErrDerivation when it is
// stronger than the transaction key.
func WorkingKey(transaction SecretKey, u Usage, a Algorithm, ksn AESKSN) (SecretKey, error) {
	return derive(transaction, u, a, ksn.derivationData())
}

// AESPINKey is the whole way of a host or a pad from an initial key to the PIN
// key of one transaction. Format 4 is enciphered under a key like the initial
// one, formats 0 and 3 under two-key TDES.
func AESPINKey(ik SecretKey, ksn AESKSN, f Format) (SecretKey, error) {
	a := ik.alg
	if f != Format4 {
		a = TDES2
	}
	key, err := AESTransactionKey(ik, ksn)
	if err != nil {
		return SecretKey{}, err
	}
	defer key.Zero()
	return WorkingKey(key, UsagePIN, a, ksn)
}

// OpenAES is the host's way from an enciphered block to the PIN. Errors: ErrKSN,
// ErrPAN, ErrFormat, ErrDerivation, ErrBlock.
func OpenAES(bdk SecretKey, ksn AESKSN, f Format, block []byte, pan string) (PIN, error) {
	ik, err := AESInitialKey(bdk, ksn)
	if err != nil {
		return PIN{}, err
	}
	defer ik.Zero()
	key, err := AESPINKey(ik, ksn, f)
	if err != nil {
		return PIN{}, err
	}
	defer key.Zero()
	return Decipher(key, f, block, pan)
}

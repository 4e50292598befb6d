package pin

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
)

// Format is a PIN block format of ISO 9564-1, by its control field. Formats 1
// (no account number in it) and 2 (for the card only) are not made and not
// read.
type Format uint8

const (
	Format0 Format = 0 // 8 bytes, fill F; enciphered with TDES
	Format3 Format = 3 // 8 bytes, as 0 with a random fill of A to F
	Format4 Format = 4 // 16 bytes, random fill, the account in a second pass; AES only
)

// ErrFormat says that a format is not one of 0, 3 and 4, or does not go with
// the algorithm of the key.
var ErrFormat = errors.New("pin: not a PIN block format for this key: 0 and 3 go with TDES, 4 with AES")

// Size is the length of a block in bytes, 0 for a format that is not known.
func (f Format) Size() int {
	switch f {
	case Format0, Format3:
		return 8
	case Format4:
		return 16
	}
	return 0
}

// goesWith says whether blocks of the format can be enciphered under a key.
func (f Format) goesWith(a Algorithm) bool {
	return f.Size() != 0 && f.Size() == a.blockSize()
}

// Encipher makes an enciphered block: 8 bytes for formats 0 and 3, 16 for 4,
// with fresh random fill where the format has any. The key is the PIN key
// itself, not a transaction key. Errors: ErrPIN, ErrPAN, ErrFormat.
func Encipher(key SecretKey, f Format, p PIN, pan string) ([]byte, error) {
	var fill [16]byte
	rand.Read(fill[:])
	defer clear(fill[:])
	return encipher(key, f, p, pan, fill)
}

// encipher takes the random bytes from its caller, so that vectors can be made.
func encipher(key SecretKey, f Format, p PIN, pan string, fill [16]byte) ([]byte, error) {
	if !f.goesWith(key.alg) {
		return nil, ErrFormat
	}
	if p.n < MinPIN || p.n > MaxPIN {
		return nil, ErrPIN
	}
	out := make([]byte, f.Size())
	if f == Format4 {
		account, err := accountField4(pan)
		if err != nil {
			return nil, err
		}
		field := pinField4(p, [8]byte(fill[:8]))
		defer clear(field[:])
		c := key.cipher()
		c.Encrypt(out, field[:])
		subtle.XORBytes(out, out, account[:])
		c.Encrypt(out, out)
		return out, nil
	}
	b, err := encodeAs(f, p, pan, fill)
	if err != nil {
		return nil, err
	}
	defer b.Zero()
	key.cipher().Encrypt(out, b[:])
	return out, nil
}

// Decipher is the inverse of Encipher. A wrong key or another account number
// gives ErrBlock, but for a chance of about one in 10^6 (formats 0 and 3) that
// noise looks like a PIN. Errors: ErrPAN, ErrFormat, ErrBlock.
func Decipher(key SecretKey, f Format, block []byte, pan string) (PIN, error) {
	if !f.goesWith(key.alg) {
		return PIN{}, ErrFormat
	}
	if len(block) != f.Size() {
		return PIN{}, ErrBlock
	}
	if f != Format4 {
		var b ClearBlock
		defer b.Zero()
		key.cipher().Decrypt(b[:], block)
		return decodeAs(f, b, pan)
	}
	account, err := accountField4(pan)
	if err != nil {
		return PIN{}, err
	}
	var field [16]byte
	defer clear(field[:])
	c := key.cipher()
	c.Decrypt(field[:], block)
	subtle.XORBytes(field[:], field[:], account[:])
	c.Decrypt(field[:], field[:])
	return readPINField4(field)
}

// Zone is one end of a translation: the PIN key and the format that are used
// there.
type Zone struct {
	Key    SecretKey
	Format Format
}

// Translate takes a block from one zone to another, as an HSM does between
// terminal and issuer. There is one account number for both sides, and no format
// without one exists here: the rules of PCI PIN 3-3. Format 4 shows a changed
// account number for certain, 0 mostly, 3 only where it meets the PIN. Errors:
// those of Decipher and Encipher.
func Translate(from, to Zone, block []byte, pan string) ([]byte, error) {
	if !to.Format.goesWith(to.Key.alg) {
		return nil, ErrFormat
	}
	p, err := Decipher(from.Key, from.Format, block, pan)
	if err != nil {
		return nil, fmt.Errorf("translate: %w", err)
	}
	defer p.Zero()
	return Encipher(to.Key, to.Format, p, pan)
}

// pinField4 is the first half of format 4: control 4, length, PIN, A up to 8
// bytes, 8 random bytes.
func pinField4(p PIN, random [8]byte) (field [16]byte) {
	nibbles := [16]byte{4, byte(p.n)}
	for i := 2; i < 16; i++ {
		nibbles[i] = 0xA
	}
	copy(nibbles[2:], p.digits[:p.n])
	head := pack(nibbles)
	clear(nibbles[:])
	copy(field[:], head[:])
	clear(head[:])
	copy(field[8:], random[:])
	return field
}

func readPINField4(field [16]byte) (PIN, error) {
	defer clear(field[:])
	return readPIN([8]byte(field[:8]), 4, func(v byte) bool { return v == 0xA })
}

// accountField4 is the second half of format 4: how many digits the account
// number has above 12, then all of them, check digit included, then zeros. A
// shorter number is filled with zeros on the left.
func accountField4(pan string) (field [16]byte, err error) {
	if err := CheckPAN(pan); err != nil {
		return field, err
	}
	digits := make([]byte, 0, 32)
	digits = append(digits, byte(max(0, len(pan)-12)))
	for range 12 - len(pan) {
		digits = append(digits, 0)
	}
	for i := range len(pan) {
		digits = append(digits, pan[i]-'0')
	}
	digits = digits[:32]
	for i := range field {
		field[i] = digits[2*i]<<4 | digits[2*i+1]
	}
	return field, nil
}

package pin

import (
	"crypto/subtle"
	"errors"
)

const (
	// MinPIN and MaxPIN bound the length of a PIN in digits (ISO 9564-1).
	MinPIN, MaxPIN = 4, 12
	// MinPAN and MaxPAN bound the length of a PAN in digits, check digit
	// included: what PIN pads of the VISA packet family accept.
	MinPAN, MaxPAN = 8, 19
)

var (
	// ErrPIN says that a PIN is not 4 to 12 decimal digits.
	ErrPIN = errors.New("pin: not 4 to 12 digits")
	// ErrPAN says that a PAN is not 8 to 19 decimal digits.
	ErrPAN = errors.New("pin: the account number is not 8 to 19 digits")
	// ErrBlock says that a block is not of the wanted format for this PAN:
	// another key, another PAN or damage. It does not say which part is wrong,
	// so that it cannot serve as an oracle.
	ErrBlock = errors.New("pin: not a PIN block of this format for this account number and key")
)

// PIN is a clear PIN: 4 to 12 decimal digits. The zero value is no PIN.
type PIN struct {
	digits [MaxPIN]byte // values 0 to 9
	n      int
}

// ClearBlock is a PIN block of format 0 or 3 before encipherment or after
// decipherment.
type ClearBlock [8]byte

// Block is an enciphered PIN block of format 0 or 3, as it crosses serial line
// and network.
type Block [8]byte

// NewPIN reads a PIN from ASCII digits. The caller zeroes its own bytes.
func NewPIN(ascii []byte) (PIN, error) {
	if len(ascii) < MinPIN || len(ascii) > MaxPIN {
		return PIN{}, ErrPIN
	}
	p := PIN{n: len(ascii)}
	for i, c := range ascii {
		if c < '0' || c > '9' {
			return PIN{}, ErrPIN
		}
		p.digits[i] = c - '0'
	}
	return p, nil
}

// Len is the number of digits; 0 for the zero value.
func (p PIN) Len() int { return p.n }

// Equal compares in a time that does not depend on the digits.
func (p PIN) Equal(q PIN) bool {
	return subtle.ConstantTimeCompare(p.digits[:], q.digits[:])&
		subtle.ConstantTimeEq(int32(p.n), int32(q.n)) == 1
}

// Reveal gives the ASCII digits, for a host that must check them against a
// keyed hash. The caller zeroes the slice.
func (p PIN) Reveal() []byte {
	out := make([]byte, p.n)
	for i := range out {
		out[i] = '0' + p.digits[i]
	}
	return out
}

// Encode0 makes an ISO 9564-1 format 0 block: the PIN field 0, length, PIN,
// fill F, XORed with the account field, which is the rightmost 12 digits of the
// PAN without its check digit, padded with zeros on the left.
func Encode0(p PIN, pan string) (ClearBlock, error) {
	return encodeAs(Format0, p, pan, [16]byte{})
}

// Decode0 takes the PIN out of a format 0 block. Every nibble is checked:
// control 0, length 4 to 12, digits below 10, fill F. Otherwise ErrBlock.
func Decode0(b ClearBlock, pan string) (PIN, error) { return decodeAs(Format0, b, pan) }

// encodeAs makes a clear block of format 0, or of format 3 with its fill taken
// from random, one of A to F for each byte.
func encodeAs(f Format, p PIN, pan string, random [16]byte) (ClearBlock, error) {
	if p.n < MinPIN || p.n > MaxPIN {
		return ClearBlock{}, ErrPIN
	}
	account, err := accountField(pan)
	if err != nil {
		return ClearBlock{}, err
	}
	var nibbles [16]byte
	for i, r := range random {
		nibbles[i] = 0xF
		if f == Format3 {
			nibbles[i] = 0xA + byte(int(r)*6>>8)
		}
	}
	nibbles[0], nibbles[1] = byte(f), byte(p.n)
	copy(nibbles[2:], p.digits[:p.n])
	b := ClearBlock(pack(nibbles))
	subtle.XORBytes(b[:], b[:], account[:])
	clear(nibbles[:])
	return b, nil
}

func decodeAs(f Format, b ClearBlock, pan string) (PIN, error) {
	account, err := accountField(pan)
	if err != nil {
		return PIN{}, err
	}
	subtle.XORBytes(b[:], b[:], account[:])
	defer b.Zero()
	fill := func(v byte) bool { return v == 0xF }
	if f == Format3 {
		fill = func(v byte) bool { return v >= 0xA }
	}
	return readPIN([8]byte(b), byte(f), fill)
}

// readPIN reads a PIN field, and checks every nibble of it.
func readPIN(field [8]byte, control byte, fill func(byte) bool) (PIN, error) {
	nibbles := unpack(field)
	defer clear(nibbles[:])
	n := int(nibbles[1])
	if nibbles[0] != control || n < MinPIN || n > MaxPIN {
		return PIN{}, ErrBlock
	}
	p := PIN{n: n}
	ok := true
	for i, v := range nibbles[2:] {
		if i < n {
			ok = ok && v <= 9
			p.digits[i] = v
			continue
		}
		ok = ok && fill(v)
	}
	if !ok {
		p.Zero()
		return PIN{}, ErrBlock
	}
	return p, nil
}

// CheckPAN says whether a PAN can go into a block: ErrPAN if not. It does not
// look at the check digit.
func CheckPAN(pan string) error {
	if len(pan) < MinPAN || len(pan) > MaxPAN {
		return ErrPAN
	}
	for i := range len(pan) {
		if pan[i] < '0' || pan[i] > '9' {
			return ErrPAN
		}
	}
	return nil
}

func accountField(pan string) ([8]byte, error) {
	if err := CheckPAN(pan); err != nil {
		return [8]byte{}, err
	}
	var nibbles [16]byte
	at := 15
	for i := len(pan) - 2; i >= 0 && at >= 4; i-- {
		nibbles[at] = pan[i] - '0'
		at--
	}
	return pack(nibbles), nil
}

func pack(nibbles [16]byte) (b [8]byte) {
	for i := range b {
		b[i] = nibbles[2*i]<<4 | nibbles[2*i+1]
	}
	return b
}

func unpack(b [8]byte) (nibbles [16]byte) {
	for i, v := range b {
		nibbles[2*i], nibbles[2*i+1] = v>>4, v&0xF
	}
	return nibbles
}

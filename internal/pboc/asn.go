package pboc

import "fmt"

// ASN is the application serial number, ten bytes of BCD. On T-Union cards it
// is the 19-digit card number behind a zero.
type ASN [10]byte

// ParseASN reads a card number of at most 20 digits; a shorter one is filled
// with zeros on its left.
func ParseASN(number string) (ASN, error) {
	if number == "" || len(number) > 20 {
		return ASN{}, fmt.Errorf("%w: a card number has 1 to 20 digits, not %d", ErrFormat, len(number))
	}
	b, err := EncodeBCD(fmt.Sprintf("%020s", number))
	if err != nil {
		return ASN{}, fmt.Errorf("card number: %w", err)
	}
	return ASN(b), nil
}

// Number is the T-Union card number: 19 digits, without the leading zero. A
// first digit that is not zero stays, and so does what is not decimal.
func (a ASN) Number() string {
	s := fmt.Sprintf("%X", a[:])
	if s[0] == '0' {
		return s[1:]
	}
	return s
}

func (a ASN) String() string { return a.Number() }

// X is what diversifies the card's keys: the last eight bytes.
func (a ASN) X() [8]byte { return [8]byte(a[2:]) }

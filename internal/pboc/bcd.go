package pboc

import (
	"errors"
	"fmt"
	"time"
)

// ErrFormat is in the chain of every error about a malformed field or file.
var ErrFormat = errors.New("pboc: malformed")

// EncodeBCD packs an even number of decimal digits, two a byte.
func EncodeBCD(digits string) ([]byte, error) {
	if len(digits)%2 != 0 {
		return nil, fmt.Errorf("%w: %d digits do not fill bytes", ErrFormat, len(digits))
	}
	b := make([]byte, len(digits)/2)
	for i := range digits {
		d := digits[i] - '0'
		if d > 9 {
			return nil, fmt.Errorf("%w: a digit is wanted at %d", ErrFormat, i)
		}
		b[i/2] = b[i/2]<<4 | d
	}
	return b, nil
}

// DecodeBCD unpacks decimal digits; a nibble over 9 is an error.
func DecodeBCD(b []byte) (string, error) {
	digits := make([]byte, 0, 2*len(b))
	for i, c := range b {
		if c>>4 > 9 || c&0x0F > 9 {
			return "", fmt.Errorf("%w: byte %d is %02X, not decimal", ErrFormat, i, c)
		}
		digits = append(digits, '0'+c>>4, '0'+c&0x0F)
	}
	return string(digits), nil
}

// Date is a calendar day as cards write it: YYYYMMDD in BCD, four bytes.
type Date [4]byte

// TimeOfDay is HHMMSS in BCD, three bytes.
type TimeOfDay [3]byte

// Stamp gives the date and time fields of an instant in its own zone. Years
// beyond 9999 cannot be written and give the zero date.
func Stamp(t time.Time) (d Date, c TimeOfDay) {
	b, err := EncodeBCD(t.Format("20060102150405"))
	if err == nil && len(b) == 7 {
		copy(d[:], b)
		copy(c[:], b[4:])
	}
	return d, c
}

// ParseStamp reads date and time as an instant in zone. Fields that are no date
// are an error: cards in the field carry garbage and empty slots.
func ParseStamp(d Date, c TimeOfDay, zone *time.Location) (time.Time, error) {
	s, err := DecodeBCD(append(d[:], c[:]...))
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.ParseInLocation("20060102150405", s, zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %s is no date and time", ErrFormat, s)
	}
	return t, nil
}

// Day is midnight at the start of the date in zone.
func (d Date) Day(zone *time.Location) (time.Time, error) {
	return ParseStamp(d, TimeOfDay{}, zone)
}

// ParseDate reads eight digits, YYYYMMDD, and wants a day that exists.
func ParseDate(s string) (Date, error) {
	if len(s) != 8 {
		return Date{}, fmt.Errorf("%w: a date is YYYYMMDD", ErrFormat)
	}
	b, err := EncodeBCD(s)
	if err != nil {
		return Date{}, err
	}
	d := Date(b)
	if _, err := d.Day(time.UTC); err != nil {
		return Date{}, err
	}
	return d, nil
}

func (d Date) String() string      { return fmt.Sprintf("%X", d[:]) }
func (c TimeOfDay) String() string { return fmt.Sprintf("%X", c[:]) }

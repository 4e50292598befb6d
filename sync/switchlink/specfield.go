package switchlink

import (
	"fmt"
	"strings"

	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
)

// fieldRule is one data element of a spec file. Size counts digits, characters
// or bytes, and is the largest value where there is a prefix.
type fieldRule struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`   // digits, text, binary, track2, bitmap
	Size   int    `json:"size"`   //
	Prefix string `json:"prefix"` // "", LL or LLL: the length in 2 or 3 digits
	Align  string `json:"align"`  // of an odd number of BCD digits: right (default) or left
}

// build makes what the codec needs. Numeric identifiers get no padding: the
// codec would eat their leading zeros when it unpacks. In ascii, binary values
// are hexadecimal characters, which the length counts.
func (r fieldRule) build(ascii bool) (field.Field, error) {
	if r.Size < 1 || r.Size > 999 {
		return nil, fmt.Errorf("size %d is not 1 to 999", r.Size)
	}
	s := &field.Spec{Length: r.Size, Description: r.Name}
	var prefixes prefix.Prefixers = prefix.BCD
	if ascii {
		prefixes = prefix.ASCII
	}
	switch r.Prefix {
	case "":
		s.Pref = prefixes.Fixed
	case "LL":
		s.Pref = prefixes.LL
	case "LLL":
		s.Pref = prefixes.LLL
	default:
		return nil, fmt.Errorf("unknown prefix %q", r.Prefix)
	}
	if r.Align != "" && r.Align != "left" && r.Align != "right" {
		return nil, fmt.Errorf("unknown alignment %q", r.Align)
	}
	switch r.Kind {
	case "bitmap":
		s.Enc = encoding.Binary
		if ascii {
			s.Enc, s.Pref = encoding.BytesToASCIIHex, prefix.Hex.Fixed
		}
		return field.NewBitmap(s), nil
	case "text":
		s.Enc = encoding.ASCII
		return field.NewString(s), nil
	case "binary":
		if !ascii {
			s.Enc = encoding.Binary
			return field.NewBinary(s), nil
		}
		if s.Length *= 2; s.Length > 999 {
			return nil, fmt.Errorf("%d bytes are more than 999 characters", r.Size)
		}
		s.Enc = encoding.ASCII
		return field.NewString(s), nil
	case "track2":
		s.Enc = packedTrack2{}
		if ascii {
			s.Enc = plainTrack2{}
		}
		return field.NewString(s), nil
	case "digits":
		switch {
		case ascii:
			s.Enc = plainDigits{}
		case r.Align == "left":
			s.Enc = encoding.LBCD
		default:
			s.Enc = encoding.BCD
		}
		return field.NewString(s), nil
	}
	return nil, fmt.Errorf("unknown kind %q", r.Kind)
}

// plainDigits is characters 0 to 9.
type plainDigits struct{}

func (plainDigits) Encode(digits []byte) ([]byte, error) {
	if !isDigits(string(digits)) {
		return nil, fmt.Errorf("not digits only")
	}
	return digits, nil
}

func (plainDigits) Decode(data []byte, n int) ([]byte, int, error) {
	if n < 0 || n > len(data) || !isDigits(string(data[:n])) {
		return nil, 0, fmt.Errorf("not %d digits", n)
	}
	return data[:n:n], n, nil
}

// plainTrack2 writes track 2 in characters with = as separator (ISO 7813); in
// this program the separator is D.
type plainTrack2 struct{}

func (plainTrack2) Encode(track []byte) ([]byte, error) {
	out := []byte(strings.ReplaceAll(string(track), "D", "="))
	return out, checkTrack2(out)
}

func (plainTrack2) Decode(data []byte, n int) ([]byte, int, error) {
	if n < 0 || n > len(data) {
		return nil, 0, fmt.Errorf("track 2 of %d characters in %d bytes", n, len(data))
	}
	if err := checkTrack2(data[:n]); err != nil {
		return nil, 0, err
	}
	return []byte(strings.ReplaceAll(string(data[:n]), "=", "D")), n, nil
}

func checkTrack2(track []byte) error {
	for i, c := range track {
		if (c < '0' || c > '9') && c != '=' && c != 'D' {
			return fmt.Errorf("character %d of track 2 is neither digit nor separator", i+1)
		}
	}
	return nil
}

// packedTrack2 packs track 2 two characters a byte, D for the separator, filled
// on the right with a 0 that the length does not count. The codec's own BCD
// refuses D.
type packedTrack2 struct{}

func (packedTrack2) Encode(track []byte) ([]byte, error) {
	out := make([]byte, (len(track)+1)/2)
	for i, c := range track {
		var nibble byte
		switch {
		case c >= '0' && c <= '9':
			nibble = c - '0'
		case c == 'D' || c == '=':
			nibble = 0xD
		default:
			return nil, fmt.Errorf("character %d of track 2 is neither digit nor separator", i+1)
		}
		out[i/2] |= nibble << (4 * (1 - i%2))
	}
	return out, nil
}

func (packedTrack2) Decode(data []byte, n int) ([]byte, int, error) {
	size := (n + 1) / 2
	if n < 0 || size > len(data) {
		return nil, 0, fmt.Errorf("track 2 of %d characters in %d bytes", n, len(data))
	}
	out := make([]byte, n)
	for i := range out {
		nibble := data[i/2] >> (4 * (1 - i%2)) & 0xF
		switch {
		case nibble <= 9:
			out[i] = '0' + nibble
		case nibble == 0xD:
			out[i] = 'D'
		default:
			return nil, 0, fmt.Errorf("nibble %d of track 2 is %X", i+1, nibble)
		}
	}
	return out, size, nil
}

package cryptogram

import (
	"errors"
	"fmt"
)

// ErrIssuerData says that 9F10 is not one of a profile that is known here.
var ErrIssuerData = errors.New("cryptogram: issuer application data (9F10) of no known form")

// Of reads the profile from issuer application data: length, derivation key
// index, cryptogram version, then the card verification results, whose first
// byte is their length (3).
func Of(issuer []byte) (Profile, error) {
	if len(issuer) < 7 || len(issuer) > 32 || int(issuer[0]) > len(issuer)-1 || issuer[3] != 3 {
		return 0, ErrIssuerData
	}
	switch p := Profile(issuer[2]); p {
	case CVN10, CVN18, Common:
		return p, nil
	}
	return 0, fmt.Errorf("%w: version %d", ErrIssuerData, issuer[2])
}

// input is the order of the objects under the cryptogram (Visa CVN10 and CVN18,
// PBOC): tags of DE55 and their sizes. What the card itself adds comes last: of
// CVN18 the whole issuer application data, of the others its card verification
// results.
var input = []struct {
	tag  uint32
	size int
}{{0x9F02, 6}, {0x9F03, 6}, {0x9F1A, 2}, {0x95, 5}, {0x5F2A, 2}, {0x9A, 3}, {0x9C, 1}, {0x9F37, 4}, {0x82, 2}, {0x9F36, 2}}

// Input joins the data that a cryptogram is over. get gives an object by its
// tag, nil if it is not there.
func (p Profile) Input(get func(tag uint32) []byte) ([]byte, error) {
	var out []byte
	for _, o := range input {
		v := get(o.tag)
		if len(v) != o.size {
			return nil, fmt.Errorf("cryptogram: object %X has %d bytes, not %d", o.tag, len(v), o.size)
		}
		out = append(out, v...)
	}
	issuer := get(0x9F10)
	if own, err := Of(issuer); err != nil || own != p {
		return nil, ErrIssuerData
	}
	if p == CVN18 {
		return append(out, issuer...), nil
	}
	return append(out, issuer[3:7]...), nil
}

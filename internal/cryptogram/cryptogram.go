package cryptogram

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"buka/internal/mac"
)

// AC is an application cryptogram (9F26).
type AC [8]byte

// Equal compares in constant time.
func (a AC) Equal(b AC) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// Profile is how an issuer's cards make cryptograms. The card tells it as the
// cryptogram version number in the issuer application data (9F10).
type Profile uint8

// Profiles.
const (
	// CVN10 is Visa's: the card's master key itself, data filled with zeros,
	// ARPC method 1.
	CVN10 Profile = 10
	// CVN18 is that of Visa and of the common core definitions: a session key
	// from the ATC, data padded with 80 00…, ARPC method 2.
	CVN18 Profile = 18
	// Common is a session key from the ATC, data padded with 80 00…, and ARPC
	// method 1: what the reference host takes for UnionPay cards (an issuer's own
	// choice).
	Common Profile = 1
)

// ErrProfile says that no cryptogram is made under a version number.
var ErrProfile = errors.New("cryptogram: unknown cryptogram version")

// key is the one that a profile uses.
func (p Profile) key(card Key, atc uint16) (Key, error) {
	switch p {
	case CVN10:
		return card, nil
	case CVN18, Common:
		return SessionKey(card, atc), nil
	}
	return Key{}, fmt.Errorf("%w %d", ErrProfile, p)
}

// AC makes the application cryptogram over data, in the order that the profile
// wants it, ISO/IEC 9797-1 MAC algorithm 3.
func (p Profile) AC(card Key, atc uint16, data []byte) (AC, error) {
	k, err := p.key(card, atc)
	if err != nil {
		return AC{}, err
	}
	defer clear(k[:])
	if p != CVN10 {
		data = padded(data)
	}
	sum, err := mac.Sum(mac.X919, k[:], data)
	return AC(sum), err
}

// padded is padding method 2: 80, then zeros to a multiple of 8 bytes.
func padded(data []byte) []byte {
	out := append(append(make([]byte, 0, len(data)+8), data...), 0x80)
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	return out
}

// ARPC makes the issuer authentication data (tag 91) for a cryptogram. Method 1
// (CVN10, Common) is over the response code arc, 8 bytes and arc again. Method 2
// (CVN18) is over the card status update csu and proprietary data, 4 bytes, csu
// and the data. EMV Book 2 8.2.
func (p Profile) ARPC(card Key, atc uint16, arqc AC, arc [2]byte, csu [4]byte, proprietary []byte) ([]byte, error) {
	k, err := p.key(card, atc)
	if err != nil {
		return nil, err
	}
	defer clear(k[:])
	if p == CVN18 {
		four, err := method2(k, arqc, csu, proprietary)
		return append(append(four[:], csu[:]...), proprietary...), err
	}
	eight := method1(k, arqc, arc)
	return append(eight[:], arc[:]...), nil
}

// method1 enciphers the cryptogram with the response code added to its head.
func method1(k Key, arqc AC, arc [2]byte) [8]byte {
	y := [8]byte(arqc)
	y[0] ^= arc[0]
	y[1] ^= arc[1]
	return encipher(k, y)
}

// method2 is the first half of a MAC over cryptogram, status update and data.
func method2(k Key, arqc AC, csu [4]byte, proprietary []byte) (four [4]byte, err error) {
	if len(proprietary) > 8 {
		return four, errors.New("cryptogram: at most 8 bytes of proprietary authentication data")
	}
	data := append(append(append([]byte(nil), arqc[:]...), csu[:]...), proprietary...)
	sum, err := mac.Sum(mac.X919, k[:], padded(data))
	copy(four[:], sum[:4])
	return four, err
}

package switchlink

import (
	"bytes"
	"fmt"

	"buka/internal/pin"
)

// checkBytes is the length of a key check value in DE62.
const checkBytes = 4

// The layouts of DE62, by their length in bytes: PIN key, MAC key, data key, each
// with room for its bytes and then its check value. A key that is shorter than
// its room is filled with zeros.
var keyLayouts = map[int][]int{
	24: {8, 8},
	40: {16, 16},
	56: {24, 24},
	60: {16, 16, 16},
	84: {24, 24, 24},
}

// workingKeys are the keys of one sign-on, in clear.
type workingKeys struct {
	pik, mak, tdk pin.SecretKey
	wrapped       pin.WrappedKey // the PIN key as it came
}

func (k *workingKeys) zero() {
	k.pik.Zero()
	k.mak.Zero()
	k.tdk.Zero()
}

// openKeys deciphers DE62 under the master key. What length a key has, and where
// its check value is, the check value itself decides.
func openKeys(master pin.SecretKey, de62 []byte) (workingKeys, error) {
	rooms, ok := keyLayouts[len(de62)]
	if !ok {
		return workingKeys{}, fmt.Errorf("%w: a key block of %d bytes", ErrKeys, len(de62))
	}
	var k workingKeys
	names := []string{"PIN", "MAC", "data"}
	for i, key := range []*pin.SecretKey{&k.pik, &k.mak, &k.tdk}[:len(rooms)] {
		field := de62[:rooms[i]+checkBytes]
		de62 = de62[len(field):]
		wrapped, err := openKey(master, field, key)
		if err != nil {
			k.zero()
			return workingKeys{}, fmt.Errorf("%w: the check value of the %s key differs", ErrKeys, names[i])
		}
		if i == 0 {
			k.wrapped = wrapped
		}
	}
	return k, nil
}

// openKey tries the lengths that a key in this room may have. The check value is
// at the end of the room; some hosts put that of a short key right behind it.
func openKey(master pin.SecretKey, field []byte, key *pin.SecretKey) (pin.WrappedKey, error) {
	room := len(field) - checkBytes
	for _, size := range []int{room, 16, 8} {
		if size > room || size > 8 && zeros(field[size-8:size]) { // filled: a single key in a room for three has the check value of those three
			continue
		}
		for _, at := range []int{room, size} {
			if size < room && !zeros(field[size:at]) || at == size && !zeros(field[min(size+checkBytes, room):room]) {
				continue
			}
			w := pin.WrappedKey{Cryptogram: bytes.Clone(field[:size]), Check: bytes.Clone(field[at : at+checkBytes])}
			got, err := pin.Unwrap(master, w)
			if err == nil {
				*key = got
				got.Zero()
				return w, nil
			}
		}
	}
	return pin.WrappedKey{}, ErrKeys
}

// WrappedPINKey takes the PIN key out of DE62 for a link without MACs: its end has
// no master key, and a PIN pad has. A key that is shorter than its room is known by
// the zeros behind it; the check value is at the end of the room or right behind the
// key, and whoever has the master key compares it. False: no layout that is known.
func WrappedPINKey(de62 []byte) (pin.WrappedKey, bool) {
	rooms, ok := keyLayouts[len(de62)]
	if !ok {
		return pin.WrappedKey{}, false
	}
	room := rooms[0]
	field := de62[:room+checkBytes]
	size, at := room, room
	for _, short := range []int{16, 8} {
		switch {
		case short >= room:
		case zeros(field[short:room]):
			size, at = short, room
		case zeros(field[short+checkBytes:]):
			size, at = short, short
		}
	}
	return pin.WrappedKey{Cryptogram: bytes.Clone(field[:size]), Check: bytes.Clone(field[at : at+checkBytes])}, true
}

func zeros(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// sealKeys is the inverse of openKeys.
func sealKeys(master, pik, mak pin.SecretKey, tdk *pin.SecretKey) ([]byte, error) {
	keys := []pin.SecretKey{pik, mak}
	if tdk != nil {
		keys = append(keys, *tdk)
	}
	room := pik.Algorithm().Size()
	var out []byte
	for _, k := range keys {
		w, err := pin.Wrap(master, k)
		if err != nil {
			return nil, err
		}
		if len(w.Cryptogram) > room {
			return nil, fmt.Errorf("%w: a key is longer than the PIN key", ErrKeys)
		}
		out = append(out, w.Cryptogram...)
		out = append(out, make([]byte, room-len(w.Cryptogram))...)
		out = append(out, w.Check...)
	}
	if _, ok := keyLayouts[len(out)]; !ok {
		return nil, fmt.Errorf("%w: no layout has these lengths", ErrKeys)
	}
	return out, nil
}

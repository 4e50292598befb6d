package pin

import "crypto/subtle"

// MAC is a full 8-byte retail MAC. Messages often carry the first 4 bytes only.
type MAC [8]byte

// RetailMAC is ANSI X9.19 = ISO/IEC 9797-1 MAC algorithm 3 with DES, padding
// method 1 (zeros up to a whole block; an empty message is one block of zeros)
// and an initial value of zero: a single-DES CBC chain under the left half of
// the key, whose last block goes through decipher-right, encipher-left.
func RetailMAC(k Key, message []byte) (mac MAC) {
	left, right := single(k[:8]), single(k[8:])
	for first := true; first || len(message) > 0; first = false {
		n := subtle.XORBytes(mac[:], mac[:], message[:min(8, len(message))])
		left.Encrypt(mac[:], mac[:])
		message = message[n:]
	}
	right.Decrypt(mac[:], mac[:])
	left.Encrypt(mac[:], mac[:])
	return mac
}

// Equal compares in a time that does not depend on the content.
func (m MAC) Equal(o MAC) bool { return subtle.ConstantTimeCompare(m[:], o[:]) == 1 }

package foreign

import (
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"
)

// twoKey makes the block cipher of a 16-byte key: encrypt left, decrypt right,
// encrypt left.
func twoKey(k [16]byte) cipher.Block {
	full := append(append([]byte{}, k[:]...), k[:8]...)
	b, err := des.NewTripleDESCipher(full)
	if err != nil {
		panic(err) // 24 bytes it is
	}
	return b
}

// diversify gives a card's key from the issuer's master: the master over X,
// then over its complement (§1.4).
func diversify(master [16]byte, x [8]byte) (k [16]byte) {
	b := twoKey(master)
	var not [8]byte
	for i := range x {
		not[i] = ^x[i]
	}
	b.Encrypt(k[:8], x[:])
	b.Encrypt(k[8:], not[:])
	return k
}

// loadKey is the session key of a load: random, online counter, 8000.
func loadKey(k [16]byte, random [4]byte, counter uint16) (s [8]byte) {
	in := binary.BigEndian.AppendUint16(append([]byte{}, random[:]...), counter)
	twoKey(k).Encrypt(s[:], append(in, 0x80, 0x00))
	return s
}

// purchaseKey is that of a purchase: random, offline counter, the right half of
// the terminal's sequence number.
func purchaseKey(k [16]byte, random [4]byte, counter uint16, sequence uint32) (s [8]byte) {
	in := binary.BigEndian.AppendUint16(append([]byte{}, random[:]...), counter)
	twoKey(k).Encrypt(s[:], binary.BigEndian.AppendUint16(in, uint16(sequence)))
	return s
}

// fold makes the single-length key of the TAC.
func fold(k [16]byte) (f [8]byte) {
	for i := range f {
		f[i] = k[i] ^ k[i+8]
	}
	return f
}

// mac is the left half of the last block of a single-DES CBC chain from zero,
// padded with 80 00… always.
func mac(k [8]byte, parts ...[]byte) (m [4]byte) {
	var data []byte
	for _, p := range parts {
		data = append(data, p...)
	}
	data = append(data, 0x80)
	for len(data)%8 != 0 {
		data = append(data, 0)
	}
	b, err := des.NewCipher(k[:])
	if err != nil {
		panic(err) // 8 bytes they are
	}
	var chain [8]byte
	for i := 0; i < len(data); i += 8 {
		for j := range chain {
			chain[j] ^= data[i+j]
		}
		b.Encrypt(chain[:], chain[:])
	}
	copy(m[:], chain[:])
	return m
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func be16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

package virtual

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"sync"

	"crypto/sha1"

	"buka/internal/entry"
)

//go:embed bankkeys.json
var bankKeysJSON []byte

// rsaPair is a test key with exponent 3.
type rsaPair struct {
	Modulus entry.Hex `json:"modulus"`
	Private entry.Hex `json:"private"`
}

type bankKeySet struct {
	Note      string  `json:"note"`
	Authority rsaPair `json:"authority"` // index FE of every provider, in emv's table of test keys
	Issuer    rsaPair `json:"issuer"`
	Card      rsaPair `json:"card"`
}

var bankKeys = sync.OnceValue(func() bankKeySet {
	var k bankKeySet
	if err := json.Unmarshal(bankKeysJSON, &k); err != nil {
		panic("virtual: bankkeys.json: " + err.Error()) // part of the program, tested
	}
	return k
})

// authorityIndex is the tag 8F of the cards.
const authorityIndex = 0xFE

var exponent3 = []byte{0x03}

// sign makes 6A ‖ body ‖ SHA-1(body ‖ outside) ‖ BC and raises it to the private
// key, EMV Book 2 annex B2.1. body has as many bytes as leave room.
func (k rsaPair) sign(body []byte, outside ...[]byte) []byte {
	h := sha1.New()
	h.Write(body)
	for _, o := range outside {
		h.Write(o)
	}
	plain := append(append(append([]byte{0x6A}, body...), h.Sum(nil)...), 0xBC)
	if len(plain) != len(k.Modulus) {
		panic("virtual: a body that does not fill its signature")
	}
	n, d := new(big.Int).SetBytes(k.Modulus), new(big.Int).SetBytes(k.Private)
	m := new(big.Int).SetBytes(plain)
	return m.Exp(m, d, n).FillBytes(make([]byte, len(k.Modulus)))
}

// certificates are what the card shows of its keys.
type certificates struct {
	issuer, issuerRest []byte // 90, 92
	card, cardRest     []byte // 9F46, 9F48
	static             []byte // 93
}

// split cuts a modulus into the digits that fit a certificate and the rest;
// digits are filled with BB.
func split(modulus []byte, room int) (digits, rest []byte) {
	if len(modulus) > room {
		return modulus[:room], modulus[room:]
	}
	digits = append([]byte(nil), modulus...)
	for len(digits) < room {
		digits = append(digits, 0xBB)
	}
	return digits, nil
}

// certify makes the certificates over the card's static data, EMV Book 2 tables
// 1, 2, 13 and 14.
func certify(pan string, static []byte) (c certificates) {
	k := bankKeys()
	const never = "1299" // MMYY
	digits, rest := split(k.Issuer.Modulus, len(k.Authority.Modulus)-36)
	body := []byte{0x02}
	body = append(body, packed(pan[:8])...)
	body = append(body, packed(never)...)
	body = append(body, 0, 0, 1, 0x01, 0x01, byte(len(k.Issuer.Modulus)), 1)
	c.issuer, c.issuerRest = k.Authority.sign(append(body, digits...), rest, exponent3), rest

	digits, rest = split(k.Card.Modulus, len(k.Issuer.Modulus)-42)
	number, _ := hex.DecodeString((pan + "FFFFFFFFFFFFFFFFFFFF")[:20])
	body = append([]byte{0x04}, number...)
	body = append(body, packed(never)...)
	body = append(body, 0, 0, 1, 0x01, 0x01, byte(len(k.Card.Modulus)), 1)
	c.card, c.cardRest = k.Issuer.sign(append(body, digits...), rest, exponent3, static), rest

	body = []byte{0x03, 0x01, 0xDA, 0xC1}
	for len(body) < len(k.Issuer.Modulus)-22 {
		body = append(body, 0xBB)
	}
	c.static = k.Issuer.sign(body, static)
	return c
}

// dynamic is signed dynamic application data over what the terminal asked.
func dynamic(data []byte, asked ...[]byte) []byte {
	k := bankKeys().Card
	body := append([]byte{0x05, 0x01, byte(len(data))}, data...)
	for len(body) < len(k.Modulus)-22 {
		body = append(body, 0xBB)
	}
	return k.sign(body, asked...)
}

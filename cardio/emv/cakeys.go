package emv

import (
	"bytes"
	"crypto/sha1"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"

	"buka/internal/entry"
)

// CAKey is a certification authority's public key. The checksum is the SHA-1 of
// provider, index, modulus and exponent (EMV Book 2 11.2).
type CAKey struct {
	RID      entry.Hex `json:"rid"` // 5 bytes
	Index    entry.Hex `json:"index"`
	Modulus  entry.Hex `json:"modulus"`
	Exponent entry.Hex `json:"exponent"`
	Checksum entry.Hex `json:"checksum"`
	Test     bool      `json:"test"` // of test cards: real cards must not be trusted by it
}

// CATable finds keys by provider and index.
type CATable struct{ keys map[string]CAKey }

//go:embed cakeys.json
var cakeysJSON []byte

// BuiltinCAKeys is the table that comes with the program; test keys, by which
// the virtual bank cards are signed, only if they are asked for.
func BuiltinCAKeys(test bool) *CATable {
	if test {
		return withTest()
	}
	return production()
}

var (
	production = sync.OnceValue(func() *CATable { return builtinTable(false) })
	withTest   = sync.OnceValue(func() *CATable { return builtinTable(true) })
)

func builtinTable(test bool) *CATable {
	t, err := LoadCAKeys(cakeysJSON, test)
	if err != nil {
		panic("emv: cakeys.json: " + err.Error()) // part of the program, tested
	}
	return t
}

const maxCAKeys = 1000

// LoadCAKeys reads a table: a JSON list of keys, in hexadecimal. A key whose
// checksum is wrong is an error that names it.
func LoadCAKeys(file []byte, test bool) (*CATable, error) {
	var list []CAKey
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("certification authorities' keys: %w", err)
	}
	if len(list) > maxCAKeys {
		return nil, fmt.Errorf("certification authorities' keys: more than %d", maxCAKeys)
	}
	t := &CATable{keys: map[string]CAKey{}}
	for _, k := range list {
		sum := sha1.Sum(bytes.Join([][]byte{k.RID, k.Index, k.Modulus, k.Exponent}, nil))
		if len(k.RID) != 5 || len(k.Index) != 1 || len(k.Modulus) < 64 || len(k.Modulus) > 248 || len(k.Exponent) == 0 || len(k.Exponent) > 3 || !bytes.Equal(sum[:], k.Checksum) {
			return nil, fmt.Errorf("certification authorities' keys: %X %X: the checksum does not match", []byte(k.RID), []byte(k.Index))
		}
		if k.Test && !test {
			continue
		}
		t.keys[string(k.RID)+string(k.Index)] = k
	}
	return t, nil
}

// Len is how many keys there are.
func (t *CATable) Len() int { return len(t.keys) }

// find gives the key of a provider (the first 5 bytes of an AID).
func (t *CATable) find(aid []byte, index byte) (rsaKey, bool) {
	if len(aid) < 5 {
		return rsaKey{}, false
	}
	k, ok := t.keys[string(aid[:5])+string([]byte{index})]
	return rsaKey{modulus: k.Modulus, exponent: k.Exponent}, ok
}

// rsaKey is an RSA public key, big endian.
type rsaKey struct{ modulus, exponent []byte }

// recover raises a signature to the key's power: RSA without padding, EMV Book 2
// annex B2.1. The result has the modulus' length; nil: not of this key.
func (k rsaKey) recover(signature []byte) []byte {
	n := new(big.Int).SetBytes(k.modulus)
	s := new(big.Int).SetBytes(signature)
	e := new(big.Int).SetBytes(k.exponent)
	if len(signature) != len(k.modulus) || n.Sign() == 0 || s.Cmp(n) >= 0 || e.BitLen() > 24 || e.Sign() == 0 {
		return nil
	}
	return s.Exp(s, e, n).FillBytes(make([]byte, len(k.modulus)))
}

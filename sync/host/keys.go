package host

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"buka/internal/pboc"
	"buka/internal/pin"
)

// Keys are what the host would keep in an HSM.
type Keys struct {
	BDK  pin.Key  // base derivation key of the PIN pads
	Load pboc.Key // issuer's master load key
	TAC  pboc.Key // issuer's master TAC key
	// Purchase is the issuer's master purchase key. The host itself derives
	// nothing from it; virtual gates do.
	Purchase pboc.Key
	// Issuer makes diversification two levels deep: card first, then these
	// eight bytes. Nil: one level.
	Issuer *[8]byte
	// Hash keys the hashes of PANs, PINs and contents. Zero: a random key in
	// host.key beside the database.
	Hash [32]byte
}

// DefaultKeys are the published test keys: the computed set of
// reference/pboc-purse.md 1.8 and the BDK of ANSI X9.24-1:2009 annex A. They are
// known to everybody.
func DefaultKeys() Keys {
	var k Keys
	for i := range 16 {
		k.Load[i], k.Purchase[i], k.TAC[i] = byte(0x10+i), byte(0x20+i), byte(0x30+i)
	}
	k.BDK = pin.Key{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}
	return k
}

// issuer are the master keys that loads are verified with.
type issuer struct{ load, tac pboc.Key }

// SetIssuerKeys puts other master keys in place, for cards that are met from now
// on.
func (h *Host) SetIssuerKeys(load, tac pboc.Key) { h.masters.Store(&issuer{load, tac}) }

// diversified derives the key of one card.
func (h *Host) diversified(master pboc.Key, asn pboc.ASN) pboc.Key {
	if two := h.cfg.Keys.Issuer; two != nil {
		return master.DiversifyTwo(asn, *two)
	}
	return master.Diversify(asn.X())
}

// keyed is HMAC-SHA-256 under the hash key, with a word for the use in front.
func (k Keys) keyed(use string, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, k.Hash[:])
	m.Write([]byte(use))
	for _, p := range parts {
		m.Write([]byte{0})
		m.Write(p)
	}
	return m.Sum(nil)
}

// hashKey reads the key file, or makes it.
func hashKey(dir string) (key [32]byte, err error) {
	path := filepath.Join(dir, "host.key")
	raw, err := os.ReadFile(path)
	if err == nil {
		if len(raw) != len(key) {
			return key, fmt.Errorf("%s has %d bytes instead of %d: put the right file back, no account is found without it", path, len(raw), len(key))
		}
		return [32]byte(raw), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	rand.Read(key[:])
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return key, err
	}
	_, werr := f.Write(key[:])
	return key, errors.Join(werr, f.Sync(), f.Close())
}

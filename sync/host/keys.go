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

	"buka/internal/cryptogram"
	"buka/internal/pboc"
	"buka/internal/pin"
)

// Keys are what the host would keep in an HSM.
type Keys struct {
	BDK  pin.Key  // base derivation key of PIN pads with TDES DUKPT
	Load pboc.Key // issuer's master load key
	TAC  pboc.Key // issuer's master TAC key
	// Purchase is the issuer's master purchase key. The host itself derives
	// nothing from it; virtual gates do.
	Purchase pboc.Key
	// AESBDK is the base derivation key of PIN pads with AES DUKPT.
	AESBDK pin.SecretKey
	// TMK is the master key of every terminal that has none of its own in
	// Config.TMKs: working keys travel and rest under it.
	TMK pin.SecretKey
	// Chip is the issuer's master key for application cryptograms of bank cards.
	Chip cryptogram.Key
	// Issuer makes diversification two levels deep: card first, then these
	// eight bytes. Nil: one level.
	Issuer *[8]byte
	// Hash keys the hashes of PANs, PINs and contents. Zero: a random key in
	// host.key beside the database.
	Hash [32]byte
}

// DefaultKeys are the published test keys: the computed set of
// reference/pboc-purse.md 1.8, the BDKs of ANSI X9.24-1:2009 annex A and of the
// X9.24-3:2017 supplement, the master key of the sign-on in reference/iso8583.md
// 1.8, and the issuer key of the sets in reference/emv.md 4.4. They are known to
// everybody.
func DefaultKeys() Keys {
	var k Keys
	for i := range 16 {
		k.Load[i], k.Purchase[i], k.TAC[i] = byte(0x10+i), byte(0x20+i), byte(0x30+i)
	}
	k.BDK = pin.Key{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}
	k.Chip = cryptogram.Key(k.BDK)
	k.AESBDK = mustKey(pin.AES128, "FEDCBA9876543210F1F1F1F1F1F1F1F1")
	k.TMK = mustKey(pin.TDES2, "CA5D92598DCA48CE8A4C76361A9269E9")
	return k
}

func mustKey(a pin.Algorithm, digits string) pin.SecretKey {
	k, err := pin.ParseSecretKey(a, digits)
	if err != nil {
		panic("host: " + err.Error()) // the digits above
	}
	return k
}

// fill puts the published keys where there are none.
func (k *Keys) fill() {
	def := DefaultKeys()
	if k.Load.IsZero() && k.TAC.IsZero() && k.Purchase.IsZero() {
		k.Load, k.TAC, k.Purchase = def.Load, def.TAC, def.Purchase
	}
	if k.BDK == (pin.Key{}) {
		k.BDK = def.BDK
	}
	if k.AESBDK.Equal(pin.SecretKey{}) {
		k.AESBDK = def.AESBDK
	}
	if k.TMK.Equal(pin.SecretKey{}) {
		k.TMK = def.TMK
	}
	if k.Chip == (cryptogram.Key{}) {
		k.Chip = def.Chip
	}
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

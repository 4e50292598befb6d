package switchlink

import (
	"crypto/des"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"buka/internal/mac"
	"buka/internal/pin"
)

var (
	// ErrKeys says that the working keys of a sign-on cannot be used: no layout
	// that is known, or a check value that differs under the master key.
	ErrKeys = errors.New("switchlink: the host's working keys do not open: load the master key that the host has for this terminal, or have the host send them again")
	// ErrNoKeys says that there are no working keys yet: sign on first.
	ErrNoKeys = errors.New("switchlink: no working keys yet: sign on first")
)

// Ring holds the keys of one terminal: the master key, under which a sign-on
// brings the working keys (DE62), and those. It authenticates messages for a
// [Client] or a [Server] with the key of the last sign-on. Keys that are replaced
// are overwritten, and nothing prints them. It may be used from any goroutine.
type Ring struct {
	mu        sync.Mutex
	algorithm mac.Algorithm
	master    pin.SecretKey
	pik, mak  pin.SecretKey
	tdk       pin.SecretKey // zero: none came
	wrapped   pin.WrappedKey
	ready     bool
}

// NewRing makes a ring without working keys. master is TDES; the caller zeroes
// its own copy.
func NewRing(a mac.Algorithm, master pin.SecretKey) *Ring {
	return &Ring{algorithm: a, master: master}
}

// Take reads the key block of a sign-on (DE62) in any of its layouts. All check
// values must agree and the MAC key must serve the algorithm; otherwise ErrKeys,
// and the keys that were there stay.
func (r *Ring) Take(de62 []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := openKeys(r.master, de62)
	if err != nil {
		return err
	}
	if _, err := sum(r.algorithm, k.mak, nil); err != nil {
		k.zero()
		return fmt.Errorf("%w: a MAC key of %d bytes for %v", ErrKeys, k.mak.Algorithm().Size(), r.algorithm)
	}
	r.put(k)
	return nil
}

// put replaces the working keys.
func (r *Ring) put(k workingKeys) {
	r.wipe()
	r.pik, r.mak, r.tdk, r.wrapped, r.ready = k.pik, k.mak, k.tdk, k.wrapped, true
	k.zero()
}

// MAC fulfils Authenticator. ErrNoKeys before the first sign-on.
func (r *Ring) MAC(mab []byte) ([macBytes]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready {
		return [macBytes]byte{}, ErrNoKeys
	}
	return sum(r.algorithm, r.mak, mab)
}

// heldKey is the MAC key of one moment, for the answer to a request that was
// under way while the keys changed.
type heldKey struct {
	algorithm mac.Algorithm
	key       pin.SecretKey
}

// MAC fulfils Authenticator. ErrNoKeys after zero.
func (k *heldKey) MAC(mab []byte) ([macBytes]byte, error) {
	if k.algorithm == 0 {
		return [macBytes]byte{}, ErrNoKeys
	}
	return sum(k.algorithm, k.key, mab)
}

func (k *heldKey) zero() {
	k.key.Zero()
	k.algorithm = 0
}

// hold copies the MAC key of this moment; whoever holds it zeroes it.
func (r *Ring) hold(k *heldKey) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready {
		return ErrNoKeys
	}
	k.algorithm, k.key = r.algorithm, r.mak
	return nil
}

// sum makes a MAC under a key of 8, 16 or 24 bytes.
func sum(a mac.Algorithm, key pin.SecretKey, mab []byte) ([macBytes]byte, error) {
	b := key.Reveal()
	defer clear(b)
	if len(b) != 24 || a != mac.UnionPayECB {
		return mac.Sum(a, b, mab)
	}
	triple, err := des.NewTripleDESCipher(b)
	if err != nil {
		return [macBytes]byte{}, err
	}
	return mac.UnionPay(func(block [macBytes]byte) ([macBytes]byte, error) {
		triple.Encrypt(block[:], block[:])
		return block, nil
	}, mab)
}

// Ready says whether working keys are there.
func (r *Ring) Ready() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready
}

// PINKey is the PIN key as it came, under the master key, for a PIN pad that has
// the same master. Zero: none came yet.
func (r *Ring) PINKey() pin.WrappedKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wrapped
}

// OpenPIN deciphers the PIN of a payment under the PIN key: the host's end of
// master/session. The caller zeroes it. ErrNoKeys before the first sign-on.
func (r *Ring) OpenPIN(p *pin.Sealed, pan string) (pin.PIN, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready {
		return pin.PIN{}, ErrNoKeys
	}
	return pin.Decipher(r.pik, p.Layout, p.Bytes(), pan)
}

// Issue replaces the working keys by these and gives them as DE62 of a sign-on:
// the host's end. tdk may be nil. The lengths make the layout: 8 and 8 bytes 24;
// 16 and 8 or 16 bytes 40, with tdk 60; 24 and 24 bytes 56, with tdk 84.
func (r *Ring) Issue(pik, mak pin.SecretKey, tdk *pin.SecretKey) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	de62, err := sealKeys(r.master, pik, mak, tdk)
	if err != nil {
		return nil, err
	}
	k, err := openKeys(r.master, de62)
	if err != nil {
		return nil, err
	}
	if _, err := sum(r.algorithm, k.mak, nil); err != nil {
		k.zero()
		return nil, err
	}
	r.put(k)
	return de62, nil
}

// Clear overwrites everything. The ring is of no use afterwards.
func (r *Ring) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wipe()
	r.master.Zero()
}

func (r *Ring) wipe() {
	r.pik.Zero()
	r.mak.Zero()
	r.tdk.Zero()
	r.wrapped, r.ready = pin.WrappedKey{}, false
}

const hiddenRing = "keys of a terminal"

// String, and the rest of what may print a value, tell nothing.
func (*Ring) String() string               { return hiddenRing }
func (*Ring) GoString() string             { return hiddenRing }
func (*Ring) Format(s fmt.State, _ rune)   { io.WriteString(s, hiddenRing) }
func (*Ring) LogValue() slog.Value         { return slog.StringValue(hiddenRing) }
func (*Ring) MarshalText() ([]byte, error) { return []byte(hiddenRing), nil }

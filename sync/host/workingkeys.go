package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"

	"buka/internal/mac"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

// keySet are the working keys of a terminal on one link, since a sign-on. It is
// never changed: whoever has it under way finishes with it.
type keySet struct {
	algorithm mac.Algorithm
	pin, mac  pin.SecretKey
	data      pin.SecretKey // of track data; drawn where the sign-on asks for it, and not used here
	block     []byte        // DE62
	stan      uint32        // of the sign-on; 0: before this start of the host
	order     uint64        // in which sets were drawn; 0: likewise
}

// MAC fulfils switchlink.Authenticator.
func (k *keySet) MAC(mab []byte) ([mac.Size]byte, error) {
	key := k.mac.Reveal()
	defer clear(key)
	return mac.Sum(k.algorithm, key, mab)
}

// Forms of DE62 by length, reference/iso8583.md 1.8: PIN key, MAC key, and in
// the longest one a key for track data, each under the terminal's master key and
// with 4 bytes of its check value.
const (
	singleLength = 24 // sign-on 001
	doubleLength = 40 // 003; a MAC key of 8 bytes is followed by 8 zeros
	withTrackKey = 60 // 004
)

var blockOf = map[string]int{"001": singleLength, "003": doubleLength, "004": withTrackKey}

// drawKeys makes new working keys.
func drawKeys(master pin.SecretKey, algorithm mac.Algorithm, size int) (*keySet, error) {
	k := &keySet{algorithm: algorithm}
	long, macLong := pin.TDES2, pin.DES
	if size == singleLength {
		long = pin.DES
	} else if algorithm == mac.X919 {
		macLong = pin.TDES2 // its own algorithm wants two halves
	}
	var err error
	for _, part := range []struct {
		key *pin.SecretKey
		alg pin.Algorithm
		pad int // bytes of the cryptogram in the block
	}{{&k.pin, long, long.Size()}, {&k.mac, macLong, long.Size()}, {&k.data, pin.TDES2, pin.TDES2.Size()}} {
		if part.key == &k.data && size != withTrackKey {
			continue
		}
		if *part.key, err = drawKey(part.alg); err != nil {
			return nil, err
		}
		w, err := pin.Wrap(master, *part.key)
		if err != nil {
			return nil, fmt.Errorf("working keys: %w", err)
		}
		k.block = append(k.block, w.Cryptogram...)
		k.block = append(k.block, make([]byte, part.pad-len(w.Cryptogram))...)
		k.block = append(k.block, w.Check...)
	}
	return k, nil
}

// drawKey makes one key of odd parity.
func drawKey(a pin.Algorithm) (pin.SecretKey, error) {
	raw := make([]byte, a.Size())
	defer clear(raw)
	rand.Read(raw)
	for i, b := range raw {
		if bits.OnesCount8(b)%2 == 0 {
			raw[i] ^= 1
		}
	}
	return pin.NewSecretKey(a, raw)
}

var errKeyBlock = errors.New("host: stored working keys cannot be read")

// readKeys takes a stored block apart again.
func readKeys(master pin.SecretKey, algorithm mac.Algorithm, block []byte) (*keySet, error) {
	size := 16
	switch len(block) {
	case singleLength:
		size = 8
	case doubleLength, withTrackKey:
	default:
		return nil, errKeyBlock
	}
	k := &keySet{algorithm: algorithm, block: block}
	for _, to := range []*pin.SecretKey{&k.pin, &k.mac, &k.data} {
		if len(block) < size+4 {
			break
		}
		w := pin.WrappedKey{Cryptogram: block[:size], Check: block[size : size+4]}
		if to == &k.mac && size == 16 && bytes.Equal(block[8:16], make([]byte, 8)) {
			w.Cryptogram = block[:8]
		}
		var err error
		if *to, err = pin.Unwrap(master, w); err != nil {
			return nil, fmt.Errorf("%w: %w", errKeyBlock, err)
		}
		block = block[size+4:]
	}
	return k, nil
}

// keyring holds the sets that were used since the start, by link and terminal.
// What is on the disk is under the terminals' master keys.
type keyring struct {
	sets  map[string]*ringed
	drawn uint64 // sets since the start
}

type ringed struct {
	set    *keySet
	proven bool // a message came under it
}

func ringName(link, merchant, terminal string) string { return link + "/" + merchant + "/" + terminal }

// master is the terminal's master key.
func (h *Host) master(merchant, terminal string) pin.SecretKey {
	if k, ok := h.cfg.TMKs[merchant+"/"+terminal]; ok {
		return k
	}
	return h.cfg.Keys.TMK
}

// keysOf gives the working keys of a terminal, nil if it has none: it never
// signed on, or has another master key since.
func (h *Host) keysOf(ctx context.Context, q querier, link, merchant, terminal string) (*ringed, error) {
	name := ringName(link, merchant, terminal)
	h.mu.Lock()
	known := h.ring.sets[name]
	h.mu.Unlock()
	if known != nil {
		return known, nil
	}
	var block []byte
	err := q.QueryRowContext(ctx, `SELECT block FROM working_keys WHERE link = ? AND merchant = ? AND terminal = ?`,
		link, merchant, terminal).Scan(&block)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("working keys: %w", err)
	}
	set, err := readKeys(h.master(merchant, terminal), h.cfg.MAC, block)
	if err != nil {
		h.log.Warn("host: a terminal has to sign on again", "terminal", terminal, "error", err)
		return nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.ring.sets[name]; now != nil { // somebody was faster
		return now, nil
	}
	now := &ringed{set: set}
	h.ring.sets[name] = now
	return now, nil
}

// keysFor gives the keys of a sign-on, stored in its transaction: fresh ones,
// but for a sending of the same sign-on that came twice before anything was sent
// under its keys. use puts them in place of the old ones once they are committed.
func (h *Host) keysFor(ctx context.Context, tx *sql.Tx, link string, r *switchlink.Request) (set *keySet, use func(), err error) {
	was, err := h.keysOf(ctx, tx, link, r.Merchant, r.Terminal)
	if err != nil {
		return nil, nil, err
	}
	wanted, err := othersWanted(ctx, tx, link, r)
	if err != nil {
		return nil, nil, err
	}
	if was != nil && !wanted && h.sameSignOn(was, r.STAN) {
		return was.set, func() {}, nil
	}
	size := h.cfg.KeyBlock
	if size == 0 {
		size = doubleLength
		if n, ok := blockOf[r.Net]; ok && h.cfg.Spec == nil {
			size = n
		}
	}
	if set, err = drawKeys(h.master(r.Merchant, r.Terminal), h.cfg.MAC, size); err != nil {
		return nil, nil, err
	}
	h.mu.Lock()
	h.ring.drawn++
	set.stan, set.order = r.STAN, h.ring.drawn
	h.mu.Unlock()
	_, err = tx.ExecContext(ctx, `INSERT INTO working_keys (link, merchant, terminal, block, wanted, drawn_ms) VALUES (?,?,?,?,0,?)
		ON CONFLICT DO UPDATE SET block = excluded.block, wanted = 0, drawn_ms = excluded.drawn_ms`,
		link, r.Merchant, r.Terminal, set.block, h.Now().UnixMilli())
	if err != nil {
		return nil, nil, fmt.Errorf("working keys: %w", err)
	}
	return set, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		name := ringName(link, r.Merchant, r.Terminal)
		if now := h.ring.sets[name]; now == nil || now.set.order < set.order { // else a later sign-on was faster here
			h.ring.sets[name] = &ringed{set: set}
		}
	}, nil
}

func (h *Host) sameSignOn(was *ringed, stan uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return was.set.stan == stan && stan != 0 && !was.proven
}

// othersWanted says whether a terminal is to sign on for other keys. The demand
// is the database's, so that another process may make it.
func othersWanted(ctx context.Context, q querier, link string, r *switchlink.Request) (wanted bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT wanted FROM working_keys WHERE link = ? AND merchant = ? AND terminal = ?`,
		link, r.Merchant, r.Terminal).Scan(&wanted)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("working keys: %w", err)
	}
	return wanted, nil
}

// RequireNewKeys has a terminal sign on for new working keys, on every link,
// before anything else of it is heard. ErrNoTerminal for one that has none.
func (h *Host) RequireNewKeys(ctx context.Context, merchant, terminal string) error {
	return h.Write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE working_keys SET wanted = 1 WHERE merchant = ? AND terminal = ?`, merchant, terminal)
		if err != nil {
			return fmt.Errorf("working keys: %w", err)
		}
		if n, err := res.RowsAffected(); err == nil && n == 0 {
			return ErrNoTerminal
		}
		return nil
	})
}

// heard notes that a terminal has its keys, and says with which code it is sent
// to sign on for others, "" if it is not. Nothing is done then and nothing
// stored: what it wanted it sends again under the new keys.
func (h *Host) heard(ctx context.Context, link string, r *switchlink.Request) (code string, err error) {
	if h.cfg.MAC == 0 && (r.PIN == nil || r.PIN.Scheme != pin.MasterSession) {
		return "", nil
	}
	k, err := h.keysOf(ctx, h.db, link, r.Merchant, r.Terminal)
	if err != nil || k == nil {
		return "", err
	}
	h.mu.Lock()
	k.proven = true
	h.mu.Unlock()
	wanted, err := othersWanted(ctx, h.db, link, r)
	switch {
	case err != nil || !wanted:
		return "", err
	case h.cfg.MAC != 0:
		return switchlink.CodeBadMAC, nil
	}
	return switchlink.CodePINBlock, nil
}

// errNoKeys makes the link answer A0: a terminal that has no keys cannot have
// made a MAC.
var errNoKeys = errors.New("host: the terminal has no working keys")

// authenticator gives the link the keys of a terminal.
func (h *Host) authenticator(link string) func(ctx context.Context, terminal, merchant string) (switchlink.Authenticator, error) {
	if h.cfg.MAC == 0 {
		return nil
	}
	return func(ctx context.Context, terminal, merchant string) (switchlink.Authenticator, error) {
		k, err := h.keysOf(ctx, h.db, link, merchant, terminal)
		if err == nil && k == nil {
			err = errNoKeys
		}
		if err != nil {
			return nil, err
		}
		return k.set, nil
	}
}

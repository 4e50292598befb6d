package host

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"buka/internal/pin"
	"buka/sync/switchlink"
)

// judgeHolder gives "" if the cardholder has shown to be the right one: by the
// PIN, to the telephone that was tapped, or up to the limit by a chip alone.
func (h *Host) judgeHolder(ctx context.Context, tx *sql.Tx, r *switchlink.Request, d *decision) (string, error) {
	if r.PIN != nil {
		return h.checkPIN(ctx, tx, r, d.account)
	}
	if d.chip != nil && d.chip.genuine && !d.chip.saysPIN() &&
		(r.Amount <= h.cfg.NoCVM || strings.HasPrefix(r.EntryMode, "07") && d.chip.saysDevice()) {
		return "", nil
	}
	return switchlink.CodeWrongPIN, nil // a PIN is wanted; none was tried
}

// checkPIN gives "" for the right PIN.
func (h *Host) checkPIN(ctx context.Context, tx *sql.Tx, r *switchlink.Request, acc account) (string, error) {
	p, err := h.openPIN(ctx, tx, r)
	if errors.Is(err, errPIN) {
		return switchlink.CodePINBlock, nil
	}
	if err != nil {
		return "", err
	}
	defer p.Zero()
	left, code := acc.tries-1, switchlink.CodeWrongPIN
	switch {
	case h.rightPIN(acc, p):
		left, code = maxTries, ""
	case left <= 0:
		code = switchlink.CodePINTries
	}
	_, err = tx.ExecContext(ctx, `UPDATE accounts SET tries_left = ? WHERE pan_hash = ?`, left, acc.hash)
	return code, err
}

// errPIN says that no PIN can be had from a block: of another key, another PAN or
// a form that is not known, or its KSN was used before.
var errPIN = errors.New("host: the PIN block cannot be used")

// openPIN deciphers the block under the key that it names. A KSN serves once: a
// counter that does not go up is a replay. Under a working key only the MAC and
// the chip's cryptogram tell a replay.
func (h *Host) openPIN(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (p pin.PIN, err error) {
	var device []byte
	var counter uint32
	switch s := r.PIN; s.Scheme {
	case pin.TDESDUKPT:
		if s.Layout == pin.Format4 {
			return p, errPIN
		}
		p, err = h.openDUKPT(s, r.PAN)
		at := s.KSN.WithCounter(0)
		device, counter = at[:], s.KSN.Counter()
	case pin.AESDUKPT:
		p, err = pin.OpenAES(h.cfg.Keys.AESBDK, s.AESKSN, s.Layout, s.Bytes(), r.PAN)
		at := s.AESKSN.WithCounter(0)
		device, counter = at[:], s.AESKSN.Counter()
	case pin.MasterSession:
		k, err := h.keysOf(ctx, tx, paymentsLink, r.Merchant, r.Terminal)
		if err != nil || k == nil {
			return p, cmp.Or(err, errPIN)
		}
		if p, err = pin.Decipher(k.set.pin, s.Layout, s.Bytes(), r.PAN); err != nil {
			return p, errPIN
		}
		return p, nil
	default:
		return p, errPIN
	}
	if err != nil {
		return p, errPIN
	}
	fresh, err := counted(ctx, tx, device, counter)
	if err == nil && !fresh {
		err = errPIN
	}
	if err != nil {
		p.Zero()
	}
	return p, err
}

// openDUKPT is pin.Open for formats 0 and 3.
func (h *Host) openDUKPT(s *pin.Sealed, pan string) (pin.PIN, error) {
	ik := pin.InitialKey(h.cfg.Keys.BDK, s.KSN)
	defer ik.Zero()
	key, err := pin.TransactionKey(ik, s.KSN)
	if err != nil {
		return pin.PIN{}, err
	}
	defer key.Zero()
	secret := key.PINKey().Secret()
	defer secret.Zero()
	return pin.Decipher(secret, s.Layout, s.Bytes(), pan)
}

// counted says whether the counter of a PIN pad went up.
func counted(ctx context.Context, tx *sql.Tx, device []byte, counter uint32) (bool, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO ksns (device, counter) VALUES (?,?)
		ON CONFLICT (device) DO UPDATE SET counter = excluded.counter WHERE excluded.counter > counter`, device, counter)
	if err != nil {
		return false, fmt.Errorf("KSN: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

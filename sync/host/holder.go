package host

import (
	"context"
	"database/sql"
	"fmt"

	"buka/internal/pin"
	"buka/sync/switchlink"
)

// judgeHolder gives "" if the cardholder has shown to be the right one: by the
// PIN, or up to the limit by a chip alone.
func (h *Host) judgeHolder(ctx context.Context, tx *sql.Tx, r *switchlink.Request, d *decision) (string, error) {
	if r.PIN != nil {
		return h.checkPIN(ctx, tx, r, d.account)
	}
	if d.chip != nil && d.chip.genuine && !d.chip.saysPIN() && r.Amount <= h.cfg.NoCVM {
		return "", nil
	}
	return switchlink.CodeWrongPIN, nil // a PIN is wanted; none was tried
}

// checkPIN gives "" for the right PIN. A KSN serves once: a counter that does not
// go up is a replay.
func (h *Host) checkPIN(ctx context.Context, tx *sql.Tx, r *switchlink.Request, acc account) (string, error) {
	if r.PIN.Scheme != pin.TDESDUKPT || r.PIN.Layout != pin.Format0 {
		return switchlink.CodePINBlock, nil
	}
	ksn := r.PIN.KSN
	p, err := pin.Open(h.cfg.Keys.BDK, ksn, r.PIN.Block(), r.PAN)
	if err != nil {
		return switchlink.CodePINBlock, nil
	}
	defer p.Zero()
	device := ksn.WithCounter(0)
	if fresh, err := counted(ctx, tx, device[:], ksn.Counter()); err != nil || !fresh {
		return switchlink.CodePINBlock, err
	}
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

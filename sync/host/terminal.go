package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"buka/sync/switchlink"
)

// signOn registers a terminal that is new and tells its open batch. The batch
// stays over sign-ons until it is closed, so what a kiosk owed before a restart
// is still in an open batch after it.
func (h *Host) signOn(ctx context.Context, r *switchlink.Request) (a switchlink.Response, err error) {
	a = h.plain(switchlink.CodeApproved)
	err = h.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO terminals (merchant, terminal, batch, last_stan, sign_on_ms) VALUES (?,?,1,0,?)
			ON CONFLICT DO UPDATE SET sign_on_ms = excluded.sign_on_ms`, r.Merchant, r.Terminal, h.Now().UnixMilli()); err != nil {
			return fmt.Errorf("sign-on: %w", err)
		}
		return tx.QueryRowContext(ctx, `SELECT batch, last_stan FROM terminals WHERE merchant = ? AND terminal = ?`,
			r.Merchant, r.Terminal).Scan(&a.Batch, &a.LastSTAN)
	})
	return a, err
}

// ErrNoTerminal says that no such terminal has ever signed on.
var ErrNoTerminal = errors.New("host: no such terminal")

// CloseBatch ends a terminal's batch. New payments and loads in it are answered
// 77 until the kiosk signs on; what it owes from the old batch is still taken.
func (h *Host) CloseBatch(ctx context.Context, merchant, terminal string) error {
	return h.Write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE terminals SET batch = batch % ? + 1, last_stan = 0 WHERE merchant = ? AND terminal = ?`,
			switchlink.MaxSTAN, merchant, terminal)
		if err != nil {
			return fmt.Errorf("close the batch: %w", err)
		}
		if n, err := res.RowsAffected(); err == nil && n == 0 {
			return ErrNoTerminal
		}
		return nil
	})
}

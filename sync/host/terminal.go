package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"buka/sync/switchlink"
)

// signOn registers a terminal that is new and tells its open batch. The batch
// stays over sign-ons until it is settled or closed, so what a kiosk owed before
// a restart is still in an open batch after it.
func (h *Host) signOn(ctx context.Context, link string, r *switchlink.Request) (a switchlink.Response, err error) {
	a = h.plain(switchlink.CodeApproved)
	use := func() {}
	err = h.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO terminals (merchant, terminal, batch, last_stan, sign_on_ms) VALUES (?,?,1,0,?)
			ON CONFLICT DO UPDATE SET sign_on_ms = excluded.sign_on_ms`, r.Merchant, r.Terminal, h.Now().UnixMilli()); err != nil {
			return fmt.Errorf("sign-on: %w", err)
		}
		if err := h.openBatch(ctx, tx, r.Merchant, r.Terminal); err != nil {
			return err
		}
		if err := h.afterSettlement(ctx, tx, r.Merchant, r.Terminal); err != nil {
			return err
		}
		if h.cfg.MAC != 0 || h.cfg.WorkingKeys {
			var set *keySet
			if set, use, err = h.keysFor(ctx, tx, link, r); err != nil {
				return err
			}
			a.Keys = set.block
		}
		return tx.QueryRowContext(ctx, `SELECT batch, last_stan FROM terminals WHERE merchant = ? AND terminal = ?`,
			r.Merchant, r.Terminal).Scan(&a.Batch, &a.LastSTAN)
	})
	if err == nil {
		use()
	}
	return a, err
}

// afterSettlement opens the next batch if the present one is settled or being
// settled, so that sales may go on.
func (h *Host) afterSettlement(ctx context.Context, tx *sql.Tx, merchant, terminal string) error {
	var told bool
	err := tx.QueryRowContext(ctx, `SELECT b.state <> 'open' FROM terminals t JOIN batches b USING (merchant, terminal, batch)
		WHERE merchant = ? AND terminal = ?`, merchant, terminal).Scan(&told)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	if told {
		return h.nextBatch(ctx, tx, merchant, terminal)
	}
	return nil
}

// ErrNoTerminal says that no such terminal has ever signed on.
var ErrNoTerminal = errors.New("host: no such terminal")

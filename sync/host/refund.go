package host

import (
	"context"
	"database/sql"
	"fmt"

	"buka/sync/switchlink"
)

// refund gives a payment back that can no longer be reversed. 00 says that no
// money of the sale is held, so that neither a repeat nor a refund after a
// reversal gives it back twice.
func (h *Host) refund(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	p, a, err := h.toGiveBack(ctx, tx, r, r.OrigBatch, r.OrigSTAN)
	if err != nil {
		return a, err
	}
	var id any
	var booked uint32
	if p != nil {
		id, a.RRN = p.id, p.rrn
		if a.Code == switchlink.CodeApproved && p.stands() {
			if err := h.giveBack(ctx, tx, p, refunded); err != nil {
				return a, err
			}
			if booked, err = bookedIn(ctx, tx, r); err != nil {
				return a, err
			}
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO refunds (merchant, terminal, batch, stan, sale, payment, amount, code, at_ms, booked) VALUES (?,?,?,?,?,?,?,?,?,?)`,
		r.Merchant, r.Terminal, r.Batch, r.STAN, string(r.Sale), id, int64(r.Amount), a.Code, a.At.UnixMilli(), booked)
	if err != nil {
		return a, fmt.Errorf("refund: %w", err)
	}
	return a, nil
}

// bookedIn is the batch whose credit a refund is: its own while that is open, else
// the terminal's present one. If that is settled too, the totals that both sides
// have told stay as they are: it is the one that the next sign-on opens, which the
// refund finds under its number and does not open itself, for loads go on in the
// present one until then.
func bookedIn(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (batch uint32, err error) {
	state, err := batchState(ctx, tx, r.Merchant, r.Terminal, r.Batch)
	if err != nil || state == BatchOpen {
		return r.Batch, err
	}
	err = tx.QueryRowContext(ctx, `SELECT CASE b.state WHEN 'open' THEN batch ELSE `+following+` END
		FROM terminals t JOIN batches b USING (merchant, terminal, batch) WHERE merchant = ? AND terminal = ?`,
		switchlink.MaxSTAN, r.Merchant, r.Terminal).Scan(&batch)
	if err != nil {
		return 0, fmt.Errorf("terminal: %w", err)
	}
	return batch, nil
}

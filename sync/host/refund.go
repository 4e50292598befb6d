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
	a := h.plain(switchlink.CodeApproved)
	p, err := onePayment(tx.QueryRowContext(ctx, paymentColumns+`WHERE merchant = ? AND terminal = ? AND batch = ? AND stan = ?`,
		r.Merchant, r.Terminal, r.OrigBatch, r.OrigSTAN))
	if err != nil {
		return a, err
	}
	if a.Code, err = h.judgeReversal(ctx, tx, r, p); err != nil {
		return a, err
	}
	var id any
	if p != nil {
		id, a.RRN = p.id, p.rrn
		if a.Code == switchlink.CodeApproved && p.code == switchlink.CodeApproved && !p.reversed {
			if err := h.giveBack(ctx, tx, p); err != nil {
				return a, err
			}
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO refunds (merchant, terminal, batch, stan, sale, payment, amount, code, at_ms) VALUES (?,?,?,?,?,?,?,?,?)`,
		r.Merchant, r.Terminal, r.Batch, r.STAN, string(r.Sale), id, int64(r.Amount), a.Code, a.At.UnixMilli())
	if err != nil {
		return a, fmt.Errorf("refund: %w", err)
	}
	return a, nil
}

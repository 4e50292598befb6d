package host

import (
	"context"
	"database/sql"
	"fmt"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
)

// settleBatch compares the totals of a batch (0500). From then on nothing new
// begins in it; balanced, it is closed. The same totals told again under another
// STAN are compared again. What was closed once stays so, whatever is told later:
// no reversal takes a payment out of it any more.
func (h *Host) settleBatch(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain(switchlink.CodeApproved)
	own, err := hostTotals(ctx, tx, r.Merchant, r.Terminal, r.Batch)
	if err != nil {
		return a, err
	}
	a.Balanced = own == r.Totals
	was, err := batchState(ctx, tx, r.Merchant, r.Terminal, r.Batch)
	if err != nil {
		return a, err
	}
	state := BatchBalanced
	if !a.Balanced {
		if state = BatchUploading; closed(was) {
			state = BatchDiffers
		}
		h.log.Warn("host: a batch does not balance", "terminal", r.Terminal, "batch", r.Batch, "kiosk", r.Totals, "host", own)
	}
	k := r.Totals
	_, err = tx.ExecContext(ctx, `UPDATE batches SET state = ?, stan = ?, kiosk_debit = ?, kiosk_debits = ?, kiosk_credit = ?, kiosk_credits = ?,
		host_debit = ?, host_debits = ?, host_credit = ?, host_credits = ?, settled_ms = ? WHERE merchant = ? AND terminal = ? AND batch = ?`,
		state, r.STAN, int64(k.Debit), k.Debits, int64(k.Credit), k.Credits, int64(own.Debit), own.Debits, int64(own.Credit), own.Credits,
		a.At.UnixMilli(), r.Merchant, r.Terminal, r.Batch)
	if err != nil {
		return a, fmt.Errorf("settlement: %w", err)
	}
	return a, nil
}

// upload takes one payment or refund of a batch that did not balance (0320). The
// last closes the batch and is answered with what differs.
func (h *Host) upload(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain(switchlink.CodeApproved)
	if r.Amount != 0 { // the last of an empty batch is about nothing
		_, err := tx.ExecContext(ctx, `INSERT INTO uploads (merchant, terminal, batch, settlement, idx, sale, stan, amount, credit) VALUES (?,?,?,?,?,?,?,?,?)`,
			r.Merchant, r.Terminal, r.Batch, r.STAN, r.Index, string(r.Sale), r.OrigSTAN, int64(r.Amount), r.Credit)
		if err != nil {
			return a, fmt.Errorf("upload: %w", err)
		}
	}
	if !r.Last {
		return a, nil
	}
	var err error
	if a.Differs, err = h.compare(ctx, tx, r); err != nil {
		return a, err
	}
	a.Balanced = len(a.Differs) == 0
	state := BatchBalanced
	if !a.Balanced {
		state = BatchDiffers
		h.log.Warn("host: a batch is closed with differences", "terminal", r.Terminal, "batch", r.Batch, "count", len(a.Differs))
	}
	_, err = tx.ExecContext(ctx, `UPDATE batches SET state = ? WHERE merchant = ? AND terminal = ? AND batch = ?`, state, r.Merchant, r.Terminal, r.Batch)
	if err != nil {
		return a, fmt.Errorf("upload: %w", err)
	}
	return a, nil
}

// complete says whether every item before the last has come. An upload is sent
// one by one, each after the answer to the one before, so only a terminal that
// has forgotten some asks too early.
func complete(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (bool, error) {
	var n uint32
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM uploads WHERE merchant = ? AND terminal = ? AND batch = ? AND settlement = ? AND idx < ?`,
		r.Merchant, r.Terminal, r.Batch, r.STAN, r.Index).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("upload: %w", err)
	}
	return r.Index > 0 && n == r.Index-1, nil
}

// compare finds what only one side has and writes it down, in place of what an
// earlier upload left. What only the host has comes first: the terminal may hold
// such a sale to be absent.
func (h *Host) compare(ctx context.Context, tx *sql.Tx, r *switchlink.Request) ([]entry.Difference, error) {
	if _, err := tx.ExecContext(ctx, `DELETE FROM differences WHERE merchant = ? AND terminal = ? AND batch = ?`, r.Merchant, r.Terminal, r.Batch); err != nil {
		return nil, fmt.Errorf("differences: %w", err)
	}
	// A payment is known by sale and STAN. A refund by its sale: one that moved
	// money is the only one of its sale's payment.
	_, err := tx.ExecContext(ctx, `WITH
		theirs AS (SELECT sale, CASE credit WHEN 0 THEN stan ELSE 0 END AS key, min(stan) AS stan,
				sum(CASE credit WHEN 0 THEN amount ELSE -amount END) AS amount
			FROM uploads WHERE merchant = ?1 AND terminal = ?2 AND batch = ?3 AND settlement = ?4 GROUP BY sale, 2),
		ours AS (SELECT sale, stan AS key, stan, amount FROM payments
				WHERE merchant = ?1 AND terminal = ?2 AND batch = ?3 AND code = '00' AND (reversed = 0 OR refunded = 1)
			UNION ALL SELECT sale, 0, min(stan), -sum(amount) FROM refunds WHERE merchant = ?1 AND terminal = ?2 AND booked = ?3 GROUP BY sale)
		INSERT INTO differences (merchant, terminal, batch, settlement, sale, stan, kiosk, host)
		SELECT ?1, ?2, ?3, ?4, coalesce(o.sale, t.sale), coalesce(o.stan, t.stan), coalesce(t.amount, 0), coalesce(o.amount, 0)
			FROM ours o FULL OUTER JOIN theirs t ON t.sale = o.sale AND t.key = o.key
			WHERE coalesce(t.amount, 0) <> coalesce(o.amount, 0)`, r.Merchant, r.Terminal, r.Batch, r.STAN)
	if err != nil {
		return nil, fmt.Errorf("differences: %w", err)
	}
	return differences(ctx, tx, r.Merchant, r.Terminal, r.Batch)
}

// differences of a batch, what the host alone has first.
func differences(ctx context.Context, tx querier, merchant, terminal string, batch uint32) ([]entry.Difference, error) {
	rows, err := tx.QueryContext(ctx, `SELECT sale, stan, kiosk, host FROM differences WHERE merchant = ? AND terminal = ? AND batch = ?
		ORDER BY kiosk <> 0, stan, sale`, merchant, terminal, batch)
	if err != nil {
		return nil, fmt.Errorf("differences: %w", err)
	}
	defer rows.Close()
	var list []entry.Difference
	for rows.Next() {
		var d entry.Difference
		var kiosk, host money.Fen
		if err := rows.Scan(&d.Sale, &d.STAN, &kiosk, &host); err != nil {
			return nil, fmt.Errorf("differences: %w", err)
		}
		d.Kiosk, d.Host = kiosk, host
		list = append(list, d)
	}
	return list, rows.Err()
}

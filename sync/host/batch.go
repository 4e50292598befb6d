package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"buka/internal/entry"
	"buka/sync/switchlink"
)

// States of a batch.
const (
	BatchOpen      = "open"      // payments may be made in it
	BatchUploading = "uploading" // its totals did not balance; nothing new begins in it
	BatchBalanced  = "balanced"  // closed, both sides agree
	BatchDiffers   = "differs"   // closed, what differs is written down for people
)

// Batch is one batch of a terminal, for pages and tests.
type Batch struct {
	Merchant, Terminal string
	Number             uint32
	State              string
	Kiosk              entry.Totals // what the terminal said; zero before its settlement
	Host               entry.Totals // then; of an open batch now
	Opened, Settled    time.Time    // Settled is zero before the first settlement
	Differs            []entry.Difference
}

// batchState gives "" for a batch that was never opened.
func batchState(ctx context.Context, tx *sql.Tx, merchant, terminal string, batch uint32) (state string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT state FROM batches WHERE merchant = ? AND terminal = ? AND batch = ?`, merchant, terminal, batch).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("batch: %w", err)
	}
	return state, nil
}

// settled says that a terminal has told the totals of a batch: nothing new begins
// in it.
func settled(state string) bool { return state != "" && state != BatchOpen }

// closed says that both sides have counted what is in a batch: only a refund, in
// a later one, gives money of it back.
func closed(state string) bool { return state == BatchBalanced || state == BatchDiffers }

// openBatch writes down that a terminal's batch is open.
func (h *Host) openBatch(ctx context.Context, tx *sql.Tx, merchant, terminal string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO batches (merchant, terminal, batch, state, opened_ms)
		SELECT merchant, terminal, batch, 'open', ? FROM terminals WHERE merchant = ? AND terminal = ? ON CONFLICT DO NOTHING`,
		h.Now().UnixMilli(), merchant, terminal)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return nil
}

// following is the number of the batch after a terminal's present one; its
// parameter is the highest number there is.
const following = `batch % ? + 1`

// nextBatch ends the batch of a terminal and opens the next. What the terminal
// owes from the old one is still taken.
func (h *Host) nextBatch(ctx context.Context, tx *sql.Tx, merchant, terminal string) error {
	res, err := tx.ExecContext(ctx, `UPDATE terminals SET batch = `+following+`, last_stan = 0 WHERE merchant = ? AND terminal = ?`,
		switchlink.MaxSTAN, merchant, terminal)
	if err != nil {
		return fmt.Errorf("close the batch: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return ErrNoTerminal
	}
	return h.openBatch(ctx, tx, merchant, terminal)
}

// CloseBatch ends a terminal's batch. New payments and loads in it are answered
// 77 until the kiosk signs on; what it owes from the old batch is still taken,
// and so is its settlement.
func (h *Host) CloseBatch(ctx context.Context, merchant, terminal string) error {
	return h.Write(ctx, func(tx *sql.Tx) error { return h.nextBatch(ctx, tx, merchant, terminal) })
}

// hostTotals counts what the host has of a batch: payments that stand or were
// refunded, and refunds that moved money.
func hostTotals(ctx context.Context, tx querier, merchant, terminal string, batch uint32) (t entry.Totals, err error) {
	err = tx.QueryRowContext(ctx, `SELECT coalesce(sum(amount), 0), count(*) FROM payments
		WHERE merchant = ? AND terminal = ? AND batch = ? AND code = '00' AND (reversed = 0 OR refunded = 1)`,
		merchant, terminal, batch).Scan((*int64)(&t.Debit), &t.Debits)
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT coalesce(sum(amount), 0), count(*) FROM refunds WHERE merchant = ? AND terminal = ? AND booked = ?`,
			merchant, terminal, batch).Scan((*int64)(&t.Credit), &t.Credits)
	}
	if err != nil {
		return t, fmt.Errorf("totals: %w", err)
	}
	return t, nil
}

// maxBatches bounds what Batches gives for one call.
const maxBatches = 1000

// Batches gives the newest batches of all terminals, newest first. Payments that
// are made meanwhile may be in the totals of an open one or not.
func (h *Host) Batches(ctx context.Context, limit int) ([]Batch, error) {
	list, err := h.batches(ctx, min(limit, maxBatches))
	if err != nil {
		return nil, err
	}
	for i := range list {
		switch b := &list[i]; b.State {
		case BatchOpen:
			b.Host, err = hostTotals(ctx, h.db, b.Merchant, b.Terminal, b.Number)
		case BatchDiffers:
			b.Differs, err = differences(ctx, h.db, b.Merchant, b.Terminal, b.Number)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (h *Host) batches(ctx context.Context, limit int) ([]Batch, error) {
	rows, err := h.db.QueryContext(ctx, `SELECT merchant, terminal, batch, state, kiosk_debit, kiosk_debits, kiosk_credit, kiosk_credits,
		host_debit, host_debits, host_credit, host_credits, opened_ms, settled_ms FROM batches ORDER BY opened_ms DESC, batch DESC, terminal LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("batches: %w", err)
	}
	defer rows.Close()
	var list []Batch
	for rows.Next() {
		var b Batch
		var opened, done int64
		k, o := &b.Kiosk, &b.Host
		if err := rows.Scan(&b.Merchant, &b.Terminal, &b.Number, &b.State, (*int64)(&k.Debit), &k.Debits, (*int64)(&k.Credit), &k.Credits,
			(*int64)(&o.Debit), &o.Debits, (*int64)(&o.Credit), &o.Credits, &opened, &done); err != nil {
			return nil, fmt.Errorf("batches: %w", err)
		}
		b.Opened = time.UnixMilli(opened)
		if done > 0 {
			b.Settled = time.UnixMilli(done)
		}
		list = append(list, b)
	}
	return list, rows.Err()
}

package host

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"buka/internal/entry"
	"buka/sync/switchlink"
)

// confirm records that a load was written. It is always recorded; the code says
// whether the host believes it: 25 no such authorisation, 12 another sale's or a
// void one without a TAC, 63 a TAC that does not verify.
func (h *Host) confirm(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain(switchlink.CodeApproved)
	row, err := h.ledgerRow(ctx, tx, r.Attempt)
	if err != nil {
		return a, err
	}
	var ledger any
	if row == nil {
		a.Code = switchlink.CodeNotFound
	} else {
		ledger = row.id
		a.Code = h.judgeConfirmation(r, row)
		state := "confirmed"
		if a.Code != switchlink.CodeApproved {
			state = "disputed"
		}
		// A load that is proven stays so, whatever is said about it later.
		if _, err := tx.ExecContext(ctx, `UPDATE ledger SET state = ? WHERE id = ? AND state <> 'confirmed'`, state, row.id); err != nil {
			return a, fmt.Errorf("ledger: %w", err)
		}
		if err := settledRow(ctx, tx, row, state); err != nil {
			return a, err
		}
	}
	if a.Code != switchlink.CodeApproved {
		h.log.Warn("host: a confirmation that is not believed", "sale", string(r.Sale), "terminal", r.Terminal, "stan", r.STAN, "code", a.Code)
	}
	attempt, err := json.Marshal(r.Attempt)
	if err != nil {
		return a, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO confirmations (ledger, merchant, terminal, batch, stan, sale, attempt, tac, proven, code, at_ms)
		VALUES (?,?,?,?,?,?,?,?,?,?,?)`, ledger, r.Merchant, r.Terminal, r.Batch, r.STAN, string(r.Sale), string(attempt),
		nonNil(r.Proof.TAC), r.By, a.Code, a.At.UnixMilli())
	if err != nil {
		return a, fmt.Errorf("confirmation: %w", err)
	}
	return a, nil
}

// judgeConfirmation verifies over what the host authorised, not over what the
// kiosk says now.
func (h *Host) judgeConfirmation(r *switchlink.Request, row *ledgerRow) string {
	if row.sale != string(r.Sale) {
		return switchlink.CodeInvalid
	}
	if len(r.Proof.TAC) == 0 {
		if row.state != "authorised" && row.state != "confirmed" {
			return switchlink.CodeInvalid
		}
		return switchlink.CodeApproved
	}
	own := r.Attempt
	own.Amount, own.OldBalance, own.Terminal, own.At = row.amount, row.oldBalance, row.terminal, entry.Stamp(row.stamp)
	l, asn, code := h.loadOf(own)
	if code != "" || !row.authorised || !h.tacOK(l, asn, r.Proof.TAC) {
		return switchlink.CodeSecurity
	}
	return switchlink.CodeApproved
}

// void ends an authorisation that was not used. One that never came is
// remembered: it is refused if it still comes.
func (h *Host) void(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain(switchlink.CodeApproved)
	row, err := h.ledgerRow(ctx, tx, r.Attempt)
	switch {
	case err != nil:
		return a, err
	case row == nil:
		_, err = h.writeLedger(ctx, tx, r, "", false, "voided")
		return a, err
	case row.sale != string(r.Sale):
		a.Code = switchlink.CodeInvalid
	case row.state == "confirmed" || row.state == "disputed":
		a.Code = switchlink.CodeAlreadyCredited
	}
	if a.Code != switchlink.CodeApproved { // the last answer: people find it here
		h.log.Warn("host: a void that is not done", "sale", string(r.Sale), "terminal", r.Terminal, "stan", r.STAN, "code", a.Code, "state", row.state)
		return a, nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE ledger SET state = 'voided' WHERE id = ?`, row.id); err != nil {
		return a, fmt.Errorf("ledger: %w", err)
	}
	return a, settledRow(ctx, tx, row, "voided")
}

// VoidOpen voids the authorisations of a sale that its kiosk's journal has passed
// without using them, and says how many.
func (h *Host) VoidOpen(ctx context.Context, sale entry.SaleID) (n int64, err error) {
	err = h.Write(ctx, func(tx *sql.Tx) error {
		n, err = voidOpen(ctx, tx, sale)
		return err
	})
	return n, err
}

// Passed is VoidOpen inside a transaction of the fleet half (DESIGN §4.2: an
// authorisation that a kiosk forgot in a crash is void once its journal has
// passed the sale).
//
// Of a rewrite that the host owns nothing is void by that: the kiosk has given it
// back, and a write of it may be in doubt.
func (h *Host) Passed(ctx context.Context, tx *sql.Tx, sale entry.SaleID) error {
	own, err := rewriteOf(ctx, tx, sale)
	if err != nil || own != nil && own.State == "open" {
		return err
	}
	_, err = voidOpen(ctx, tx, sale)
	return err
}

func voidOpen(ctx context.Context, tx *sql.Tx, sale entry.SaleID) (int64, error) {
	res, err := tx.ExecContext(ctx, `UPDATE ledger SET state = 'voided' WHERE sale = ? AND state = 'authorised'`, string(sale))
	if err != nil {
		return 0, fmt.Errorf("ledger: %w", err)
	}
	return res.RowsAffected()
}

// SetHotlisted puts a card on the hotlist or takes it off.
func (h *Host) SetHotlisted(ctx context.Context, c entry.Card, listed bool) error {
	return h.Write(ctx, func(tx *sql.Tx) error {
		if !listed {
			_, err := tx.ExecContext(ctx, `DELETE FROM hotlist WHERE family = ? AND number = ?`, c.Family, c.Number)
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO hotlist (family, number, since_ms) VALUES (?,?,?) ON CONFLICT DO NOTHING`,
			c.Family, c.Number, h.Now().UnixMilli())
		return err
	})
}

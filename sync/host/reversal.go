package host

import (
	"context"
	"database/sql"
	"fmt"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
)

// reverse gives a payment back, once, unless its batch is closed. What comes before its payment is
// remembered and answered 25: the payment is declined if it still comes.
func (h *Host) reverse(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	p, a, err := h.toGiveBack(ctx, tx, r, r.Batch, r.STAN)
	if err != nil {
		return a, err
	}
	state, err := batchState(ctx, tx, r.Merchant, r.Terminal, r.Batch)
	if err != nil {
		return a, err
	}
	if p != nil {
		a.RRN = p.rrn
		if a.Code == switchlink.CodeApproved && p.stands() && closed(state) {
			a.Code = switchlink.CodeOtherAmount // both sides have counted it: only a refund gives it back now
		}
		if a.Code == switchlink.CodeApproved && p.stands() {
			if err := h.giveBack(ctx, tx, p, reversal); err != nil {
				return a, err
			}
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO reversals (merchant, terminal, batch, stan, sale, amount, reason, code, found, at_ms) VALUES (?,?,?,?,?,?,?,?,?,?)`,
		r.Merchant, r.Terminal, r.Batch, r.STAN, string(r.Sale), int64(r.Amount), r.Reason, a.Code, p != nil, a.At.UnixMilli())
	if err != nil {
		return a, fmt.Errorf("reversal: %w", err)
	}
	return a, h.noteScripts(ctx, tx, r)
}

// toGiveBack is the payment that a terminal names by batch and STAN, nil if there is
// none, and an answer whose code says whether its money may go back.
func (h *Host) toGiveBack(ctx context.Context, tx *sql.Tx, r *switchlink.Request, batch, stan uint32) (*payment, switchlink.Response, error) {
	a := h.plain(switchlink.CodeApproved)
	p, err := onePayment(tx.QueryRowContext(ctx, paymentColumns+`WHERE merchant = ? AND terminal = ? AND batch = ? AND stan = ?`,
		r.Merchant, r.Terminal, batch, stan))
	if err != nil {
		return nil, a, err
	}
	a.Code, err = h.judgeReversal(ctx, tx, r, p)
	return p, a, err
}

func (h *Host) judgeReversal(ctx context.Context, tx *sql.Tx, r *switchlink.Request, p *payment) (string, error) {
	switch {
	case p == nil:
		return switchlink.CodeNotFound, nil
	case p.sale != string(r.Sale):
		return switchlink.CodeInvalid, nil
	case p.amount != r.Amount:
		return switchlink.CodeOtherAmount, nil
	}
	credited, err := h.credited(ctx, tx, r.Sale)
	if err != nil {
		return "", err
	}
	own, err := rewriteOf(ctx, tx, r.Sale)
	if err != nil {
		return "", err
	}
	if own != nil && !p.reversed { // law 7: only the owner gives its money back
		h.log.Warn("host: a kiosk wants back the money of a rewrite that the host owns", "sale", string(r.Sale), "terminal", r.Terminal, "stan", r.STAN)
		return switchlink.CodeAlreadyCredited, nil
	}
	if credited {
		h.log.Warn("host: a reversal of a sale whose load is confirmed", "sale", string(r.Sale), "terminal", r.Terminal, "stan", r.STAN)
		return switchlink.CodeAlreadyCredited, nil
	}
	return switchlink.CodeApproved, nil
}

// Ways in which money goes back. A reversal takes the payment out of its batch; a
// payment that is refunded stays a debit of it.
type way bool

const (
	reversal way = false
	refunded way = true
)

func (h *Host) giveBack(ctx context.Context, tx *sql.Tx, p *payment, by way) error {
	if _, err := tx.ExecContext(ctx, `UPDATE payments SET reversed = 1, refunded = ?, reversed_ms = ? WHERE id = ?`, bool(by), h.Now().UnixMilli(), p.id); err != nil {
		return fmt.Errorf("reversal: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE accounts SET funds = funds + ? WHERE pan_hash = ?`, int64(p.amount), p.account); err != nil {
		return fmt.Errorf("reversal: %w", err)
	}
	return nil
}

// standing is the approved and not reversed payment of a sale; nil: none.
func (h *Host) standing(ctx context.Context, tx *sql.Tx, sale entry.SaleID) (*payment, error) {
	return onePayment(tx.QueryRowContext(ctx, paymentColumns+`WHERE sale = ? AND code = '00' AND reversed = 0`, string(sale)))
}

// credited says whether any kiosk ever said that a load of this sale was written,
// even with a TAC that does not verify: then only people give money back.
func (h *Host) credited(ctx context.Context, tx *sql.Tx, sale entry.SaleID) (yes bool, err error) {
	if err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM confirmations WHERE sale = ?)`, string(sale)).Scan(&yes); err != nil {
		err = fmt.Errorf("confirmations: %w", err)
	}
	return yes, err
}

// SaleState is the host's side of one sale.
type SaleState struct {
	Paid     money.Fen // approved, also if it was reversed since
	Reversed money.Fen
	Credited money.Fen // loads that were confirmed and not disputed
	Open     int       // authorisations neither confirmed nor voided
	Disputed int       // confirmations that the host does not believe
}

// Sale says what the host knows about a sale; zero if nothing.
func (h *Host) Sale(ctx context.Context, id entry.SaleID) (s SaleState, err error) {
	err = h.db.QueryRowContext(ctx, `SELECT
		(SELECT coalesce(sum(amount), 0) FROM payments WHERE sale = ?1 AND code = '00'),
		(SELECT coalesce(sum(amount), 0) FROM payments WHERE sale = ?1 AND code = '00' AND reversed = 1),
		(SELECT coalesce(sum(amount), 0) FROM ledger WHERE sale = ?1 AND state = 'confirmed'),
		(SELECT count(*) FROM ledger WHERE sale = ?1 AND state = 'authorised'),
		(SELECT count(*) FROM confirmations WHERE sale = ?1 AND code <> '00')`, string(id)).
		Scan((*int64)(&s.Paid), (*int64)(&s.Reversed), (*int64)(&s.Credited), &s.Open, &s.Disputed)
	return s, err
}

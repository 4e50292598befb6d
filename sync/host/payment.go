package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"buka/internal/money"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

// pay decides one payment. Every decision leaves a row, so that a query knows.
func (h *Host) pay(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain("")
	acc, found, err := h.account(ctx, tx, r.PAN)
	if err != nil {
		return a, err
	}
	if a.Code, err = h.judgePayment(ctx, tx, r, acc, found); err != nil {
		return a, err
	}
	if a.Code == switchlink.CodeApproved {
		a.Amount = r.Amount
		if _, err := tx.ExecContext(ctx, `UPDATE accounts SET funds = funds - ? WHERE pan_hash = ?`, int64(r.Amount), acc.hash); err != nil {
			return a, fmt.Errorf("debit: %w", err)
		}
	}
	return h.recordPayment(ctx, tx, r, a)
}

// declined makes a decision that is a code from outside. No money moves, no PIN
// is looked at.
func (h *Host) declined(code string) deciding {
	return func(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
		return h.recordPayment(ctx, tx, r, h.plain(code))
	}
}

// judgePayment gives the code. The PIN is looked at last, so that a wrong one
// costs no try where the payment would fail anyway, but for funds: what somebody
// owns is told only to who knows the PIN.
func (h *Host) judgePayment(ctx context.Context, tx *sql.Tx, r *switchlink.Request, acc account, found bool) (string, error) {
	var gone bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM reversals WHERE merchant = ? AND terminal = ? AND batch = ? AND stan = ?)`,
		r.Merchant, r.Terminal, r.Batch, r.STAN).Scan(&gone)
	now := h.Now().In(h.cfg.Zone).Format("0601")
	switch {
	case err != nil:
		return "", fmt.Errorf("reversals: %w", err)
	case gone:
		return switchlink.CodeInvalid, nil // its reversal was faster
	case r.Amount <= 0:
		return switchlink.CodeAmount, nil
	case !found:
		return switchlink.CodeCardNumber, nil
	case acc.blocked:
		return switchlink.CodeRestricted, nil
	case acc.expiry < now || r.Expiry != "" && r.Expiry < now:
		return switchlink.CodeExpired, nil
	case acc.tries <= 0:
		return switchlink.CodePINTries, nil
	}
	if code, err := h.checkPIN(ctx, tx, r, acc); err != nil || code != "" {
		return code, err
	}
	paid, err := h.standing(ctx, tx, r.Sale)
	switch {
	case err != nil:
		return "", err
	case paid != nil:
		return switchlink.CodeDuplicate, nil // law 2: one payment for a sale
	case acc.funds < r.Amount:
		return switchlink.CodeFunds, nil
	}
	return switchlink.CodeApproved, nil
}

// checkPIN gives "" for the right PIN. A KSN serves once: a counter that does not
// go up is a replay.
func (h *Host) checkPIN(ctx context.Context, tx *sql.Tx, r *switchlink.Request, acc account) (string, error) {
	if !r.HasPIN {
		return switchlink.CodePINBlock, nil
	}
	p, err := pin.Open(h.cfg.Keys.BDK, r.KSN, r.PINBlock, r.PAN)
	if err != nil {
		return switchlink.CodePINBlock, nil
	}
	defer p.Zero()
	device := r.KSN.WithCounter(0)
	res, err := tx.ExecContext(ctx, `INSERT INTO ksns (device, counter) VALUES (?,?)
		ON CONFLICT (device) DO UPDATE SET counter = excluded.counter WHERE excluded.counter > counter`,
		device[:], r.KSN.Counter())
	if err != nil {
		return "", fmt.Errorf("KSN: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
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

// recordPayment gives the answer its RRN and writes the row.
func (h *Host) recordPayment(ctx context.Context, tx *sql.Tx, r *switchlink.Request, a switchlink.Response) (switchlink.Response, error) {
	var id int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) + 1 FROM payments`).Scan(&id); err != nil {
		return a, fmt.Errorf("payment: %w", err)
	}
	a.RRN = rrn(id)
	if a.Code == switchlink.CodeApproved {
		a.Auth = fmt.Sprintf("%06d", id%1_000_000)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO payments (id, merchant, terminal, batch, stan, sale, family, number, slot, account, pan_masked, amount, code, rrn, auth, at_ms)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, id, r.Merchant, r.Terminal, r.Batch, r.STAN, string(r.Sale), r.Card.Family, r.Card.Number,
		int64(r.Slot), h.panHash(r.PAN), MaskPAN(r.PAN), int64(r.Amount), a.Code, a.RRN, a.Auth, a.At.UnixMilli())
	if err != nil {
		return a, fmt.Errorf("payment: %w", err)
	}
	return a, nil
}

// rrn is the host's own reference: 12 digits.
func rrn(id int64) string { return fmt.Sprintf("%012d", id%1_000_000_000_000) }

// payment is what others need of a row.
type payment struct {
	id             int64
	amount         money.Fen
	family, number string
	sale, code     string
	rrn, auth      string
	account        []byte
	reversed       bool
}

const paymentColumns = `SELECT id, amount, family, number, sale, code, rrn, auth, account, reversed FROM payments `

// onePayment gives nil if there is none.
func onePayment(row *sql.Row) (*payment, error) {
	var p payment
	err := row.Scan(&p.id, (*int64)(&p.amount), &p.family, &p.number, &p.sale, &p.code, &p.rrn, &p.auth, &p.account, &p.reversed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("payment: %w", err)
	}
	return &p, nil
}

// queryPayment tells the code of a payment; 25 if none was decided under this
// key, which also means that none is being decided now.
func (h *Host) queryPayment(ctx context.Context, r *switchlink.Request) (a switchlink.Response, err error) {
	a = h.plain(switchlink.CodeNotFound)
	err = h.Write(ctx, func(tx *sql.Tx) error {
		p, err := onePayment(tx.QueryRowContext(ctx, paymentColumns+`WHERE merchant = ? AND terminal = ? AND batch = ? AND stan = ?`,
			r.Merchant, r.Terminal, r.Batch, r.STAN))
		switch {
		case err != nil || p == nil:
			return err
		case p.sale != string(r.Sale):
			return nil
		case p.amount != r.Amount:
			a.Code = switchlink.CodeOtherAmount
			return nil
		}
		a.Code, a.RRN, a.Auth = p.code, p.rrn, p.auth
		if p.code == switchlink.CodeApproved {
			a.Amount = p.amount
			if p.reversed {
				a.Code, a.Amount = switchlink.CodeInvalid, 0
			}
		}
		return nil
	})
	return a, err
}

package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"buka/internal/money"
	"buka/sync/switchlink"
)

// decision is one payment while it is decided.
type decision struct {
	account account
	found   bool
	chip    *chip // nil: none, or it cannot be read
	answer  switchlink.Response
}

// pay decides one payment. Every decision leaves a row, so that a query knows.
func (h *Host) pay(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	d := decision{answer: h.plain("")}
	var err error
	if d.account, d.found, err = h.account(ctx, tx, r.PAN); err != nil {
		return d.answer, err
	}
	if d.answer.Code, err = h.judgePayment(ctx, tx, r, &d); err != nil {
		return d.answer, err
	}
	if d.chip != nil {
		defer clear(d.chip.key[:])
	}
	if d.answer.Code == switchlink.CodeApproved {
		d.answer.Amount = r.Amount
		if _, err := tx.ExecContext(ctx, `UPDATE accounts SET funds = funds - ? WHERE pan_hash = ?`, int64(r.Amount), d.account.hash); err != nil {
			return d.answer, fmt.Errorf("debit: %w", err)
		}
	}
	return h.recordPayment(ctx, tx, r, d)
}

// declined makes a decision that is a code from outside. No money moves, neither
// chip nor PIN is looked at.
func (h *Host) declined(code string) deciding {
	return func(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
		return h.recordPayment(ctx, tx, r, decision{answer: h.plain(code)})
	}
}

// judgePayment gives the code. The chip is looked at first, so that nobody
// without the card learns about the account, and the PIN last, so that a wrong
// one costs no try where the payment would fail anyway, but for funds: what
// somebody owns is told only to who knows the PIN.
func (h *Host) judgePayment(ctx context.Context, tx *sql.Tx, r *switchlink.Request, d *decision) (code string, err error) {
	var gone bool
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM reversals WHERE merchant = ? AND terminal = ? AND batch = ? AND stan = ?)`,
		r.Merchant, r.Terminal, r.Batch, r.STAN).Scan(&gone)
	switch {
	case err != nil:
		return "", fmt.Errorf("reversals: %w", err)
	case gone:
		return switchlink.CodeInvalid, nil // its reversal was faster
	case r.Amount <= 0:
		return switchlink.CodeAmount, nil
	case !h.issues(r.PAN):
		return codeNoIssuer, nil
	case !d.found:
		return switchlink.CodeCardNumber, nil
	}
	if d.chip, code, err = h.judgeChip(ctx, tx, r, d.account); err != nil || code != "" {
		return code, err
	}
	now := h.Now().In(h.cfg.Zone).Format("0601")
	switch {
	case d.account.blocked:
		return switchlink.CodeRestricted, nil
	case d.account.expiry < now || r.Expiry != "" && r.Expiry < now:
		return switchlink.CodeExpired, nil
	case d.account.tries <= 0:
		return switchlink.CodePINTries, nil
	}
	if code, err := h.judgeHolder(ctx, tx, r, d); err != nil || code != "" {
		return code, err
	}
	paid, err := h.standing(ctx, tx, r.Sale)
	switch {
	case err != nil:
		return "", err
	case paid != nil:
		return switchlink.CodeDuplicate, nil // law 2: one payment for a sale
	case d.account.funds < r.Amount:
		return switchlink.CodeFunds, nil
	}
	return switchlink.CodeApproved, nil
}

// issues says whether a PAN is of this bank.
func (h *Host) issues(pan string) bool {
	return h.cfg.BINs == nil || slices.ContainsFunc(h.cfg.BINs, func(bin string) bool { return strings.HasPrefix(pan, bin) })
}

// recordPayment gives the answer its RRN and, for a chip that has shown itself,
// the issuer's proof, and writes the row.
func (h *Host) recordPayment(ctx context.Context, tx *sql.Tx, r *switchlink.Request, d decision) (switchlink.Response, error) {
	a := d.answer
	var id int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) + 1 FROM payments`).Scan(&id); err != nil {
		return a, fmt.Errorf("payment: %w", err)
	}
	a.RRN = rrn(id)
	if a.Code == switchlink.CodeApproved {
		a.Auth = fmt.Sprintf("%06d", id%1_000_000)
	}
	var atc any
	if d.chip != nil && d.chip.genuine {
		atc = d.chip.atc
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO payments (id, merchant, terminal, batch, stan, sale, family, number, slot, account, pan_masked, amount, code,
		rrn, auth, at_ms, entry_mode, atc) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, id, r.Merchant, r.Terminal, r.Batch, r.STAN, string(r.Sale),
		r.Card.Family, r.Card.Number, int64(r.Slot), h.panHash(r.PAN), MaskPAN(r.PAN), int64(r.Amount), a.Code, a.RRN, a.Auth, a.At.UnixMilli(),
		r.EntryMode, atc)
	if err != nil {
		return a, fmt.Errorf("payment: %w", err)
	}
	if atc == nil {
		return a, nil
	}
	if err := d.chip.remembered(ctx, tx, r, d.account, a.Code); err != nil {
		return a, err
	}
	a.ICC, err = h.answerChip(ctx, tx, r, d.chip, d.account, a.Code, id)
	return a, err
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

// stands: it was approved and no money went back.
func (p *payment) stands() bool { return p.code == switchlink.CodeApproved && !p.reversed }

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

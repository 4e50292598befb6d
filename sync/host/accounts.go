package host

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	"buka/internal/money"
	"buka/internal/pin"
)

// maxTries of a PIN before the account answers 75.
const maxTries = 3

// ErrNoAccount says that no account has this PAN.
var ErrNoAccount = errors.New("host: no account with this number")

// Account is a bank card for demo and scenarios.
type Account struct {
	PAN     string
	PIN     string    // 4 to 12 digits
	Expiry  string    // YYMM; the card is good to the end of the month
	Funds   money.Fen // what may be spent; of a credit account what is left of its limit
	Credit  bool
	Blocked bool
}

// MaskPAN keeps the first six and the last four digits. Too short a number is
// masked whole.
func MaskPAN(pan string) string {
	masked := []byte(pan)
	for i := range masked {
		if len(pan) < 13 || i >= 6 && i < len(pan)-4 {
			masked[i] = '*'
		}
	}
	return string(masked)
}

func (h *Host) panHash(pan string) []byte { return h.cfg.Keys.keyed("pan", []byte(pan)) }

func (h *Host) pinHash(salt []byte, p pin.PIN) []byte {
	digits := p.Reveal()
	defer clear(digits)
	return h.cfg.Keys.keyed("pin", salt, digits)
}

// PutAccount opens an account or replaces what is known about it: PIN, tries,
// funds to spend from now on. Payments that were made stay.
func (h *Host) PutAccount(ctx context.Context, a Account) error {
	if err := pin.CheckPAN(a.PAN); err != nil {
		return err
	}
	p, err := pin.NewPIN([]byte(a.PIN))
	if err != nil {
		return err
	}
	defer p.Zero()
	if len(a.Expiry) != 4 || a.Funds < 0 || a.Funds > money.Max {
		return errors.New("host: an expiry is YYMM, funds are not negative")
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	return h.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO accounts (pan_hash, pan_masked, salt, pin_hash, expiry, funds, tries_left, blocked, credit)
			VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (pan_hash) DO UPDATE SET salt = excluded.salt, pin_hash = excluded.pin_hash,
			expiry = excluded.expiry, funds = excluded.funds, tries_left = excluded.tries_left, blocked = excluded.blocked, credit = excluded.credit`,
			h.panHash(a.PAN), MaskPAN(a.PAN), salt, h.pinHash(salt, p), a.Expiry, int64(a.Funds), maxTries, a.Blocked, a.Credit)
		return err
	})
}

// NetDebits is what payments took from an account less what reversals gave back,
// ever. 0 for a PAN that never paid.
func (h *Host) NetDebits(ctx context.Context, pan string) (money.Fen, error) {
	var sum int64
	err := h.db.QueryRowContext(ctx, `SELECT coalesce(sum(amount), 0) FROM payments
		WHERE account = ? AND code = '00' AND reversed = 0`, h.panHash(pan)).Scan(&sum)
	return money.Fen(sum), err
}

// TotalDebits is NetDebits over all accounts.
func (h *Host) TotalDebits(ctx context.Context) (money.Fen, error) {
	var sum int64
	err := h.db.QueryRowContext(ctx, `SELECT coalesce(sum(amount), 0) FROM payments WHERE code = '00' AND reversed = 0`).Scan(&sum)
	return money.Fen(sum), err
}

// Funds is what an account may still spend. ErrNoAccount.
func (h *Host) Funds(ctx context.Context, pan string) (money.Fen, error) {
	var funds int64
	err := h.db.QueryRowContext(ctx, `SELECT funds FROM accounts WHERE pan_hash = ?`, h.panHash(pan)).Scan(&funds)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNoAccount
	}
	return money.Fen(funds), err
}

// account is a row while a payment looks at it.
type account struct {
	hash, salt, pinHash []byte
	expiry              string
	funds               money.Fen
	tries               int
	blocked             bool
}

func (h *Host) account(ctx context.Context, tx *sql.Tx, pan string) (a account, found bool, err error) {
	a.hash = h.panHash(pan)
	err = tx.QueryRowContext(ctx, `SELECT salt, pin_hash, expiry, funds, tries_left, blocked FROM accounts WHERE pan_hash = ?`,
		a.hash).Scan(&a.salt, &a.pinHash, &a.expiry, (*int64)(&a.funds), &a.tries, &a.blocked)
	if errors.Is(err, sql.ErrNoRows) {
		return a, false, nil
	}
	if err != nil {
		return a, false, fmt.Errorf("account: %w", err)
	}
	return a, true, nil
}

// rightPIN compares in constant time.
func (h *Host) rightPIN(a account, p pin.PIN) bool {
	return hmac.Equal(a.pinHash, h.pinHash(a.salt, p))
}

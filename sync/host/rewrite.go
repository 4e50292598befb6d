package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
)

// A rewrite that the host owns (DESIGN §4.4): paid elsewhere, forgotten by a
// kiosk whose journal was lost, or handed over. Any kiosk may finish it while
// its card is there. Each write needs our MAC2, so the authorisation is the
// lease: one terminal at a time (holder), one slot at a time, and none while the
// end of an earlier write is unknown (doubt).

// Rewrite is one, for pages and kiosks.
type Rewrite struct {
	Sale    entry.SaleID
	Card    entry.Card
	Amount  money.Fen
	Slot    entry.Slot
	Origin  string // remote, lost or handed-over
	Kiosk   string // that had it
	State   string // open, credited, disputed, returned or decided
	Holder  string // merchant/terminal that works on it; "" nobody
	SinceMS int64  // host clock
	Note    string
	Attempt *entry.Attempt // whose end nobody knows; nil: none
	doubt   int64
}

const rewriteColumns = `SELECT sale, family, number, amount, slot, origin, kiosk, state, holder, since_ms, note, coalesce(doubt, 0) FROM rewrites `

type scanner interface{ Scan(...any) error }

func scanRewrite(row scanner) (*Rewrite, error) {
	var r Rewrite
	err := row.Scan(&r.Sale, &r.Card.Family, &r.Card.Number, (*int64)(&r.Amount), asInt(&r.Slot), &r.Origin, &r.Kiosk, &r.State,
		&r.Holder, &r.SinceMS, &r.Note, &r.doubt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rewrite: %w", err)
	}
	return &r, nil
}

// rewriteOf finds the host's rewrite of a sale, whatever became of it; nil: none.
func rewriteOf(ctx context.Context, tx *sql.Tx, sale entry.SaleID) (*Rewrite, error) {
	return scanRewrite(tx.QueryRowContext(ctx, rewriteColumns+`WHERE sale = ?`, string(sale)))
}

// own makes a sale the host's rewrite, once.
func (h *Host) own(ctx context.Context, tx *sql.Tx, r Rewrite) error {
	var doubt any
	if r.doubt > 0 {
		doubt = r.doubt
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO rewrites (sale, family, number, amount, slot, origin, kiosk, state, doubt, since_ms)
		VALUES (?,?,?,?,?,?,?,'open',?,?) ON CONFLICT (sale) DO NOTHING`, string(r.Sale), r.Card.Family, r.Card.Number, int64(r.Amount),
		int64(r.Slot), r.Origin, r.Kiosk, doubt, h.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("rewrite: %w", err)
	}
	return nil
}

// Credit takes a top-up that was paid elsewhere; any kiosk may write it. The
// same id with the same content is taken once; ErrOtherContent otherwise.
func (h *Host) Credit(ctx context.Context, id entry.SaleID, card entry.Card, amount money.Fen) error {
	if id == "" || len(id) > 16 || amount <= 0 || amount > h.cfg.MaxLoad {
		return errors.New("host: a top-up has an id of 1 to 16 letters and digits and an amount within the load's limit")
	}
	return h.Write(ctx, func(tx *sql.Tx) error {
		was, err := rewriteOf(ctx, tx, id)
		if err != nil {
			return err
		}
		paid, err := h.standing(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case was != nil && was.Card == card && was.Amount == amount:
			return nil
		case was != nil || paid != nil:
			return ErrOtherContent
		}
		return h.own(ctx, tx, Rewrite{Sale: id, Card: card, Amount: amount, Origin: "remote"})
	})
}

// ErrOtherContent says that an id stands for something else already.
var ErrOtherContent = errors.New("host: this id was used for another top-up")

// mayRewrite says whether a rewrite of ours may be loaded by this terminal: ""
// or the code.
func mayRewrite(own *Rewrite, r *switchlink.Request, inDoubt bool) string {
	switch a := r.Attempt; {
	case own.State != "open":
		return switchlink.CodeNotFound
	case own.Amount != a.Amount:
		return switchlink.CodeOtherAmount
	case own.Card != a.Card, inDoubt: // what another terminal holds is barred by its authorisation
		return switchlink.CodeRestricted
	}
	return ""
}

func terminalOf(r *switchlink.Request) string { return r.Merchant + "/" + r.Terminal }

// held notes who was authorised for a rewrite.
func held(ctx context.Context, tx *sql.Tx, r *switchlink.Request) error {
	_, err := tx.ExecContext(ctx, `UPDATE rewrites SET holder = ?, slot = ? WHERE sale = ? AND state = 'open'`,
		terminalOf(r), int64(r.Attempt.Slot), string(r.Sale))
	return err
}

// settledRow: an authorisation is confirmed or void, so it is in doubt no more.
// What is confirmed is on the card.
func settledRow(ctx context.Context, tx *sql.Tx, row *ledgerRow, state string) error {
	_, err := tx.ExecContext(ctx, `UPDATE rewrites SET doubt = NULL, holder = '',
		state = CASE ?2 WHEN 'voided' THEN state WHEN 'confirmed' THEN 'credited' ELSE 'disputed' END
		WHERE sale = ?3 AND state = 'open' AND (?2 <> 'voided' OR doubt = ?1 OR
			holder <> '' AND NOT EXISTS (SELECT 1 FROM ledger WHERE sale = ?3 AND state = 'authorised' AND id <> ?1))`, row.id, state, row.sale)
	if err != nil {
		return fmt.Errorf("rewrite: %w", err)
	}
	return nil
}

// openRow is the newest authorisation of a sale, if nobody has said what became
// of it: 0 if somebody has, or none was given. An older one cannot have been
// written: the card answered a later INITIALIZE for the same slot.
func openRow(ctx context.Context, tx *sql.Tx, sale entry.SaleID) (id int64, err error) {
	var state string
	err = tx.QueryRowContext(ctx, `SELECT id, state FROM ledger WHERE sale = ? AND authorised = 1 ORDER BY id DESC LIMIT 1`, string(sale)).Scan(&id, &state)
	if errors.Is(err, sql.ErrNoRows) || err == nil && state != "authorised" {
		return 0, nil
	}
	return id, err
}

// inDoubt says whether a ledger row is still open.
func inDoubt(ctx context.Context, tx *sql.Tx, row int64) (yes bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM ledger WHERE id = ? AND state = 'authorised')`, row).Scan(&yes)
	return yes, err
}

// attemptOf gives the attempt of a ledger row, as a kiosk needs it to judge.
func attemptOf(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, row int64) (*entry.Attempt, error) {
	var a entry.Attempt
	var random, terminal, mac1 []byte
	err := q.QueryRowContext(ctx, `SELECT family, number, slot, old_balance, amount, load_terminal, key_version, algorithm, random, mac1, stamp, stan
		FROM ledger WHERE id = ?`, row).Scan(&a.Card.Family, &a.Card.Number, asInt(&a.Slot), (*int64)(&a.OldBalance), (*int64)(&a.Amount), &terminal,
		&a.KeyVersion, &a.Algorithm, &random, &mac1, &a.At, &a.STAN)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	a.Random, a.Terminal, a.MAC1 = random, terminal, mac1
	return &a, nil
}

// asInt lets a slot be scanned.
func asInt(s *entry.Slot) *uint32 { return (*uint32)(s) }

// listMax bounds what kiosks are told of; the oldest first.
const listMax = 2000

// OpenRewrites gives the rewrites that any kiosk may finish now, and the
// version of that list. One that a kiosk is working on is not among them.
func (h *Host) OpenRewrites(ctx context.Context) (version uint64, list []Rewrite, err error) {
	err = h.Write(ctx, func(tx *sql.Tx) error { // one moment for both
		if err := tx.QueryRowContext(ctx, `SELECT version FROM rewrite_list`).Scan(&version); err != nil {
			return err
		}
		list, err = rewrites(ctx, tx, `WHERE state = 'open' AND holder = '' ORDER BY since_ms, sale LIMIT ?`, listMax)
		return err
	})
	return version, list, err
}

// RewriteVersion is that of OpenRewrites, without the list.
func (h *Host) RewriteVersion(ctx context.Context) (version uint64, err error) {
	err = h.db.QueryRowContext(ctx, `SELECT version FROM rewrite_list`).Scan(&version)
	return version, err
}

// Rewrites gives every rewrite of the host that is open or disputed, for people.
func (h *Host) Rewrites(ctx context.Context) (list []Rewrite, err error) {
	err = h.Write(ctx, func(tx *sql.Tx) error {
		list, err = rewrites(ctx, tx, `WHERE state IN ('open', 'disputed') ORDER BY since_ms, sale LIMIT ?`, listMax)
		return err
	})
	return list, err
}

func rewrites(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]Rewrite, error) {
	rows, err := tx.QueryContext(ctx, rewriteColumns+where, args...)
	if err != nil {
		return nil, fmt.Errorf("rewrites: %w", err)
	}
	var list []Rewrite
	for rows.Next() {
		r, err := scanRewrite(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, *r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].doubt == 0 {
			continue
		}
		if list[i].Attempt, err = attemptOf(ctx, tx, list[i].doubt); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// RemoteAccepted is the value of all top-ups that were paid elsewhere and that
// nobody has settled otherwise: it is on cards, or on its way.
func (h *Host) RemoteAccepted(ctx context.Context) (money.Fen, error) {
	var sum int64
	err := h.db.QueryRowContext(ctx, `SELECT coalesce(sum(amount), 0) FROM rewrites WHERE origin = 'remote' AND state NOT IN ('returned', 'decided')`).Scan(&sum)
	return money.Fen(sum), err
}

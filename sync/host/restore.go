package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/fleetlink/fleetmsg"
	"buka/sync/host/fleetside"
	"buka/sync/switchlink"
)

// Restored answers a kiosk whose journal was put back from a backup, inside a
// transaction of the fleet half that has just read the journals. It
//
//   - opens a new batch for the terminal, once for each epoch, so that nothing
//     the kiosk asked for before can be approved or authorised any more;
//   - takes every payment that stands, is not credited, and that the restored
//     journal has never heard of: its money goes back if the lost entries had
//     said so, else it is a rewrite of the host;
//   - says what it knows of each sale that the kiosk has open.
//
// The first two happen once for an epoch: by the time that a repeated query
// arrives the kiosk may have had its answer, and sell again.
func (h *Host) Restored(ctx context.Context, tx *sql.Tx, q fleetmsg.RestoreQuery, known func(entry.SaleID) (fleetside.Known, error)) (entry.RestoreConfirmed, error) {
	answer := entry.RestoreConfirmed{HostAtMS: h.Now().UnixMilli(), Sales: []entry.HostFact{}}
	merchant, id, ok := strings.Cut(q.Terminal, "/")
	if !ok {
		return answer, fmt.Errorf("host: %q is no merchant and terminal", q.Terminal)
	}
	err := tx.QueryRowContext(ctx, `SELECT last_stan, taken FROM restores WHERE merchant = ? AND terminal = ? AND epoch = ?`,
		merchant, id, []byte(q.Epoch)).Scan(&answer.LastSTAN, &answer.Taken)
	if errors.Is(err, sql.ErrNoRows) {
		answer.LastSTAN, answer.Taken, err = h.begin(ctx, tx, merchant, id, q, known)
	}
	if err != nil {
		return answer, fmt.Errorf("restore: %w", err)
	}
	for _, sale := range q.Open {
		j, err := known(sale)
		if err != nil {
			return answer, err
		}
		f, err := h.fact(ctx, tx, sale)
		if err != nil {
			return answer, err
		}
		f.Closed = j.Closed
		answer.Sales = append(answer.Sales, f)
	}
	return answer, nil
}

// begin ends the open batch and takes what was forgotten, once for an epoch. It
// gives the highest STAN that was seen in the batch, and how many were taken.
func (h *Host) begin(ctx context.Context, tx *sql.Tx, merchant, terminal string, q fleetmsg.RestoreQuery, known func(entry.SaleID) (fleetside.Known, error)) (last, taken uint32, err error) {
	err = tx.QueryRowContext(ctx, `SELECT last_stan FROM terminals WHERE merchant = ? AND terminal = ?`, merchant, terminal).Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, 0, fmt.Errorf("terminal: %w", err)
	}
	if err := h.nextBatch(ctx, tx, merchant, terminal); err != nil && !errors.Is(err, ErrNoTerminal) {
		return 0, 0, err
	}
	if taken, err = h.takeForgotten(ctx, tx, q, known); err != nil {
		return 0, 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO restores (merchant, terminal, epoch, last_stan, taken, at_ms) VALUES (?,?,?,?,?,?)`,
		merchant, terminal, []byte(q.Epoch), last, taken, h.Now().UnixMilli())
	return last, taken, err
}

// takeForgotten owns what the kiosk has forgotten, and says how many those are.
func (h *Host) takeForgotten(ctx context.Context, tx *sql.Tx, q fleetmsg.RestoreQuery, known func(entry.SaleID) (fleetside.Known, error)) (taken uint32, err error) {
	// A rewrite of ours that it was working on is ours again.
	mine, err := rewrites(ctx, tx, `WHERE state = 'open' AND holder = ?`, q.Terminal)
	if err != nil {
		return 0, err
	}
	for _, r := range mine {
		if err := handBack(ctx, tx, r.Sale); err != nil {
			return 0, err
		}
	}
	paid, err := h.uncredited(ctx, tx, q.Terminal)
	if err != nil {
		return 0, err
	}
	for _, p := range paid {
		sale := entry.SaleID(p.sale)
		j, err := known(sale)
		if err != nil {
			return 0, err
		}
		if j.Here || j.Closed || slices.Contains(q.Open, sale) {
			continue
		}
		doubt, err := openRow(ctx, tx, sale)
		if err != nil {
			return 0, err
		}
		if j.Back && doubt == 0 { // the lost entries had it going back
			if err := h.giveBack(ctx, tx, &p.payment, reversal); err != nil {
				return 0, err
			}
			continue
		}
		h.log.Warn("host: a payment that a restored journal has never heard of is a rewrite now", "sale", p.sale, "kiosk", q.Kiosk, "in doubt", doubt > 0)
		taken++
		if err := h.own(ctx, tx, Rewrite{Sale: sale, Card: entry.Card{Family: p.family, Number: p.number}, Amount: p.amount, Slot: p.slot,
			Origin: "lost", Kiosk: q.Kiosk, doubt: doubt}); err != nil {
			return 0, err
		}
	}
	return taken, nil
}

// handBack makes a rewrite that a kiosk held the host's again; what it was
// authorised for and has not confirmed or voided is in doubt.
func handBack(ctx context.Context, tx *sql.Tx, sale entry.SaleID) error {
	row, err := openRow(ctx, tx, sale)
	if err != nil {
		return err
	}
	var doubt any
	if row > 0 {
		doubt = row
	}
	_, err = tx.ExecContext(ctx, `UPDATE rewrites SET holder = '', doubt = ? WHERE sale = ? AND state = 'open'`, doubt, string(sale))
	if err != nil {
		return fmt.Errorf("rewrite: %w", err)
	}
	return nil
}

type forgotten struct {
	payment
	slot entry.Slot
}

// uncredited gives the payments of a terminal that stand, have no confirmation
// and are nobody's rewrite.
func (h *Host) uncredited(ctx context.Context, tx *sql.Tx, at string) ([]forgotten, error) {
	merchant, terminal, _ := strings.Cut(at, "/")
	rows, err := tx.QueryContext(ctx, `SELECT id, amount, family, number, sale, code, rrn, auth, account, reversed, slot FROM payments p
		WHERE merchant = ? AND terminal = ? AND code = '00' AND reversed = 0
		AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.sale = p.sale) AND NOT EXISTS (SELECT 1 FROM rewrites w WHERE w.sale = p.sale) ORDER BY id`,
		merchant, terminal)
	if err != nil {
		return nil, fmt.Errorf("payments: %w", err)
	}
	var list []forgotten
	for rows.Next() {
		var p forgotten
		if err := rows.Scan(&p.id, (*int64)(&p.amount), &p.family, &p.number, &p.sale, &p.code, &p.rrn, &p.auth, &p.account, &p.reversed, asInt(&p.slot)); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, p)
	}
	return list, errors.Join(rows.Err(), rows.Close())
}

// fact is what the ledgers say about one sale.
func (h *Host) fact(ctx context.Context, tx *sql.Tx, sale entry.SaleID) (entry.HostFact, error) {
	f := entry.HostFact{Sale: sale}
	var err error
	if f.Credited, err = h.credited(ctx, tx, sale); err != nil {
		return f, err
	}
	own, err := rewriteOf(ctx, tx, sale)
	if err != nil {
		return f, err
	}
	if own != nil { // also one that the kiosk was working on: its journal may know it as its own sale
		f.Paid, f.Slot, f.Owned = own.Amount, own.Slot, true
	} else if err := payFact(ctx, tx, &f); err != nil {
		return f, err
	}
	var row int64
	var state string
	err = tx.QueryRowContext(ctx, `SELECT id, state FROM ledger WHERE sale = ? AND authorised = 1 ORDER BY id DESC LIMIT 1`, string(sale)).Scan(&row, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("ledger: %w", err)
	}
	f.Voided = state == "voided"
	f.Load, err = attemptOf(ctx, tx, row)
	return f, err
}

// payFact adds the payment that stands, or that one has gone back.
func payFact(ctx context.Context, tx *sql.Tx, f *entry.HostFact) error {
	var amount money.Fen
	err := tx.QueryRowContext(ctx, `SELECT amount, stan, batch, slot, pan_masked, rrn, auth FROM payments WHERE sale = ? AND code = '00' AND reversed = 0`,
		string(f.Sale)).Scan((*int64)(&amount), &f.STAN, &f.Batch, asInt(&f.Slot), &f.PAN, &f.RRN, &f.Auth)
	if err == nil {
		f.Paid = amount
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("payment: %w", err)
	}
	return tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM payments WHERE sale = ? AND code = '00' AND reversed = 1)`, string(f.Sale)).Scan(&f.Returned)
}

// HandedOver makes a rewrite the host's, in the transaction that stores the
// kiosk's entry. Of a new one the payment must stand here. past: the entry is
// from before a restore, and what was lost after it may have taken the rewrite
// again.
func (h *Host) HandedOver(ctx context.Context, tx *sql.Tx, kiosk string, b entry.HandedOver, past bool) error {
	own, err := rewriteOf(ctx, tx, b.Sale)
	if err != nil || own != nil && past {
		return err
	}
	if own != nil { // it was given, and comes back
		if b.Mine && (own.Holder == "" || own.Holder == b.From) {
			return handBack(ctx, tx, b.Sale)
		}
		return h.unused(ctx, tx, own, b.From, b.STAN)
	}
	paid, err := h.standing(ctx, tx, b.Sale)
	if err != nil {
		return err
	}
	if paid == nil {
		h.log.Error("host: a rewrite was handed over that nobody has paid for here", "sale", string(b.Sale), "kiosk", kiosk)
		return nil
	}
	doubt := int64(0)
	if b.Mine {
		if doubt, err = openRow(ctx, tx, b.Sale); err != nil {
			return err
		}
	} else if _, err := voidOpen(ctx, tx, b.Sale); err != nil {
		return err
	}
	return h.own(ctx, tx, Rewrite{Sale: b.Sale, Card: entry.Card{Family: paid.family, Number: paid.number}, Amount: paid.amount,
		Origin: "handed-over", Kiosk: kiosk, doubt: doubt})
}

// unused voids what a terminal was authorised for, up to a STAN, and gives back
// unwritten. The journal may be slower than the switch link: by now the kiosk may
// have taken the rewrite once more, and be writing it under a later STAN.
func (h *Host) unused(ctx context.Context, tx *sql.Tx, own *Rewrite, from string, stan uint32) error {
	merchant, terminal, _ := strings.Cut(from, "/")
	if _, err := tx.ExecContext(ctx, `UPDATE ledger SET state = 'voided' WHERE sale = ?1 AND state = 'authorised' AND merchant = ?2 AND terminal = ?3 AND id <> ?4
		AND (?5 - stan + ?6) % ?6 < ?6 / 2`, string(own.Sale), merchant, terminal, own.doubt, stan, switchlink.MaxSTAN); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	_, err := tx.ExecContext(ctx, `UPDATE rewrites SET holder = '' WHERE sale = ?1 AND holder = ?2
		AND NOT EXISTS (SELECT 1 FROM ledger WHERE sale = ?1 AND state = 'authorised' AND merchant = ?3 AND terminal = ?4 AND id <> ?5)`,
		string(own.Sale), from, merchant, terminal, own.doubt)
	return err
}

// Settle ends a rewrite of the host by the decision of two people: "returned"
// gives its money back to the bank card it came from, "decided" is anything
// else that note says. Not while a write of it is in doubt or under way, unless
// they decide that it counts as credited.
func (h *Host) Settle(ctx context.Context, sale entry.SaleID, state, note string, people [2]string) error {
	if people[0] == "" || people[0] == people[1] || people[1] == "" {
		return ErrTwoPeople
	}
	if state != "returned" && state != "decided" {
		return fmt.Errorf("host: %q settles nothing", state)
	}
	return h.Write(ctx, func(tx *sql.Tx) error {
		own, err := rewriteOf(ctx, tx, sale)
		if err != nil {
			return err
		}
		if own == nil || own.State != "open" && own.State != "disputed" {
			return ErrNoRewrite
		}
		row, err := openRow(ctx, tx, sale)
		if err != nil {
			return err
		}
		if state == "returned" {
			credited, err := h.credited(ctx, tx, sale)
			if err != nil {
				return err
			}
			paid, err := h.standing(ctx, tx, sale)
			if err != nil {
				return err
			}
			if row > 0 || credited || paid == nil { // law 4
				return ErrInDoubt
			}
			if err := h.giveBack(ctx, tx, paid, refunded); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE rewrites SET state = ?, note = ?, doubt = NULL, holder = '' WHERE sale = ?`,
			state, fmt.Sprintf("%s (%s, %s)", note, people[0], people[1]), string(sale))
		return err
	})
}

// Why a rewrite cannot be settled.
var (
	ErrTwoPeople = errors.New("host: two different people decide about a rewrite")
	ErrNoRewrite = errors.New("host: no such open rewrite")
	ErrInDoubt   = errors.New("host: a write of this rewrite may have been done, or its money is not here: it cannot be given back")
)

package host

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pboc"
	"buka/sync/switchlink"
)

// families that are loaded as a PBOC purse is.
var families = []string{"tunion", "city", "pboc"}

// loadOf takes an attempt to what the MACs are computed over. "" or the code
// that refuses it.
func (h *Host) loadOf(a entry.Attempt) (l pboc.Load, asn pboc.ASN, code string) {
	if !slices.Contains(families, a.Card.Family) || a.Algorithm != 0 ||
		h.cfg.KeyVersions != nil && !slices.Contains(h.cfg.KeyVersions, a.KeyVersion) {
		return l, asn, switchlink.CodeNotForCard
	}
	asn, err := pboc.ParseASN(a.Card.Number)
	if err != nil || len(a.Card.Number) < 16 {
		return l, asn, switchlink.CodeCardNumber
	}
	if len(a.Terminal) != 6 || len(a.Random) != 4 || a.Slot > math.MaxUint16 || a.OldBalance < 0 || a.OldBalance > money.Max || a.Amount > money.Max {
		return l, asn, switchlink.CodeFormat
	}
	if a.Amount < 0 {
		return l, asn, switchlink.CodeAmount
	}
	l = pboc.Load{Type: pboc.PurseLoad, OldBalance: uint32(a.OldBalance), Counter: uint16(a.Slot), Amount: uint32(a.Amount),
		Random: pboc.Random(a.Random), Terminal: pboc.Terminal(a.Terminal)}
	if a.At != "" {
		b, err := pboc.EncodeBCD(string(a.At))
		if err != nil || len(b) != 7 {
			return l, asn, switchlink.CodeFormat
		}
		l.Date, l.Time = pboc.Date(b[:4]), pboc.TimeOfDay(b[4:])
	}
	return l, asn, ""
}

// mac1OK says whether the card itself made this attempt's MAC1.
func (h *Host) mac1OK(l pboc.Load, asn pboc.ASN, mac1 []byte) bool {
	return len(mac1) == 4 && l.MAC1(h.diversified(h.masters.Load().load, asn)).Equal(pboc.MAC(mac1))
}

// tacOK says whether the TAC is that of exactly this load.
func (h *Host) tacOK(l pboc.Load, asn pboc.ASN, tac []byte) bool {
	return len(tac) == 4 && l.TAC(h.diversified(h.masters.Load().tac, asn)).Equal(pboc.MAC(tac))
}

// mayLoad says whether the authority would load this card now: "" or the code.
func (h *Host) mayLoad(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (pboc.Load, pboc.ASN, string, error) {
	a := r.Attempt
	l, asn, code := h.loadOf(a)
	switch {
	case code != "":
		return l, asn, code, nil
	case !h.mac1OK(l, asn, a.MAC1):
		return l, asn, switchlink.CodeSecurity, nil
	}
	if _, err := h.remember(ctx, tx, a); err != nil {
		return l, asn, "", err
	}
	switch {
	case a.Amount == 0:
		return l, asn, switchlink.CodeAmount, nil
	case a.Amount > h.cfg.MaxLoad || a.NewBalance() > h.cfg.MaxBalance:
		return l, asn, switchlink.CodeLimit, nil
	}
	barred, err := h.barred(ctx, tx, r)
	if err != nil {
		return l, asn, "", err
	}
	if barred {
		code = switchlink.CodeRestricted
	}
	return l, asn, code, nil
}

// barred says whether the card is on the hotlist or another terminal or another
// sale holds an authorisation for this slot that is neither confirmed nor void:
// two kiosks must not fill one slot, and two sales in one slot could not be told
// apart afterwards. For its sale the same terminal may ask again: it settles its
// own unknown writes first. So must this sale have no open authorisation for
// another slot: the card may hold that load already.
func (h *Host) barred(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (yes bool, err error) {
	c := r.Attempt.Card
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM hotlist WHERE family = ?1 AND number = ?2)
		OR EXISTS (SELECT 1 FROM ledger WHERE family = ?1 AND number = ?2 AND slot = ?3 AND state = 'authorised'
			AND NOT (sale = ?6 AND merchant = ?4 AND terminal = ?5))
		OR EXISTS (SELECT 1 FROM ledger WHERE sale = ?6 AND state = 'authorised' AND NOT (family = ?1 AND number = ?2 AND slot = ?3))`,
		c.Family, c.Number, int64(r.Attempt.Slot), r.Merchant, r.Terminal, string(r.Sale)).Scan(&yes)
	if err == nil && !yes { // a rewrite of ours comes first while a write of it is in doubt
		err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM rewrites w JOIN ledger l ON l.id = w.doubt
			WHERE w.family = ?1 AND w.number = ?2 AND w.state = 'open' AND l.state = 'authorised' AND w.sale <> ?3)`,
			c.Family, c.Number, string(r.Sale)).Scan(&yes)
	}
	if err != nil {
		err = fmt.Errorf("hotlist and ledger: %w", err)
	}
	return yes, err
}

// remember notes an INITIALIZE whose MAC1 is good, and says whether it is new.
func (h *Host) remember(ctx context.Context, tx *sql.Tx, a entry.Attempt) (fresh bool, err error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO challenges (family, number, slot, random, at_ms) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING`,
		a.Card.Family, a.Card.Number, int64(a.Slot), []byte(a.Random), h.Now().UnixMilli())
	if err != nil {
		return false, fmt.Errorf("challenges: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// eligible answers whether a load would be authorised. It moves nothing.
func (h *Host) eligible(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	_, _, code, err := h.mayLoad(ctx, tx, r)
	if code == "" {
		code = switchlink.CodeApproved
	}
	return h.plain(code), err
}

// authorise gives the MAC2 for one INITIALIZE of one paid sale, and writes the
// ledger row before it.
func (h *Host) authorise(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain("")
	l, asn, code, err := h.mayLoad(ctx, tx, r)
	if err != nil || code != "" {
		a.Code = code
		return a, err
	}
	if a.Code, err = h.judgeLoad(ctx, tx, r); err != nil || a.Code != "" {
		return a, err
	}
	at := h.Now().In(h.cfg.Zone)
	l.Date, l.Time = pboc.Stamp(at)
	mac2 := l.MAC2(h.diversified(h.masters.Load().load, asn))
	a.Code, a.MAC2, a.Stamp = switchlink.CodeApproved, mac2[:], entry.Stamp(at.Format("20060102150405"))
	id, err := h.writeLedger(ctx, tx, r, string(a.Stamp), true, "authorised")
	if err != nil {
		return a, err
	}
	a.RRN = rrn(id)
	return a, held(ctx, tx, r)
}

// judgeLoad wants a standing payment of this amount for this card, no load of the
// sale yet, and an INITIALIZE that was not used before. "" or the code.
func (h *Host) judgeLoad(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (string, error) {
	paid, err := h.standing(ctx, tx, r.Sale)
	if err != nil {
		return "", err
	}
	credited, err := h.credited(ctx, tx, r.Sale)
	if err != nil {
		return "", err
	}
	used, err := h.ledgerRow(ctx, tx, r.Attempt)
	if err != nil {
		return "", err
	}
	own, err := rewriteOf(ctx, tx, r.Sale)
	if err != nil {
		return "", err
	}
	code := ""
	if own != nil {
		doubt, err := inDoubt(ctx, tx, own.doubt)
		if err != nil {
			return "", err
		}
		code = mayRewrite(own, r, doubt)
	}
	switch c := r.Attempt.Card; {
	case credited:
		return switchlink.CodeAlreadyCredited, nil
	case code != "":
		return code, nil
	case own != nil && own.Origin == "remote" && used == nil:
		return "", nil // paid elsewhere
	case own != nil && own.Origin == "remote" && used.state == "voided":
		return switchlink.CodeInvalid, nil
	case own != nil && own.Origin == "remote":
		return switchlink.CodeDuplicate, nil
	case paid == nil:
		return switchlink.CodeNotFound, nil
	case paid.amount != r.Attempt.Amount:
		return switchlink.CodeOtherAmount, nil
	case paid.family != c.Family || paid.number != c.Number:
		return switchlink.CodeRestricted, nil
	case used != nil && used.state == "voided":
		return switchlink.CodeInvalid, nil // its void was faster
	case used != nil:
		return switchlink.CodeDuplicate, nil
	}
	return "", nil
}

// ledgerRow is what is needed of a row of the ledger.
type ledgerRow struct {
	id         int64
	sale       string
	state      string
	authorised bool
	stamp      string
	amount     money.Fen
	oldBalance money.Fen
	terminal   []byte
}

// ledgerRow finds an attempt by card, slot and random; nil: none.
func (h *Host) ledgerRow(ctx context.Context, tx *sql.Tx, a entry.Attempt) (*ledgerRow, error) {
	var l ledgerRow
	err := tx.QueryRowContext(ctx, `SELECT id, sale, state, authorised, stamp, amount, old_balance, load_terminal FROM ledger
		WHERE family = ? AND number = ? AND slot = ? AND random = ?`,
		a.Card.Family, a.Card.Number, int64(a.Slot), nonNil(a.Random)).
		Scan(&l.id, &l.sale, &l.state, &l.authorised, &l.stamp, (*int64)(&l.amount), (*int64)(&l.oldBalance), &l.terminal)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &l, nil
}

func (h *Host) writeLedger(ctx context.Context, tx *sql.Tx, r *switchlink.Request, stamp string, authorised bool, state string) (int64, error) {
	a, stan := r.Attempt, r.STAN
	if !authorised {
		stan = r.Attempt.STAN
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO ledger (family, number, slot, random, sale, amount, old_balance, load_terminal, key_version,
		algorithm, mac1, merchant, terminal, batch, stan, stamp, authorised, state, at_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		a.Card.Family, a.Card.Number, int64(a.Slot), nonNil(a.Random), string(r.Sale), int64(a.Amount), int64(a.OldBalance), nonNil(a.Terminal),
		a.KeyVersion, a.Algorithm, nonNil(a.MAC1), r.Merchant, r.Terminal, r.Batch, stan, stamp, authorised, state, h.Now().UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("ledger: %w", err)
	}
	return res.LastInsertId()
}

// nonNil keeps an empty byte string from becoming NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

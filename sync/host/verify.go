package host

import (
	"context"
	"database/sql"
	"fmt"

	"buka/internal/entry"
	"buka/sync/switchlink"
)

// verifyTAC says whether a TAC is that of exactly the attempt asked about. It is
// arithmetic: it needs no row, so a host that lost its database can still say.
// But of an attempt whose void it has, a TAC is not: by a clock that stands
// still it is that of the load that has filled the slot since.
func (h *Host) verifyTAC(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain(switchlink.CodeApproved)
	l, asn, code := h.loadOf(r.Attempt)
	if code == "" && r.Attempt.At == "" {
		code = switchlink.CodeFormat
	}
	if code != "" {
		a.Code = code
		return a, nil
	}
	row, err := h.ledgerRow(ctx, tx, r.Attempt)
	if err != nil {
		return a, err
	}
	a.Opinion = entry.Rejected
	if h.tacOK(l, asn, r.Proof.TAC) && (row == nil || row.state != "voided") {
		a.Opinion = entry.Verified
	}
	return a, nil
}

// verifyCounter looks at a probing INITIALIZE: did the card make it, was it ever
// shown before, and what does the ledger say about the slot in doubt.
func (h *Host) verifyCounter(ctx context.Context, tx *sql.Tx, r *switchlink.Request) (switchlink.Response, error) {
	a := h.plain(switchlink.CodeApproved)
	a.Counter = entry.Counter{Value: r.Probe.Slot, MAC1: entry.Rejected}
	if r.Probe.Card != r.Attempt.Card {
		a.Code = switchlink.CodeCardNumber
		return a, nil
	}
	l, asn, code := h.loadOf(r.Probe)
	if code != "" {
		a.Code = code
		return a, nil
	}
	var err error
	// Only what the card made is remembered: nobody fills the table with noise,
	// nor spoils a random that the card has yet to draw.
	if h.mac1OK(l, asn, r.Probe.MAC1) {
		a.Counter.MAC1 = entry.Verified
		if a.Counter.Fresh, err = h.remember(ctx, tx, r.Probe); err != nil {
			return a, err
		}
	}
	a.Counter.Ledger, err = h.ledgerSays(ctx, tx, r.Attempt)
	return a, err
}

// ledgerSays whether the attempt is the only one ever authorised for its slot.
// Voided authorisations count: that they were not used is only what a kiosk said.
// About a slot for which nothing was ever authorised it is silent.
func (h *Host) ledgerSays(ctx context.Context, tx *sql.Tx, a entry.Attempt) (entry.Ledger, error) {
	var all, own int
	err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(random = ?), 0) FROM ledger
		WHERE family = ? AND number = ? AND slot = ? AND authorised = 1`,
		nonNil(a.Random), a.Card.Family, a.Card.Number, int64(a.Slot)).Scan(&all, &own)
	switch {
	case err != nil:
		return entry.LedgerSilent, fmt.Errorf("ledger: %w", err)
	case all > own:
		return entry.LedgerOthers, nil
	case own == 1 && !h.cfg.Shared:
		return entry.LedgerOnly, nil
	}
	return entry.LedgerSilent, nil
}

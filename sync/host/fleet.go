package host

import (
	"context"
	"database/sql"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
	"buka/sync/host/fleetside"
)

// Ledger is what the fleet half may ask of this host and tell it.
func (h *Host) Ledger() fleetside.Ledger { return ledger{h} }

type ledger struct{ *Host }

func (l ledger) Restored(ctx context.Context, tx *sql.Tx, q fleetmsg.RestoreQuery, known func(entry.SaleID) (fleetside.Known, error)) (entry.RestoreConfirmed, error) {
	return l.Host.Restored(ctx, tx, q, known)
}

func (l ledger) Version(ctx context.Context) (uint64, error) { return l.RewriteVersion(ctx) }

func (l ledger) Open(ctx context.Context) (uint64, []fleetmsg.Rewrite, error) {
	version, open, err := l.OpenRewrites(ctx)
	list := make([]fleetmsg.Rewrite, 0, len(open))
	for _, r := range open {
		list = append(list, fleetmsg.Rewrite{Sale: r.Sale, Card: r.Card, Amount: int64(r.Amount), Slot: r.Slot, Origin: r.Origin, Attempt: r.Attempt})
	}
	return version, list, err
}

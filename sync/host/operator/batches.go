package operator

import (
	"context"

	"buka/internal/entry"
	"buka/ui"
)

// batchRows is how many batches a page is given.
const batchRows = 40

// batches lists the newest batches of all terminals; nothing, if the database
// does not answer.
func (v *View) batches(ctx context.Context) []ui.FleetBatch {
	ledger := v.ledger()
	if ledger == nil {
		return nil
	}
	known, err := ledger.Batches(ctx, batchRows)
	if err != nil {
		v.log.Warn("no news of the batches", "err", err)
		return nil
	}
	var list []ui.FleetBatch
	for _, b := range known {
		shown := ui.FleetBatch{Terminal: b.Terminal, Number: b.Number, State: b.State, Kiosk: totals(b.Kiosk), Host: totals(b.Host), Settled: b.Settled}
		for _, d := range b.Differs {
			shown.Differs = append(shown.Differs, ui.BatchDifference{Claim: d.Sale.Claim(), STAN: d.STAN, Kiosk: d.Kiosk, Host: d.Host})
		}
		list = append(list, shown)
	}
	return list
}

func totals(t entry.Totals) ui.BatchTotals {
	return ui.BatchTotals{Debit: t.Debit, Credit: t.Credit, Debits: t.Debits, Credits: t.Credits}
}

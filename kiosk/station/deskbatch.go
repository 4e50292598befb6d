package station

import (
	"buka/topup"
	"buka/ui"
)

var batchStates = map[topup.BatchPhase]string{
	topup.BatchOpen: ui.BatchOpen, topup.BatchClosing: ui.BatchClosing, topup.BatchSettling: ui.BatchSettling,
}

// deskBatches lists what is not settled, the oldest first.
func deskBatches(d topup.Durable) (list []ui.DeskBatch) {
	for _, b := range d.Unsettled() {
		list = append(list, ui.DeskBatch{Number: b.Number, State: batchStates[b.Phase], Totals: b.Totals})
	}
	return list
}

package ui

import "buka/internal/entry"

// DeskBatch is a batch of payments that is not settled with the bank.
type DeskBatch struct {
	Number uint32
	State  string // one of the constants below
	Totals entry.Totals
}

// How far a batch has come: keys [desk.batch.KEY].
const (
	BatchOpen     = "open"
	BatchClosing  = "closing"  // no payment begins in it, and what is under way ends
	BatchSettling = "settling" // the bank compares
)

// DeskSettle closes the batch that is open and settles it with the bank.
const DeskSettle = "settle"

// maySettle says that a batch can be closed now.
func (s DeskState) maySettle() bool {
	for _, b := range s.Batches {
		if b.State == BatchOpen {
			return !s.Recovering
		}
	}
	return false
}

// MaySettle is maySettle, for the page.
func (v deskView) MaySettle() bool { return v.maySettle() }

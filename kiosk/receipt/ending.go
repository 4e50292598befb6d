package receipt

import (
	"time"

	"buka/internal/entry"
)

// Ending is how a sale stands, as far as a passenger has to know.
type Ending string

// The endings. Each but None is a slip of its own.
const (
	None       Ending = ""           // no money was taken
	Done       Ending = "done"       // the value is on the card
	Back       Ending = "money-back" // the money is on its way to the bank card
	Returned   Ending = "returned"   // the bank has confirmed that
	Unfinished Ending = "unfinished" // nobody knows yet whether it is on the card
	Waits      Ending = "waits"      // paid, surely not on the card
	Staff      Ending = "staff"      // people go on
	Credited   Ending = "credited"   // decided: it counts as on the card
	PaidOut    Ending = "paid-out"   // decided: the money was given in hand
	Refund     Ending = "refund"     // decided: a refund to the bank card is on its way
	ToCollect  Ending = "collect"    // paid elsewhere, and stays to be collected
)

// Ending derives it from what the journal says.
func (f Facts) Ending() Ending {
	switch {
	case f.decided != "" && f.back:
		return Returned
	case f.decided != "":
		return map[string]Ending{"credited": Credited, "paid-out": PaidOut, "refund": Refund}[f.decided]
	case f.written:
		return Done
	case f.handed && f.Remote && !f.doubt:
		return ToCollect
	case f.handed, f.conflict:
		return Staff
	case f.doubt:
		return Unfinished
	case f.back:
		return Returned
	case f.withdrawn, f.unknown, f.asked && !f.declined && !f.Paid:
		return Back
	case f.Remote:
		return ToCollect
	case f.Paid:
		return Waits
	}
	return None
}

// add takes one entry of the sale in, oldest first.
func (f *Facts) add(body entry.Body, at time.Time) {
	if f.addPayment(body) || f.addWrite(body) || f.addPeople(body) {
		f.At = at
	}
}

// addPayment says whether the entry tells something about the money.
func (f *Facts) addPayment(body entry.Body) bool {
	switch b := body.(type) {
	case entry.SaleOpened:
		f.Card = b.Card
	case entry.AmountChosen:
		f.Amount = b.Amount
		return false
	case entry.PaymentStarted:
		f.asked, f.declined = true, false
		f.PAN, f.STAN, f.Batch, f.Amount = b.PAN, b.STAN, b.Batch, b.Amount
	case entry.PaymentDeclined:
		f.declined = true
	case entry.PaymentUnknown:
		f.unknown = true
	case entry.PaymentApproved:
		f.Paid, f.Approved, f.RRN, f.Auth, f.Chip = true, b.Amount, b.RRN, b.Auth, b.Chip
		f.withdrawn = b.Amount != f.Amount
	case entry.OfferWithdrawn:
		f.withdrawn = true
	case entry.ReversalAcknowledged, entry.RefundAcknowledged:
		f.back = true
		return false // the slip's time is that of what was done, not of its last message
	case entry.ReversalConflict:
		f.conflict = true
	case entry.RefundRequested:
		f.withdrawn, f.conflict, f.back = true, false, false
		f.RefundSTAN, f.RefundBatch = b.STAN, b.Batch
	default:
		return false
	}
	return true
}

func (f *Facts) addWrite(body entry.Body) bool {
	switch b := body.(type) {
	case entry.LoadRequested:
		f.attempt, f.Loaded = b.Attempt, ""
		return false
	case entry.LoadAuthorised:
		f.Loaded = b.At
		return false
	case entry.WriteStarted, entry.WriteUnknown:
		f.doubt = true
	case entry.WriteDone, entry.WriteProven:
		f.doubt, f.written = false, true
		before, after := f.attempt.OldBalance, f.attempt.NewBalance()
		if f.attempt.Amount > 0 {
			f.Old, f.New = &before, &after
		}
		f.LoadSTAN = f.attempt.STAN
	case entry.WriteRefused, entry.WriteDisproven:
		f.doubt, f.Loaded = false, ""
	default:
		return false
	}
	return true
}

func (f *Facts) addPeople(body entry.Body) bool {
	switch b := body.(type) {
	case entry.RewriteTaken:
		f.Remote, f.Card, f.Amount, f.handed = true, b.Card, b.Amount, false
		if b.Attempt != nil {
			f.attempt, f.doubt, f.Loaded = *b.Attempt, true, b.Attempt.At
		}
	case entry.HandedOver:
		f.handed = true
	case entry.Decided:
		f.decided = b.Decision
		f.RefundSTAN, f.RefundBatch = b.RefundSTAN, b.RefundBatch
		f.back = false
	default:
		return false
	}
	return true
}

package fleetside

import (
	"buka/internal/entry"
	"buka/internal/money"
)

// foldVersion changes with the meaning of fold and of an alarm: a host of another version
// makes fleet_sale anew from the entries when it starts.
const foldVersion = 3

// Stage is where a sale stands by its journal, in the words of the operator's
// page. It is for people; the core of the kiosk decides from its own state.
type Stage string

const (
	StageChoosing  Stage = "choosing"        // no money asked yet
	StagePaying    Stage = "paying"          // asked, no answer yet
	StageDeclined  Stage = "declined"        // no money moved
	StagePayment   Stage = "payment unknown" // a reversal is owed
	StageOffered   Stage = "offered"         // paid, surely not written
	StageWriting   Stage = "writing"         // the write was announced
	StageUnknown   Stage = "unknown"         // the write may have happened
	StageHeld      Stage = "evidence held"   // waits for the authority's verdict
	StageWritten   Stage = "written"         // done, and evidenced
	StageWithdrawn Stage = "withdrawn"       // the money goes back
	StageHanded    Stage = "handed over"     // the host's
	StageConflict  Stage = "conflict"        // a case for people
	StageReversed  Stage = "reversed"
	StageRefunded  Stage = "refunded"
	StageDecided   Stage = "decided" // by two people
)

// saleFold is what the entries of one sale add up to.
type saleFold struct {
	Card         entry.Card `cbor:"1,keyasint"`
	Amount       money.Fen  `cbor:"2,keyasint"` // chosen
	Paid         money.Fen  `cbor:"3,keyasint"` // approved
	Stage        Stage      `cbor:"4,keyasint"`
	SinceMS      int64      `cbor:"5,keyasint"` // in this stage, kiosk clock
	OpenedMS     int64      `cbor:"6,keyasint"`
	Closed       bool       `cbor:"7,keyasint"`
	Reversal     bool       `cbor:"8,keyasint"`            // owed
	Confirmation bool       `cbor:"9,keyasint"`            // owed
	Voids        int        `cbor:"10,keyasint"`           // owed
	Voidable     bool       `cbor:"11,keyasint"`           // the write that was announced has an authorisation to void
	Refund       bool       `cbor:"12,keyasint,omitempty"` // owed
	Given        bool       `cbor:"13,keyasint,omitempty"` // closed because it is the host's
}

// open says whether the sale is an open rewrite: paid and not known to be on
// the card; or a contradiction about its money.
func (f saleFold) open() bool {
	switch f.Stage {
	case StageConflict:
		return !f.Closed
	case StageOffered, StageWriting, StageUnknown, StageHeld, StageHanded:
		return f.Paid > 0 && !f.Closed
	}
	return false
}

func (f saleFold) owed() int {
	n := f.Voids
	if f.Reversal {
		n++
	}
	if f.Confirmation {
		n++
	}
	if f.Refund {
		n++
	}
	return n
}

// step is the whole fold: one entry about this sale, in the order of the
// journal. It follows the restart table of DESIGN §4.1.
func (f saleFold) step(atMS int64, body entry.Body) saleFold {
	was := f.Stage
	switch b := body.(type) {
	case entry.SaleOpened:
		f.Card, f.OpenedMS, f.Stage = b.Card, atMS, StageChoosing
	case entry.AmountChosen:
		f.Amount = b.Amount
	case entry.PaymentStarted:
		f.Amount, f.Stage = b.Amount, StagePaying
	case entry.PaymentDeclined:
		f.Stage, f.Reversal = StageDeclined, false
	case entry.PaymentUnknown:
		f.Stage, f.Reversal = StagePayment, true
	case entry.PaymentApproved:
		f.Paid, f.Stage, f.Reversal = b.Amount, StageOffered, false
	case entry.LoadRefused:
		f = f.notWritten(b.VoidSTAN != 0)
	case entry.LoadUnknown:
		f = f.notWritten(b.VoidSTAN != 0)
	case entry.WriteStarted:
		f.Stage, f.Voidable = StageWriting, b.VoidSTAN != 0
	case entry.WriteRefused, entry.WriteDisproven:
		f = f.notWritten(f.Voidable)
	case entry.WriteUnknown, entry.EvidenceRejected:
		f.Stage = StageUnknown
	case entry.EvidenceHeld:
		f.Stage = StageHeld
	case entry.WriteDone, entry.WriteProven:
		f.Stage, f.Confirmation, f.Voidable = StageWritten, true, false
	case entry.OfferWithdrawn:
		f.Stage, f.Reversal = StageWithdrawn, true
	case entry.RewriteTaken:
		f.Card, f.Amount, f.Paid, f.OpenedMS, f.Closed, f.Given, f.Stage = b.Card, b.Amount, b.Amount, atMS, false, false, StageOffered
		if b.Attempt != nil {
			f.Stage, f.Voidable = StageUnknown, true
		}
	case entry.HandedOver:
		f.Stage = StageHanded
	case entry.ReversalConflict:
		f.Stage, f.Reversal, f.Refund = StageConflict, false, false
	case entry.RefundRequested:
		f.Stage, f.Refund = StageWithdrawn, true
	case entry.Decided:
		f.Stage, f.Refund = StageDecided, b.RefundSTAN != 0
	case entry.SaleClosed:
		f.Closed, f.Given = true, f.Stage == StageHanded
	default:
		f = f.acknowledged(body)
	}
	if f.Stage != was {
		f.SinceMS = atMS
	}
	return f
}

func (f saleFold) acknowledged(body entry.Body) saleFold {
	switch body.(type) {
	case entry.ReversalAcknowledged:
		f.Stage, f.Reversal = StageReversed, false
	case entry.RefundAcknowledged:
		f.Stage, f.Refund = StageRefunded, false
	case entry.ConfirmationAcknowledged:
		f.Confirmation = false
	case entry.VoidAcknowledged:
		f.Voids = max(0, f.Voids-1)
	}
	return f
}

// notWritten: what was tried is surely not on the card. Before a payment it
// changes nothing.
func (f saleFold) notWritten(void bool) saleFold {
	if f.Paid > 0 && f.Stage != StageWithdrawn && f.Stage != StageReversed {
		f.Stage = StageOffered
	}
	if void {
		f.Voids++
	}
	f.Voidable = false
	return f
}

// corrected is what the host's answer to a restored kiosk makes of a sale. It
// follows topup's own rule as far as a page needs it.
func (f saleFold) corrected(atMS int64, b entry.HostFact) saleFold {
	was := f.Stage
	over := b.Closed || b.Owned || b.Credited || b.Returned && b.Paid == 0
	if over {
		f.Reversal, f.Confirmation, f.Refund, f.Voids = false, false, false, 0
	}
	switch {
	case b.Closed:
	case b.Owned:
		f.Stage = StageHanded
	case b.Credited:
		f.Stage = StageWritten
	case b.Returned && b.Paid == 0:
		f.Stage = StageReversed
	case b.Paid > 0 && !f.Reversal && !f.Refund && f.Stage != StageWritten && f.Stage != StageConflict:
		f.Paid, f.Amount, f.Stage = b.Paid, b.Paid, StageOffered
		if b.ConfirmSTAN != 0 {
			f.Stage, f.Voidable = StageUnknown, true
		}
	}
	if f.Stage != was {
		f.SinceMS = atMS
	}
	return f
}

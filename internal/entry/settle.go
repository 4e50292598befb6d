package entry

import "buka/internal/money"

// Totals of a batch, as both sides count it: payments that stand are debits,
// refunds are credits; a payment that was reversed is neither.
type Totals struct {
	Debit   money.Fen `cbor:"1,keyasint" json:"debit"`
	Debits  uint32    `cbor:"2,keyasint" json:"debits"`
	Credit  money.Fen `cbor:"3,keyasint" json:"credit"`
	Credits uint32    `cbor:"4,keyasint" json:"credits"`
}

// Difference is a payment or refund that only one side of a settlement has, or
// that both have with different amounts.
type Difference struct {
	Sale  SaleID    `cbor:"1,keyasint" json:"sale"`
	STAN  uint32    `cbor:"2,keyasint" json:"stan"`
	Kiosk money.Fen `cbor:"3,keyasint" json:"kiosk"` // what the kiosk has; 0: nothing. A refund is negative
	Host  money.Fen `cbor:"4,keyasint" json:"host"`
}

// BatchClosing: no payment begins in this batch any more. Who is a person,
// "schedule", or "host", which opened another batch by itself.
type BatchClosing struct {
	Batch uint32 `cbor:"1,keyasint" json:"batch"`
	Who   string `cbor:"2,keyasint" json:"who"`
}

// SettlementStarted announces a settlement (0500). From here on nothing changes
// what the kiosk counts in the batch, until BatchSettled.
type SettlementStarted struct {
	Batch  uint32 `cbor:"1,keyasint" json:"batch"`
	STAN   uint32 `cbor:"2,keyasint" json:"stan"`
	Totals Totals `cbor:"3,keyasint" json:"totals"`
}

// BatchSettled: the host agrees with the totals, or has been told every payment
// and refund of the batch and said which differ. Each difference is for people.
type BatchSettled struct {
	Batch    uint32       `cbor:"1,keyasint" json:"batch"`
	Code     string       `cbor:"2,keyasint" json:"code"`
	Uploaded bool         `cbor:"3,keyasint,omitempty" json:"uploaded,omitempty"`
	Differs  []Difference `cbor:"4,keyasint,omitempty" json:"differs,omitempty"`
}

// AnswerLate: an answer to a payment came after the kiosk had given it up. It
// changes nothing.
type AnswerLate struct {
	STAN   uint32    `cbor:"1,keyasint" json:"stan"`
	Batch  uint32    `cbor:"2,keyasint" json:"batch"`
	Code   string    `cbor:"3,keyasint" json:"code"`
	Amount money.Fen `cbor:"4,keyasint" json:"amount"`
	RRN    string    `cbor:"5,keyasint,omitempty" json:"rrn,omitempty"`
	Sale   SaleID    `cbor:"6,keyasint,omitempty" json:"sale,omitempty"` // if it is still open
}

// ReversalPendingLong: a reversal has been sent for so long that people shall
// know. It is still sent, and payments no longer wait for it.
type ReversalPendingLong struct{ Of }

// RiskStruck: a rule of the operator's struck before a payment.
type RiskStruck struct {
	Of
	Rule    string `cbor:"2,keyasint" json:"rule"`
	Outcome string `cbor:"3,keyasint" json:"outcome"` // alarm, refuse or cashier
}

func (BatchClosing) Kind() Kind        { return KBatchClosing }
func (SettlementStarted) Kind() Kind   { return KSettlementStarted }
func (BatchSettled) Kind() Kind        { return KBatchSettled }
func (AnswerLate) Kind() Kind          { return KAnswerLate }
func (ReversalPendingLong) Kind() Kind { return KReversalPendingLong }
func (RiskStruck) Kind() Kind          { return KRiskStruck }

func init() {
	register[BatchClosing]()
	register[SettlementStarted]()
	register[BatchSettled]()
	register[AnswerLate]()
	register[ReversalPendingLong]()
	register[RiskStruck]()
}

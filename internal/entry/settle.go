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

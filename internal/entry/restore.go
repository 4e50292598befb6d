package entry

import "buka/internal/money"

// RestoreConfirmed: the host has said what it knows of everything that the
// restored journal leaves open. What the journal said is corrected by it, and
// acting goes on.
type RestoreConfirmed struct {
	Sales    []HostFact `cbor:"1,keyasint" json:"sales"`    // one for each open sale
	LastSTAN uint32     `cbor:"2,keyasint" json:"lastStan"` // the highest that the host had seen in the batch that was open
	Taken    uint32     `cbor:"3,keyasint" json:"taken"`    // payments that this journal never heard of: rewrites of the host now
	HostAtMS int64      `cbor:"4,keyasint" json:"hostAtMs"` // host clock, milliseconds since 1970 UTC
}

// HostFact is what the host's ledgers and its copy of the journal say about one
// sale. Nothing set: the host has never heard of it.
type HostFact struct {
	Sale  SaleID    `cbor:"1,keyasint" json:"sale"`
	Paid  money.Fen `cbor:"2,keyasint,omitempty" json:"paid,omitempty"` // by the payment that stands; 0: none does
	STAN  uint32    `cbor:"3,keyasint,omitempty" json:"stan,omitempty"` // of it
	Batch uint32    `cbor:"4,keyasint,omitempty" json:"batch,omitempty"`
	Slot  Slot      `cbor:"5,keyasint,omitempty" json:"slot,omitempty"`
	PAN   string    `cbor:"6,keyasint,omitempty" json:"pan,omitempty"` // masked
	RRN   string    `cbor:"7,keyasint,omitempty" json:"rrn,omitempty"`
	Auth  string    `cbor:"8,keyasint,omitempty" json:"auth,omitempty"`

	Returned bool `cbor:"9,keyasint,omitempty" json:"returned,omitempty"`  // a payment was approved and has gone back
	Credited bool `cbor:"10,keyasint,omitempty" json:"credited,omitempty"` // a confirmation of its load is recorded
	Closed   bool `cbor:"11,keyasint,omitempty" json:"closed,omitempty"`   // the lost entries had closed it
	Owned    bool `cbor:"12,keyasint,omitempty" json:"owned,omitempty"`    // it is the host's rewrite

	// Load is the newest authorisation that was given for it; an older one
	// cannot have been written any more. Voided: a kiosk said that it was not
	// used.
	Load   *Attempt `cbor:"13,keyasint,omitempty" json:"load,omitempty"`
	Voided bool     `cbor:"14,keyasint,omitempty" json:"voided,omitempty"`

	// Taken by the kiosk for the confirmation or the void of Load.
	ConfirmSTAN uint32 `cbor:"15,keyasint,omitempty" json:"confirmStan,omitempty"`
	VoidSTAN    uint32 `cbor:"16,keyasint,omitempty" json:"voidStan,omitempty"`
}

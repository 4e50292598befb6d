package entry

import "buka/internal/money"

// Of is the part that every body about a sale begins with.
type Of struct {
	Sale SaleID `cbor:"1,keyasint" json:"sale"`
}

// About gives the sale that a body speaks of.
func (o Of) About() SaleID { return o.Sale }

// SaleOpened: a card was read. What INITIALIZE might wipe is in it.
type SaleOpened struct {
	Of
	Card     Card        `cbor:"2,keyasint" json:"card"`
	Observed Observation `cbor:"3,keyasint" json:"observed"`
	Place    string      `cbor:"4,keyasint" json:"place"`
}

// AmountChosen by the passenger, in fen.
type AmountChosen struct {
	Of
	Amount money.Fen `cbor:"2,keyasint" json:"amount"`
}

// PaymentStarted announces a payment request (0200). Its key at the host is
// (merchant, terminal, Batch, STAN).
type PaymentStarted struct {
	Of
	Tender string    `cbor:"2,keyasint" json:"tender"` // "bank-card"
	Amount money.Fen `cbor:"3,keyasint" json:"amount"`
	STAN   uint32    `cbor:"4,keyasint" json:"stan"`
	Batch  uint32    `cbor:"5,keyasint" json:"batch"`
	PAN    string    `cbor:"6,keyasint" json:"pan"`  // masked: first 6, last 4
	Slot   Slot      `cbor:"7,keyasint" json:"slot"` // the counter that the eligibility probe returned
}

// PaymentDeclined by the host: no money moved.
type PaymentDeclined struct {
	Of
	Code string `cbor:"2,keyasint" json:"code"` // DE39
}

// PaymentUnknown: no valid answer. A reversal is owed.
type PaymentUnknown struct {
	Of
	Why    string `cbor:"2,keyasint" json:"why"`
	Reason string `cbor:"3,keyasint,omitempty" json:"reason,omitempty"` // of the reversal (DE39): A0, an answer with a wrong MAC; empty: 98, none
}

// PaymentApproved by the host. Amount is what the host approved.
type PaymentApproved struct {
	Of
	Amount money.Fen `cbor:"2,keyasint" json:"amount"`
	RRN    string    `cbor:"3,keyasint" json:"rrn"`
	Code   string    `cbor:"4,keyasint" json:"code"`
	Auth   string    `cbor:"5,keyasint,omitempty" json:"auth,omitempty"` // DE38
	Chip   *Chip     `cbor:"6,keyasint,omitempty" json:"chip,omitempty"` // for the slip; nil: not by chip
}

// LoadRequested: INITIALIZE was answered and its MAC1 goes to the authority.
type LoadRequested struct {
	Of
	Attempt Attempt `cbor:"2,keyasint" json:"attempt"`
}

// LoadAuthorised: the authority gave a MAC2, date and time for the attempt.
type LoadAuthorised struct {
	Of
	At Stamp `cbor:"2,keyasint" json:"at"`
}

// LoadRefused by the authority, before payment (eligibility) or after.
type LoadRefused struct {
	Of
	Code     string `cbor:"2,keyasint" json:"code"`     // DE39, or a word of ours
	Paid     bool   `cbor:"3,keyasint" json:"paid"`     // after payment
	VoidSTAN uint32 `cbor:"4,keyasint" json:"voidStan"` // 0: nothing to void
}

// LoadUnknown: no answer, or an answer that came too late. Not written, for
// certain; the authorisation that may exist is to be voided under VoidSTAN.
type LoadUnknown struct {
	Of
	Why      string `cbor:"2,keyasint" json:"why"`
	VoidSTAN uint32 `cbor:"3,keyasint" json:"voidStan"`
}

// WriteStarted announces the one command that changes the purse. The STANs of
// the confirmation and the void that may follow are taken here, so that a
// repeat after a restart has the same key.
type WriteStarted struct {
	Of
	ConfirmSTAN uint32 `cbor:"2,keyasint" json:"confirmStan"`
	VoidSTAN    uint32 `cbor:"3,keyasint" json:"voidStan"`
}

// WriteDone: the card answered that it is done.
type WriteDone struct {
	Of
	TAC Hex    `cbor:"2,keyasint" json:"tac"` // 4 bytes; empty if the card could not give it
	SW  uint16 `cbor:"3,keyasint" json:"sw"`
}

// WriteRefused: the card answered that nothing was written.
type WriteRefused struct {
	Of
	SW  uint16 `cbor:"2,keyasint" json:"sw"` // 0: the command surely never left
	Why string `cbor:"3,keyasint" json:"why"`
}

// WriteUnknown: the answer is missing or says neither.
type WriteUnknown struct {
	Of
	SW  uint16 `cbor:"2,keyasint" json:"sw"` // 0: no answer
	Why string `cbor:"3,keyasint" json:"why"`
}

// EvidenceHeld: something was read that may prove the write; durable before
// the next command to the card.
type EvidenceHeld struct {
	Of
	Proof Proof `cbor:"2,keyasint" json:"proof"`
}

// EvidenceRejected: the authority says that the held proof is about another
// load.
type EvidenceRejected struct {
	Of
	Proof Proof `cbor:"2,keyasint" json:"proof"`
}

// WriteProven: the unknown write was done. By: tac, log or ledger.
type WriteProven struct {
	Of
	By  string `cbor:"2,keyasint" json:"by"`
	TAC Hex    `cbor:"3,keyasint,omitempty" json:"tac,omitempty"`
}

// WriteDisproven: the unknown write was not done, by an answer that cannot be
// replayed.
type WriteDisproven struct {
	Of
	Counter Counter `cbor:"2,keyasint" json:"counter"`
}

// FenceMoved: the card's counter has moved on while nothing of ours was
// unknown, so the rewrite names a new slot.
type FenceMoved struct {
	Of
	From Slot `cbor:"2,keyasint" json:"from"`
	To   Slot `cbor:"3,keyasint" json:"to"`
}

// OfferWithdrawn: the money goes back. A reversal is owed.
type OfferWithdrawn struct {
	Of
	Why string `cbor:"2,keyasint" json:"why"`
}

// HandedOver: the rewrite is the host's; this kiosk never acts on it again,
// unless it is given back (RewriteTaken).
type HandedOver struct {
	Of
	To   string `cbor:"2,keyasint" json:"to"`
	Why  string `cbor:"3,keyasint,omitempty" json:"why,omitempty"`
	Mine bool   `cbor:"4,keyasint,omitempty" json:"mine,omitempty"` // a write of this kiosk is unknown and goes along
	From string `cbor:"5,keyasint,omitempty" json:"from,omitempty"` // the kiosk's merchant and terminal at the authority, with a slash
	STAN uint32 `cbor:"6,keyasint,omitempty" json:"stan,omitempty"` // the last one taken: this says nothing of what is authorised under a later one
}

// ReversalAcknowledged: the host committed the reversal. ExpectAbsent: it
// answered 12 or 25 for an original whose outcome we never knew; the
// settlement must agree.
type ReversalAcknowledged struct {
	Of
	Code         string `cbor:"2,keyasint" json:"code"`
	ExpectAbsent bool   `cbor:"3,keyasint,omitempty" json:"expectAbsent,omitempty"`
}

// ReversalConflict: the host contradicts what we hold. A case for people.
type ReversalConflict struct {
	Of
	Code string `cbor:"2,keyasint" json:"code"`
}

// ConfirmationAcknowledged: the host committed the confirmation of the load.
type ConfirmationAcknowledged struct {
	Of
	Code string `cbor:"2,keyasint" json:"code"`
}

// VoidAcknowledged: the host committed the void of an unused authorisation.
type VoidAcknowledged struct {
	Of
	Code string `cbor:"2,keyasint" json:"code"`
	STAN uint32 `cbor:"3,keyasint" json:"stan"` // which void
}

// RefundRequested announces a refund (0220): the money can no longer be
// reversed, or the host contradicted the reversal. The value is surely not on
// the card.
type RefundRequested struct {
	Of
	STAN  uint32 `cbor:"2,keyasint" json:"stan"` // the key of the refund at the host
	Batch uint32 `cbor:"3,keyasint" json:"batch"`
	Who   string `cbor:"4,keyasint" json:"who"`
}

// RefundAcknowledged: the host committed a refund.
type RefundAcknowledged struct {
	Of
	Code string `cbor:"2,keyasint" json:"code"`
}

// Decided by two people; it bars any later write.
type Decided struct {
	Of
	Decision string   `cbor:"2,keyasint" json:"decision"` // credited, paid-out or refund
	People   []string `cbor:"3,keyasint" json:"people"`

	// The key of the refund that the decision owes; 0: none.
	RefundSTAN  uint32 `cbor:"4,keyasint,omitempty" json:"refundStan,omitempty"`
	RefundBatch uint32 `cbor:"5,keyasint,omitempty" json:"refundBatch,omitempty"`
}

// RewriteTaken: the host owns this rewrite and lets the kiosk finish it, for the
// card that is on the reader now. Each write still needs the host's MAC2. It
// goes back by HandedOver, at the latest when the card has gone.
type RewriteTaken struct {
	Of
	Card     Card        `cbor:"2,keyasint" json:"card"`
	Observed Observation `cbor:"3,keyasint" json:"observed"`
	Place    string      `cbor:"4,keyasint" json:"place"`
	Amount   money.Fen   `cbor:"5,keyasint" json:"amount"`
	Batch    uint32      `cbor:"6,keyasint" json:"batch"` // open now: what is confirmed or voided goes under it
	Slot     Slot        `cbor:"7,keyasint" json:"slot"`  // as far as the host knows
	Origin   string      `cbor:"8,keyasint" json:"origin"`

	// The write that somebody began and nobody knows the end of; nil: none.
	// Confirmation and void of it have their STANs from here on.
	Attempt     *Attempt `cbor:"9,keyasint,omitempty" json:"attempt,omitempty"`
	ConfirmSTAN uint32   `cbor:"10,keyasint,omitempty" json:"confirmStan,omitempty"`
	VoidSTAN    uint32   `cbor:"11,keyasint,omitempty" json:"voidStan,omitempty"`
}

// SaleClosed: nothing is open and nothing is owed.
type SaleClosed struct {
	Of
	Why string `cbor:"2,keyasint" json:"why"`
}

func (SaleOpened) Kind() Kind               { return KSaleOpened }
func (AmountChosen) Kind() Kind             { return KAmountChosen }
func (PaymentStarted) Kind() Kind           { return KPaymentStarted }
func (PaymentDeclined) Kind() Kind          { return KPaymentDeclined }
func (PaymentUnknown) Kind() Kind           { return KPaymentUnknown }
func (PaymentApproved) Kind() Kind          { return KPaymentApproved }
func (LoadRequested) Kind() Kind            { return KLoadRequested }
func (LoadAuthorised) Kind() Kind           { return KLoadAuthorised }
func (LoadRefused) Kind() Kind              { return KLoadRefused }
func (LoadUnknown) Kind() Kind              { return KLoadUnknown }
func (WriteStarted) Kind() Kind             { return KWriteStarted }
func (WriteDone) Kind() Kind                { return KWriteDone }
func (WriteRefused) Kind() Kind             { return KWriteRefused }
func (WriteUnknown) Kind() Kind             { return KWriteUnknown }
func (EvidenceHeld) Kind() Kind             { return KEvidenceHeld }
func (EvidenceRejected) Kind() Kind         { return KEvidenceRejected }
func (WriteProven) Kind() Kind              { return KWriteProven }
func (WriteDisproven) Kind() Kind           { return KWriteDisproven }
func (FenceMoved) Kind() Kind               { return KFenceMoved }
func (OfferWithdrawn) Kind() Kind           { return KOfferWithdrawn }
func (HandedOver) Kind() Kind               { return KHandedOver }
func (ReversalAcknowledged) Kind() Kind     { return KReversalAcknowledged }
func (ReversalConflict) Kind() Kind         { return KReversalConflict }
func (ConfirmationAcknowledged) Kind() Kind { return KConfirmationAcknowledged }
func (VoidAcknowledged) Kind() Kind         { return KVoidAcknowledged }
func (RefundRequested) Kind() Kind          { return KRefundRequested }
func (RewriteTaken) Kind() Kind             { return KRewriteTaken }
func (RefundAcknowledged) Kind() Kind       { return KRefundAcknowledged }
func (Decided) Kind() Kind                  { return KDecided }
func (SaleClosed) Kind() Kind               { return KSaleClosed }

func init() {
	register[SaleOpened]()
	register[AmountChosen]()
	register[PaymentStarted]()
	register[PaymentDeclined]()
	register[PaymentUnknown]()
	register[PaymentApproved]()
	register[LoadRequested]()
	register[LoadAuthorised]()
	register[LoadRefused]()
	register[LoadUnknown]()
	register[WriteStarted]()
	register[WriteDone]()
	register[WriteRefused]()
	register[WriteUnknown]()
	register[EvidenceHeld]()
	register[EvidenceRejected]()
	register[WriteProven]()
	register[WriteDisproven]()
	register[FenceMoved]()
	register[OfferWithdrawn]()
	register[HandedOver]()
	register[ReversalAcknowledged]()
	register[ReversalConflict]()
	register[ConfirmationAcknowledged]()
	register[VoidAcknowledged]()
	register[RefundRequested]()
	register[RefundAcknowledged]()
	register[RewriteTaken]()
	register[Decided]()
	register[SaleClosed]()
}

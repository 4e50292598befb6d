package entry

// Kind names what an entry says. The names are a contract (DESIGN §4.1):
// never rename one, never reuse one.
type Kind string

// Kinds about a sale.
const (
	KSaleOpened               Kind = "sale-opened"
	KAmountChosen             Kind = "amount-chosen"
	KPaymentStarted           Kind = "payment-started"
	KPaymentDeclined          Kind = "payment-declined"
	KPaymentUnknown           Kind = "payment-unknown"
	KPaymentApproved          Kind = "payment-approved"
	KLoadRequested            Kind = "load-requested"
	KLoadAuthorised           Kind = "load-authorised"
	KLoadRefused              Kind = "load-refused"
	KLoadUnknown              Kind = "load-unknown"
	KWriteStarted             Kind = "write-started"
	KWriteDone                Kind = "write-done"
	KWriteRefused             Kind = "write-refused"
	KWriteUnknown             Kind = "write-unknown"
	KEvidenceHeld             Kind = "evidence-held"
	KEvidenceRejected         Kind = "evidence-rejected"
	KWriteProven              Kind = "write-proven"
	KWriteDisproven           Kind = "write-disproven"
	KFenceMoved               Kind = "fence-moved"
	KOfferWithdrawn           Kind = "offer-withdrawn"
	KHandedOver               Kind = "handed-over"
	KReversalAcknowledged     Kind = "reversal-acknowledged"
	KReversalConflict         Kind = "reversal-conflict"
	KConfirmationAcknowledged Kind = "confirmation-acknowledged"
	KVoidAcknowledged         Kind = "void-acknowledged"
	KRefundRequested          Kind = "refund-requested"
	KRefundAcknowledged       Kind = "refund-acknowledged"
	KDecided                  Kind = "decided"
	KSaleClosed               Kind = "sale-closed"
	KRewriteTaken             Kind = "rewrite-taken"
	KReversalPendingLong      Kind = "reversal-pending-long"
	KRiskStruck               Kind = "risk-struck"
)

// Kinds about the kiosk itself.
const (
	KEpochBegun       Kind = "epoch-begun"
	KRestored         Kind = "restored"
	KRestoreConfirmed Kind = "restore-confirmed"
	KStarted          Kind = "started"
	KSignedOn         Kind = "signed-on"
	KSTANsReserved    Kind = "stans-reserved"
	KCardObserved     Kind = "card-observed"
	KStaffActed       Kind = "staff-acted"
	KCheckpoint       Kind = "checkpoint"

	KBatchClosing      Kind = "batch-closing"
	KSettlementStarted Kind = "settlement-started"
	KBatchSettled      Kind = "batch-settled"
	KAnswerLate        Kind = "answer-late"
)

var bodies = map[Kind]func([]byte) (Body, error){}

// Kinds lists every kind that this version can write or read.
func Kinds() []Kind {
	list := make([]Kind, 0, len(bodies))
	for k := range bodies {
		list = append(list, k)
	}
	return list
}

// register ties a kind to its body type; it is called once for each type.
func register[B Body]() {
	var zero B
	bodies[zero.Kind()] = func(raw []byte) (Body, error) {
		var b B
		err := Unmarshal(raw, &b)
		return b, err
	}
}

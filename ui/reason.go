package ui

// Reason is the key of a passage in the catalogues ([reason.KEY] of
// ui/lang/*.toml): a title, what is known, what happens to the money, what to
// do now. The same passages serve as notices.
type Reason string

// Why a payment did not happen.
const (
	ReasonInsufficientFunds Reason = "insufficient-funds"
	ReasonWrongPIN          Reason = "wrong-pin"
	ReasonPINTries          Reason = "pin-tries"
	ReasonBankCardExpired   Reason = "card-expired"
	ReasonBankCardBlocked   Reason = "bank-card-blocked"
	ReasonBankCardUnread    Reason = "bank-card-unread"
	ReasonBankDeclined      Reason = "bank-declined"
	ReasonBankUnreachable   Reason = "bank-unreachable"
	ReasonPINCancelled      Reason = "pin-cancelled"
	ReasonBankLimit         Reason = "bank-limit"
	ReasonBankCardNot       Reason = "bank-card-not-allowed"
	ReasonBankUseChip       Reason = "bank-use-chip"
	ReasonPaymentAgain      Reason = "payment-again"      // the machine signs on again
	ReasonPaymentNotSetUp   Reason = "payment-not-set-up" // the payment network does not take this machine
)

// Why a transit card cannot be loaded. Nothing has been paid.
const (
	ReasonExpired       Reason = "expired"
	ReasonNotYetValid   Reason = "not-yet-valid"
	ReasonBlocked       Reason = "blocked"
	ReasonUnknownKind   Reason = "unknown-kind"
	ReasonUnknownIssuer Reason = "unknown-issuer"
	ReasonAtLimit       Reason = "at-limit"
	ReasonNotEligible   Reason = "not-eligible"
	ReasonCardPIN       Reason = "card-pin"
	ReasonCardUnread    Reason = "card-unread"
)

// What happens at the reader.
const (
	ReasonOtherCard  Reason = "other-card"
	ReasonTwoCards   Reason = "two-cards"
	ReasonCardGone   Reason = "card-gone"
	ReasonReaderBusy Reason = "reader-busy"
)

// How a sale ended, or what it waits for.
const (
	ReasonWriteUnknown          Reason = "write-unknown"
	ReasonWriteRefusedMoneyBack Reason = "write-refused-money-back"
	ReasonLoadRefusedMoneyBack  Reason = "load-refused-money-back"
	ReasonStoppedMoneyBack      Reason = "stopped-money-back"
	ReasonTimeoutMoneyBack      Reason = "timeout-money-back"
	ReasonMoneyBackPending      Reason = "money-back-pending"
	ReasonStopped               Reason = "stopped"
	ReasonTimeout               Reason = "timeout"
	ReasonAuthorityWait         Reason = "authority-wait"
	ReasonPaidNotWritten        Reason = "paid-not-written"
	ReasonFinished              Reason = "finished"      // an earlier top-up was written now
	ReasonAlreadyThere          Reason = "already-there" // an earlier top-up proved to be on the card
	ReasonConflict              Reason = "conflict"
)

// Nothing has been paid yet, and something is in the way.
const (
	ReasonCardGoneUnpaid    Reason = "card-gone-unpaid"
	ReasonOtherCardUnpaid   Reason = "other-card-unpaid"
	ReasonBankCardGone      Reason = "bank-card-gone"
	ReasonBankReaderMissing Reason = "bank-reader-missing"
	ReasonCardAtDesk        Reason = "card-at-desk"
)

// At the bank card reader and at the PIN pad: nothing has been sent.
const (
	ReasonTransitCard      Reason = "transit-card"       // the wrong card at the bank card reader
	ReasonTakeTransitCard  Reason = "take-transit-card"  // one reader serves both cards
	ReasonTakeBankCard     Reason = "take-bank-card"     // paid, and the bank card lies where the transit card must
	ReasonBankCardFirst    Reason = "bank-card-first"    // a bank card before anything was chosen
	ReasonUseChip          Reason = "use-chip"           // contactless did not do
	ReasonBankCardDeclines Reason = "bank-card-declines" // the chip itself, before anything was sent
	ReasonBankCardNoPIN    Reason = "bank-card-no-pin"   // it cannot be verified by a PIN at the bank
	ReasonWrongPINAgain    Reason = "wrong-pin-again"    // without contacts: another tap
	ReasonPINWanted        Reason = "pin-wanted"         // the payment went without one, and the bank wants it
	ReasonPINWantedAgain   Reason = "pin-wanted-again"   // without contacts: another tap
	ReasonBatchClosing     Reason = "batch-closing"      // the day is settled with the bank
	ReasonBankCardRefused  Reason = "bank-card-refused"  // approved, and then the chip said no or was gone
	ReasonPINPadThrottled  Reason = "pinpad-throttled"
	ReasonPINPadNoKey      Reason = "pinpad-no-key"
	ReasonPINPadOther      Reason = "pinpad-other"
	ReasonPINPadKeysUsedUp Reason = "pinpad-keys-used-up"
	ReasonRiskRefused      Reason = "risk-refused" // a rule of the operator's
	ReasonRiskCashier      Reason = "risk-cashier" // a rule of the operator's
)

// Paid, and surely not written: what keeps the card from being written.
const (
	ReasonHoldCardGone      Reason = "hold-card-gone"
	ReasonHoldCardUnread    Reason = "hold-card-unread"
	ReasonHoldCardRefused   Reason = "hold-card-refused" // blocked or out of date since it was paid
	ReasonHoldReaderMissing Reason = "hold-reader-missing"
	ReasonHoldNetworkDown   Reason = "hold-network-down"
	ReasonLoadWait          Reason = "load-wait" // the authority has not answered
	ReasonWriteRefusedAgain Reason = "write-refused-again"
	ReasonPowerBack         Reason = "power-back"
)

// The write is unknown, and what keeps us from finding out.
const (
	ReasonPowerCutWrite     Reason = "power-cut-write"
	ReasonResolveCardGone   Reason = "resolve-card-gone"
	ReasonResolveCardUnread Reason = "resolve-card-unread"
	ReasonResolveReader     Reason = "resolve-reader"
	ReasonResolveRefused    Reason = "resolve-card-refused"
	ReasonEvidenceHeld      Reason = "evidence-held"
)

// What only people can end, and money on its way back.
const (
	ReasonReversalConflict   Reason = "reversal-conflict"
	ReasonWriteUndecided     Reason = "write-undecided"
	ReasonTooLateToReverse   Reason = "too-late-to-reverse"
	ReasonWithStaff          Reason = "with-staff"
	ReasonPaymentUnknown     Reason = "payment-unknown"
	ReasonOtherAmount        Reason = "other-amount"
	ReasonAtLimitMoneyBack   Reason = "at-limit-money-back"
	ReasonPaymentInterrupted Reason = "payment-interrupted" // by a power cut
)

// A card that had something open, or still has.
const (
	ReasonMoreWaiting      Reason = "more-waiting"   // another rewrite for the same card
	ReasonRemoteWaiting    Reason = "remote-waiting" // paid elsewhere
	ReasonCollectLater     Reason = "collect-later"
	ReasonEarlierMoneyBack Reason = "earlier-money-back"
	ReasonEarlierWithStaff Reason = "earlier-with-staff"
)

// Why the kiosk cannot do all it should.
const (
	ReasonDiskFull      Reason = "disk-full"
	ReasonReaderStuck   Reason = "reader-stuck"
	ReasonRecovering    Reason = "recovering" // from a backup, and the host has not confirmed it
	ReasonNetworkDown   Reason = "network-down"
	ReasonReaderMissing Reason = "reader-missing"
	ReasonPINPadMissing Reason = "pinpad-missing"
	ReasonJournalFailed Reason = "journal-failed"
	ReasonStarting      Reason = "starting"
	ReasonSuspended     Reason = "suspended"
)

// ReasonOther is shown for a reason that the catalogues do not know.
const ReasonOther Reason = "other"

// Reasons lists every reason that has words.
func Reasons() []Reason {
	return []Reason{
		ReasonInsufficientFunds, ReasonWrongPIN, ReasonPINTries, ReasonBankCardExpired, ReasonBankCardBlocked,
		ReasonBankCardUnread, ReasonBankDeclined, ReasonBankUnreachable, ReasonPINCancelled,
		ReasonBankLimit, ReasonBankCardNot, ReasonBankUseChip, ReasonPaymentAgain, ReasonPaymentNotSetUp,
		ReasonExpired, ReasonNotYetValid, ReasonBlocked, ReasonUnknownKind, ReasonUnknownIssuer, ReasonAtLimit,
		ReasonNotEligible, ReasonCardPIN, ReasonCardUnread,
		ReasonOtherCard, ReasonTwoCards, ReasonCardGone, ReasonReaderBusy,
		ReasonWriteUnknown, ReasonWriteRefusedMoneyBack, ReasonLoadRefusedMoneyBack, ReasonStoppedMoneyBack,
		ReasonTimeoutMoneyBack, ReasonMoneyBackPending, ReasonStopped, ReasonTimeout, ReasonAuthorityWait,
		ReasonPaidNotWritten, ReasonFinished, ReasonAlreadyThere, ReasonConflict,
		ReasonCardGoneUnpaid, ReasonOtherCardUnpaid, ReasonBankCardGone, ReasonBankReaderMissing, ReasonCardAtDesk,
		ReasonTransitCard, ReasonTakeTransitCard, ReasonTakeBankCard, ReasonBankCardFirst, ReasonUseChip,
		ReasonBankCardDeclines, ReasonBankCardNoPIN, ReasonWrongPINAgain, ReasonPINWanted, ReasonPINWantedAgain, ReasonPINPadThrottled, ReasonPINPadNoKey,
		ReasonPINPadOther, ReasonPINPadKeysUsedUp, ReasonRiskRefused, ReasonRiskCashier,
		ReasonBankCardRefused, ReasonBatchClosing,
		ReasonHoldCardGone, ReasonHoldCardUnread, ReasonHoldCardRefused, ReasonHoldReaderMissing, ReasonHoldNetworkDown,
		ReasonLoadWait, ReasonWriteRefusedAgain, ReasonPowerBack,
		ReasonPowerCutWrite, ReasonResolveCardGone, ReasonResolveCardUnread, ReasonResolveReader, ReasonResolveRefused, ReasonEvidenceHeld,
		ReasonReversalConflict, ReasonWriteUndecided, ReasonTooLateToReverse, ReasonWithStaff, ReasonPaymentUnknown, ReasonOtherAmount,
		ReasonAtLimitMoneyBack, ReasonPaymentInterrupted,
		ReasonMoreWaiting, ReasonRemoteWaiting, ReasonCollectLater, ReasonEarlierMoneyBack, ReasonEarlierWithStaff,
		ReasonDiskFull, ReasonReaderStuck, ReasonRecovering,
		ReasonNetworkDown, ReasonReaderMissing, ReasonPINPadMissing, ReasonJournalFailed, ReasonStarting, ReasonSuspended,
		ReasonOther,
	}
}

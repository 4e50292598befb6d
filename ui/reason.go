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

// Why the kiosk cannot do all it should.
const (
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
		ReasonExpired, ReasonNotYetValid, ReasonBlocked, ReasonUnknownKind, ReasonUnknownIssuer, ReasonAtLimit,
		ReasonNotEligible, ReasonCardPIN, ReasonCardUnread,
		ReasonOtherCard, ReasonTwoCards, ReasonCardGone, ReasonReaderBusy,
		ReasonWriteUnknown, ReasonWriteRefusedMoneyBack, ReasonLoadRefusedMoneyBack, ReasonStoppedMoneyBack,
		ReasonTimeoutMoneyBack, ReasonMoneyBackPending, ReasonStopped, ReasonTimeout, ReasonAuthorityWait,
		ReasonPaidNotWritten, ReasonFinished, ReasonAlreadyThere, ReasonConflict,
		ReasonNetworkDown, ReasonReaderMissing, ReasonPINPadMissing, ReasonJournalFailed, ReasonStarting, ReasonSuspended,
		ReasonOther,
	}
}

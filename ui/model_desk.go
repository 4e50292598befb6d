package ui

import (
	"time"

	"buka/internal/entry"
	"buka/internal/money"
)

// Desk is what the cashier's page needs of a station. All methods return at
// once; Do hands an action over, and what came of it shows in State as Result.
type Desk interface {
	State() DeskState
	Subscribe(changed func()) (cancel func())
	// Do begins an action. A refusal with words is a *Told; an action for a
	// state that is gone is ErrStale.
	Do(DeskAction) error
}

// DeskState is all that the cashier sees.
type DeskState struct {
	Rev    uint64 // changes whenever an action may mean something else
	Kiosk  string
	Place  string // where it stands
	HostUp bool
	// Recovering: the journal was restored from a backup; nothing can be done
	// about what is open before the host has confirmed it.
	Recovering bool
	Hotline    string      // on slips
	Reader     DeviceState // the desk reader
	Open       []OpenSale  // oldest first: what is unfinished here
	Card       *DeskCard   // on the desk reader, nil if none
	Busy       string      // name of the action that is running, "" if none
	Result     *DeskResult // of the last action, nil if none
	LastSlip   *DeskSlip   // the last one of this machine, nil if there was none
	Batches    []DeskBatch // payments that are not settled with the bank, oldest first
	Sent       []SentHere  // passengers whom a rule of risk has sent here today, newest first
}

// SentHere is a payment that a rule of risk did not allow at the machine today, and
// that the passenger was told to make here. Nothing was taken.
type SentHere struct {
	Claim      string // on the passenger's screen
	CardNumber string
	Amount     money.Fen
	Rule       string
	At         time.Time
	Here       bool // it is the card on the desk reader
}

// Where an open sale stands: keys [desk.state.KEY].
const (
	OpenOffered        = "offered"         // paid, surely not written
	OpenUnknown        = "unknown-write"   // paid, not known whether written
	OpenEvidenceHeld   = "evidence-held"   // the card showed something; the authority has to verify it
	OpenReversalOwed   = "reversal-owed"   // the money is going back
	OpenRefundOwed     = "refund-owed"     // the money is going back by a refund
	OpenBackLong       = "money-back-long" // it should be, and the bank has not confirmed it for long
	OpenExpectedAbsent = "expected-absent" // the bank knows no such payment; the settlement confirms it
	OpenConfirmOwed    = "confirmation-owed"
	OpenConflict       = "conflict" // the host contradicts: a case for people
	OpenInProgress     = "in-progress"
	OpenHandedOver     = "handed-over"
)

// What is known about the payment of an open sale: keys [desk.payment.KEY].
const (
	PaidTaken     = "taken"     // approved, and not known to have gone back
	PaidUnknown   = "unknown"   // asked for; nobody knows whether it was taken
	PaidDenied    = "denied"    // asked for; the bank says that it has no such payment
	PaidReversed  = "reversed"  // the bank has confirmed that nothing of it stands
	PaidBack      = "back"      // refunded
	PaidElsewhere = "elsewhere" // not at this kiosk
)

// OpenSale is one sale that has not ended.
type OpenSale struct {
	Sale       string
	Claim      string
	CardNumber string
	Amount     money.Fen
	Since      time.Time
	State      string     // one of the constants above
	Origin     string     // "torn" or "remote"
	Payment    string     // one of PaidTaken …
	Paid       *money.Fen // what was taken; nil if that is not known or nothing
	BankCard   string     // masked
	RRN        string
	LockedBy   string // who is working on it now, "" if nobody
	Proposal   string // what one person has proposed: the end of a decide- action; "" if nothing
	ProposedBy string
	Actions    []DeskOffer
}

// DeskOffer is an action that a cashier may take about a sale. The page says
// what it does to money ([desk.act.NAME] of the catalogues) before it is
// pressed.
type DeskOffer struct {
	Name   string // one of the constants below
	WhyNot string // "" if it can be taken now, else a key [desk.why-not.KEY]
}

// What a cashier can do.
const (
	DeskProve    = "prove"     // find out what became of the write; moves no money
	DeskRewrite  = "rewrite"   // write the paid amount on the card
	DeskWithdraw = "withdraw"  // do not write; the money goes back to the bank card
	DeskHandOver = "hand-over" // give the case to the host's people
	DeskRefund   = "refund"    // the money goes back, although the day is closed or the host contradicted

	// What two people may decide, one after the other, each with a login of
	// their own. Nothing can be written afterwards.
	DeskDecideCredited = "decide-credited" // it counts as on the card
	DeskDecidePaidOut  = "decide-paid-out" // the money was given in cash
	DeskDecideRefund   = "decide-refund"   // the money goes back to the bank card
	DeskClear          = "clear"           // take the result off the page; no sale
)

// Why an action cannot be taken now.
const (
	WhyNoCard      = "no-card"      // put the card on the desk reader
	WhyOtherCard   = "other-card"   // another card is on the desk reader
	WhyUnknown     = "unknown"      // prove first: the write may have been done
	WhyHeld        = "held"         // evidence waits for the authority
	WhyHostDown    = "host-down"    // needs the host
	WhyLocked      = "locked"       // somebody else works on it
	WhyAlreadyBack = "already-back" // the money is on its way back
)

// DeskCard is what the card on the desk reader says.
type DeskCard struct {
	Number  string
	Family  string
	Balance money.Fen
	Counter uint32
	Expiry  string        // YYYYMMDD
	Log     []HistoryLine // newest first
	Refused Reason        // why it cannot be loaded, "" if it can
	Sale    string        // the open sale that belongs to it, "" if none
	Verdict *DeskVerdict  // what is known so far about that sale's write
}

// DeskVerdict is what the evidence says.
type DeskVerdict struct {
	Outcome entry.Outcome
	By      string // "tac", "log", "counter", "ledger", when decided
}

// DeskAction is what a cashier pressed. The page fills Who from the login.
type DeskAction struct {
	Sale string
	Rev  uint64
	Name string
	Who  string
}

// What came of an action: keys [desk.result.KEY].
const (
	ResultWritten      = "written"
	ResultAlreadyThere = "already-there"
	ResultNotThere     = "not-there"
	ResultStillUnknown = "still-unknown"
	ResultMoneyBack    = "money-back"
	ResultHandedOver   = "handed-over"
	ResultProposed     = "proposed" // a decision waits for a second person
	ResultDecided      = "decided"
	ResultCardRefused  = "card-refused"
	ResultNoAnswer     = "no-answer"
	ResultCardGone     = "card-gone"
	ResultStale        = "stale"
)

// DeskResult is what came of the last action, and the text of a slip.
type DeskResult struct {
	Name       string // the action
	Result     string // one of the constants above
	Sale       string
	Claim      string
	CardNumber string
	Amount     money.Fen
	OldBalance *money.Fen
	NewBalance *money.Fen
	BankCard   string // masked
	RRN        string
	Who        string
	At         time.Time
}

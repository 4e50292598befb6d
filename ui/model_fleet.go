package ui

import (
	"time"

	"buka/internal/money"
)

// Fleet is what the operator's page needs of the host.
type Fleet interface {
	State() FleetState
	Subscribe(changed func()) (cancel func())
	// Do takes what an operator pressed about a case or an alarm, and returns when
	// it is durable. A refusal with words is a *Told; what has changed meanwhile
	// is ErrStale.
	Do(FleetAction) error
}

// FleetAction is what an operator pressed. The page fills Who from the login.
type FleetAction struct {
	Sale     string // of a case
	Name     string
	Who      string
	From, To int64 // FleetAcknowledge: the new alarms with these numbers, both included
}

// FleetAcknowledge says that a person has seen alarms. Nothing else comes of it.
const FleetAcknowledge = "acknowledge"

// FleetAlarm is an event that people shall look at.
type FleetAlarm struct {
	ID         int64
	Kiosk      string
	Kind       string // keys [fleet.alarm.KEY]: risk, long, conflict, batch, journal
	Detail     string // the rule, the batch's number, or what is wrong with the journal
	Claim      string // "" without a sale
	CardNumber string
	Amount     money.Fen
	At         time.Time
	By         string // who has acknowledged it, "" if nobody
	Seen       time.Time
}

// What two operators may decide about a case, one after the other, each with a
// login of their own: keys [fleet.act.NAME].
const (
	FleetReturn = "return" // the money goes back to the bank card
	FleetDecide = "decide" // settled outside: nothing is written and no money moves any more
)

// FleetCase is value that the host owns, paid and not known to be on its card.
// Any kiosk finishes it when the card comes; people may end it.
type FleetCase struct {
	Sale       string
	Claim      string
	CardNumber string
	Amount     money.Fen
	Since      time.Time
	Kiosk      string // that had it, "" if it was paid elsewhere
	Origin     string // remote, lost or handed-over: keys [fleet.origin.KEY]
	Disputed   bool   // the bank and the kiosk contradict each other
	InDoubt    bool   // a write of it may have been done: no money goes back
	Working    bool   // a kiosk is working on it now
	Proposal   string // an action that one person has proposed, "" if none
	ProposedBy string
}

// Kept is how a kiosk keeps its journal. A zero time means not yet.
type Kept struct {
	Verified      time.Time // the whole journal was read
	VerifiedSeq   uint64    // so many entries
	VerifyFailed  bool
	Backup        time.Time // of all directories, the one that is furthest behind
	BackupSeq     uint64
	BackupFailed  bool
	ArchivedSeq   uint64 // entries up to here are in archives
	Bytes         int64  // size of the file
	FreePercent   int    // of its pages
	TidyFailed    bool   // archiving or compacting
	RestoredStart bool   // a damaged journal was set aside at this start and a backup restored
}

// RiskStruck is how often rules of risk struck at a kiosk today, and the last one.
type RiskStruck struct {
	Alarms, Cashier, Refused int
	Rule                     string
	Outcome                  string // keys [fleet.risk.KEY]: alarm, cashier, refuse; "": another
	At                       time.Time
}

// FleetState is every kiosk that the host knows.
type FleetState struct {
	Kiosks []Kiosk
	Cases  []FleetCase // oldest first
	// Alarms are the newest of all kiosks: new ones first, then acknowledged ones.
	Alarms    []FleetAlarm
	NewAlarms int // those that nobody has acknowledged, listed or not
	// Batches of all terminals at the payment host, newest first.
	Batches []FleetBatch
	Now     time.Time // the host's clock; the zero time means time.Now
}

// FleetBatch is one batch of a terminal, as both sides have counted it.
type FleetBatch struct {
	Terminal string
	Number   uint32
	State    string      // keys [fleet.batch.KEY]: open, uploading, balanced, differs
	Kiosk    BatchTotals // what the terminal said; zero while it is open
	Host     BatchTotals
	Settled  time.Time // zero while it is open
	Differs  []BatchDifference
}

// BatchTotals are payments that stand (debits) and refunds (credits).
type BatchTotals struct {
	Debit, Credit   money.Fen
	Debits, Credits uint32
}

// BatchDifference is what only one side has, or both with different amounts; a
// refund is negative.
type BatchDifference struct {
	Claim       string
	STAN        uint32
	Kiosk, Host money.Fen
}

// Kiosk is one kiosk as the host knows it. A zero time means never.
type Kiosk struct {
	ID           string
	Place        string
	Version      string
	LinkUp       bool
	LastSeen     time.Time // of the last heartbeat
	LastSync     time.Time // of the last committed batch of journal
	Owed         int       // obligations not yet committed at the host
	OldestOwed   time.Time
	LongBack     int    // of the owed ones, reversals and refunds that have been sent in vain for long
	Unshipped    uint64 // journal entries that the host does not have yet, as last heard
	OpenRewrites int
	Unresolved   int // unknown writes and conflicts
	JournalSeq   uint64
	Epoch        string // hex
	ChainOK      bool
	Kept         *Kept       // nil: not told
	Risk         *RiskStruck // rules of risk that struck today; nil: none
	Recovering   bool        // restored from a backup, and the host has not confirmed what is open
	ChainNote    string      // what is wrong with the chain, and since which entry
	Screen       ScreenName
	Devices      []DeviceState
	Alarms       []FleetAlarm // its newest: new ones first, then acknowledged ones
	NewAlarms    int
	Rewrites     []Rewrite     // open ones, oldest first
	Recent       []JournalLine // newest first
}

// DeviceState is one component. State is "ok", "degraded", "down" or
// "absent".
type DeviceState struct {
	Role  string // "transit", "bank", "desk", "pinpad", "printer", "journal", "switch", "authority", "clock", …
	Name  string
	State string
	Code  string // error code or a few words, "" if ok
	Since time.Time
}

// Rewrite is value that is paid for and not known to be on a card.
type Rewrite struct {
	Sale       string
	Claim      string
	CardNumber string
	Amount     money.Fen
	Since      time.Time
	State      string // as OpenSale.State
	Origin     string // "torn" or "remote"
	Owner      string // a kiosk's id or "host"
}

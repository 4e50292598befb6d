package ui

import (
	"time"

	"buka/internal/money"
)

// Fleet is what the operator's page needs of the host.
type Fleet interface {
	State() FleetState
	Subscribe(changed func()) (cancel func())
}

// FleetState is every kiosk that the host knows.
type FleetState struct {
	Kiosks []Kiosk
	Now    time.Time // the host's clock; the zero time means time.Now
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
	Unshipped    uint64 // journal entries that the host does not have yet, as last heard
	OpenRewrites int
	Unresolved   int // unknown writes and conflicts
	JournalSeq   uint64
	Epoch        string // hex
	ChainOK      bool
	ChainNote    string // what is wrong with the chain, and since which entry
	Screen       ScreenName
	Devices      []DeviceState
	Rewrites     []Rewrite     // open ones, oldest first
	Recent       []JournalLine // newest first
}

// DeviceState is one component. State is "ok", "degraded", "down" or
// "absent".
type DeviceState struct {
	Role  string // "transit", "bank", "desk", "pinpad", "printer", "journal", "switch", "clock", …
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

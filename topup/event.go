package topup

import (
	"buka/internal/entry"
	"buka/internal/money"
)

// Place is where a card is put: the passenger's reader or the cashier's.
type Place string

const (
	Front Place = "front"
	Desk  Place = "desk"
)

// Event is something that happened outside the core.
type Event interface{ event() }

// About the kiosk.
type (
	// Started is the first event after the journal was replayed.
	Started struct{ Version string }
	// SignedOn: the host answered a sign-on.
	SignedOn struct {
		Batch              uint32
		LastSTAN           uint32 // the highest that the host has seen in the batch
		HostAtMS, OffsetMS int64
	}
	// RestoreAnswered answers ConfirmRestore. OK: the host has answered, and no
	// payment or load that the kiosk asked for before can be approved any more.
	RestoreAnswered struct {
		OK    bool
		Facts entry.RestoreConfirmed // its STANs are not set yet
	}
	// RewritesKnown: these rewrites are open at the host, and any kiosk may
	// finish them.
	RewritesKnown struct{ Open []Remote }
	// SignOnFailed: it is tried again.
	SignOnFailed struct{}
	// SignOnAsked: a host wants a new sign-on, for new working keys.
	SignOnAsked struct{}
	// LinkChanged: a switch link is up when a request was just answered. Up:
	// that of the payment host and that of the load authority, which may be one.
	// Pay: the payment host's, whatever the authority's is.
	LinkChanged struct{ Up, Pay bool }
	// DeviceChanged: a reader or peripheral came or went. Names: transit,
	// bank, desk, pinpad.
	DeviceChanged struct {
		Name string
		OK   bool
		Why  string // message key
	}
	// TimerFired: a timer that SetTimer asked for. An old generation is
	// ignored.
	TimerFired struct {
		Name string
		Gen  uint64
	}
)

// About a card. Session numbers one presence of a card in a field: taken away
// and put back is another session.
type (
	CardPresented struct {
		Place   Place
		Session uint64
	}
	CardGone struct {
		Place   Place
		Session uint64
	}
	// CardRead answers ReadCard. ID is a fresh sale id, used if a sale opens.
	CardRead struct {
		Place   Place
		Session uint64
		ID      entry.SaleID
		Card    CardFacts
	}
	// CardFailed answers any command to a card that came to nothing before
	// the write: nothing was written.
	CardFailed struct {
		Place   Place
		Session uint64
		Sale    entry.SaleID
		Reason  string // message key; card-gone when the card left
	}
	// Probed answers ProbeCard.
	Probed struct {
		Place    Place
		Session  uint64
		Sale     entry.SaleID
		Attempt  entry.Attempt
		Answered bool   // the load authority answered
		Code     string // DE39
	}
	// LoadAnswered answers Load: INITIALIZE was done and the authority was
	// asked.
	LoadAnswered struct {
		Place   Place
		Session uint64
		Sale    entry.SaleID
		Attempt entry.Attempt // At is set when authorised
		Outcome entry.Outcome // Done: authorised; NotDone: refused, or never asked; Unknown: no answer
		Code    string
	}
	// SlotMoved answers Load: the counter is not the slot. Nothing was asked.
	SlotMoved struct {
		Place   Place
		Session uint64
		Sale    entry.SaleID
		Got     entry.Slot
	}
	// Wrote answers Write.
	Wrote struct {
		Place   Place
		Sale    entry.SaleID
		Outcome entry.Outcome
		SW      uint16
		TAC     entry.Hex
		Why     string
	}
	// Proved answers Prove: at most one proof, and the numbers that had none.
	Proved struct {
		Place   Place
		Session uint64
		Sale    entry.SaleID
		Proof   *entry.Proof
		NoProof []entry.Slot
	}
	// TACJudged answers VerifyTAC.
	TACJudged struct {
		Sale    entry.SaleID
		Proof   entry.Proof
		Opinion entry.Opinion // NoOpinion: no answer
	}
	// CounterJudged answers ProbeSlot.
	CounterJudged struct {
		Place   Place
		Session uint64
		Sale    entry.SaleID
		Counter entry.Counter
	}
)

// About a payment.
type (
	// TenderSeen: the bank card was read; the PIN is asked for next, if it wants
	// one.
	TenderSeen struct {
		Sale  entry.SaleID
		PAN   string // masked
		NoPIN bool
	}
	// TenderReady: everything that a payment request needs is in hand.
	TenderReady struct{ Sale entry.SaleID }
	// TenderFailed: nothing was sent. Reason is a message key.
	TenderFailed struct {
		Sale   entry.SaleID
		Reason string
	}
	// Paid answers Pay.
	Paid struct {
		Sale    entry.SaleID
		STAN    uint32
		Outcome entry.Outcome // Done: approved; NotDone: declined, or never sent
		Amount  money.Fen
		Code    string // DE39, or not-sent
		RRN     string
		Auth    string
		Chip    *entry.Chip // approved by chip: what the slip says of it
		Why     string
		BadMAC  bool // unknown, because the answer's MAC is wrong: the reversal says A0
		Refused bool // approved, and then the bank card said no or left (EMV second GENERATE AC): it goes back
	}
	// Sent answers Send. Answered is false when nothing valid came back.
	Sent struct {
		Duty     Duty
		Answered bool
		Code     string
	}
)

// About people.
type (
	Chosen struct {
		Sale   entry.SaleID
		Amount money.Fen
	}
	// Stopped: the passenger wants no more.
	Stopped struct{ Sale entry.SaleID }
	// MoreTime: the passenger is still there.
	MoreTime struct{ Sale entry.SaleID }
	// Dismissed: the passenger has read the last screen.
	Dismissed struct{ Sale entry.SaleID }
	// LanguageChosen lasts for one passenger.
	LanguageChosen struct{ Lang string }
	// DeskActed: the cashier pressed a button about a rewrite. Do is prove,
	// rewrite, withdraw, refund, hand-over, or decide- and a decision.
	DeskActed struct {
		Sale entry.SaleID
		Do   string
		Who  string
	}
)

// CardFacts is what reading a transit card showed.
type CardFacts struct {
	Card     entry.Card
	Observed entry.Observation
	Balance  money.Fen // as shown: T-Union's second slot taken off
	History  []entry.LogRecord
	Expiry   string // YYYYMMDD
	Refused  string // message key: why it cannot be topped up; "" if it can
}

func (Started) event()         {}
func (SignedOn) event()        {}
func (SignOnFailed) event()    {}
func (RestoreAnswered) event() {}
func (RewritesKnown) event()   {}
func (LinkChanged) event()     {}
func (SignOnAsked) event()     {}
func (DeviceChanged) event()   {}
func (TimerFired) event()      {}
func (CardPresented) event()   {}
func (CardGone) event()        {}
func (CardRead) event()        {}
func (CardFailed) event()      {}
func (Probed) event()          {}
func (LoadAnswered) event()    {}
func (SlotMoved) event()       {}
func (Wrote) event()           {}
func (Proved) event()          {}
func (TACJudged) event()       {}
func (CounterJudged) event()   {}
func (TenderSeen) event()      {}
func (TenderReady) event()     {}
func (TenderFailed) event()    {}
func (Paid) event()            {}
func (Sent) event()            {}
func (Chosen) event()          {}
func (Stopped) event()         {}
func (MoreTime) event()        {}
func (Dismissed) event()       {}
func (SettleAsked) event()     {}
func (Settled) event()         {}
func (Uploaded) event()        {}
func (AnsweredLate) event()    {}
func (RiskJudged) event()      {}
func (LanguageChosen) event()  {}
func (DeskActed) event()       {}

// About the batch, and about a payment beside its answer.
type (
	// SettleAsked: it is time to close the batch; Who is a person, or "schedule".
	SettleAsked struct{ Who string }
	// Settled is the host's answer to the totals.
	Settled struct {
		Batch    uint32
		Answered bool
		Code     string
		Balanced bool
	}
	// Uploaded is the host's answer to the last message of an upload.
	Uploaded struct {
		Batch    uint32
		Answered bool
		Code     string
		Differs  []entry.Difference
	}
	// AnsweredLate is an answer to a payment after its time: it changes nothing
	// and is recorded.
	AnsweredLate struct {
		STAN, Batch uint32
		Code        string
		Amount      money.Fen
		RRN         string
	}
	// RiskJudged says that a rule of the operator's struck at a payment.
	RiskJudged struct {
		Sale          entry.SaleID
		Rule, Outcome string // alarm, refuse or cashier
	}
)

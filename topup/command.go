package topup

import (
	"bytes"

	"buka/internal/entry"
	"buka/internal/money"
)

// Command is something to do once the entries before it are durable. Every
// command is answered by events; what each may do to card or host is said here.
type Command interface{ command() }

// To a card.
type (
	// ReadCard selects the purse and reads number, dates, balance, log and,
	// last, what INITIALIZE might wipe. Answer: CardRead or CardFailed.
	ReadCard struct {
		Place   Place
		Session uint64
	}
	// ProbeCard does INITIALIZE for the amount and asks the authority whether
	// it will load. Answer: Probed or CardFailed.
	ProbeCard struct {
		Place       Place
		Session     uint64
		Sale        entry.SaleID
		Card        entry.Card
		Amount      money.Fen
		STAN, Batch uint32
	}
	// Load does INITIALIZE, compares the counter with the slot and asks for
	// the authorisation. The card stays in its transaction for Write. Answer:
	// LoadAnswered, SlotMoved or CardFailed.
	Load struct {
		Place       Place
		Session     uint64
		Sale        entry.SaleID
		Card        entry.Card
		Slot        entry.Slot
		Amount      money.Fen
		STAN, Batch uint32
	}
	// Write sends the one command that changes the purse, once, if the load
	// that is held is the one that was announced. Answer: Wrote.
	Write struct {
		Place   Place
		Session uint64
		Sale    entry.SaleID
		Random  entry.Hex // of the INITIALIZE that was announced
	}
	// Prove asks the card for proofs of these numbers until one answers.
	// Answer: Proved or CardFailed.
	Prove struct {
		Place   Place
		Session uint64
		Sale    entry.SaleID
		Card    entry.Card
		Numbers []entry.Slot
	}
	// ProbeSlot does INITIALIZE with a random terminal id and has the
	// authority verify the answer. Answer: CounterJudged or CardFailed.
	ProbeSlot struct {
		Place       Place
		Session     uint64
		Sale        entry.SaleID
		Attempt     entry.Attempt
		STAN, Batch uint32
	}
	// ReleaseCard ends whatever is held of a card.
	ReleaseCard struct{ Place Place }
)

// Announces says whether this write is of the load that a worker holds. A card
// that bounces may have been initialised once more in between: its record and
// TAC would then not be those of the journal's attempt.
func (w Write) Announces(sale entry.SaleID, held entry.Attempt) bool {
	return w.Sale == sale && bytes.Equal(w.Random, held.Random)
}

// To the bank card, the PIN pad and the hosts.
type (
	// TakeTender asks for the means of payment. Answer: TenderSeen and then
	// TenderReady, or TenderFailed.
	TakeTender struct {
		Sale   entry.SaleID
		Amount money.Fen
	}
	// RetryPIN asks for the PIN of the same card again. Answer: TenderReady
	// or TenderFailed.
	RetryPIN struct {
		Sale   entry.SaleID
		Amount money.Fen
	}
	// DropTender forgets the means of payment and cancels what it waits for.
	DropTender struct{ Sale entry.SaleID }
	// Pay sends the payment request, once. Answer: Paid.
	Pay struct {
		Sale        entry.SaleID
		Card        entry.Card
		Slot        entry.Slot
		Amount      money.Fen
		STAN, Batch uint32
	}
	// VerifyTAC asks the authority whether a TAC is about the attempt.
	// Answer: TACJudged.
	VerifyTAC struct {
		Sale        entry.SaleID
		Attempt     entry.Attempt
		Proof       entry.Proof
		STAN, Batch uint32
	}
	// Send delivers what is owed; a repeat has the same key. Answer: Sent.
	Send struct {
		Duty   Duty
		Sale   Sale // as it is now
		Repeat bool
		Why    string // reversal reason: 98, 06
	}
	// SignOn asks the host for batch and time. Answer: SignedOn and
	// LinkChanged.
	SignOn struct{ STAN uint32 }
	// Settle sends the totals of a batch that is closed here. Answer: Settled.
	Settle struct {
		STAN, Batch uint32
		Totals      entry.Totals
		Repeat      bool
	}
	// Upload sends every payment and refund of a batch that did not balance,
	// from the journal, under the settlement's STAN. Answer: Uploaded.
	Upload struct{ STAN, Batch uint32 }
	// ConfirmRestore asks the fleet host what it knows of these open sales, once
	// it has the whole restored journal. Answer: RestoreAnswered.
	ConfirmRestore struct{ Open []entry.SaleID }
)

// SetTimer asks for TimerFired{Name, Gen}; it replaces an older one of that
// name. AfterMS 0 stops it.
type SetTimer struct {
	Name    string
	Gen     uint64
	AfterMS int64
}

// DutyKind is a kind of message that a kiosk owes a host.
type DutyKind string

const (
	Reversal     DutyKind = "reversal"
	Confirmation DutyKind = "confirmation"
	Void         DutyKind = "void"
	Refund       DutyKind = "refund"
)

// Duty names one obligation on the switch link. It is derived from the
// journal and ends only with the entry of its acknowledgement.
type Duty struct {
	Kind DutyKind
	Sale entry.SaleID
	STAN uint32 // of the message; a reversal has the payment's
}

func (ReadCard) command()       {}
func (ProbeCard) command()      {}
func (Load) command()           {}
func (Write) command()          {}
func (Prove) command()          {}
func (ProbeSlot) command()      {}
func (ReleaseCard) command()    {}
func (TakeTender) command()     {}
func (RetryPIN) command()       {}
func (DropTender) command()     {}
func (Pay) command()            {}
func (VerifyTAC) command()      {}
func (Send) command()           {}
func (SignOn) command()         {}
func (ConfirmRestore) command() {}
func (Settle) command()         {}
func (Upload) command()         {}
func (SetTimer) command()       {}

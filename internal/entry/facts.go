package entry

import (
	"encoding/hex"
	"fmt"

	"buka/internal/money"
)

// Outcome of anything that touches a card or a host. The zero value is
// Unknown, so that nothing is done or not done by omission.
type Outcome uint8

const (
	Unknown Outcome = iota
	Done
	NotDone
)

func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case NotDone:
		return "not done"
	}
	return "unknown"
}

// SaleID names one sale for ever: 16 letters of Crockford base 32 (80 random
// bits), made before the sale is opened.
type SaleID string

// Claim is the number a passenger is given: the first eight letters in two
// groups, as printed and read aloud.
func (id SaleID) Claim() string {
	if len(id) < 8 {
		return string(id)
	}
	return string(id[:4]) + "-" + string(id[4:8])
}

// Hex is a byte string that people read as hex digits.
type Hex []byte

func (h Hex) String() string { return hex.EncodeToString(h) }

// MarshalText gives lower case hex digits, for JSON.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads hex digits.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("not hex digits: %w", err)
	}
	*h = b
	return nil
}

// Card names a transit card: its family and its number (T-Union: 19 digits).
type Card struct {
	Family string `cbor:"1,keyasint" json:"family"`
	Number string `cbor:"2,keyasint" json:"number"`
}

// Stamp is the date and time that go into a load, local to the issuer:
// YYYYMMDDHHMMSS, 14 digits. It comes from the authority, not from our clock.
type Stamp string

// Slot is the value of a card's load counter that a load fills.
type Slot uint32

// LogRecord is one line of the card's own transaction log (PBOC EF18).
type LogRecord struct {
	Number   Slot      `cbor:"1,keyasint" json:"number"`   // as the card wrote it: N or N+1
	Type     uint8     `cbor:"2,keyasint" json:"type"`     // 02 load, 06 purchase, 09 compound purchase
	Amount   money.Fen `cbor:"3,keyasint" json:"amount"`   // fen
	Terminal Hex       `cbor:"4,keyasint" json:"terminal"` // 6 bytes
	At       Stamp     `cbor:"5,keyasint" json:"at"`
}

// Same says whether two records are equal in every field.
func (r LogRecord) Same(o LogRecord) bool {
	return r.Number == o.Number && r.Type == o.Type && r.Amount == o.Amount &&
		string(r.Terminal) == string(o.Terminal) && r.At == o.At
}

// Proof is an answer of GET TRANSACTION PROVE for a load. It says nothing by
// itself: only the authority can tell which load its TAC belongs to.
type Proof struct {
	Asked Slot `cbor:"1,keyasint" json:"asked"` // number that was asked for
	TAC   Hex  `cbor:"2,keyasint" json:"tac"`   // 4 bytes
}

// Same says whether two proofs carry the same TAC for the same number.
func (p Proof) Same(o Proof) bool { return p.Asked == o.Asked && string(p.TAC) == string(o.TAC) }

// Observation is what a card showed before anything could wipe it.
type Observation struct {
	Balance money.Fen   `cbor:"1,keyasint" json:"balance"`
	Log     []LogRecord `cbor:"2,keyasint,omitempty" json:"log,omitempty"`     // newest first, loads only
	Proofs  []Proof     `cbor:"3,keyasint,omitempty" json:"proofs,omitempty"`  // answers, in order of asking
	NoProof []Slot      `cbor:"4,keyasint,omitempty" json:"noProof,omitempty"` // numbers asked without an answer
}

// Attempt is one try to fill a slot: everything that an authority needs to
// say whether a TAC or a record is about it.
type Attempt struct {
	Card       Card      `cbor:"1,keyasint" json:"card"`
	Slot       Slot      `cbor:"2,keyasint" json:"slot"`       // counter that INITIALIZE returned, N
	OldBalance money.Fen `cbor:"3,keyasint" json:"oldBalance"` // fen, before the write
	Amount     money.Fen `cbor:"4,keyasint" json:"amount"`     // fen
	Terminal   Hex       `cbor:"5,keyasint" json:"terminal"`   // 6 bytes
	KeyVersion uint8     `cbor:"6,keyasint" json:"keyVersion"`
	Algorithm  uint8     `cbor:"7,keyasint" json:"algorithm"`
	Random     Hex       `cbor:"8,keyasint" json:"random"` // 4 bytes, the card's
	MAC1       Hex       `cbor:"9,keyasint" json:"mac1"`   // 4 bytes
	At         Stamp     `cbor:"10,keyasint,omitempty" json:"at,omitempty"`
	STAN       uint32    `cbor:"11,keyasint" json:"stan"` // of the authorisation
}

// NewBalance is the purse after the write, in fen.
func (a Attempt) NewBalance() money.Fen { return a.OldBalance + a.Amount }

// Opinion is what an authority said about something that it was asked to
// verify. The zero value means that nobody has been asked, or nobody answered.
type Opinion uint8

const (
	NoOpinion Opinion = iota
	Verified          // it is about this attempt
	Rejected          // it is not about this attempt
)

// Ledger is what the host's slot ledger says about a slot that is filled.
type Ledger uint8

const (
	LedgerSilent Ledger = iota // not asked, or others may load this card too
	LedgerOnly                 // this attempt is the only one ever authorised for the slot, and the host is the card's only authority
	LedgerOthers               // other attempts were authorised for the slot
)

// Counter is a probing INITIALIZE that the authority has looked at.
type Counter struct {
	Value  Slot    `cbor:"1,keyasint" json:"value"`
	MAC1   Opinion `cbor:"2,keyasint" json:"mac1"`  // over a random challenge of ours
	Fresh  bool    `cbor:"3,keyasint" json:"fresh"` // (card, counter, random) never seen before
	Ledger Ledger  `cbor:"4,keyasint" json:"ledger"`
}

// Evidence is all that is known about one unknown write.
type Evidence struct {
	SameCard  bool        `cbor:"1,keyasint" json:"sameCard"`
	Seen      Observation `cbor:"2,keyasint" json:"seen"`
	Before    []LogRecord `cbor:"3,keyasint,omitempty" json:"before,omitempty"` // records that were there before the attempt
	ProofSays []Opinion   `cbor:"4,keyasint,omitempty" json:"proofSays,omitempty"`
	Counter   *Counter    `cbor:"5,keyasint,omitempty" json:"counter,omitempty"`
}

// Step is what a Judge wants next when the evidence does not decide.
type Step uint8

const (
	StepNothing   Step = iota // decided, or nothing more can be learnt here
	StepVerify                // have the authority verify the first proof without an opinion
	StepProve                 // ask the card for a proof of N+1, then N
	StepProbe                 // a probing INITIALIZE, verified by the authority
	StepWaitCard              // another card: wait for the right one
	StepAuthority             // the authority must answer first
)

// Verdict of a Judge about an unknown write.
type Verdict struct {
	Outcome Outcome
	By      string // tac, log, counter or ledger, when decided
	Next    Step
}

package topup

import (
	"buka/internal/entry"
	"buka/internal/money"
	"maps"
	"slices"
)

// Durable is what a journal says: the state that a restart rebuilds. It is
// changed by Apply alone.
type Durable struct {
	Kiosk     string                `cbor:"1,keyasint"`
	Epoch     entry.Hex             `cbor:"2,keyasint"`
	Batch     uint32                `cbor:"3,keyasint"` // open at the host; 0 before the first sign-on
	STANUntil uint32                `cbor:"4,keyasint"` // every STAN count up to here may be in use
	Opened    uint64                `cbor:"5,keyasint"` // sales ever opened
	Sales     map[entry.SaleID]Sale `cbor:"6,keyasint"` // those that are not closed

	// Unconfirmed: the journal was restored, and the host has not said yet what
	// became of what is open here.
	Unconfirmed bool   `cbor:"7,keyasint,omitempty"`
	RestoredWhy string `cbor:"8,keyasint,omitempty"` // what was found wrong then; for people
	OffsetMS    int64  `cbor:"9,keyasint,omitempty"` // host clock minus ours when the host last told it; for people

	Batches     map[uint32]Batch `cbor:"10,keyasint,omitempty"` // those that are not settled, by number
	LastSettled uint32           `cbor:"11,keyasint,omitempty"` // number of the last batch that was; never paid in again
	BatchesEver uint64           `cbor:"12,keyasint,omitempty"`
	Late        []LateAnswer     `cbor:"13,keyasint,omitempty"` // recorded last, oldest first; never changed in place
}

// PayState says where the money of a sale is.
type PayState uint8

const (
	PayNone      PayState = iota
	PayStarted            // the request may have left
	PayDeclined           // no money moved
	PayUnknown            // a reversal is owed or was committed
	PayApproved           // the money is here
	PayWithdrawn          // it goes back: a reversal is owed
	PayReversed           // it went back, committed at the host
)

// WriteState says where the value of a sale is.
type WriteState uint8

const (
	WriteNone       WriteState = iota
	WriteRequested             // the authority is being asked
	WriteAuthorised            // it gave a MAC2
	WriteStarted               // the write may have left
	WriteUnknown               // evidence first
	WriteRefused               // not written; the attempt is dead
	WriteDisproven             // not written, shown; the attempt is dead
	WriteDone                  // on the card
)

// OwedVoid is an authorisation that will not be used.
type OwedVoid struct {
	STAN    uint32        `cbor:"1,keyasint"` // of the void message
	Attempt entry.Attempt `cbor:"2,keyasint"`
}

// Sale is one sale as the journal has it. Its slices are never changed in
// place, so that a copy of the value is a copy.
type Sale struct {
	ID     entry.SaleID `cbor:"1,keyasint"`
	Order  uint64       `cbor:"2,keyasint"` // of opening
	Card   entry.Card   `cbor:"3,keyasint"`
	Amount money.Fen    `cbor:"4,keyasint"`

	Pay      PayState `cbor:"5,keyasint"`
	Tender   string   `cbor:"6,keyasint"`
	PaySTAN  uint32   `cbor:"7,keyasint"`
	PayBatch uint32   `cbor:"8,keyasint"`
	PAN      string   `cbor:"9,keyasint"` // masked
	RRN      string   `cbor:"10,keyasint"`
	Auth     string   `cbor:"11,keyasint"`

	Write       WriteState        `cbor:"12,keyasint"`
	Slot        entry.Slot        `cbor:"13,keyasint"`
	Attempt     entry.Attempt     `cbor:"14,keyasint"`
	Attempts    uint32            `cbor:"15,keyasint"` // writes started
	ConfirmSTAN uint32            `cbor:"16,keyasint"`
	VoidSTAN    uint32            `cbor:"17,keyasint"` // for the attempt, should it come to nothing
	TAC         entry.Hex         `cbor:"18,keyasint"`
	Before      entry.Observation `cbor:"19,keyasint"` // of the card, before our first INITIALIZE
	Proofs      []entry.Proof     `cbor:"20,keyasint"` // held for the attempt
	ProofSays   []entry.Opinion   `cbor:"21,keyasint"`

	OweReversal bool       `cbor:"22,keyasint"`
	OweConfirm  bool       `cbor:"23,keyasint"`
	OweVoids    []OwedVoid `cbor:"24,keyasint"`

	ExpectAbsent bool `cbor:"25,keyasint"` // the host denied an unknown payment
	Conflict     bool `cbor:"26,keyasint"` // a case for people
	HandedOver   bool `cbor:"27,keyasint"` // the host's
	Decided      bool `cbor:"28,keyasint"` // by two people; bars any write

	DoneBy string `cbor:"29,keyasint"` // card, tac, log or ledger

	Remote      bool   `cbor:"30,keyasint,omitempty"` // the host's rewrite, taken while its card is here
	OweRefund   bool   `cbor:"31,keyasint,omitempty"`
	RefundSTAN  uint32 `cbor:"32,keyasint,omitempty"`
	RefundBatch uint32 `cbor:"33,keyasint,omitempty"`
	Proposal    string `cbor:"34,keyasint,omitempty"` // a decision that one person has proposed
	ProposedBy  string `cbor:"35,keyasint,omitempty"`
	Settled     bool   `cbor:"36,keyasint,omitempty"` // the host's copy of the journal has it closed
	Unseen      bool   `cbor:"37,keyasint,omitempty"` // what the card's log held before the attempt is not known here

	Paid     money.Fen `cbor:"38,keyasint,omitempty"` // approved, and not known to be reversed: a debit of PayBatch
	PaidBack money.Fen `cbor:"39,keyasint,omitempty"` // by a refund: a credit of RefundBatch
	Long     bool      `cbor:"40,keyasint,omitempty"` // the reversal has been owed for so long that people know
	BadMAC   bool      `cbor:"41,keyasint,omitempty"` // the payment's answer had a wrong MAC: its reversal says A0
}

// Offered says that the money is here, the card is not written and nothing is
// unknown: the value may be written, or the money given back.
func (s Sale) Offered() bool {
	return s.Pay == PayApproved && !s.HandedOver && !s.Decided && !s.Conflict && !s.Settled &&
		(s.Write == WriteNone || s.Write == WriteRefused || s.Write == WriteDisproven)
}

// MayHandOver says that the rewrite can be given to the host: nothing of it is
// under way, owed or held.
func (s Sale) MayHandOver() bool {
	_, held := s.Held()
	return s.Pay == PayApproved && !s.HandedOver && !s.Decided && !s.Settled && !s.Conflict && len(s.Duties()) == 0 && !held &&
		(s.Offered() || s.Write == WriteUnknown)
}

// MayRefund says that the money may be given back by a refund: it is here, or
// the host contradicted its reversal, and the value is surely not on the card.
// A payment of which nobody ever knew whether it was made is refunded when its
// batch is settled: then it is known what there is to refund.
func (s Sale) MayRefund() bool {
	if s.Remote || s.HandedOver || s.Decided || s.OweReversal || s.OweRefund || s.Pay == PayUnknown {
		return false
	}
	return s.Offered() || s.Conflict && (s.Write == WriteNone || s.Write == WriteRefused || s.Write == WriteDisproven)
}

// MayDecide says that two people may decide: money is in question, nothing is
// under way and no evidence waits for its verdict.
func (s Sale) MayDecide() bool {
	_, held := s.Held()
	switch {
	case s.Remote || s.HandedOver || s.Decided || s.OweReversal || s.OweRefund || held:
		return false
	case s.Conflict:
		return true
	}
	return s.Offered() || s.Write == WriteUnknown
}

// MayDecideFor says that two people may decide so.
func (s Sale) MayDecideFor(decision string) bool {
	return slices.Contains(Decisions(), decision) && s.MayDecide() && (decision != Refunded || s.Pay != PayUnknown)
}

// Mine says that a write of this kiosk is the unknown one.
func (s Sale) Mine() bool { return s.Write == WriteUnknown && s.Attempts > 0 }

// Unresolved says that nobody knows yet whether the write was done.
func (s Sale) Unresolved() bool {
	return (s.Write == WriteStarted || s.Write == WriteUnknown) && !s.HandedOver && !s.Decided
}

// Rewrite says that value is paid for and not known to be on the card.
func (s Sale) Rewrite() bool {
	return s.Pay == PayApproved && s.Write != WriteDone && !s.HandedOver && !s.Decided
}

// otherUnresolved says that nobody knows about another sale's write to the same
// card: one more load there could be taken for it.
func (d Durable) otherUnresolved(s Sale) bool {
	for _, o := range d.Sales {
		if o.ID != s.ID && o.Card == s.Card && o.Unresolved() {
			return true
		}
	}
	return false
}

// Held gives the first proof that the authority has not judged yet.
func (s Sale) Held() (entry.Proof, bool) {
	for i, p := range s.Proofs {
		if s.ProofSays[i] == entry.NoOpinion {
			return p, true
		}
	}
	return entry.Proof{}, false
}

// owesBack says that money is owed back: by a reversal or by a refund.
func (s Sale) owesBack() bool { return s.OweReversal || s.OweRefund }

// Finished says that nothing is open and nothing is owed: the sale may close.
func (s Sale) Finished() bool {
	if s.OweReversal || s.OweConfirm || len(s.OweVoids) > 0 {
		return false
	}
	switch {
	case s.OweRefund:
		return false
	case s.Settled:
		return true
	case s.Conflict && !s.Decided, s.ExpectAbsent && !s.Decided && !s.HandedOver:
		return false
	case s.HandedOver, s.Decided, s.Write == WriteDone, s.Pay == PayReversed:
		return true
	}
	return s.Pay == PayNone || s.Pay == PayDeclined
}

// Duties lists what the sale owes on the switch link.
func (s Sale) Duties() []Duty {
	var list []Duty
	if s.OweReversal {
		list = append(list, Duty{Reversal, s.ID, s.PaySTAN})
	}
	if s.OweConfirm {
		list = append(list, Duty{Confirmation, s.ID, s.ConfirmSTAN})
	}
	for _, v := range s.OweVoids {
		list = append(list, Duty{Void, s.ID, v.STAN})
	}
	if s.OweRefund {
		list = append(list, Duty{Refund, s.ID, s.RefundSTAN})
	}
	return list
}

// InOrder gives the open sales, oldest first.
func (d Durable) InOrder() []Sale {
	if len(d.Sales) == 0 {
		return nil
	}
	list := make([]Sale, 0, len(d.Sales))
	for _, s := range d.Sales {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Sale) int { return int(int64(a.Order) - int64(b.Order)) })
	return list
}

// Owed counts the obligations on the switch link.
func (d Durable) Owed() int {
	n := 0
	for _, s := range d.Sales {
		n += len(s.Duties())
	}
	return n
}

// Rewrites counts what is paid for and not known to be on a card.
func (d Durable) Rewrites() int {
	n := 0
	for _, s := range d.Sales {
		if s.Rewrite() {
			n++
		}
	}
	return n
}

// Clone gives a state that can be changed without the other noticing.
func (d Durable) Clone() Durable {
	d.Sales, d.Batches = maps.Clone(d.Sales), maps.Clone(d.Batches)
	return d
}

// Encode gives the canonical encoding: equal states have equal bytes.
func (d Durable) Encode() ([]byte, error) { return entry.Marshal(d) }

// Decode reads what Encode wrote.
func Decode(data []byte) (Durable, error) {
	var d Durable
	err := entry.Unmarshal(data, &d)
	if d.Sales == nil {
		d.Sales = map[entry.SaleID]Sale{}
	}
	return d, err
}

package switchlink

import (
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
)

// Kind is what a request asks for.
type Kind uint8

// Kinds of requests.
const (
	KindNone Kind = iota
	KindSignOn
	KindEcho
	KindEligible
	KindAuthorise
	KindVerifyTAC
	KindVerifyCounter
	KindQuery
	KindPay
	KindReverse
	KindConfirm
	KindVoid
	KindRefund
	KindSettle // 0500: totals of a batch
	KindUpload // 0320: one payment of a batch that did not balance
	KindScript // 0620: what became of issuer scripts
)

// kindNames are also the names of messages in a spec file.
var kindNames = map[Kind]string{
	KindSignOn:        "sign-on",
	KindEcho:          "echo",
	KindEligible:      "eligibility",
	KindAuthorise:     "load authorisation",
	KindVerifyTAC:     "verify TAC",
	KindVerifyCounter: "verify counter",
	KindQuery:         "payment query",
	KindPay:           "payment",
	KindReverse:       "reversal",
	KindConfirm:       "load confirmation",
	KindVoid:          "load void",
	KindRefund:        "refund",
	KindSettle:        "settlement",
	KindUpload:        "batch upload",
	KindScript:        "script result",
}

func kindNamed(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return k, true
		}
	}
	return KindNone, false
}

func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return "no request"
}

// MTI is that of a kind's first sending, such as 0200.
func (s *Spec) MTI(k Kind) string { return s.shapes[k].mti }

// AnswerMTI is that of a kind's answer, such as 0210.
func (s *Spec) AnswerMTI(k Kind) string { return answerMTI(s.shapes[k].mti) }

// AnswerMTI is that of the kind's answer in the UnionPay spec, such as 0210. Its
// class and function name a kind's place in a host's ledger.
func (k Kind) AnswerMTI() string { return UnionPay().AnswerMTI(k) }

// original is the kind that a kind finishes, undoes or asks about.
func (k Kind) original() Kind {
	switch k {
	case KindReverse, KindQuery, KindUpload, KindScript:
		return KindPay
	case KindConfirm, KindVoid:
		return KindAuthorise
	}
	return KindNone
}

// originalSTAN is that of the original.
func (r *Request) originalSTAN() uint32 {
	switch r.Kind {
	case KindConfirm, KindVoid:
		return r.Attempt.STAN
	case KindUpload, KindScript:
		return r.OrigSTAN
	}
	return r.STAN
}

// carriesLoad says whether DE58 holds an attempt.
func (k Kind) carriesLoad() bool {
	switch k {
	case KindEligible, KindAuthorise, KindVerifyTAC, KindVerifyCounter, KindConfirm, KindVoid:
		return true
	}
	return false
}

// carriesAmount says whether DE4 is present.
func (k Kind) carriesAmount() bool { return k != KindSignOn && k != KindEcho && k != KindSettle }

// numbered says whether the request has an exchange number: those that may be
// asked again under one STAN with another answer.
func (k Kind) numbered() bool {
	switch k {
	case KindEligible, KindAuthorise, KindVerifyTAC, KindVerifyCounter, KindQuery, KindUpload:
		return true
	}
	return false
}

// Request is any request, decoded. Which fields are set depends on its Kind.
type Request struct {
	Kind     Kind
	Repeat   bool // sent before; in what came, the MTI said so, which not every spec does
	Terminal string
	Merchant string
	STAN     uint32
	Batch    uint32
	Sent     time.Time // the terminal's clock, for specs that carry it; may be zero
	Net      string    // network management code of a sign-on, as it was asked
	Exchange uint32    // 0: none; echoed in the answer
	Sale     entry.SaleID
	Amount   money.Fen

	Attempt entry.Attempt
	Probe   entry.Attempt
	Proof   entry.Proof // of verify TAC; a confirmation's TAC
	By      string

	Card      entry.Card
	Slot      entry.Slot
	PAN       string
	Expiry    string
	Track2    string
	PSN       string
	EntryMode string
	PIN       *pin.Sealed // nil: none was entered. Wiped when the request is over

	Reason    string
	RRN, Auth string

	OrigSTAN, OrigBatch uint32 // of the payment that a refund or an upload is about

	ICC    []byte       // DE55: BER-TLV of the chip
	Totals entry.Totals // of a settlement
	Credit bool         // of an upload: a refund, not a payment
	Index  uint32       // of an upload: 1, 2, …
	Last   bool         // of an upload: the batch is complete (60.3 = 207)

	page uint32 // of the differences that the answer is to hold, from 0
}

// Response is any answer. Which fields are set depends on the request's Kind.
// It holds no secret.
type Response struct {
	Code     string             `json:"code"`
	At       time.Time          `json:"at"` // the host's clock: DE12 and DE13
	Amount   money.Fen          `json:"amount,omitempty"`
	RRN      string             `json:"rrn,omitempty"`
	Auth     string             `json:"auth,omitempty"`
	Batch    uint32             `json:"batch,omitempty"`
	LastSTAN uint32             `json:"lastStan,omitempty"`
	Keys     []byte             `json:"-"` // working keys, enciphered (DE62); never stored with an answer
	MAC2     entry.Hex          `json:"mac2,omitempty"`
	Stamp    entry.Stamp        `json:"stamp,omitempty"`
	Opinion  entry.Opinion      `json:"opinion,omitempty"`
	Counter  entry.Counter      `json:"counter"`
	ICC      []byte             `json:"icc,omitempty"`      // DE55: ARPC (91) and scripts (71, 72)
	Balanced bool               `json:"balanced,omitempty"` // of a settlement or a closed upload
	Differs  []entry.Difference `json:"differs,omitempty"`  // of a closed upload: all of them

	pages uint32 // of differences; a message holds one
}

// emptyEnd says that the request is the last upload of a batch of which the kiosk
// has nothing: it is about no sale.
func (r *Request) emptyEnd() bool { return r.Kind == KindUpload && r.Last && r.Amount == 0 }

// answerMTI gives the MTI of the answer: the function goes up by one, the origin
// digit back to the acquirer (0221 gives 0230).
func answerMTI(mti string) string {
	if len(mti) != 4 {
		return ""
	}
	return mti[:2] + string(mti[2]+1) + "0"
}

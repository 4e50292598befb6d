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
)

// shape is how a kind looks on the wire.
type shape struct {
	name    string
	mti     string // of the first sending
	code    string // DE3, "" if absent
	cond    string // DE25
	type601 string // DE60.1
	net603  string // DE60.3
}

// shapes are the table of docs/protocols/switch.md. Processing codes from 90
// upwards are ours: ISO 8583 leaves them to private use.
var shapes = map[Kind]shape{
	KindSignOn:        {"sign-on", "0800", "", "", "00", "001"},
	KindEcho:          {"echo", "0820", "", "", "00", "301"},
	KindEligible:      {"eligibility", "0100", "900000", "91", "40", "000"},
	KindAuthorise:     {"load authorisation", "0100", "910000", "91", "40", "000"},
	KindVerifyTAC:     {"verify TAC", "0100", "940000", "91", "40", "000"},
	KindVerifyCounter: {"verify counter", "0100", "950000", "91", "40", "000"},
	KindQuery:         {"payment query", "0100", "960000", "00", "22", "000"},
	KindPay:           {"payment", "0200", "000000", "00", "22", "000"},
	KindReverse:       {"reversal", "0400", "000000", "00", "22", "000"},
	KindConfirm:       {"load confirmation", "0220", "920000", "91", "40", "000"},
	KindVoid:          {"load void", "0220", "930000", "91", "40", "000"},
}

func (k Kind) String() string {
	if s, ok := shapes[k]; ok {
		return s.name
	}
	return "no request"
}

// MTI is that of the first sending, such as 0200.
func (k Kind) MTI() string { return shapes[k].mti }

// AnswerMTI is that of the answer, such as 0210.
func (k Kind) AnswerMTI() string { return answerMTI(shapes[k].mti) }

// carriesLoad says whether DE58 holds an attempt.
func (k Kind) carriesLoad() bool {
	switch k {
	case KindEligible, KindAuthorise, KindVerifyTAC, KindVerifyCounter, KindConfirm, KindVoid:
		return true
	}
	return false
}

// carriesAmount says whether DE4 is present.
func (k Kind) carriesAmount() bool { return k != KindSignOn && k != KindEcho }

// Request is any request, decoded. Which fields are set depends on its Kind.
type Request struct {
	Kind     Kind
	Repeat   bool // the MTI's origin digit said so
	Terminal string
	Merchant string
	STAN     uint32
	Batch    uint32
	Exchange uint32 // 0: none; echoed in the answer of class 1 messages
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
	HasPIN    bool
	PINBlock  pin.Block
	KSN       pin.KSN

	Reason    string
	RRN, Auth string
}

// Response is any answer. Which fields are set depends on the request's Kind.
// It holds no secret.
type Response struct {
	Code     string        `json:"code"`
	At       time.Time     `json:"at"` // the host's clock: DE12 and DE13
	Amount   money.Fen     `json:"amount,omitempty"`
	RRN      string        `json:"rrn,omitempty"`
	Auth     string        `json:"auth,omitempty"`
	Batch    uint32        `json:"batch,omitempty"`
	LastSTAN uint32        `json:"lastStan,omitempty"`
	MAC2     entry.Hex     `json:"mac2,omitempty"`
	Stamp    entry.Stamp   `json:"stamp,omitempty"`
	Opinion  entry.Opinion `json:"opinion,omitempty"`
	Counter  entry.Counter `json:"counter"`
}

// answerMTI gives the MTI of the answer: the function goes up by one, the origin
// digit back to the acquirer (0221 gives 0230).
func answerMTI(mti string) string {
	if len(mti) != 4 {
		return ""
	}
	return mti[:2] + string(mti[2]+1) + "0"
}

package switchlink

import (
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
)

// Response codes (DE39) that this house gives or acts on. docs/protocols/switch.md
// says what each means for which message.
const (
	CodeApproved        = "00"
	CodeInvalid         = "12" // invalid here: already reversed, already void
	CodeAmount          = "13" // not an amount
	CodeCardNumber      = "14"
	CodeNotFound        = "25" // no such original
	CodeFormat          = "30"
	CodePartial         = "10" // approved for another amount
	CodeFunds           = "51"
	CodeExpired         = "54"
	CodeWrongPIN        = "55"
	CodeNotForCard      = "57" // family, key version or algorithm that the authority does not load
	CodeLimit           = "61" // over the card's or the load's limit
	CodeRestricted      = "62" // blocked, on the hotlist, or unfinished elsewhere
	CodeSecurity        = "63" // a MAC or TAC that does not verify
	CodeOtherAmount     = "64" // not the amount of the original
	CodePINTries        = "75"
	CodeBatch           = "77" // batch differs: sign on again
	CodeDuplicate       = "94" // key used with other content, or sale already paid or loaded
	CodeMalfunction     = "96"
	CodeNotRegistered   = "97" // terminal has not signed on
	CodePINBlock        = "99" // PIN block or KSN unusable
	CodeBadMAC          = "A0" // the request's MAC is wrong: sign on again
	CodeStep            = "22" // terminal and host are out of step: sign on again
	CodeNoSecurity      = "A7" // security processing failed: sign on again
	CodeAlreadyCredited = "C0" // ours: the load of this sale is confirmed
)

// Approved says whether a code of DE39 means that it was done as asked. A
// partial approval (10) is not: the amount differs.
func Approved(code string) bool { return code == "00" || code == "11" || code == "16" }

// SignOn is the host's answer to 0800.
type SignOn struct {
	Code     string
	Batch    uint32    // the terminal's open batch
	HostTime time.Time // the host's clock, to the second
	LastSTAN uint32    // the highest STAN that the host has seen in the batch
	Keys     []byte    // working keys under the terminal's master key, or none
}

// LoadQuery is about one answer of INITIALIZE FOR LOAD: may it be loaded, please
// load it, or what about it.
type LoadQuery struct {
	STAN, Batch uint32
	Sale        entry.SaleID
	Attempt     entry.Attempt
}

// Answer is a host's word without more to it.
type Answer struct{ Code string }

// Load is an authorisation. MAC2 and At serve only the INITIALIZE that was
// asked about; both are empty unless the code is 00.
type Load struct {
	Code string
	MAC2 entry.Hex // 4 bytes
	At   entry.Stamp
	RRN  string
}

// Payment is a sale from a bank card. PAN and Track2 are used for one message and
// kept by nobody; the PIN is wiped by the call, whatever comes of it.
type Payment struct {
	STAN, Batch uint32
	Sale        entry.SaleID
	Card        entry.Card // the transit card that the money is for
	Slot        entry.Slot // that the eligibility probe returned
	Amount      money.Fen
	PAN         string      // 8 to 19 digits
	Expiry      string      // YYMM
	Track2      string      // digits, D, digits; may be empty
	PSN         string      // card sequence number, up to 3 digits; may be empty
	EntryMode   string      // DE22: how the card was read, 2 digits such as "05", which is the default; the third is made here
	PIN         *pin.Sealed // nil: none was entered
	ICC         []byte      // DE55, at most 255 bytes; may be empty
}

// Paid is the host's answer to a payment, or to a query about one.
type Paid struct {
	Code   string
	Amount money.Fen // that the host approved; 0 if it did not
	RRN    string
	Auth   string // approval code
	ICC    []byte // DE55: the issuer's authentication data and scripts, if any
}

// PaymentKey names a payment at the host, together with merchant and terminal.
type PaymentKey struct {
	STAN, Batch uint32
	Sale        entry.SaleID
	Amount      money.Fen
}

// Reasons of a reversal (DE39 of 0400).
const (
	ReasonNoAnswer  = "98"
	ReasonBadMAC    = "A0"
	ReasonNotLoaded = "06"
)

// Reversal takes a payment back. STAN and Batch are the payment's own.
type Reversal struct {
	STAN, Batch uint32
	Sale        entry.SaleID
	Amount      money.Fen
	Reason      string
	RRN, Auth   string // of the approval, if there was one
	EntryMode   string // DE22 of the payment, 3 digits; empty if it is not known any more
	ICC         []byte // DE55; may be empty
	Repeat      bool   // sent before: goes out with the MTI of a repeat
}

// Settlement closes a batch. The same STAN for every sending of it.
type Settlement struct {
	STAN, Batch uint32
	Totals      entry.Totals
	Repeat      bool // sent before: goes out as 0501
}

// Settled is the host's answer: its totals are the kiosk's, or not.
type Settled struct {
	Code     string
	Balanced bool
}

// Upload is one payment or refund of a batch that did not balance. STAN is the
// settlement's; OrigSTAN and Batch name the payment or refund. Of a batch of which
// the kiosk has nothing the last upload is the only one: without a sale, with
// amount 0.
type Upload struct {
	STAN, Batch uint32
	Index       uint32 // 1, 2, … in the batch; names the message together with STAN
	Last        bool   // the batch is complete
	Sale        entry.SaleID
	OrigSTAN    uint32
	Amount      money.Fen
	Credit      bool // a refund
	Repeat      bool // sent before: goes out as 0321
}

// Uploaded is the host's answer. Balanced and Differs are those of the last one.
type Uploaded struct {
	Code     string
	Balanced bool
	Differs  []entry.Difference
}

// Script says what became of the issuer's scripts, and of a payment's second
// cryptogram. STAN is its own, OrigSTAN the payment's, in the same batch.
type Script struct {
	STAN, Batch uint32
	OrigSTAN    uint32
	Sale        entry.SaleID
	Amount      money.Fen
	RRN         string
	ICC         []byte // DE55, with DF31
	Repeat      bool   // sent before: goes out as 0621
}

// Refund gives a payment back under a key of its own; OrigSTAN and OrigBatch are
// the payment's.
type Refund struct {
	STAN, Batch         uint32
	OrigSTAN, OrigBatch uint32
	Sale                entry.SaleID
	Amount              money.Fen
	RRN                 string
	Repeat              bool
}

// Confirmation says that the load was written. STAN is its own; Attempt.STAN is
// that of the authorisation.
type Confirmation struct {
	STAN, Batch uint32
	Sale        entry.SaleID
	Attempt     entry.Attempt
	TAC         entry.Hex // 4 bytes, or empty if the card could not give it
	By          string    // "card", or how it was proven: tac, log, ledger
	Repeat      bool
}

// Void says that an authorisation, given or not, was not used and never will be.
type Void struct {
	STAN, Batch uint32
	Sale        entry.SaleID
	Attempt     entry.Attempt
	Repeat      bool
}

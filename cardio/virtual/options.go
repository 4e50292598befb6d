package virtual

import (
	"crypto/rand"
	"fmt"

	"buka/internal/money"
	"buka/internal/pboc"
)

// Family is which kind of purse card it is.
type Family string

// Families.
const (
	TUnion    Family = "tunion" // JT/T 978: listed in the PPSE, second balance slot
	CityUnion Family = "city"   // CJ/T 166: reached by its AID or file 1001 only
)

// ProofOnInit says what INITIALIZE does to the proof of the last transaction.
type ProofOnInit string

// ProveNumber says which counter GET TRANSACTION PROVE answers to.
type ProveNumber string

// Ways in which cards of the field differ.
const (
	WipeProof ProofOnInit = "wipe"
	KeepProof ProofOnInit = "keep"

	ProveNext ProveNumber = "next" // the counter after the transaction, N+1
	ProveSame ProveNumber = "same" // the counter that went into it, N
)

// PurseOptions make a card. Only Number is required; balance and counters count
// for a new card alone, one that the store knows goes on with its own.
type PurseOptions struct {
	Family  Family // default TUnion
	Number  string // 19 digits; the serial number is "0" before it
	Balance money.Fen
	Counter uint16 // online number: loads
	Offline uint16 // offline number: purchases
	Owed    money.Fen
	Start   string // YYYYMMDD, default 20200101
	Expiry  string // YYYYMMDD, default 20991231
	Issuer  [8]byte

	AID []byte // default by family; longer ones are reached by their prefix too

	// Masters, diversified by serial number, and by issuer too with TwoLevels.
	// Zero ones are those of the computed set (pboc-purse sheet §1.8).
	LoadMaster, PurchaseMaster, TACMaster pboc.Key
	TwoLevels                             bool
	// The card's own keys; one that is not zero replaces its master.
	LoadKey, PurchaseKey, TACKey pboc.Key
	KeyIndex, KeyVersion         byte // default 1 and 1; INITIALIZE with another index: 9403

	Proof ProofOnInit // default WipeProof
	Prove ProveNumber // default ProveNext

	Limit    money.Fen // most balance; INITIALIZE FOR LOAD beyond it: 6985. 0: none
	PIN      string    // 4…12 digits, even; without VERIFY a load is 6982
	PINTries int       // default 3; then 6983
	Use61xx  bool      // data is announced with 61xx and fetched with GET RESPONSE
	Expired  bool      // Expiry is 20201231
	Blocked  bool      // SELECT answers 6283 with the FCI, all after it 6A81

	MACErrorLimit int  // that many 9302 in a row lock the card: 9303. 0: no lock
	LogAfter      bool // EF18 carries the number after the increment, N+1
	LogMissing    bool // unused records answer 6A83 instead of 23 zeros

	// Random gives the four bytes of INITIALIZE and GET CHALLENGE; nil is
	// crypto/rand.
	Random func() [4]byte
}

// DefaultKeys are the master keys of the computed set: load, purchase, TAC.
func DefaultKeys() (load, purchase, tac pboc.Key) {
	for i := range load {
		load[i], purchase[i], tac[i] = 0x10+byte(i), 0x20+byte(i), 0x30+byte(i)
	}
	return load, purchase, tac
}

var (
	aidTUnion = []byte{0xA0, 0x00, 0x00, 0x06, 0x32, 0x01, 0x01, 0x05}
	aidCity   = []byte{0xA0, 0x00, 0x00, 0x00, 0x03, 0x86, 0x98, 0x07, 0x01}
)

// maxBalance is what four bytes hold with the top bit free: some cards use it
// for other things.
const maxBalance = 0x7FFFFFFF

// orDefault fills in what was left out and refuses what no card can be.
func (o PurseOptions) orDefault() (PurseOptions, error) {
	if len(o.Number) != 19 {
		return o, fmt.Errorf("card number %q: 19 digits are wanted", o.Number)
	}
	if o.Balance < 0 || o.Balance > maxBalance || o.Limit < 0 || o.Limit > maxBalance || o.Owed < 0 || o.Owed > maxBalance {
		return o, fmt.Errorf("card %s: an amount is out of range", o.Number)
	}
	if len(o.PIN)%2 != 0 || o.PIN != "" && (len(o.PIN) < 4 || len(o.PIN) > 12) {
		return o, fmt.Errorf("card %s: a PIN has 4, 6, 8, 10 or 12 digits", o.Number)
	}
	fill(&o.Family, TUnion)
	fill(&o.Start, "20200101")
	fill(&o.Expiry, "20991231")
	fill(&o.Proof, WipeProof)
	fill(&o.Prove, ProveNext)
	fill(&o.PINTries, 3)
	fill(&o.KeyIndex, 1)
	fill(&o.KeyVersion, 1)
	fill(&o.Issuer, [8]byte{0x01, 0x01, 0x10, 0x00, 0xFF, 0xFF, 0xFF, 0xFF})
	load, purchase, tac := DefaultKeys()
	fill(&o.LoadMaster, load)
	fill(&o.PurchaseMaster, purchase)
	fill(&o.TACMaster, tac)
	if o.Expired {
		o.Expiry = "20201231"
	}
	switch {
	case o.Family != TUnion && o.Family != CityUnion:
		return o, fmt.Errorf("card family %q: tunion or city is wanted", o.Family)
	case o.Proof != WipeProof && o.Proof != KeepProof:
		return o, fmt.Errorf("proof=%q: wipe or keep is wanted", o.Proof)
	case o.Prove != ProveNext && o.Prove != ProveSame:
		return o, fmt.Errorf("prove=%q: next or same is wanted", o.Prove)
	case len(o.AID) == 0 && o.Family == TUnion:
		o.AID = aidTUnion
	case len(o.AID) == 0:
		o.AID = aidCity
	case len(o.AID) < 5 || len(o.AID) > 16:
		return o, fmt.Errorf("card %s: an AID has 5 to 16 bytes", o.Number)
	}
	if o.Random == nil {
		o.Random = func() (r [4]byte) { rand.Read(r[:]); return r }
	}
	return o, nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

package virtual

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"buka/cardio/apdu"
	"buka/internal/cryptogram"
)

// TestIssuerKey is the issuer's master key for application cryptograms of
// virtual bank cards. The reference host takes it unless it is told another.
var TestIssuerKey = cryptogram.Key{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}

// BankOptions make a bank card. Only PAN is required.
type BankOptions struct {
	PAN      string // 12…19 digits; the check digit is not checked
	Expiry   string // YYMM, default 9912
	Service  string // service code of track 2, default 220: online only, chip
	Sequence byte   // PAN sequence number, default 1
	AID      []byte // default A000000333010101, UnionPay debit
	Label    string // default "UnionPay Debit", or by the AID
	Credit   bool   // the UnionPay credit application instead
	Expired  bool   // Expiry is 2012
	Blocked  bool   // SELECT of PSE, PPSE and application: 6A81
	Country  uint16 // of the issuer, tag 5F28; default 0156, China

	Contact bool   // the contact face: a PSE and no PPSE, GENERATE AC
	NoPSE   bool   // contact: no directory
	NoPIN   bool   // verified by nothing
	Device  bool   // a telephone that has verified its owner, where the terminal takes that; kernels 3 and 7
	ODA     string // contact: "cda" (default), "dda", "sda", "none"
	Refuses bool   // the first cryptogram is an AAC
	Regrets bool   // the second one is, whatever the host says
	Confirm bool   // the cardholder must agree to pay with this application
	// Second is another application on the same card, of lower priority: UnionPay
	// credit beside debit, or the other way, if it says nothing else. Only its own PAN is required; face and
	// memory are those of the card.
	Second *BankOptions

	IssuerKey cryptogram.Key     // default TestIssuerKey
	Profile   cryptogram.Profile // default Common; Visa and Mastercard: CVN18

	Store Store  // keeps the transaction counter; nil: for the card's life
	Name  string // in the store; default "bank"
}

// Bank is a bank card with the face of a contactless or of a contact one:
// directory, SELECT, GET PROCESSING OPTIONS, READ RECORD, authentication by
// certificates under test keys, real cryptograms, issuer authentication and
// scripts (EMV Books 1 to 3; PBOC 3.0). It always wants to go online. Its money
// is at the host; it keeps its transaction counter.
type Bank struct {
	power
	opt    BankOptions
	kernel int
	key    cryptogram.Key // the card's own
	files  map[byte][][]byte
	certs  certificates
	aip    []byte
	store  Store

	beside *Bank // another application on the card; answers through this one only

	mu       sync.Mutex
	inPSE    bool
	selected int // place in applications
	session  bankSession
}

// bankSession is what an application forgets when another one is selected, or
// without power.
type bankSession struct {
	selected  bool
	optioned  bool // GET PROCESSING OPTIONS was done
	stage     int  // cryptograms given
	atc       uint16
	pdol      []byte
	cdol1     []byte
	arqc      cryptogram.AC
	issuer    int // issuer authentication: 0 not done, 1 done, -1 failed
	generated map[apdu.Tag][]byte
}

var _ Program = (*Bank)(nil)

const pse = "1PAY.SYS.DDF01"

// What the card wants to know.
var (
	pdolContactless = []byte{0x9F, 0x66, 4, 0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4}
	pdolContact     = []byte{0x9F, 0x1A, 2}
	cdol1           = []byte{0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4}
	cdol2           = []byte{0x8A, 2, 0x95, 5, 0x9F, 0x37, 4}
)

// NewBank makes a bank card.
func NewBank(o BankOptions) (*Bank, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	key, err := cryptogram.CardKey(o.IssuerKey, o.PAN, o.Sequence)
	if err != nil {
		return nil, fmt.Errorf("bank card: %w", err)
	}
	b := &Bank{opt: o, key: key, kernel: kernelOf(o.AID), store: o.Store}
	b.aip = b.profile()
	b.personalise()
	if _, err := b.counter(); err != nil {
		return nil, err
	}
	if o.Second == nil {
		return b, nil
	}
	if b.beside, err = NewBank(o.other()); err != nil {
		return nil, fmt.Errorf("its second application: %w", err)
	}
	return b, nil
}

// other is the second application, as a card.
func (o BankOptions) other() BankOptions {
	s := *o.Second
	s.Contact, s.Store, s.Second = o.Contact, o.Store, nil
	s.Credit = s.Credit || !o.Credit && len(s.AID) == 0
	fill(&s.Expiry, o.Expiry)
	fill(&s.Name, o.Name+"-2")
	fill(&s.IssuerKey, o.IssuerKey)
	return s
}

func (o *BankOptions) fill() error {
	if len(o.AID) == 0 {
		o.AID = []byte{0xA0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x01}
		if o.Credit {
			o.AID[7] = 0x02
		}
	}
	fill(&o.Expiry, "9912")
	fill(&o.Service, "220")
	fill(&o.Sequence, 1)
	fill(&o.ODA, "cda")
	fill(&o.Country, 0x0156)
	fill(&o.Name, "bank")
	fill(&o.IssuerKey, TestIssuerKey)
	label, profile := "Bank Card", cryptogram.Profile(cryptogram.CVN18)
	switch kernelOf(o.AID) {
	case 7:
		label, profile = "UnionPay Debit", cryptogram.Common
		if o.Credit {
			label = "UnionPay Credit"
		}
	case 3:
		label = "Visa"
	case 2:
		label = "Mastercard"
	}
	fill(&o.Label, label)
	fill(&o.Profile, profile)
	if o.Store == nil {
		o.Store = NewMemoryStore()
	}
	if o.Expired {
		o.Expiry = "2012"
	}
	switch {
	case len(o.PAN) < 12 || len(o.PAN) > 19 || !digits(o.PAN):
		return fmt.Errorf("bank card: a PAN has 12 to 19 digits")
	case len(o.Expiry) != 4 || !digits(o.Expiry) || o.Expiry[2:] < "01" || o.Expiry[2:] > "12":
		return fmt.Errorf("bank card: expiry %q is not YYMM", o.Expiry)
	case len(o.Service) != 3 || !digits(o.Service):
		return fmt.Errorf("bank card: service code %q", o.Service)
	case len(o.AID) < 5 || len(o.AID) > 16 || len(o.Label) > 16 || o.Sequence > 99:
		return fmt.Errorf("bank card: AID, label or sequence number")
	case !strings.Contains(" cda dda sda none ", " "+o.ODA+" "):
		return fmt.Errorf("bank card: authentication %q is not cda, dda, sda or none", o.ODA)
	}
	return nil
}

// kernelOf is the contactless kernel that an AID's provider uses.
func kernelOf(aid []byte) int {
	if len(aid) >= 5 && bytes.Equal(aid[:3], []byte{0xA0, 0x00, 0x00}) {
		switch [2]byte(aid[3:5]) {
		case [2]byte{0x03, 0x33}:
			return 7
		case [2]byte{0x00, 0x03}:
			return 3
		case [2]byte{0x00, 0x04}:
			return 2
		}
	}
	return 0
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// packed is digits in format cn: padded on the right with F.
func packed(s string) []byte {
	if len(s)%2 != 0 {
		s += "F"
	}
	b, err := hex.DecodeString(s)
	if err != nil { // s was checked
		panic("virtual: " + err.Error())
	}
	return b
}

// oneGPO says that the whole dialogue is GET PROCESSING OPTIONS.
func (b *Bank) oneGPO() bool { return !b.opt.Contact && (b.kernel == 3 || b.kernel == 7) }

// profile is the application interchange profile, 82.
func (b *Bank) profile() []byte {
	if b.oneGPO() {
		return []byte{0x20, 0x00} // DDA, which is fDDA here
	}
	first := map[string]byte{"cda": 0x21, "dda": 0x20, "sda": 0x40, "none": 0}[b.opt.ODA]
	first |= 0x10 | 0x08 // cardholder verification, terminal risk management
	if b.opt.Contact {
		return []byte{first | 0x04, 0x00} // issuer authentication
	}
	return []byte{first, 0x80} // EMV mode
}

// personalise makes the files: 1 track 2; 2 the signed data; 3 the certificates.
func (b *Bank) personalise() {
	o := b.opt
	track2 := o.PAN + "D" + o.Expiry + o.Service + "0000012345"
	if len(track2) > 37 {
		track2 = track2[:37]
	}
	methods := []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x03, 0x1F, 0x00} // PIN at the host if you can, else none
	if o.NoPIN {
		methods = methods[:8:8]
		methods = append(methods, 0x1F, 0x00)
	}
	signed := bytes.Join([][]byte{
		object(0x5A, packed(o.PAN)),
		object(0x5F24, packed(o.Expiry+lastDay(o.Expiry))),
		object(0x5F25, []byte{0x15, 0x01, 0x01}),
		object(0x5F34, packed(fmt.Sprintf("%02d", o.Sequence))),
		object(0x5F28, []byte{byte(o.Country >> 8), byte(o.Country)}),
		object(0x9F07, []byte{0xFF, 0x00}),
		object(0x8C, cdol1),
		object(0x8D, cdol2),
		object(0x8E, methods),
		object(0x9F4A, []byte{0x82}),
	}, nil)
	c := certify(o.PAN, append(bytes.Clone(signed), b.aip...))
	b.certs = c
	b.files = map[byte][][]byte{
		1: {object(0x70, object(0x57, packed(track2)))},
		2: {object(0x70, signed)},
		3: {
			object(0x70, object(0x8F, []byte{authorityIndex}), object(0x90, c.issuer), object(0x92, c.issuerRest), object(0x9F32, exponent3)),
			object(0x70, object(0x9F46, c.card), object(0x9F48, c.cardRest), object(0x9F47, exponent3)),
			object(0x70, object(0x93, c.static), object(0x9F49, []byte{0x9F, 0x37, 4})),
		},
	}
}

// locator is the AFL, 94.
var locator = []byte{1 << 3, 1, 1, 0, 2 << 3, 1, 1, 1, 3 << 3, 1, 3, 0}

// lastDay is the last day of the month YYMM, as cards print it; February has 28.
func lastDay(yymm string) string {
	switch yymm[2:] {
	case "02":
		return "28"
	case "04", "06", "09", "11":
		return "30"
	}
	return "31"
}

// ATR is that of a contactless ISO 14443-4 card with no historical bytes; the
// contact face has T=1 and no more to say.
func (b *Bank) ATR() []byte {
	if b.opt.Contact {
		return []byte{0x3B, 0x80, 0x01, 0x81}
	}
	return contactlessATR(nil)
}

// PAN is the whole card number; only the bench and the virtual host may want it.
func (b *Bank) PAN() string { return b.opt.PAN }

// String shows the masked number.
func (b *Bank) String() string {
	n := len(b.opt.PAN)
	return "bank card " + b.opt.PAN[:6] + strings.Repeat("*", n-10) + b.opt.PAN[n-4:]
}

// counted is what the card keeps.
type counted struct {
	ATC     uint16 `json:"atc"`
	Blocked bool   `json:"blocked"` // by an issuer script
}

// counter reads the card's memory; a new card begins with nothing counted.
func (b *Bank) counter() (counted, error) {
	raw, err := b.store.Load(b.opt.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return counted{}, nil
	}
	var c counted
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return c, fmt.Errorf("bank card %s: its memory: %w", b.opt.Name, err)
	}
	return c, nil
}

func (b *Bank) keep(c counted) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return b.store.Save(b.opt.Name, raw)
}

// ATC is how many transactions the card has counted.
func (b *Bank) ATC() uint16 {
	c, _ := b.counter()
	return c.ATC
}

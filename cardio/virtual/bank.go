package virtual

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"buka/cardio/apdu"
)

// BankOptions make a bank card. Only PAN is required.
type BankOptions struct {
	PAN      string // 12…19 digits; the check digit is not checked
	Expiry   string // YYMM, default 9912
	Service  string // service code of track 2, default 220: online only, chip
	Sequence byte   // PAN sequence number, default 1
	AID      []byte // default A000000333010101, UnionPay debit
	Label    string // default "UnionPay Debit"
	Expired  bool   // Expiry is 2012
	Blocked  bool   // SELECT of PSE, PPSE and application: 6A81
}

// Bank is the least bank card that a terminal reads up to its online
// decision: directory, SELECT, GET PROCESSING OPTIONS, READ RECORD (EMV Book 3;
// PBOC 3.0). It keeps nothing: its money is at the host.
type Bank struct {
	power
	opt     BankOptions
	records [2][]byte

	mu       sync.Mutex
	where    place
	optioned bool // GET PROCESSING OPTIONS was done
}

// place is what is selected.
type place uint8

const (
	nowhere place = iota
	inPSE
	inApplication
)

var _ Program = (*Bank)(nil)

const pse = "1PAY.SYS.DDF01"

// pdol is what the card wants to know: the terminal's qualifiers, amounts,
// country, verification results, currency, date, type, random number.
var pdol = []byte{0x9F, 0x66, 4, 0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4}

const pdolSize = 4 + 6 + 6 + 2 + 5 + 2 + 3 + 1 + 4

// NewBank makes a bank card.
func NewBank(o BankOptions) (*Bank, error) {
	fill(&o.Expiry, "9912")
	fill(&o.Service, "220")
	fill(&o.Sequence, 1)
	fill(&o.Label, "UnionPay Debit")
	if len(o.AID) == 0 {
		o.AID = []byte{0xA0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x01}
	}
	if o.Expired {
		o.Expiry = "2012"
	}
	switch {
	case len(o.PAN) < 12 || len(o.PAN) > 19 || !digits(o.PAN):
		return nil, fmt.Errorf("bank card: a PAN has 12 to 19 digits")
	case len(o.Expiry) != 4 || !digits(o.Expiry) || o.Expiry[2:] < "01" || o.Expiry[2:] > "12":
		return nil, fmt.Errorf("bank card: expiry %q is not YYMM", o.Expiry)
	case len(o.Service) != 3 || !digits(o.Service):
		return nil, fmt.Errorf("bank card: service code %q", o.Service)
	case len(o.AID) < 5 || len(o.AID) > 16 || len(o.Label) > 16 || o.Sequence > 99:
		return nil, fmt.Errorf("bank card: AID, label or sequence number")
	}
	b := &Bank{opt: o}
	b.records = b.personalise()
	return b, nil
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

// personalise makes the two records of file 1.
func (b *Bank) personalise() [2][]byte {
	o := b.opt
	track2 := o.PAN + "D" + o.Expiry + o.Service + "0000012345"
	if len(track2) > 37 {
		track2 = track2[:37]
	}
	return [2][]byte{
		object(0x70, object(0x57, packed(track2))),
		object(0x70,
			object(0x5A, packed(o.PAN)),
			object(0x5F24, packed(o.Expiry+lastDay(o.Expiry))),
			object(0x5F34, packed(fmt.Sprintf("%02d", o.Sequence))),
			object(0x5F28, []byte{0x01, 0x56}),
			object(0x8C, []byte{0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4}),
			object(0x8D, []byte{0x8A, 2, 0x9F, 0x37, 4}),
			object(0x8E, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x00}), // online PIN, always
		),
	}
}

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

// ATR is that of a contactless ISO 14443-4 card with no historical bytes.
func (b *Bank) ATR() []byte { return contactlessATR(nil) }

// PAN is the whole card number; only the bench and the virtual host may want it.
func (b *Bank) PAN() string { return b.opt.PAN }

// String shows the masked number.
func (b *Bank) String() string {
	n := len(b.opt.PAN)
	return "bank card " + b.opt.PAN[:6] + strings.Repeat("*", n-10) + b.opt.PAN[n-4:]
}

// Reset powers the card up anew.
func (b *Bank) Reset() {
	b.on()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.where, b.optioned = nowhere, false
}

// Process answers one command.
func (b *Bank) Process(cmd []byte) []byte {
	return b.run(cmd, func(cmd []byte) []byte {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.answer(cmd).Bytes()
	})
}

func (b *Bank) answer(cmd []byte) apdu.Response {
	c, err := apdu.ParseCommand(cmd)
	switch {
	case err != nil:
		return sw(apdu.WrongLength)
	case c.CLA == 0x00 && c.INS == 0xA4:
		return b.selectName(c)
	case c.CLA == 0x00 && c.INS == 0xB2:
		return b.readRecord(c)
	case c.CLA == 0x80 && c.INS == 0xA8:
		return b.processingOptions(c)
	case c.CLA != 0x00 && c.CLA != 0x80:
		return sw(apdu.BadCLA)
	}
	return sw(apdu.BadINS)
}

func (b *Bank) selectName(c apdu.Command) apdu.Response {
	b.where, b.optioned = nowhere, false
	name := c.Data
	switch {
	case c.P1 != 0x04:
		return sw(apdu.BadP1P2)
	case b.opt.Blocked:
		return sw(apdu.NotSupported)
	case c.P2 != 0x00: // there is no next occurrence
		return sw(apdu.FileNotFound)
	case string(name) == ppse:
		return ok(directory(ppse, b.opt.AID, b.opt.Label))
	case string(name) == pse:
		b.where = inPSE
		return ok(object(0x6F, object(0x84, []byte(pse)), object(0xA5, object(0x88, []byte{0x01}))))
	case len(name) >= 5 && bytes.HasPrefix(b.opt.AID, name):
		b.where = inApplication
		return ok(object(0x6F, object(0x84, b.opt.AID),
			object(0xA5, object(0x50, []byte(b.opt.Label)), object(0x87, []byte{0x01}), object(0x9F38, pdol))))
	}
	return sw(apdu.FileNotFound)
}

// readRecord serves file 1: of the PSE its directory, of the application its
// records.
func (b *Bank) readRecord(c apdu.Command) apdu.Response {
	last := len(b.records)
	switch {
	case b.where == nowhere || b.where == inApplication && !b.optioned:
		return sw(apdu.ConditionsNotMet)
	case b.where == inPSE:
		last = 1
	}
	switch {
	case c.P2 != 0x01<<3|0x04:
		return sw(apdu.FileNotFound)
	case c.P1 < 1 || int(c.P1) > last:
		return sw(apdu.RecordNotFound)
	case b.where == inPSE:
		return ok(object(0x70, object(0x61, object(0x4F, b.opt.AID), object(0x50, []byte(b.opt.Label)), object(0x87, []byte{0x01}))))
	}
	return ok(b.records[c.P1-1])
}

// processingOptions is GET PROCESSING OPTIONS: the PDOL's data in, profile and
// file locator out.
func (b *Bank) processingOptions(c apdu.Command) apdu.Response {
	switch {
	case b.where != inApplication || b.optioned:
		return sw(apdu.ConditionsNotMet)
	case c.P1 != 0 || c.P2 != 0:
		return sw(apdu.BadP1P2)
	}
	data, err := apdu.Find(c.Data, 0x83)
	if err != nil || len(data) != pdolSize {
		return sw(apdu.WrongLength)
	}
	b.optioned = true
	// Cardholder verification is supported; file 1, records 1 and 2.
	return ok(object(0x77, object(0x82, []byte{0x10, 0x00}), object(0x94, []byte{0x08, 1, byte(len(b.records)), 0})))
}

package virtual

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"sync"

	"buka/cardio/apdu"
	"buka/internal/money"
	"buka/internal/pboc"
)

// Purse is a PBOC electronic purse card.
type Purse struct {
	power

	opt     PurseOptions
	info    pboc.Info
	pin     []byte
	load    pboc.Key
	buy     pboc.Key
	tac     pboc.Key
	store   Store
	mu      sync.Mutex
	eeprom  eeprom
	session session
}

// session is what a card forgets without power.
type session struct {
	selected bool
	verified bool
	load     *pboc.Load     // INITIALIZE FOR LOAD stands
	buy      *pboc.Purchase // INITIALIZE FOR PURCHASE stands
	pending  []byte         // waits for GET RESPONSE
}

var _ Program = (*Purse)(nil)

// NewPurse makes a card, or takes up the one that the store knows under the
// same number.
func NewPurse(o PurseOptions, s Store) (*Purse, error) {
	o, err := o.orDefault()
	if err != nil {
		return nil, err
	}
	p := &Purse{opt: o, store: s}
	asn, err := pboc.ParseASN(o.Number)
	if err != nil {
		return nil, err
	}
	p.info = pboc.Info{Issuer: o.Issuer, Type: pboc.PurseOnly, Version: 1, ASN: asn}
	if p.info.Start, err = pboc.ParseDate(o.Start); err != nil {
		return nil, fmt.Errorf("card %s, start: %w", o.Number, err)
	}
	if p.info.Expiry, err = pboc.ParseDate(o.Expiry); err != nil {
		return nil, fmt.Errorf("card %s, expiry: %w", o.Number, err)
	}
	if p.pin, err = pboc.EncodeBCD(o.PIN); err != nil {
		return nil, fmt.Errorf("card %s: a PIN has digits only", o.Number)
	}
	p.load = p.key(o.LoadKey, o.LoadMaster)
	p.buy = p.key(o.PurchaseKey, o.PurchaseMaster)
	p.tac = p.key(o.TACKey, o.TACMaster)
	p.eeprom, err = loadEEPROM(s, p.name(), eeprom{
		Balance: uint32(o.Balance), Owed: uint32(o.Owed), Online: o.Counter, Offline: o.Offline, PINTries: o.PINTries,
	})
	return p, err
}

func (p *Purse) name() string { return "purse-" + p.opt.Number }

func (p *Purse) key(own, master pboc.Key) pboc.Key {
	switch {
	case !own.IsZero():
		return own
	case p.opt.TwoLevels:
		return master.DiversifyTwo(p.info.ASN, p.info.Issuer)
	}
	return master.Diversify(p.info.ASN.X())
}

// ATR is that of a contactless ISO 14443-4 card whose historical bytes are
// those of a common Chinese CPU card.
func (p *Purse) ATR() []byte {
	return contactlessATR([]byte{0x20, 0x90, 0, 0, 0, 0, 0, 0x66, 0x79, 0x9D, 0x24})
}

// Reset powers the card up anew.
func (p *Purse) Reset() {
	p.on()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session = session{}
}

// Process answers one command.
func (p *Purse) Process(cmd []byte) []byte {
	return p.run(cmd, func(cmd []byte) []byte {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.answer(cmd).Bytes()
	})
}

// Number is the 19-digit card number.
func (p *Purse) Number() string { return p.opt.Number }

// Balance is the committed balance.
func (p *Purse) Balance() money.Fen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return money.Fen(p.eeprom.Balance)
}

// Counters are the committed online and offline numbers: those that the next
// load and the next purchase will use.
func (p *Purse) Counters() (online, offline uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.eeprom.Online, p.eeprom.Offline
}

// Log is the committed log, newest first.
func (p *Purse) Log() []pboc.LogRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []pboc.LogRecord
	for n := range p.eeprom.Log {
		if r, used, err := pboc.ParseLogRecord(p.eeprom.record(n + 1)); err == nil && used {
			list = append(list, r)
		}
	}
	return list
}

// commit makes a new state durable; the card has it or the old one.
func (p *Purse) commit(e eeprom) bool {
	if err := saveEEPROM(p.store, p.name(), e); err != nil {
		return false
	}
	p.eeprom = e
	return true
}

// answer dispatches one command. p.mu is held.
func (p *Purse) answer(cmd []byte) apdu.Response {
	c, err := apdu.ParseCommand(cmd)
	if err != nil {
		return sw(apdu.WrongLength)
	}
	if c.CLA == 0x00 && c.INS == 0xC0 {
		return p.getResponse(c)
	}
	p.session.pending = nil
	load, buy := p.session.load, p.session.buy
	p.session.load, p.session.buy = nil, nil // any other command ends them
	var r apdu.Response
	write := false
	switch {
	case c.CLA == 0x00 && c.INS == 0xA4:
		r = p.selectFile(c)
	case c.CLA != 0x00 && c.CLA != 0x80:
		r = sw(apdu.BadCLA)
	case c.CLA == 0x00 && c.INS == 0x84:
		r = p.challenge(c)
	case !p.session.selected:
		r = sw(apdu.ConditionsNotMet)
	case p.opt.Blocked:
		r = sw(apdu.NotSupported)
	case p.eeprom.Locked:
		r = sw(apdu.PermanentlyLocked)
	case c.CLA == 0x00:
		r = p.iso(c)
	case c.INS == 0x52:
		r, write = p.creditForLoad(c, load), true
	case c.INS == 0x54:
		r, write = p.debitForPurchase(c, buy), true
	default:
		r = p.purse(c)
	}
	return p.deliver(c, r, write)
}

// deliver brings the data out in the way that this card does. A write never
// gets 6Cxx: it has been carried out, and a repeat would be another one.
func (p *Purse) deliver(c apdu.Command, r apdu.Response, write bool) apdu.Response {
	n := len(r.Data)
	switch {
	case n == 0 || !r.SW.IsOK():
		return r
	case p.opt.Use61xx:
		p.session.pending = r.Data
		return sw(0x6100 | apdu.SW(byte(n)))
	case !write && c.Ne != apdu.NoLe && c.Ne < n:
		p.session.load, p.session.buy = nil, nil
		return sw(0x6C00 | apdu.SW(byte(n)))
	}
	return r
}

func (p *Purse) getResponse(c apdu.Command) apdu.Response {
	n := len(p.session.pending)
	switch {
	case n == 0:
		return sw(apdu.ConditionsNotMet)
	case c.Ne != apdu.NoLe && c.Ne < n:
		return sw(0x6C00 | apdu.SW(byte(n)))
	}
	r := ok(p.session.pending)
	p.session.pending = nil
	return r
}

// iso answers the interindustry commands inside the selected application.
func (p *Purse) iso(c apdu.Command) apdu.Response {
	switch c.INS {
	case 0x20:
		return p.verify(c)
	case 0xB0:
		return p.readBinary(c)
	case 0xB2:
		return p.readRecord(c)
	}
	return sw(apdu.BadINS)
}

// purse answers the PBOC commands that do not write.
func (p *Purse) purse(c apdu.Command) apdu.Response {
	switch c.INS {
	case 0x50:
		return p.initialize(c)
	case 0x5A:
		return p.transactionProve(c)
	case 0x5C:
		return p.getBalance(c)
	}
	return sw(apdu.BadINS)
}

// verify checks the card's PIN (ISO 7816-4 §11.6.6). A card without one has no
// reference to check.
func (p *Purse) verify(c apdu.Command) apdu.Response {
	switch {
	case len(p.pin) == 0:
		return sw(apdu.ReferenceNotFound)
	case c.P1 != 0 || c.P2 != 0:
		return sw(apdu.BadP1P2)
	case p.eeprom.PINTries == 0:
		return sw(apdu.AuthLocked)
	}
	e := p.eeprom
	right := bytes.Equal(c.Data, p.pin)
	if right {
		e.PINTries = p.opt.PINTries
	} else {
		e.PINTries--
	}
	if e.PINTries != p.eeprom.PINTries && !p.commit(e) {
		return sw(apdu.WriteFailed)
	}
	p.session.verified = right
	switch {
	case right:
		return sw(apdu.OK)
	case e.PINTries == 0:
		return sw(apdu.AuthLocked)
	}
	return sw(0x63C0 | apdu.SW(min(e.PINTries, 15)))
}

func (p *Purse) challenge(c apdu.Command) apdu.Response {
	if c.Ne != 4 && c.Ne != 8 && c.Ne != apdu.MaxNe {
		return sw(apdu.WrongLength)
	}
	r := p.opt.Random()
	b := r[:]
	if c.Ne == 8 {
		more := p.opt.Random()
		b = append(b, more[:]...)
	}
	return ok(b)
}

// String names the card for logs: transit card numbers are no bank PANs.
func (p *Purse) String() string {
	return "purse card " + p.opt.Number + " " + hex.EncodeToString(p.opt.AID)
}

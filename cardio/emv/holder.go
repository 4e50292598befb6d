package emv

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

// restrict is processing restrictions (EMV Book 3 10.4): version, usage, dates.
// True: the card has expired, which this kiosk refuses at once.
func (p *Payment) restrict(t Terminal) (expired bool) {
	if v := p.card[0x9F08]; len(v) == 2 && !bytes.Equal(v, p.app.Version) {
		otherVersion.set(p.tvr)
	}
	if usage := p.card[0x9F07]; len(usage) == 2 && usage[0]&usageTerminals == 0 {
		notAllowed.set(p.tvr)
	} else if country := p.card[0x5F28]; len(usage) == 2 && len(country) == 2 {
		want := byte(usageAbroad)
		if bytes.Equal(country, china) {
			want = usageHome
		}
		if usage[0]&want == 0 {
			notAllowed.set(p.tvr)
		}
	}
	today := t.Now.Format("060102")
	if from := p.card[0x5F25]; len(from) == 3 && from[0] < 0x50 && hex.EncodeToString(from) > today { // 50 to 99 are of the last century, Book 4 6.7.3
		notYetValid.set(p.tvr)
	}
	f := fields{}
	f.keep(0x5F24, p.card[0x5F24], 3)
	if f.expired(t.Now, p.Card.Expiry) {
		expiredApp.set(p.tvr)
		return true
	}
	return false
}

// Application usage control (9F07), first byte: goods or services, at home and
// abroad; at terminals that are no cash machines.
const (
	usageHome      = 0x28
	usageAbroad    = 0x14
	usageTerminals = 0x01
)

// Cardholder verification methods and conditions (EMV Book 3 annex C3).
const (
	cvmFail     = 0x00
	cvmOffline  = 0x01 // by the card itself; 9F34 says so of a telephone, too (Book C-2 sets 01 00 02)
	cvmOnline   = 0x02
	cvmNone     = 0x1F
	cvmTryNext  = 0x40
	cvmMethod   = 0x3F
	whenAlways  = 0x00
	whenNotCash = 0x02
	whenAble    = 0x03
)

// verifyHolder walks the card's list (8E) up to the first method that this kiosk
// has and the amount allows: PIN at the host, or none under the limit.
func (p *Payment) verifyHolder(t Terminal) {
	if !aipCVM.in(p.profile) || len(p.card[0x8E]) < 10 {
		// A card that verifies nobody: the host decides, and wants the PIN where
		// the amount does.
		if p.PIN = t.needsCVM(); p.PIN {
			onlinePIN.set(p.tvr)
		}
		return
	}
	didCVM.set(p.tsi)
	list := p.card[0x8E]
	x, y := binary.BigEndian.Uint32(list), binary.BigEndian.Uint32(list[4:])
	for rules := list[8:]; len(rules) >= 2; rules = rules[2:] {
		method, when := rules[0], rules[1]
		if !p.applies(method, when, t, x, y) {
			continue
		}
		switch method & cvmMethod {
		case cvmOnline:
			p.cvm, p.PIN = []byte{method, when, 0x00}, true
			onlinePIN.set(p.tvr)
			return
		case cvmNone:
			if !t.needsCVM() {
				p.cvm = []byte{method, when, 0x02}
				return
			}
		case cvmFail: // whatever comes after it
			p.cvm = []byte{method, when, 0x01}
			cvmFailed.set(p.tvr)
			return
		case cvmOffline, 0x03, 0x04, 0x05, 0x1E: // known, and not in this kiosk
		default:
			unknownCVM.set(p.tvr)
		}
		p.cvm = []byte{method, when, 0x01}
		if method&cvmTryNext == 0 {
			break
		}
	}
	if p.cvm[0] == 0x3F {
		p.cvm = []byte{0x3F, 0x00, 0x01}
	}
	cvmFailed.set(p.tvr)
}

// applies reports whether a rule's condition is met. One about an amount is about
// an amount in the application's currency: a card that does not name it has no
// such rule (EMV Book 3 10.5).
func (p *Payment) applies(method, when byte, t Terminal, x, y uint32) bool {
	amount := uint32(min(max(t.Amount, 0), 1<<32-1))
	own := bytes.Equal(p.card[0x9F42], china)
	switch when {
	case whenAlways, whenNotCash:
		return true
	case whenAble:
		m := method & cvmMethod
		return m == cvmOnline || m == cvmNone
	case 0x06:
		return own && amount < x
	case 0x07:
		return own && amount > x
	case 0x08:
		return own && amount < y
	case 0x09:
		return own && amount > y
	}
	return false // cash, cashback
}

// manageRisk is terminal risk management for a floor limit of 0: every payment
// is over it.
func (p *Payment) manageRisk() {
	overFloor.set(p.tvr)
	if aipTRM.in(p.profile) {
		didTRM.set(p.tsi)
	}
}

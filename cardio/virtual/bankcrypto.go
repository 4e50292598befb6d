package virtual

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"

	"buka/cardio/apdu"
	"buka/internal/cryptogram"
	"buka/internal/mac"
)

// Kinds of cryptograms, bits 8 and 7 of 9F27.
const (
	kindAAC  byte = 0x00
	kindTC   byte = 0x40
	kindARQC byte = 0x80
)

// ownerVerified in the card verification results: a PIN was verified without the
// bank. A telephone says by it that it has verified its owner, and the issuer
// believes it, since the cryptogram is over it.
const ownerVerified = 0x04

// results are the card verification results in 9F10: which cryptograms were
// given in the first and second GENERATE AC. 10 in the second's place: none.
func results(first, second byte) byte {
	return second | first>>2
}

// issuerData is 9F10.
func (b *Bank) issuerData(results byte) []byte {
	return []byte{0x07, 0x01, byte(b.opt.Profile), 0x03, results, 0x00, 0x00, 0x00}
}

// cryptogram makes 9F26 over the terminal's objects and the card's own.
func (b *Bank) cryptogram(objects map[apdu.Tag][]byte, issuer []byte) (cryptogram.AC, error) {
	var atc [2]byte
	binary.BigEndian.PutUint16(atc[:], b.session.atc)
	data, err := b.opt.Profile.Input(func(tag uint32) []byte {
		switch tag {
		case 0x82:
			return b.aip
		case 0x9F36:
			return atc[:]
		case 0x9F10:
			return issuer
		}
		return objects[apdu.Tag(tag)]
	})
	if err != nil {
		return cryptogram.AC{}, err
	}
	return b.opt.Profile.AC(b.key, b.session.atc, data)
}

// oneAnswer is what a card of kernel 3 or 7 gives to GPO: profile, locator,
// cryptogram, its qualifiers and a fast dynamic signature.
func (b *Bank) oneAnswer(objects map[apdu.Tag][]byte) apdu.Response {
	s := &b.session
	kind := kindARQC
	if b.opt.Refuses {
		kind = kindAAC
	}
	qualifiers, verified := []byte{0x80, 0x00}, byte(0) // PIN at the host
	ttq := objects[0x9F66]
	switch {
	case b.opt.Device && len(ttq) == 4 && ttq[2]&0x40 != 0:
		qualifiers, verified = []byte{0x00, 0x80}, ownerVerified
	case b.opt.NoPIN:
		qualifiers[0] = 0
	}
	issuer := b.issuerData(results(kind, 0x80) | verified)
	ac, err := b.cryptogram(objects, issuer)
	if err != nil {
		return sw(apdu.ConditionsNotMet)
	}
	s.stage, s.arqc = 1, ac
	related := append([]byte{0x01, 0x5A, 0x5A, byte(s.atc >> 8), byte(s.atc)}, qualifiers...)
	number := []byte{byte(s.atc >> 8), byte(s.atc)}
	signed := dynamic(append([]byte{2}, number...), objects[0x9F37], objects[0x9F02], objects[0x5F2A], related)
	return ok(object(0x77, object(0x82, b.aip), object(0x94, locator), object(0x9F36, number), object(0x9F26, ac[:]),
		object(0x9F27, []byte{kind}), object(0x9F10, issuer), object(0x9F6C, qualifiers), object(0x9F69, related), object(0x9F4B, signed)))
}

// generate is GENERATE AC, first and second.
func (b *Bank) generate(c apdu.Command) apdu.Response {
	s := &b.session
	list := cdol1
	if s.stage == 1 {
		list = cdol2
	}
	switch {
	case !s.optioned || b.oneGPO() || s.stage > 1 || s.stage == 1 && !b.opt.Contact:
		return sw(apdu.ConditionsNotMet)
	case c.P1&0x2F != 0 || c.P1 >= 0xC0 || c.P2 != 0:
		return sw(apdu.BadP1P2)
	}
	entries, _ := apdu.ParseDOL(list)
	objects, fits := unfill(entries, c.Data)
	if !fits {
		return sw(apdu.WrongLength)
	}
	if s.stage == 0 {
		return b.first(c, objects)
	}
	return b.second(c, objects)
}

// first answers what was asked for, but never offline: TC becomes ARQC.
func (b *Bank) first(c apdu.Command, objects map[apdu.Tag][]byte) apdu.Response {
	s := &b.session
	kind := kindARQC
	if b.opt.Refuses || c.P1&0xC0 == kindAAC {
		kind = kindAAC
	}
	issuer := b.issuerData(results(kind, 0x80))
	ac, err := b.cryptogram(objects, issuer)
	if err != nil {
		return sw(apdu.ConditionsNotMet)
	}
	s.stage, s.cdol1, s.generated = 1, bytes.Clone(c.Data), objects
	if s.arqc = ac; kind == kindAAC {
		s.stage = 2
	}
	return b.generated(c, kind, ac, issuer, objects)
}

// generated is the answer of GENERATE AC: format 2, with a combined signature if
// it was asked for and the cryptogram is no AAC.
func (b *Bank) generated(c apdu.Command, kind byte, ac cryptogram.AC, issuer []byte, objects map[apdu.Tag][]byte) apdu.Response {
	s := &b.session
	head := bytes.Join([][]byte{object(0x9F27, []byte{kind}), object(0x9F36, []byte{byte(s.atc >> 8), byte(s.atc)})}, nil)
	tail := object(0x9F10, issuer)
	if c.P1&0x10 == 0 || kind == kindAAC || b.opt.ODA != "cda" {
		return ok(object(0x77, head, object(0x9F26, ac[:]), tail))
	}
	hash := sha1.New()
	for _, part := range [][]byte{s.pdol, s.cdol1, head, tail} {
		hash.Write(part)
	}
	inner := bytes.Join([][]byte{{2, byte(s.atc >> 8), byte(s.atc), kind}, ac[:], hash.Sum(nil)}, nil)
	return ok(object(0x77, head, object(0x9F4B, dynamic(inner, objects[0x9F37])), tail))
}

// second gives a certificate for the payment if the issuer has shown itself and
// the terminal asks for one.
func (b *Bank) second(c apdu.Command, objects map[apdu.Tag][]byte) apdu.Response {
	s := &b.session
	kind := kindAAC
	if c.P1&0xC0 == kindTC && s.issuer == 1 && !b.opt.Regrets {
		kind = kindTC
	}
	for tag, v := range objects {
		s.generated[tag] = v
	}
	issuer := b.issuerData(results(kindARQC, kind))
	ac, err := b.cryptogram(s.generated, issuer)
	if err != nil {
		return sw(apdu.ConditionsNotMet)
	}
	s.stage = 2
	c.P1 &^= 0x10
	return b.generated(c, kind, ac, issuer, objects)
}

// internalAuthenticate signs what the terminal sends.
func (b *Bank) internalAuthenticate(c apdu.Command) apdu.Response {
	s := b.session
	if !s.optioned || b.aip[0]&0x20 == 0 {
		return sw(apdu.ConditionsNotMet)
	}
	if len(c.Data) != 4 {
		return sw(apdu.WrongLength)
	}
	return ok(object(0x80, dynamic([]byte{2, byte(s.atc >> 8), byte(s.atc)}, c.Data)))
}

// externalAuthenticate checks the issuer's answer to the cryptogram, once.
func (b *Bank) externalAuthenticate(c apdu.Command) apdu.Response {
	s := &b.session
	if s.stage != 1 || s.issuer != 0 || !b.opt.Contact {
		return sw(apdu.ConditionsNotMet)
	}
	if len(c.Data) < 8 || len(c.Data) > 16 {
		return sw(apdu.WrongLength)
	}
	var arc [2]byte
	var csu [4]byte
	var proprietary []byte
	if b.opt.Profile == cryptogram.CVN18 {
		csu, proprietary = [4]byte(c.Data[4:8]), c.Data[8:]
	} else if len(c.Data) == 10 {
		arc = [2]byte(c.Data[8:])
	}
	want, err := b.opt.Profile.ARPC(b.key, s.atc, s.arqc, arc, csu, proprietary)
	if err != nil || subtle.ConstantTimeCompare(want, c.Data) != 1 {
		s.issuer = -1
		return sw(apdu.AuthFailed)
	}
	s.issuer = 1
	return sw(apdu.OK)
}

// ScriptMAC is the 4 bytes at the end of a script command: over its header, the
// transaction counter, the first cryptogram and its data, under the session key
// of the card's key.
func ScriptMAC(card cryptogram.Key, atc, arqc, header, data []byte) []byte {
	if len(atc) != 2 {
		return nil
	}
	k := cryptogram.SessionKey(card, binary.BigEndian.Uint16(atc))
	sum, err := mac.Sum(mac.X919, k[:], bytes.Join([][]byte{header, atc, arqc, data, {0x80}}, nil))
	if err != nil {
		return nil
	}
	return sum[:4]
}

// Issuer script commands.
const (
	insBlock   = 0x1E
	insUnblock = 0x18
	insPIN     = 0x24
	insPutData = 0xDA
)

// script is an issuer's command with a MAC: block, unblock, and what changes
// nothing here: the tries of an offline PIN, put data.
func (b *Bank) script(c apdu.Command, cmd []byte) apdu.Response {
	switch {
	case b.session.stage == 0:
		return sw(apdu.ConditionsNotMet)
	case len(c.Data) < 4:
		return sw(apdu.WrongLength)
	}
	data, sent := c.Data[:len(c.Data)-4], c.Data[len(c.Data)-4:]
	if subtle.ConstantTimeCompare(ScriptMAC(b.key, binary.BigEndian.AppendUint16(nil, b.session.atc), b.session.arqc[:], cmd[:5], data), sent) != 1 {
		return sw(apdu.SMWrong)
	}
	state, err := b.counter()
	if err != nil {
		return sw(apdu.NoDiagnosis)
	}
	switch c.INS {
	case insBlock:
		state.Blocked = true
	case insUnblock:
		state.Blocked = false
	case insPIN, insPutData:
		return sw(apdu.OK)
	default:
		return sw(apdu.BadINS)
	}
	if b.keep(state) != nil {
		return sw(apdu.WriteFailed)
	}
	return sw(apdu.OK)
}

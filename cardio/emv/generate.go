package emv

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"

	"buka/cardio/apdu"
)

// generate is GENERATE AC with CDOL1. What it asks for and what it gets may
// differ: the card may always be more careful than the terminal.
func (p *Payment) generate(ctx context.Context, ch Channel, kind byte) error {
	wishes, err := apdu.ParseDOL(p.card[0x8C])
	if err != nil || len(wishes) == 0 {
		return fmt.Errorf("%w: no list for the cryptogram (8C)", ErrAnswer)
	}
	combined := kind != aac && p.wantsCDA()
	p.wantedCDA = combined
	p1 := kind
	if combined {
		p1 |= 0x10
	}
	p.cdol1 = apdu.FillDOL(wishes, p.values())
	r, err := apdu.Exchange(ctx, ch, apdu.Command{CLA: 0x80, INS: 0xAE, P1: p1, Data: p.cdol1, Ne: apdu.MaxNe})
	if err != nil {
		return fmt.Errorf("generate AC: %w", err)
	}
	didRisk.set(p.tsi)
	switch r.SW {
	case apdu.OK:
	case apdu.ConditionsNotMet, apdu.FileInvalidated:
		return &Refusal{Reason: Declined}
	default:
		return fmt.Errorf("%w: GENERATE AC: %v", ErrAnswer, r.SW)
	}
	return p.takeGenerated(r.Data, combined)
}

// takeGenerated reads the answer, format 1 (80: kind, ATC, cryptogram, issuer
// data) or 2 (77). A combined signature is checked; what it hides are kind and
// cryptogram.
func (p *Payment) takeGenerated(data []byte, combined bool) error {
	if v, err := apdu.Find(data, 0x80); err == nil {
		if len(v) < 11 || len(v) > 43 {
			return fmt.Errorf("%w: GENERATE AC answer of %d bytes", ErrAnswer, len(v))
		}
		if combined && v[0]&0xC0 != aac {
			cdaFailed.set(p.tvr)
		}
		p.ac = cryptogram{kind: v[0] & 0xC0, atc: bytes.Clone(v[1:3]), value: bytes.Clone(v[3:11]), issuer: bytes.Clone(v[11:])}
		return nil
	}
	content, err := apdu.Find(data, 0x77)
	if err != nil {
		return fmt.Errorf("%w: GENERATE AC: %w", ErrAnswer, err)
	}
	list, err := apdu.ParseTLVs(content)
	if err != nil {
		return fmt.Errorf("%w: GENERATE AC: %w", ErrAnswer, err)
	}
	answer := map[apdu.Tag][]byte{}
	for _, o := range list {
		answer[o.Tag] = bytes.Clone(o.Value)
	}
	if signed := answer[0x9F4B]; combined && signed != nil {
		if err := p.checkCombined(signed, answer, list); err != nil {
			cdaFailed.set(p.tvr)
		}
	} else if combined && len(answer[0x9F27]) == 1 && answer[0x9F27][0]&0xC0 != aac {
		cdaFailed.set(p.tvr)
	}
	if len(answer[0x9F27]) != 1 || len(answer[0x9F36]) != 2 || len(answer[0x9F26]) != 8 || len(answer[0x9F10]) > 32 {
		return fmt.Errorf("%w: GENERATE AC: kind, counter, cryptogram or issuer data", ErrAnswer)
	}
	p.ac = cryptogram{kind: answer[0x9F27][0] & 0xC0, atc: answer[0x9F36], value: answer[0x9F26], issuer: answer[0x9F10]}
	return nil
}

// transactionHash is the SHA-1 over what a combined signature binds: the filled
// PDOL, the filled CDOL1 and the answer without the signature.
func (p *Payment) transactionHash(answer []apdu.TLV) [20]byte {
	h := sha1.New()
	h.Write(p.pdol)
	h.Write(p.cdol1)
	for _, o := range answer {
		if o.Tag == 0x9F4B {
			continue
		}
		if b, err := apdu.Encode(o.Tag, o.Value); err == nil {
			h.Write(b)
		}
	}
	return [20]byte(h.Sum(nil))
}

// takeCryptogram reads what a contactless card gave in its GPO answer. Visa's
// cards tell the kind in the card verification results inside 9F10.
func (p *Payment) takeCryptogram() error {
	p.ac = cryptogram{atc: p.card[0x9F36], value: p.card[0x9F26], issuer: p.card[0x9F10]}
	switch {
	case len(p.card[0x9F27]) == 1:
		p.ac.kind = p.card[0x9F27][0] & 0xC0
	case len(p.ac.issuer) >= 5:
		p.ac.kind = p.ac.issuer[4] << 2 & 0xC0
	default:
		return fmt.Errorf("%w: a cryptogram of no kind", ErrAnswer)
	}
	if len(p.ac.atc) != 2 || len(p.ac.value) != 8 || len(p.ac.issuer) > 32 {
		return fmt.Errorf("%w: cryptogram, counter or issuer data", ErrAnswer)
	}
	return nil
}

// Bits of the card transaction qualifiers (9F6C; EMV Contactless Books C-3 annex
// A.2 and C-7 annex A), first byte and second.
const (
	ctqOnlinePIN = 0x80
	ctqGoOnline  = 0x20 // go online if offline authentication fails
	ctqContact   = 0x10 // use the contact interface if it fails

	ctqDevice = 0x80 // the device (a telephone, a watch) has verified its owner
)

// contactless is what remains where GPO gave the cryptogram (kernels 3 and 7).
func (p *Payment) contactless(t Terminal) error {
	switch p.ac.kind {
	case arqc:
	case aac:
		return &Refusal{Reason: Declined}
	default:
		return fmt.Errorf("%w: cryptogram of kind %02X from a card that must go online", ErrAnswer, p.ac.kind)
	}
	// The verification results were zeros when the card made its cryptogram, and
	// go to the issuer as they were. So a forged signature is for us to act on.
	forged := false
	if p.card[0x9F4B] != nil {
		err := p.fastDDA(t)
		forged = err != nil
		q := p.card[0x9F6C]
		switch {
		case err == nil:
			didODA.set(p.tsi)
		case errors.Is(err, errNoKey) || len(q) == 2 && q[0]&ctqGoOnline != 0:
		case len(q) == 2 && q[0]&ctqContact != 0:
			return &Refusal{Reason: UseChip}
		default:
			return &Refusal{Reason: Declined}
		}
	}
	didCVM.set(p.tsi)
	return p.contactlessHolder(t, forged)
}

// contactlessHolder is cardholder verification by what the card asks for (EMV
// Contactless Books C-3 5.7 and C-7): the PIN at the bank, or none where the
// device has verified its owner, or the amount needs nothing. A card that says
// nothing and is over the limit has its PIN asked for. Nobody needs to believe a
// bit that came over the air: the issuer sees the device's verification in 9F10,
// under the cryptogram, and we see the bit in 9F69, under the signature. Where that
// is forged or cannot be checked, the PIN is asked for.
func (p *Payment) contactlessHolder(t Terminal, forged bool) error {
	q := p.card[0x9F6C]
	if len(q) != 2 {
		q = []byte{0, 0}
	}
	p.PIN = t.needsCVM()
	p.cvm = []byte{cvmNone, 0x02, 0x02}
	switch {
	case q[0]&ctqOnlinePIN != 0:
		p.PIN = true
	case q[1]&ctqDevice != 0 && !forged && t.takesDevice():
		if related := p.card[0x9F69]; related != nil && (len(related) < 7 || !bytes.Equal(related[5:7], q)) {
			return &Refusal{Reason: Declined} // the qualifiers are not those that the card signed
		}
		p.PIN = false
		p.cvm = []byte{cvmOffline, whenAlways, 0x02}
	}
	if p.PIN {
		p.cvm = []byte{cvmOnline, whenAlways, 0x00}
	}
	return nil
}

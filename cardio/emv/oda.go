package emv

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"buka/cardio/apdu"
)

// errODA is in the chain of every failure of offline data authentication. It
// never ends a payment by itself: it is told to the issuer, who decides.
var errODA = errors.New("emv: the card is not authentic by its certificates")

// errNoKey: nothing is known against the card; its authority is not in the table.
var errNoKey = fmt.Errorf("%w: its authority's key is not known here", errODA)

func notAuthentic(why string) error { return fmt.Errorf("%w: %s", errODA, why) }

// opened checks the frame of what a signature recovers: 6A, format, …, hash, BC
// (EMV Book 2, tables of 5 and 6), with SHA-1 over all between header and hash
// and over what follows outside of it. It gives the part after the format.
func opened(plain []byte, format byte, outside ...[]byte) ([]byte, error) {
	n := len(plain)
	if n < 22+14 || plain[0] != 0x6A || plain[1] != format || plain[n-1] != 0xBC {
		return nil, notAuthentic("not a signature of this kind")
	}
	h := sha1.New()
	h.Write(plain[1 : n-21])
	for _, o := range outside {
		h.Write(o)
	}
	if !bytes.Equal(h.Sum(nil), plain[n-21:n-1]) {
		return nil, notAuthentic("the hash differs")
	}
	return plain[2 : n-21], nil
}

// issuerKey recovers the issuer's public key from its certificate (90), EMV
// Book 2 5.3.
func (p *Payment) issuerKey(t Terminal) (rsaKey, error) {
	table := t.Keys
	if table == nil {
		table = BuiltinCAKeys(false)
	}
	index := p.card[0x8F]
	if len(index) != 1 {
		return rsaKey{}, notAuthentic("no index of an authority's key")
	}
	ca, ok := table.find(p.Card.AID, index[0])
	if !ok {
		return rsaKey{}, errNoKey
	}
	body, err := opened(ca.recover(p.card[0x90]), 0x02, p.card[0x92], p.card[0x9F32])
	if err != nil {
		return rsaKey{}, err
	}
	// identifier 4, expiry 2 (MMYY), serial 3, hash and key algorithm, lengths
	id := bytes.TrimRight([]byte(hex.EncodeToString(body[:4])), "f")
	if len(id) < 3 || !bytes.HasPrefix(p.Card.PAN, id) {
		return rsaKey{}, notAuthentic("the certificate is of another issuer")
	}
	if past(body[4:6], t) {
		return rsaKey{}, notAuthentic("the issuer's certificate has expired")
	}
	return keyOf(body[9:], p.card[0x92], p.card[0x9F32])
}

// cardKey recovers the card's own public key from its certificate (9F46), EMV
// Book 2 6.4; the card's static data is part of what it signs.
func (p *Payment) cardKey(t Terminal) (rsaKey, error) {
	issuer, err := p.issuerKey(t)
	if err != nil {
		return rsaKey{}, err
	}
	static, err := p.staticData()
	if err != nil {
		return rsaKey{}, err
	}
	body, err := opened(issuer.recover(p.card[0x9F46]), 0x04, p.card[0x9F48], p.card[0x9F47], static)
	if err != nil {
		return rsaKey{}, err
	}
	if len(body) < 19 {
		return rsaKey{}, notAuthentic("the certificate is cut")
	}
	if pan := bytes.TrimRight([]byte(hex.EncodeToString(body[:10])), "f"); !bytes.Equal(pan, p.Card.PAN) {
		return rsaKey{}, notAuthentic("the certificate is of another card")
	}
	if past(body[10:12], t) {
		return rsaKey{}, notAuthentic("the card's certificate has expired")
	}
	return keyOf(body[15:], p.card[0x9F48], p.card[0x9F47])
}

// keyOf puts a key together: algorithms, lengths, its left digits, the rest.
func keyOf(b, remainder, exponent []byte) (rsaKey, error) {
	if len(b) < 4 || b[0] != 0x01 || b[1] != 0x01 {
		return rsaKey{}, notAuthentic("not RSA with SHA-1")
	}
	size, digits := int(b[2]), b[4:]
	switch {
	case size < 64 || int(b[3]) != len(exponent):
		return rsaKey{}, notAuthentic("a key of no sensible size")
	case size <= len(digits):
		return rsaKey{bytes.Clone(digits[:size]), exponent}, nil
	case size == len(digits)+len(remainder):
		return rsaKey{append(bytes.Clone(digits), remainder...), exponent}, nil
	}
	return rsaKey{}, notAuthentic("the key's rest is missing")
}

// past compares MMYY with the month of the payment.
func past(mmyy []byte, t Terminal) bool {
	d := hex.EncodeToString(mmyy)
	return t.Now.Format("200601") > "20"+d[2:]+d[:2]
}

// staticData is what certificates and static signatures are over: the signed
// records, then the profile if the card says so (9F4A), EMV Book 3 10.3.
func (p *Payment) staticData() ([]byte, error) {
	data := bytes.Clone(p.static.Bytes())
	if tags := p.card[0x9F4A]; tags != nil {
		if !bytes.Equal(tags, []byte{0x82}) {
			return nil, notAuthentic("it signs other objects than the profile")
		}
		data = append(data, p.profile...)
	}
	return data, nil
}

// authenticate does the best kind that the card offers (EMV Book 3 10.3). A
// failure is a flag in the verification results; only an answer that cannot be
// had ends the payment.
func (p *Payment) authenticate(ctx context.Context, ch Channel, t Terminal) error {
	switch {
	case p.wantsCDA():
		key, err := p.cardKey(t)
		p.failODA(err, cdaFailed)
		p.key = key
	case aipDDA.in(p.profile):
		err := p.dynamic(ctx, ch, t)
		if err != nil && !errors.Is(err, errODA) {
			return err
		}
		p.failODA(err, ddaFailed)
	case aipSDA.in(p.profile):
		sdaSelected.set(p.tvr)
		p.failODA(p.staticSignature(t), sdaFailed)
	default:
		noODA.set(p.tvr)
		return nil
	}
	didODA.set(p.tsi)
	return nil
}

// wantsCDA: the combined signature is checked with the cryptogram itself.
func (p *Payment) wantsCDA() bool { return aipCDA.in(p.profile) && !cdaFailed.in(p.tvr) }

func (p *Payment) failODA(err error, f flag) {
	if err == nil {
		return
	}
	f.set(p.tvr)
	for _, tag := range []apdu.Tag{0x8F, 0x90, 0x9F32} {
		if p.card[tag] == nil {
			dataMissing.set(p.tvr)
		}
	}
}

// staticSignature checks the signed static application data (93), EMV Book 2 5.4.
func (p *Payment) staticSignature(t Terminal) error {
	issuer, err := p.issuerKey(t)
	if err != nil {
		return err
	}
	static, err := p.staticData()
	if err != nil {
		return err
	}
	body, err := opened(issuer.recover(p.card[0x93]), 0x03, static)
	if err != nil {
		return err
	}
	p.card[0x9F45] = bytes.Clone(body[1:3])
	return nil
}

// dynamic is INTERNAL AUTHENTICATE with the terminal's random number, EMV Book 2
// 6.5.
func (p *Payment) dynamic(ctx context.Context, ch Channel, t Terminal) error {
	key, err := p.cardKey(t)
	if err != nil {
		return err
	}
	return p.sign(ctx, ch, key)
}

// sign has the card sign, and checks it.
func (p *Payment) sign(ctx context.Context, ch Channel, key rsaKey) error {
	wishes := []apdu.DOLEntry{{Tag: 0x9F37, Len: 4}}
	if ddol := p.card[0x9F49]; ddol != nil {
		var err error
		if wishes, err = apdu.ParseDOL(ddol); err != nil {
			return notAuthentic("its list for the signature is malformed")
		}
		if !slices.ContainsFunc(wishes, func(e apdu.DOLEntry) bool { return e.Tag == 0x9F37 && e.Len > 0 }) {
			return notAuthentic("its signature is not over the terminal's random number") // Book 2 6.5.1: it may be an old one
		}
	}
	asked := apdu.FillDOL(wishes, p.values())
	r, err := apdu.Exchange(ctx, ch, apdu.Command{CLA: 0x00, INS: 0x88, Data: asked, Ne: apdu.MaxNe})
	if err != nil {
		return fmt.Errorf("internal authenticate: %w", err)
	}
	if r.SW != apdu.OK {
		return notAuthentic("it does not sign: " + r.SW.String())
	}
	signed, err := apdu.Find(r.Data, 0x80)
	if err != nil {
		if signed, err = apdu.Find(r.Data, 0x77, 0x9F4B); err != nil {
			return notAuthentic("no signature in its answer")
		}
	}
	body, err := opened(key.recover(signed), 0x05, asked)
	if err != nil {
		return err
	}
	return p.takeDynamic(body)
}

// takeDynamic keeps the card's dynamic number (9F4C): algorithm, length of the
// dynamic data, length of the number, the number.
func (p *Payment) takeDynamic(body []byte) error {
	if len(body) < 3 || int(body[1]) < 1+int(body[2]) || len(body) < 2+int(body[1]) || body[2] < 2 || body[2] > 8 {
		return notAuthentic("no dynamic number")
	}
	p.card[0x9F4C] = bytes.Clone(body[3 : 3+int(body[2])])
	return nil
}

// checkCombined checks the signature in the answer of GENERATE AC and takes kind
// and cryptogram from it, EMV Book 2 6.6.
func (p *Payment) checkCombined(signed []byte, answer map[apdu.Tag][]byte, list []apdu.TLV) error {
	body, err := opened(p.key.recover(signed), 0x05, p.terminal[0x9F37])
	if err != nil {
		return err
	}
	if err := p.takeDynamic(body); err != nil {
		return err
	}
	inner := body[3+int(body[2]) : 2+int(body[1])]
	if len(inner) < 1+8+20 { // more may follow
		return notAuthentic("its signature holds no cryptogram")
	}
	hash := p.transactionHash(list)
	if !bytes.Equal(hash[:], inner[9:29]) || len(answer[0x9F27]) != 1 || answer[0x9F27][0] != inner[0] {
		return notAuthentic("the signature is of another transaction")
	}
	answer[0x9F26] = bytes.Clone(inner[1:9])
	return nil
}

// fastDDA checks the signature that came with the one GPO: over the terminal's
// random number, amount and currency and the card's 9F69 (fDDA version 01, emv
// sheet 4.3).
func (p *Payment) fastDDA(t Terminal) error {
	related := p.card[0x9F69]
	if len(related) < 5 || related[0] != 0x01 {
		return notAuthentic("fDDA of another version than 01")
	}
	key, err := p.cardKey(t)
	if err != nil {
		return err
	}
	asked := bytes.Join([][]byte{p.terminal[0x9F37], p.terminal[0x9F02], p.terminal[0x5F2A], related}, nil)
	body, err := opened(key.recover(p.card[0x9F4B]), 0x05, asked)
	if err != nil {
		return err
	}
	return p.takeDynamic(body)
}

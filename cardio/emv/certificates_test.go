package emv

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"testing"

	"buka/cardio/apdu"
)

// Keys of exponent 1: what is signed is what is recovered, so that a test can
// write certificates.
var (
	oneExponent = []byte{1}
	authority   = bytes.Repeat([]byte{0xFF}, 144)
	issuerOwn   = bytes.Repeat([]byte{0xFE}, 112)
	cardOwn     = bytes.Repeat([]byte{0xFD}, 80)
)

// signedBy makes 6A, body filled with BB, SHA-1 over body and what is outside, BC.
func signedBy(size int, body []byte, outside ...[]byte) []byte {
	body = append(bytes.Clone(body), bytes.Repeat([]byte{0xBB}, size-22-len(body))...)
	h := sha1.New()
	h.Write(body)
	for _, o := range outside {
		h.Write(o)
	}
	return append(append(append([]byte{0x6A}, body...), h.Sum(nil)...), 0xBC)
}

// chain is a card with certificates down to its own key, EMV Book 2 tables 6 and 14,
// and with a fast signature over this payment.
type chain struct {
	issuer, number     string // as the certificates have them, filled with F
	issuerTo, cardTo   string // MMYY
	issuerAlg, cardAlg string // of hash and key
	tags               string // 9F4A
	related            string // 9F69
	amount             string // that the signature is over
}

func good() chain {
	return chain{"622588FF", "6225880000000001FFFF", "1226", "0126", "0101", "0101", "82", "01000000008000", "000000005000"}
}

func (c chain) payment(t *testing.T) (*Payment, Terminal) {
	p := paying(t, "2000", nil)
	at := now
	at.Keys = &CATable{keys: map[string]CAKey{"\xA0\x00\x00\x03\x33\xFE": {Modulus: authority, Exponent: oneExponent}}}
	p.Card = &Card{PAN: Digits("6225880000000001"), Expiry: Digits("3012"), AID: unhex(t, "A000000333010101")}
	p.static.WriteString("the signed records")
	body := append(unhex(t, "02"+c.issuer+c.issuerTo+"000001"+c.issuerAlg), byte(len(issuerOwn)), 1)
	digits := len(authority) - 36
	p.card[0x8F], p.card[0x92], p.card[0x9F32] = []byte{0xFE}, issuerOwn[digits:], oneExponent
	p.card[0x90] = signedBy(len(authority), append(body, issuerOwn[:digits]...), issuerOwn[digits:], oneExponent)
	body = append(unhex(t, "04"+c.number+c.cardTo+"000001"+c.cardAlg), byte(len(cardOwn)), 1)
	digits = len(issuerOwn) - 42
	static := append([]byte("the signed records"), p.profile...)
	p.card[0x9F48], p.card[0x9F47], p.card[0x9F4A] = cardOwn[digits:], oneExponent, unhex(t, c.tags)
	p.card[0x9F46] = signedBy(len(issuerOwn), append(body, cardOwn[:digits]...), cardOwn[digits:], oneExponent, static)
	p.card[0x9F69] = unhex(t, c.related)
	p.card[0x9F4B] = signedBy(len(cardOwn), unhex(t, "050103020007"), p.terminal[0x9F37], unhex(t, c.amount), p.terminal[0x5F2A], p.card[0x9F69])
	return p, at
}

// TestCertificates is EMV Book 2 5.3, 6.4 and 6.5 and the fast signature of kernels
// 3 and 7, condition by condition: one certificate or signature that is somebody
// else's, or too old, and the card is not authentic.
func TestCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*chain)
		good   bool
	}{
		"good":                                  {func(*chain) {}, true},
		"to the end of this month":              {func(c *chain) { c.issuerTo = "0126" }, true},
		"of a shorter issuer number":            {func(c *chain) { c.issuer = "622FFFFF" }, true},
		"another issuer":                        {func(c *chain) { c.issuer = "622589FF" }, false},
		"an issuer of two digits":               {func(c *chain) { c.issuer = "62FFFFFF" }, false},
		"an issuer's certificate that is over":  {func(c *chain) { c.issuerTo = "1225" }, false},
		"an issuer's key that is not RSA":       {func(c *chain) { c.issuerAlg = "0102" }, false},
		"an issuer's hash that is not SHA-1":    {func(c *chain) { c.issuerAlg = "0201" }, false},
		"another card":                          {func(c *chain) { c.number = "6225880000000002FFFF" }, false},
		"a card of a longer number":             {func(c *chain) { c.number = "62258800000000012FFF" }, false},
		"a card's certificate that is over":     {func(c *chain) { c.cardTo = "1225" }, false},
		"a card's key that is not RSA":          {func(c *chain) { c.cardAlg = "0102" }, false},
		"it signs other objects":                {func(c *chain) { c.tags = "9F36" }, false},
		"it signs the profile and more":         {func(c *chain) { c.tags = "829F36" }, false},
		"fDDA of another version":               {func(c *chain) { c.related = "02000000008000" }, false},
		"fDDA without the card's random number": {func(c *chain) { c.related = "01" }, false},
		"a signature over another amount":       {func(c *chain) { c.amount = "000000000100" }, false},
	} {
		one := good()
		c.change(&one)
		p, at := one.payment(t)
		if err := p.fastDDA(at); (err == nil) != c.good || err != nil && (!errors.Is(err, errODA) || errors.Is(err, errNoKey)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, at := good().payment(t)
	p.card[0x8F] = []byte{0xFD}
	if err := p.fastDDA(at); !errors.Is(err, errNoKey) {
		t.Errorf("a key that is not in the table: %v", err)
	}
}

// TestForgedOnTheAir: what becomes of a card whose fast signature is wrong is what
// it says itself (9F6C): go online, use the contacts, or nothing (kernel 7, and
// Book C-3 5.6). A key that is not known here is nothing against it.
func TestForgedOnTheAir(t *testing.T) {
	for _, c := range []struct {
		qualifiers string
		unknown    bool
		reason     Reason // "": taken
	}{
		{"8000", false, Declined}, {"A000", false, ""}, {"9000", false, UseChip}, {"B000", false, ""}, {"", false, Declined},
		{"8000", true, ""}, {"", true, ""},
	} {
		one := good()
		one.amount = "000000000100"
		p, at := one.payment(t)
		if p.ac.kind = arqc; c.qualifiers != "" {
			p.card[0x9F6C] = unhex(t, c.qualifiers)
		}
		if c.unknown {
			p.card[0x8F] = []byte{0xFD}
		}
		err := p.contactless(at)
		if c.reason == "" && (err != nil || didODA.in(p.tsi)) || c.reason != "" && !errors.Is(err, &Refusal{Reason: c.reason}) {
			t.Errorf("qualifiers %q, unknown key %v: %v, TSI %X", c.qualifiers, c.unknown, err, p.tsi)
		}
	}
}

// TestPINOnTheAir: a card that wants its PIN gets it whatever the amount.
func TestPINOnTheAir(t *testing.T) {
	for qualifiers, want := range map[string][2]bool{"8000": {true, true}, "0000": {true, false}, "": {true, false}} {
		for i, limit := range []bool{false, true} {
			p, at := good().payment(t)
			if p.ac.kind = arqc; qualifiers != "" {
				p.card[0x9F6C] = unhex(t, qualifiers)
			}
			if limit {
				at.NoCVM = at.Amount
			}
			if err := p.contactless(at); err != nil || p.PIN != want[i] || p.PIN != (p.cvm[0] == cvmOnline) {
				t.Errorf("qualifiers %q, limit %v: PIN %v, CVM results %X, %v", qualifiers, limit, p.PIN, p.cvm, err)
			}
		}
	}
}

// TestKindByTheVerificationResults: Visa's cards tell the kind of their cryptogram
// in 9F10 alone; what is no request to go online is not sent.
func TestKindByTheVerificationResults(t *testing.T) {
	for results, want := range map[string]byte{"A0": arqc, "90": tc, "80": aac} {
		p := paying(t, "2000", map[apdu.Tag]string{0x9F36: "0001", 0x9F26: "1122334455667788", 0x9F10: "06010A03" + results + "0000"})
		if err := p.takeCryptogram(); err != nil || p.ac.kind != want {
			t.Errorf("%s: kind %02X, %v", results, p.ac.kind, err)
		}
		if err := p.contactless(now); (err == nil) != (want == arqc) {
			t.Errorf("%s: %v", results, err)
		}
	}
	p := paying(t, "2000", map[apdu.Tag]string{0x9F36: "0001", 0x9F26: "1122334455667788", 0x9F10: "06010A03"})
	if err := p.takeCryptogram(); !errors.Is(err, ErrAnswer) {
		t.Errorf("a cryptogram of no kind: %v", err)
	}
}

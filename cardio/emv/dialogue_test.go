package emv

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"strings"
	"testing"

	"buka/cardio/apdu"
)

// TestOwnRandomNumber: a signature that is not over the terminal's random number
// may be an old one (EMV Book 2 6.5.1). The card is not even asked for it.
func TestOwnRandomNumber(t *testing.T) {
	for list, asked := range map[string]bool{"9F3704": true, "9F02069F3704": true, "9F0206": false, "9F3700": false, "": false} {
		p := paying(t, "2000", map[apdu.Tag]string{0x9F49: list})
		sent := false
		_ = p.sign(context.Background(), program(func(cmd []byte) []byte { sent = cmd[1] == 0x88; return []byte{0x69, 0x85} }), rsaKey{})
		if sent != asked {
			t.Errorf("DDOL %s: INTERNAL AUTHENTICATE sent %v", list, sent)
		}
	}
}

// TestOneGPOResults: the cryptogram of a card with one GPO is over the results
// that the PDOL had; what is found afterwards must not be sent beside it, or the
// issuer could not check it.
func TestOneGPOResults(t *testing.T) {
	pdol := ""
	card := &plain{t: t, dir: [][]byte{entryOf(t, debit, 1)},
		gpo:     map[string]string{debit: hexOf(append(object(t, 0x77, unhex(t, "82022000 9404 08010100 9F36020001 9F26081122334455667788 9F270180 9F100807010103A0000000")), ok...))},
		records: map[byte]string{1: hexOf(append(object(t, 0x70, unhex(t, track2), unhex(t, "9F08020099 9F0702FE00 5F2503260116")), ok...))}}
	p, err := Start(context.Background(), program(func(cmd []byte) []byte {
		if cmd[1] == 0xA4 && string(cmd[5:5+cmd[4]]) != string(ppse) {
			card.answer(cmd)
			return append(object(t, 0x6F, object(t, 0xA5, object(t, 0x9F38, unhex(t, "9505")))), ok...)
		}
		if cmd[1] == 0xA8 {
			pdol = hexOf(cmd[7 : 5+cmd[4]])
		}
		return card.answer(cmd)
	}), now)
	if err != nil {
		t.Fatal(err)
	}
	de55, err := p.DE55()
	if sent, _ := apdu.Find(de55, 0x95); err != nil || hexOf(sent) != pdol || pdol != "0000000000" {
		t.Errorf("results %X, the card has signed %s, %v", sent, pdol, err)
	}
}

// TestWithoutTheLastWord: a card with contacts that could not be asked last is not
// taken, before it makes a cryptogram.
func TestWithoutTheLastWord(t *testing.T) {
	card := &bare{t: t, at: -1, list: []bareApplication{{debit, "500144", "", serves(t)}}}
	asked := false
	_, err := Start(context.Background(), program(func(cmd []byte) []byte {
		asked = asked || cmd[1] == 0xAE
		return bytes.Replace(card.answer(cmd), unhex(t, "8D028A02"), unhex(t, "8E028A02"), 1)
	}), now)
	if !errors.Is(err, ErrAnswer) || asked {
		t.Errorf("%v, GENERATE AC sent: %v", err, asked)
	}
}

// TestAnotherInterface: 6984 of a contactless card is not about this application
// only.
func TestAnotherInterface(t *testing.T) {
	card := &plain{t: t, dir: [][]byte{entryOf(t, debit, 1), entryOf(t, credit, 2)}, gpo: map[string]string{debit: "6984", credit: serves(t)}}
	if _, err := card.read(); !errors.Is(err, &Refusal{Reason: UseChip}) {
		t.Error(err)
	}
	card.contact, card.selected = true, ""
	if _, err := card.read(); err != nil {
		t.Error(err)
	}
}

// TestScriptResults: DF31 has every script, in order, and is ours: what a card has
// under that tag is nobody's business. What is no command fails its script, and
// nothing else.
func TestScriptResults(t *testing.T) {
	const first = "7112 9F180400000001 8609 841E00000401020304"
	for name, c := range map[string]struct {
		scripts string
		want    string
	}{
		"none":                 {"", ""},
		"one before":           {first, "20 00000001"},
		"before and after":     {first + "7212 9F180400000002 8609 842400000401020304", "2000000001 2000000002"},
		"no command":           {"7209 9F180400000003 8600", "11 00000003"},
		"half a command":       {"710C 9F180400000004 8603 841E00" + first, "11 00000004 2000000001"},
		"a length that is off": {"710F 9F180400000005 8606 84240000FF01", "11 00000005"},
	} {
		p := paying(t, "1000", map[apdu.Tag]string{0x8D: "8A02", 0xDF31: "FFFFFFFFFF"})
		p.ac = cryptogram{kind: arqc, atc: []byte{0, 1}, value: make([]byte, 8)}
		_, err := p.Finish(context.Background(), program(func(cmd []byte) []byte {
			switch {
			case len(cmd) < 4:
				return nil // a reader takes no such thing
			case cmd[1] == 0xAE:
				return unhex(t, "8012 40 0001 1122334455667788 07010103A00000 9000")
			}
			return ok
		}), ParseAnswer(true, "00", unhex(t, c.scripts)))
		if err != nil {
			t.Errorf("%s: the card agreed: %v", name, err)
		}
		de55, err := p.ReversalDE55()
		got, none := apdu.Find(de55, 0xDF31)
		if err != nil || hexOf(got) != strings.ReplaceAll(c.want, " ", "") || (none != nil) != (c.want == "") {
			t.Errorf("%s: DF31 %X, want %s, %v", name, got, c.want, err)
		}
	}
}

// TestCombinedSignature: kind and cryptogram of GENERATE AC are those that the card
// signed, over this transaction; other dynamic data may follow them (EMV Book 2
// 6.6.1). The key's exponent is 1, so that a test can write signatures.
func TestCombinedSignature(t *testing.T) {
	const kindAndAC, atc = "80 1122334455667788", "0001"
	for name, c := range map[string]struct {
		more   string // dynamic data after the hash
		change func(plain []byte)
		failed bool
	}{
		"good":                 {"", func([]byte) {}, false},
		"more data":            {"A1B2C3", func([]byte) {}, false},
		"another kind":         {"", func(p []byte) { p[7] = 0x40 }, true},
		"another transaction":  {"", func(p []byte) { p[20] ^= 1 }, true},
		"the data is too long": {"", func(p []byte) { p[3] = 120 }, true},
		"no dynamic number":    {"", func(p []byte) { p[4] = 1 }, true},
	} {
		p := paying(t, "0100", nil)
		p.key = rsaKey{modulus: bytes.Repeat([]byte{0xFF}, 128), exponent: []byte{1}}
		p.pdol, p.cdol1 = []byte{1, 2}, []byte{3}
		head, tail := unhex(t, "9F270180 9F3602"+atc), unhex(t, "9F100607010103A000")
		hash := sha1.Sum(bytes.Join([][]byte{p.pdol, p.cdol1, head, tail}, nil))
		inner := bytes.Join([][]byte{unhex(t, "02 CAFE"), unhex(t, kindAndAC), hash[:], unhex(t, c.more)}, nil)
		plain := append([]byte{0x6A, 0x05, 0x01, byte(len(inner))}, inner...)
		plain = append(plain, bytes.Repeat([]byte{0xBB}, 107-len(plain))...)
		c.change(plain)
		sum := sha1.Sum(append(bytes.Clone(plain[1:]), p.terminal[0x9F37]...))
		signed := append(append(plain, sum[:]...), 0xBC)
		answer := object(t, 0x77, head, object(t, 0x9F4B, signed), tail)
		err := p.takeGenerated(answer, true)
		if cdaFailed.in(p.tvr) != c.failed || !c.failed && (err != nil || hexOf(p.ac.value) != "1122334455667788") {
			t.Errorf("%s: TVR %X, cryptogram %X, %v", name, p.tvr, p.ac.value, err)
		}
	}
}

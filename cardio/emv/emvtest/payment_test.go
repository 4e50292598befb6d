package emvtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"buka/cardio/apdu"
	"buka/cardio/emv"
	"buka/cardio/reader"
	"buka/cardio/virtual"
	"buka/internal/cryptogram"
)

var (
	visa       = []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}
	mastercard = []byte{0xA0, 0, 0, 0, 4, 0x10, 0x10}
)

// faces is every kind of virtual bank card.
func faces() map[string]virtual.BankOptions {
	all := map[string]virtual.BankOptions{
		"unionpay contactless":   {},
		"unionpay credit":        {Credit: true},
		"visa contactless":       {AID: visa},
		"visa CVN10":             {AID: visa, Profile: cryptogram.CVN10},
		"mastercard contactless": {AID: mastercard},
		"mastercard, dda":        {AID: mastercard, ODA: "dda"},
	}
	for _, oda := range []string{"cda", "dda", "sda", "none"} {
		all["unionpay contact "+oda] = virtual.BankOptions{Contact: true, ODA: oda}
		all["visa contact "+oda] = virtual.BankOptions{Contact: true, ODA: oda, AID: visa}
	}
	return all
}

// objects parses DE55.
func objects(t *testing.T, p *emv.Payment) map[apdu.Tag][]byte {
	t.Helper()
	b, err := p.DE55()
	if err != nil {
		t.Fatal(err)
	}
	list, err := apdu.ParseTLVs(b)
	if err != nil {
		t.Fatal(err)
	}
	all := map[apdu.Tag][]byte{}
	for _, o := range list {
		all[o.Tag] = o.Value
	}
	return all
}

// issuer is the bank: it checks the cryptogram and answers it.
func issuer(t *testing.T, o map[apdu.Tag][]byte, approve bool) []byte {
	t.Helper()
	return issuerOf(t, o, pan, approve)
}

func issuerOf(t *testing.T, o map[apdu.Tag][]byte, number string, approve bool) []byte {
	t.Helper()
	get := func(tag uint32) []byte { return o[apdu.Tag(tag)] }
	profile, err := cryptogram.Of(o[0x9F10])
	if err != nil {
		t.Fatal(err)
	}
	key, err := cryptogram.CardKey(virtual.TestIssuerKey, number, 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := profile.Input(get)
	if err != nil {
		t.Fatal(err)
	}
	atc := binary.BigEndian.Uint16(o[0x9F36])
	want, err := profile.AC(key, atc, data)
	if err != nil || !bytes.Equal(want[:], o[0x9F26]) {
		t.Fatalf("cryptogram %X, want %X, %v", o[0x9F26], want, err)
	}
	arc := [2]byte{'0', '0'}
	if !approve {
		arc = [2]byte{'5', '1'}
	}
	answer, err := profile.ARPC(key, atc, want, arc, [4]byte{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// tvrOf are the bits of offline authentication: not done, SDA, missing data, DDA,
// CDA.
func tvrOf(o map[apdu.Tag][]byte) byte { return o[0x95][0] & 0xEC }

func TestEveryFaceIsAuthorised(t *testing.T) {
	for name, o := range faces() {
		t.Run(name, func(t *testing.T) {
			o.PAN = pan
			ch := present(t, bank(t, o))
			p, err := emv.Start(context.Background(), ch, terminal)
			if err != nil {
				t.Fatal(err)
			}
			got := objects(t, p)
			if !p.PIN || p.Card.PAN.Reveal() != pan || p.More != o.Contact {
				t.Errorf("PIN %v, more %v", p.PIN, p.More)
			}
			want := byte(0)
			if o.ODA == "none" {
				want = 0x80
			}
			if tvrOf(got) != want {
				t.Errorf("TVR %X", got[0x95])
			}
			for _, tag := range []apdu.Tag{0x57, 0x5A, 0x5F20, 0x5F24, 0x99, 0x9F1F, 0x9F20} {
				if got[tag] != nil {
					t.Errorf("%v is in DE55", tag)
				}
			}
			answer := issuer(t, got, true)
			if !o.Contact {
				return
			}
			if _, err := p.Finish(context.Background(), ch, emv.Answer{Approved: true, ARC: "00", Issuer: answer}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUnknownAuthority: without the test keys nobody can say that the card is
// authentic; that is told to the issuer, who decides. With one GPO the results
// are those of before, zeros.
func TestUnknownAuthority(t *testing.T) {
	for name, o := range faces() {
		o.PAN = pan
		real := terminal
		real.Keys = emv.BuiltinCAKeys(false)
		p, err := emv.Start(context.Background(), present(t, bank(t, o)), real)
		if err != nil {
			t.Fatal(name, err)
		}
		oneGPO := p.Interface == emv.Contactless && p.Card.Scheme != "mastercard"
		if got := objects(t, p); (tvrOf(got) == 0) != oneGPO {
			t.Errorf("%s: TVR %X", name, got[0x95])
		}
	}
}

func contact(t *testing.T, o virtual.BankOptions) (*emv.Payment, reader.Card, *virtual.Bank) {
	t.Helper()
	o.PAN, o.Contact = pan, true
	b, err := virtual.NewBank(o)
	if err != nil {
		t.Fatal(err)
	}
	ch := present(t, b)
	p, err := emv.Start(context.Background(), ch, terminal)
	if err != nil {
		t.Fatal(err)
	}
	return p, ch, b
}

// TestTheCardHasTheLastWord: an approval that the issuer did not sign, or that
// the card regrets, is not one. A decline is one whatever the card says.
func TestTheCardHasTheLastWord(t *testing.T) {
	for name, c := range map[string]struct {
		card    virtual.BankOptions
		answer  func(good []byte) emv.Answer
		refused bool
	}{
		"signed":     {answer: func(b []byte) emv.Answer { return emv.Answer{Approved: true, ARC: "00", Issuer: b} }},
		"forged":     {answer: func(b []byte) emv.Answer { b[0] ^= 1; return emv.Answer{Approved: true, ARC: "00", Issuer: b} }, refused: true},
		"other code": {answer: func(b []byte) emv.Answer { b[9] ^= 1; return emv.Answer{Approved: true, ARC: "00", Issuer: b} }, refused: true},
		"unsigned":   {answer: func([]byte) emv.Answer { return emv.Answer{Approved: true, ARC: "00"} }, refused: true},
		"regretted":  {card: virtual.BankOptions{Regrets: true}, answer: func(b []byte) emv.Answer { return emv.Answer{Approved: true, ARC: "00", Issuer: b} }, refused: true},
		"declined":   {answer: func([]byte) emv.Answer { return emv.Answer{ARC: "51"} }},
	} {
		p, ch, _ := contact(t, c.card)
		_, err := p.Finish(context.Background(), ch, c.answer(issuer(t, objects(t, p), true)))
		if errors.Is(err, emv.ErrCardRefuses) != c.refused || err != nil && !c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTornAtTheEnd: any lost command of the end is an error, never an approval.
func TestTornAtTheEnd(t *testing.T) {
	for n := 1; ; n++ {
		p, ch, b := contact(t, virtual.BankOptions{})
		answer := emv.Answer{Approved: true, ARC: "00", Issuer: issuer(t, objects(t, p), true)}
		b.Tear(virtual.Tear{When: virtual.After, N: n})
		_, err := p.Finish(context.Background(), ch, answer)
		if b.Armed() {
			if err != nil {
				t.Fatal(err)
			}
			if n != 3 {
				t.Errorf("torn at %d commands", n-1)
			}
			return
		}
		if err == nil {
			t.Fatalf("command %d was lost, and the card agreed", n)
		}
	}
}

// TestCardDeclines: an AAC to the first request is a refusal, and nothing is sent.
func TestCardDeclines(t *testing.T) {
	for name, o := range faces() {
		o.PAN, o.Refuses = pan, true
		_, err := emv.Start(context.Background(), present(t, bank(t, o)), terminal)
		if !errors.Is(err, &emv.Refusal{Reason: emv.Declined}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoPIN: a card that is verified by nothing pays under the limit only; a
// contactless one that says nothing about a PIN has it asked for.
func TestNoPIN(t *testing.T) {
	free := terminal
	free.NoCVM = 100_00
	for _, c := range []struct {
		name    string
		card    virtual.BankOptions
		t       emv.Terminal
		pin     bool
		refused bool
	}{
		{"contact under", virtual.BankOptions{Contact: true, NoPIN: true}, free, false, false},
		{"contact over", virtual.BankOptions{Contact: true, NoPIN: true}, terminal, false, true},
		{"contactless under", virtual.BankOptions{NoPIN: true}, free, false, false},
		{"contactless over", virtual.BankOptions{NoPIN: true}, terminal, true, false},
		{"with PIN under", virtual.BankOptions{Contact: true}, free, true, false},
	} {
		c.card.PAN = pan
		p, err := emv.Start(context.Background(), present(t, bank(t, c.card)), c.t)
		if c.refused {
			if !errors.Is(err, &emv.Refusal{Reason: emv.NoPIN}) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || p.PIN != c.pin {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
}

// TestCounterIsKept: the transaction counter goes up by one for each payment and
// survives the card's power.
func TestCounterIsKept(t *testing.T) {
	store := virtual.NewMemoryStore()
	for want := uint16(1); want <= 3; want++ {
		b := bank(t, virtual.BankOptions{PAN: pan, Store: store})
		p, err := emv.Start(context.Background(), present(t, b), terminal)
		if err != nil {
			t.Fatal(err)
		}
		if got := objects(t, p); binary.BigEndian.Uint16(got[0x9F36]) != want || b.(*virtual.Bank).ATC() != want {
			t.Errorf("counter %X, want %d", got[0x9F36], want)
		}
	}
}

// TestForgedData changes every byte of what the card sends, one at a time: no
// change goes unnoticed by both the terminal's checks and the issuer.
func TestForgedData(t *testing.T) {
	for name, o := range map[string]virtual.BankOptions{"contact cda": {Contact: true}, "contact dda": {Contact: true, ODA: "dda"}, "contact sda": {Contact: true, ODA: "sda"}, "contactless": {}} {
		o.PAN = pan
		unnoticed := 0
		for at := 0; ; at += 7 {
			forger := &forger{Card: present(t, bank(t, o)), at: at}
			p, err := emv.Start(context.Background(), forger, terminal)
			if !forger.forged {
				break
			}
			if err == nil && tvrOf(objects(t, p)) == 0 && forger.signed {
				unnoticed++
			}
		}
		if unnoticed > 0 {
			t.Errorf("%s: %d forged bytes of signed data were believed", name, unnoticed)
		}
	}
}

// forger flips one bit of one byte of all the data in answers to READ RECORD.
type forger struct {
	reader.Card
	at             int
	forged, signed bool
}

func (f *forger) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	a, err := f.Card.Transmit(ctx, cmd)
	if err != nil || cmd[1] != 0xB2 || f.forged {
		return a, err
	}
	if n := len(a) - 2; f.at >= n {
		f.at -= n
		return a, err
	}
	a = bytes.Clone(a)
	a[f.at] ^= 0x01
	f.forged, f.signed = true, cmd[3]>>3 == 2 && f.at > 3
	return a, err
}

// TestScripts: an issuer's script blocks the application; one that is not signed
// does nothing and is told back as failed.
func TestScripts(t *testing.T) {
	for _, signed := range []bool{true, false} {
		store := virtual.NewMemoryStore()
		p, ch, _ := contact(t, virtual.BankOptions{Store: store})
		o := objects(t, p)
		answer := issuer(t, o, false)
		key, _ := cryptogram.CardKey(virtual.TestIssuerKey, pan, 1)
		command := append([]byte{0x84, 0x1E, 0x00, 0x00, 0x04}, virtual.ScriptMAC(key, o[0x9F36], o[0x9F26], []byte{0x84, 0x1E, 0x00, 0x00, 0x04}, nil)...)
		if !signed {
			command[8] ^= 1
		}
		script, err := apdu.Encode(0x86, command)
		if err != nil {
			t.Fatal(err)
		}
		script, err = apdu.Encode(0x72, []byte{0x9F, 0x18, 4, 1, 2, 3, 4}, script)
		if err != nil {
			t.Fatal(err)
		}
		de55 := append(append([]byte{0x91, byte(len(answer))}, answer...), script...)
		got, err := p.Finish(context.Background(), ch, emv.ParseAnswer(false, "51", de55))
		if err != nil {
			t.Fatal(err)
		}
		want := "2001020304"
		if !signed {
			want = "1101020304"
		}
		if fmt.Sprintf("%X", got) != want {
			t.Errorf("script result %X, want %s", got, want)
		}
		_, err = emv.Start(context.Background(), present(t, bank(t, virtual.BankOptions{PAN: pan, Contact: true, Store: store})), terminal)
		if errors.Is(err, &emv.Refusal{Reason: emv.Blocked}) != signed {
			t.Errorf("after the script: %v", err)
		}
	}
}

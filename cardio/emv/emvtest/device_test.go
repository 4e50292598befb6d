package emvtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"buka/cardio/apdu"
	"buka/cardio/emv"
	"buka/cardio/reader"
	"buka/cardio/virtual"
)

// between is somebody between card and reader who changes the answer to GPO.
type between struct {
	reader.Card
	change func(answer []byte) []byte
}

func (b *between) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	a, err := b.Card.Transmit(ctx, cmd)
	if err != nil || cmd[1] != 0xA8 || b.change == nil {
		return a, err
	}
	return b.change(bytes.Clone(a)), nil
}

// rewrite gives an object of the answer other bytes from a place on.
func rewrite(t *testing.T, tag apdu.Tag, at int, with ...byte) func([]byte) []byte {
	return func(answer []byte) []byte {
		v, err := apdu.Find(answer, 0x77, tag)
		if err != nil {
			t.Fatal(err)
		}
		copy(v[at:], with)
		return answer
	}
}

// without leaves an object out.
func without(t *testing.T, tags ...apdu.Tag) func([]byte) []byte {
	return func(answer []byte) []byte {
		content, err := apdu.Find(answer, 0x77)
		if err != nil {
			t.Fatal(err)
		}
		list, err := apdu.ParseTLVs(content)
		if err != nil {
			t.Fatal(err)
		}
		var kept []byte
		for _, o := range list {
			leave := false
			for _, tag := range tags {
				leave = leave || o.Tag == tag
			}
			if !leave {
				b, _ := apdu.Encode(o.Tag, o.Value)
				kept = append(kept, b...)
			}
		}
		whole, _ := apdu.Encode(0x77, kept)
		return append(whole, 0x90, 0x00)
	}
}

func both(first, then func([]byte) []byte) func([]byte) []byte {
	return func(a []byte) []byte { return then(first(a)) }
}

// TestOwnerVerifiedByTheDevice: kernels 3 and 7 take a telephone's word that it has
// verified its owner, and ask nobody for a PIN; the word of somebody in between
// they do not take.
func TestOwnerVerifiedByTheDevice(t *testing.T) {
	free, deaf := terminal, terminal
	free.NoCVM, deaf.NoDevice = 100_00, true
	phone, card := virtual.BankOptions{Device: true}, virtual.BankOptions{}
	const device, atTheBank, none = "010002", "020000", "1F0202"
	for _, c := range []struct {
		name   string
		aid    []byte
		card   virtual.BankOptions
		change func([]byte) []byte
		t      emv.Terminal
		cvm    string // 9F34; "": refused
	}{
		{"UnionPay's telephone", nil, phone, nil, terminal, device},
		{"Visa's telephone", visa, phone, nil, terminal, device},
		{"under the limit", nil, phone, nil, free, device},
		{"no device's word is taken", nil, phone, nil, deaf, atTheBank},
		{"and somebody sets the bit", visa, phone, both(rewrite(t, 0x9F6C, 0, 0x00, 0x80), without(t, 0x9F4B, 0x9F69)), deaf, atTheBank},
		{"UnionPay's card", nil, card, nil, terminal, atTheBank},
		{"Visa's card", visa, card, nil, terminal, atTheBank},
		{"a card that wants nothing, over the limit", nil, virtual.BankOptions{NoPIN: true}, nil, terminal, atTheBank},
		{"a card that wants nothing, under it", nil, virtual.BankOptions{NoPIN: true}, nil, free, none},
		{"a telephone that wants the PIN too", nil, phone, both(rewrite(t, 0x9F6C, 0, 0x80, 0x80), without(t, 0x9F4B, 0x9F69)), terminal, atTheBank},
		{"no signature at all", visa, phone, without(t, 0x9F4B, 0x9F69), terminal, device}, // Book C-3: it is online, and the issuer sees
		{"somebody sets the bit", nil, card, rewrite(t, 0x9F6C, 0, 0x00, 0x80), terminal, ""},
		{"and in what is signed", nil, card, both(rewrite(t, 0x9F6C, 0, 0x00, 0x80), rewrite(t, 0x9F69, 5, 0x00, 0x80)), terminal, ""},
		{"and lets it go online", nil, card, both(rewrite(t, 0x9F6C, 0, 0x20, 0x80), rewrite(t, 0x9F69, 5, 0x20, 0x80)), terminal, atTheBank},
		{"half of the signed data", visa, phone, both(without(t, 0x9F4B), rewrite(t, 0x9F69, 5, 0x80, 0x00)), terminal, ""},
		{"short qualifiers", nil, card, without(t, 0x9F6C), free, none},
	} {
		c.card.PAN, c.card.AID = pan, c.aid
		p, err := emv.Start(context.Background(), &between{present(t, bank(t, c.card)), c.change}, c.t)
		if c.cvm == "" {
			if !errors.Is(err, &emv.Refusal{Reason: emv.Declined}) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		o := objects(t, p)
		if got := hex.EncodeToString(o[0x9F34]); got != hex.EncodeToString(unhex(c.cvm)) || p.PIN != (c.cvm == atTheBank) {
			t.Errorf("%s: 9F34 %s, PIN %v, want %s", c.name, got, p.PIN, c.cvm)
		}
		if verified := o[0x9F10][4]&0x06 == 0x04; verified != (c.card.Device && !c.t.NoDevice) {
			t.Errorf("%s: 9F10 %X", c.name, o[0x9F10])
		}
		issuer(t, o, true) // the cryptogram is good, and over what it says
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// TestATerminalThatTakesNoDevice has the telephone ask for the PIN.
func TestATerminalThatTakesNoDevice(t *testing.T) {
	b := bank(t, virtual.BankOptions{PAN: pan, Device: true})
	p, err := emv.Start(context.Background(), deaf{present(t, b)}, terminal)
	if err != nil || !p.PIN || objects(t, p)[0x9F10][4]&0x06 != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// deaf is a reader whose 9F66 says that it takes no device's word.
type deaf struct{ reader.Card }

func (d deaf) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if cmd[1] == 0xA8 {
		cmd = bytes.Clone(cmd)
		cmd[9] &^= 0x40 // 83, length, 9F66 first
	}
	return d.Card.Transmit(ctx, cmd)
}

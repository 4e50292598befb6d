package emvtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"buka/cardio/emv"
	"buka/cardio/reader"
	"buka/cardio/virtual"
)

const pan = "6225880000000001"

var terminal = emv.Terminal{Amount: 5000, Keys: emv.BuiltinCAKeys(true), Now: time.Date(2026, 1, 15, 9, 30, 15, 0, time.FixedZone("CST", 8*3600))}

// present lays a card on a reader in memory and opens it.
func present(t *testing.T, p virtual.Program) reader.Card {
	t.Helper()
	memory := reader.NewMemory(reader.Limits{}, "Bank")
	t.Cleanup(func() { memory.Close() })
	if err := memory.Insert("Bank", p); err != nil {
		t.Fatal(err)
	}
	ch, err := memory.Open(context.Background(), "Bank")
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func bank(t *testing.T, o virtual.BankOptions) virtual.Program {
	t.Helper()
	b, err := virtual.NewBank(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRead(t *testing.T) {
	for _, o := range []virtual.BankOptions{
		{PAN: pan},
		{PAN: "622588000000000001", Expiry: "2601", Sequence: 3},
		{PAN: "6225880000000000019"},
		{PAN: "4111111111111111", AID: []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}},
		{PAN: "5500000000000004", AID: []byte{0xA0, 0, 0, 0, 4, 0x10, 0x10}},
	} {
		p, err := emv.Start(context.Background(), present(t, bank(t, o)), terminal)
		if err != nil {
			t.Fatal(o.PAN[:6], err)
		}
		c := p.Card
		if c.PAN.Reveal() != o.PAN || !strings.HasPrefix(c.Track2.Reveal(), o.PAN+"D"+c.Expiry.Reveal()+"220") || len(c.PSN.Reveal()) != 2 || c.Scheme == "" {
			t.Errorf("%s: read otherwise", c)
		}
		if o.Expiry != "" && c.Expiry.Reveal() != o.Expiry {
			t.Error("expiry")
		}
		kept := c.PAN
		c.Zero()
		if !bytes.Equal(kept, make([]byte, len(kept))) || c.PAN != nil || c.Masked() != "****" {
			t.Error("not zeroed")
		}
	}
}

func TestNothingPrints(t *testing.T) {
	p, err := emv.Start(context.Background(), present(t, bank(t, virtual.BankOptions{PAN: pan})), terminal)
	if err != nil {
		t.Fatal(err)
	}
	c := p.Card
	if c.Masked() != "622588******0001" {
		t.Error(c.Masked())
	}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("card", "payment", p, "all", *p, "card", c, "value", *c, "pan", c.PAN, "track", c.Track2)
	text := slog.New(slog.NewTextHandler(&out, nil))
	text.Info("card", "payment", p, "all", *p, "card", c, "value", *c, "pan", c.PAN, "track", c.Track2)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+verb+verb+"\n", p, *p, c, *c, c.PAN, []any{c, c.Track2})
	}
	for _, v := range []any{p, *p, c, *c, c.PAN, map[string]any{"card": c}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	hexed := fmt.Sprintf("%x", []byte(pan))
	for _, secret := range []string{pan, hexed, strings.ToUpper(hexed), pan[6:12], "D9912"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q was printed: %s", secret, out.String())
		}
	}
	if _, err := c.MarshalBinary(); !errors.Is(err, emv.ErrSecret) {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	purse, err := virtual.NewPurse(virtual.PurseOptions{Number: "3105170010170907984"}, virtual.NewMemoryStore())
	if err != nil {
		t.Fatal(err)
	}
	city, err := virtual.NewPurse(virtual.PurseOptions{Number: "3105170010170907984", Family: virtual.CityUnion}, virtual.NewMemoryStore())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		card virtual.Program
		want emv.Reason
	}{
		{bank(t, virtual.BankOptions{PAN: pan, Expired: true}), emv.Expired},
		{bank(t, virtual.BankOptions{PAN: pan, Expiry: "2512"}), emv.Expired},
		{bank(t, virtual.BankOptions{PAN: pan, Blocked: true}), emv.Blocked},
		{bank(t, virtual.BankOptions{PAN: pan, AID: []byte{0xA0, 0, 0, 0, 0x25, 1}}), emv.NoApp},
		{bank(t, virtual.BankOptions{PAN: pan, AID: []byte{0xA0, 0, 0, 3, 0x33, 1, 1, 6}}), emv.NoApp},
		{purse, emv.TransitCard},
		{city, emv.TransitCard},
	} {
		_, err := emv.Start(context.Background(), present(t, c.card), terminal)
		var r *emv.Refusal
		if !errors.As(err, &r) || r.Reason != c.want || !strings.HasPrefix(r.Key(), "bank.") || r.Sentence("en") == "" || r.Sentence("zh") == r.Sentence("en") {
			t.Errorf("%v, want %s", err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), pan) {
			t.Error("the number is in the error")
		}
	}
}

// Every command in turn is lost: an error, never half a card.
func TestCardPulled(t *testing.T) {
	for n := 1; ; n++ {
		b, err := virtual.NewBank(virtual.BankOptions{PAN: pan})
		if err != nil {
			t.Fatal(err)
		}
		ch := present(t, b)
		b.Tear(virtual.Tear{When: virtual.After, N: n})
		c, err := emv.Start(context.Background(), ch, terminal)
		if b.Armed() {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if err == nil || c != nil || !errors.Is(err, reader.ErrCardRemoved) {
			t.Fatalf("command %d: %v %v", n, c, err)
		}
	}
}

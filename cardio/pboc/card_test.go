package pboc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"buka/cardio/apdu"
	"buka/cardio/purse"
	"buka/internal/entry"
	"buka/internal/money"
)

func TestWholeLoadByteForByte(t *testing.T) {
	ctx := context.Background()
	s := newScript(t, "testdata/load.txt")
	p := open(t, Config{}, s)
	want := purse.Info{
		Card: entry.Card{Family: "tunion", Number: "3105170010170907984"},
		AID:  unhex(t, "A000000632010105"), Issuer: unhex(t, "01011000FFFFFFFF"), City: "1000",
		Type: 2, Class: 1, Start: "20190806", Expiry: "20401231", KnownIssuer: true,
	}
	if d := cmp.Diff(want, p.Info()); d != "" {
		t.Error(d)
	}
	seen, err := purse.Observe(ctx, p, nil)
	if err != nil || seen.Balance != 2850 || len(seen.Log) != 1 || len(seen.NoProof) != 3 {
		t.Fatalf("%+v %v", seen, err)
	}
	if r := seen.Log[0]; r.Number != 1 || r.Amount != 1000 || r.At != "20251224180000" || r.Terminal.String() != "665544332211" {
		t.Errorf("%+v", r)
	}
	slot := entry.Slot(2)
	prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: 5000, Terminal: unhex(t, "112233445566"), Slot: &slot, STAN: 7},
		grant("20260115093015", unhex(t, "0C60F9F3")))
	if err != nil {
		t.Fatal(err)
	}
	a := entry.Attempt{
		Card: want.Card, Slot: 2, OldBalance: 2850, Amount: 5000, Terminal: unhex(t, "112233445566"), KeyVersion: 1,
		Random: unhex(t, "A1B2C3D4"), MAC1: unhex(t, "233E6C43"), At: "20260115093015", STAN: 7,
	}
	if d := cmp.Diff(a, prepared.Attempt()); d != "" {
		t.Error(d)
	}
	w := prepared.Write(ctx)
	if w.Outcome != entry.Done || w.TAC.String() != "f086742f" || w.SW != 0x9000 || w.Err != nil {
		t.Errorf("%+v", w)
	}
	proof, err := p.Prove(ctx, 3)
	if err != nil || proof.TAC.String() != "f086742f" || proof.Asked != 3 {
		t.Errorf("%+v %v", proof, err)
	}
	if len(s.turns) != 0 {
		t.Errorf("%d commands were not sent", len(s.turns))
	}
}

// P1 of the sheet, §1.7: the answer to a published INITIALIZE.
func TestParseInitializeVector(t *testing.T) {
	a, err := parseInitialize(unhex(t, "00000000 0000 02 00 11223344 2988AE5A"))
	if err != nil || a.OldBalance != 0 || a.Slot != 0 || a.KeyVersion != 2 || a.Random.String() != "11223344" || a.MAC1.String() != "2988ae5a" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestBalanceSlots(t *testing.T) {
	for _, c := range []struct {
		name, first, second, odd string
		want                     money.Fen
	}{
		{"plain", "00000B22 9000", "00000000 9000", "6A86", 2850},
		{"no second slot", "00000B22 9000", "6A86", "6A86", 2850},
		{"second slot of two bytes", "00000B22 9000", "0000 9000", "6A86", 2850},
		{"overdrawn", "00000000 9000", "000000C8 9000", "6A86", -200},
		{"overdrawn to nothing", "00000320 9000", "00000320 9000", "6A86", 0},
		{"P1 is not looked at", "00000B22 9000", "00000B22 9000", "00000B22 9000", 2850},
		{"bit 31", "80000B22 9000", "80000000 9000", "6A86", 2850},
		{"6Cxx", "00000B22 9000", "6C04", "6A86", 2850},
	} {
		p := open(t, Config{}, tunion(t, map[string]string{"805C0002": c.first, "805C0102": c.second, "805C7F02": c.odd}))
		if got, err := p.Balance(context.Background()); err != nil || got != c.want {
			t.Errorf("%s: %v %v", c.name, got, err)
		}
	}
	p := open(t, Config{}, tunion(t, map[string]string{"805C0002": "6985"}))
	var s *purse.StatusError
	if _, err := p.Balance(context.Background()); !errors.As(err, &s) || s.SW != apdu.ConditionsNotMet {
		t.Error(err)
	}
}

// Every status word, as the answer to CREDIT FOR LOAD: one Transmit, and the
// outcome of DESIGN §4.2.
func TestEveryAnswerToTheWrite(t *testing.T) {
	ctx := context.Background()
	credits, answer := 0, []byte(nil)
	base := tunion(t, map[string]string{"80500002": "00000B22 0002 01 00 A1B2C3D4 233E6C43 9000", "00C00000": "F086742F 9000"})
	p := open(t, Config{}, program(func(cmd []byte) []byte {
		if header(cmd) == "80520000" {
			credits++
			return answer
		}
		return base(cmd)
	}))
	notDone := map[int]bool{0x9302: true, 0x6901: true, 0x6985: true, 0x6700: true}
	for sw := 0; sw <= 0xFFFF; sw++ {
		prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: 5000, Terminal: make(entry.Hex, 6)}, grant("20260115093015", make(entry.Hex, 4)))
		if err != nil {
			t.Fatal(err)
		}
		credits, answer = 0, []byte{byte(sw >> 8), byte(sw)}
		want := entry.Unknown
		switch {
		case sw == 0x9000 || sw>>8 == 0x61:
			want = entry.Done
		case notDone[sw]:
			want = entry.NotDone
		}
		w := prepared.Write(ctx)
		if w.Outcome != want || int(w.SW) != sw || credits != 1 {
			t.Fatalf("%04X: %+v after %d writes", sw, w, credits)
		}
		if (w.Err == nil) != (len(w.TAC) == 4) {
			t.Fatalf("%04X: %+v", sw, w)
		}
	}
}

func TestWriteWithoutAStatusWord(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		answer []byte
		sent   bool
		want   entry.Outcome
	}{
		{"no answer", nil, true, entry.Unknown},
		{"one byte", []byte{0x90}, true, entry.Unknown},
		{"too long", bytes.Repeat([]byte{0x90, 0x00}, 200), true, entry.Unknown},
		{"never left", nil, false, entry.NotDone},
	} {
		base := tunion(t, map[string]string{"80500002": "00000B22 0002 01 00 A1B2C3D4 233E6C43 9000"})
		p := open(t, Config{NotSent: func(err error) bool { return !c.sent }}, program(func(cmd []byte) []byte {
			if header(cmd) == "80520000" {
				return c.answer
			}
			return base(cmd)
		}))
		prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: 5000, Terminal: make(entry.Hex, 6)}, grant("20260115093015", make(entry.Hex, 4)))
		if err != nil {
			t.Fatal(err)
		}
		if w := prepared.Write(ctx); w.Outcome != c.want || w.SW != 0 || w.Err == nil {
			t.Errorf("%s: %+v", c.name, w)
		}
	}
}

func TestOpenByFileWhenTheFCIIsBare(t *testing.T) {
	answers := map[string]string{"00A40400": "6F0A8408A000000632010105 9000", "00B09500": "01011000FFFFFFFF02010310517001017090798420190806204012310000 9000"}
	if n := open(t, Config{}, tunion(t, answers)).Info().Card.Number; n != "3105170010170907984" {
		t.Error(n)
	}
	f, _ := New(Config{})
	for _, c := range []struct {
		ef15 string
		want error
	}{
		{"6A82", &purse.StatusError{}},
		{"6A81", &purse.Refusal{Reason: purse.Blocked}},
		{"0101 9000", purse.ErrAnswer},
		{strings.Repeat("FF", 30) + "9000", purse.ErrAnswer},
		{"01011000FFFFFFFF01010310517001017090798420190806204012310000 9000", &purse.Refusal{Reason: purse.UnknownKind}},
	} {
		answers["00B09500"] = c.ef15
		_, err := f.Open(context.Background(), tunion(t, answers))
		var s *purse.StatusError
		if _, status := c.want.(*purse.StatusError); status && !errors.As(err, &s) || !status && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.ef15, err, c.want)
		}
	}
}

func TestOtherCards(t *testing.T) {
	f, _ := New(Config{})
	ctx := context.Background()
	if _, err := f.Open(ctx, program(func([]byte) []byte { return []byte{0x6A, 0x82} })); !errors.Is(err, purse.ErrNotThisFamily) {
		t.Error(err)
	}
	if _, err := purse.Open(ctx, program(func([]byte) []byte { return []byte{0x6A, 0x82} }), f); !errors.Is(err, &purse.Refusal{Reason: purse.UnknownKind}) {
		t.Error(err)
	}
	if _, err := f.Open(ctx, program(func([]byte) []byte { return []byte{0x6A, 0x81} })); !errors.Is(err, &purse.Refusal{Reason: purse.Blocked}) {
		t.Error(err)
	}
	if _, err := f.Open(ctx, program(func([]byte) []byte { return nil })); err == nil || errors.Is(err, purse.ErrNotThisFamily) {
		t.Error(err)
	}
}

func TestPINIsHidden(t *testing.T) {
	p, err := ParsePIN(0, "123456")
	if err != nil || !bytes.Equal(p.digits, unhex(t, "123456")) {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %x %s %d", p, p, p, p, p, []PIN{p}); strings.Contains(s, "123456") || strings.Contains(s, "18 52") {
		t.Error(s)
	}
	if odd, err := ParsePIN(0, "12345"); err != nil || !bytes.Equal(odd.digits, unhex(t, "12345F")) {
		t.Error(err)
	}
	for _, bad := range []string{"", "123", "12345678901234", "12a456"} {
		if _, err := ParsePIN(0, bad); !errors.Is(err, ErrConfig) || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A card with another PIN is never brought to its last try, however often it
// is tapped.
func TestPINTriesAreSpared(t *testing.T) {
	var list []PIN
	for _, s := range []string{"000000", "111111", "222222", "333333"} {
		p, _ := ParsePIN(0, s)
		list = append(list, p)
	}
	f, err := New(Config{PINs: list})
	if err != nil {
		t.Fatal(err)
	}
	left := 3
	base := tunion(t, map[string]string{"80500002": "6982"})
	card := program(func(cmd []byte) []byte {
		if header(cmd) == "00200000" {
			left--
			return []byte{0x63, 0xC0 | byte(left)}
		}
		return base(cmd)
	})
	for range 5 {
		p, err := f.Open(context.Background(), card)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := purse.Probe(context.Background(), p); !errors.Is(err, &purse.Refusal{Reason: purse.NeedsPIN}) {
			t.Fatal(err)
		}
	}
	if left != 1 {
		t.Errorf("%d tries left", left)
	}
}

func TestCardFamilies(t *testing.T) {
	f, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"tunion", "city"}, f.Cards()); d != "" {
		t.Error(d)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{
		{Applications: []Application{{Family: "x", AID: entry.Hex{1, 2, 3, 4}}}},
		{Applications: []Application{{AID: make(entry.Hex, 8)}}},
		{Applications: make([]Application, 17)},
		{PINs: make([]PIN, 9)}, {LogRecords: 51}, {LogRecords: -1}, {Limit: -1},
	} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

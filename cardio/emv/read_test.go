package emv

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"buka/cardio/apdu"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func object(t testing.TB, tag apdu.Tag, values ...[]byte) []byte {
	t.Helper()
	b, err := apdu.Encode(tag, values...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type program func(cmd []byte) []byte

func (p program) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	if a := p(cmd); a != nil {
		return a, nil
	}
	return nil, errors.New("no answer")
}

var (
	debit    = "A000000333010101"
	credit   = "A000000333010102"
	now      = Terminal{Amount: 5000, Now: time.Date(2026, 1, 15, 9, 30, 15, 0, time.UTC)}
	track2   = "57 11 6225880000000001D3012220000012345F"
	notFound = []byte{0x6A, 0x82}
	ok       = []byte{0x90, 0x00}
)

// entryOf is one directory entry.
func entryOf(t testing.TB, aid string, priority byte) []byte {
	return object(t, 0x61, object(t, 0x4F, unhex(t, aid)), object(t, 0x87, []byte{priority}))
}

// plain is a card with a PPSE and applications that refuse GPO unless named.
type plain struct {
	t        testing.TB
	dir      [][]byte          // directory entries; nil: no PPSE
	contact  bool              // the directory is a PSE
	gpo      map[string]string // by application, in hex; "" is 6985
	records  map[byte]string   // of file 1, by number
	selected string
	order    []string // applications, as they were selected
	gpoData  []byte
}

func (c *plain) answer(cmd []byte) []byte {
	switch {
	case cmd[1] == 0xA4:
		return c.choose(string(cmd[5 : 5+cmd[4]]))
	case cmd[1] == 0xA8:
		c.gpoData = bytes.Clone(cmd[5 : 5+cmd[4]])
		if g := c.gpo[c.selected]; g != "" {
			return unhex(c.t, g)
		}
		return []byte{0x69, 0x85}
	case cmd[1] == 0xB2 && c.selected == "" && cmd[2] == 1 && cmd[3] == 0x0C:
		return append(object(c.t, 0x70, c.dir...), ok...)
	case cmd[1] == 0xB2 && c.selected != "" && c.records[cmd[2]] != "":
		return unhex(c.t, c.records[cmd[2]])
	}
	if cmd[1] == 0xAE {
		return unhex(c.t, "8012 80 0001 1122334455667788 07010103A00000 9000")
	}
	return []byte{0x6A, 0x83}
}

func (c *plain) choose(name string) []byte {
	c.selected = ""
	switch {
	case name == string(ppse) && c.dir != nil && !c.contact:
		return append(object(c.t, 0x6F, object(c.t, 0xA5, object(c.t, 0xBF0C, c.dir...))), ok...)
	case name == string(pse) && c.contact:
		return append(object(c.t, 0x6F, object(c.t, 0xA5, object(c.t, 0x88, []byte{1}))), ok...)
	}
	aid := strings.ToUpper(hex.EncodeToString([]byte(name)))
	if _, known := c.gpo[aid]; !known {
		return notFound
	}
	c.selected = aid
	c.order = append(c.order, aid)
	pdol := object(c.t, 0x9F38, unhex(c.t, "9F66 04 9F02 06 9F1A 02 5F2A 02 9A 03 9C 01 9F4E 02"))
	return append(object(c.t, 0x6F, object(c.t, 0xA5, pdol, object(c.t, 0x8C, unhex(c.t, "9F0206")), object(c.t, 0x8D, unhex(c.t, "8A02")))), ok...)
}

func (c *plain) read() (*Card, error) {
	p, err := Start(context.Background(), program(c.answer), now)
	if err != nil {
		return nil, err
	}
	return p.Card, nil
}

func TestPriorityAndNextApplication(t *testing.T) {
	gpo := hexOf(append(object(t, 0x77, unhex(t, "82021000"), unhex(t, track2)), ok...))
	c := &plain{t: t, dir: [][]byte{entryOf(t, debit, 2), entryOf(t, credit, 1)}, gpo: map[string]string{debit: gpo, credit: ""}}
	card, err := c.read()
	if err != nil || card.Masked() != "622588******0001" || card.Expiry.Reveal() != "3012" || card.PSN != nil || card.AID.String() != strings.ToLower(debit) {
		t.Fatal(card, err)
	}
	if strings.Join(c.order, " ") != credit+" "+debit {
		t.Error(c.order)
	}
	want := "8314" + "34C04080" + "000000005000" + "0156" + "0156" + "260115" + "00" + "0000"
	if hexOf(c.gpoData) != want {
		t.Errorf("GPO with %s, want %s", hexOf(c.gpoData), want)
	}
}

func hexOf(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func TestContactCardFormat1(t *testing.T) {
	c := &plain{
		t: t, contact: true, dir: [][]byte{entryOf(t, debit, 0)},
		gpo: map[string]string{debit: "8006 1000 08010300 9000"},
		records: map[byte]string{
			1: hexOf(append(object(t, 0x70, unhex(t, track2), unhex(t, "5F20 04 4C492F4C")), ok...)),
			2: hexOf(append(object(t, 0x70, unhex(t, "5A08 6225880000000001 5F2403301231 5F340101")), ok...)),
			3: "DEAD 9000", // no template: issuer's own
		},
	}
	card, err := c.read()
	if err != nil || card.Track2.Reveal() != "6225880000000001D3012220000012345" || card.PSN.Reveal() != "01" {
		t.Fatal(card, err)
	}
}

func TestNoDirectory(t *testing.T) {
	c := &plain{t: t, gpo: map[string]string{credit: hexOf(append(object(t, 0x77, unhex(t, "82021000"), unhex(t, track2)), ok...))}}
	card, err := c.read()
	if err != nil || card.AID.String() != strings.ToLower(credit) {
		t.Fatal(card, err)
	}
}

func TestNonsense(t *testing.T) {
	records := func(list ...string) map[byte]string {
		m := map[byte]string{}
		for i, r := range list {
			m[byte(i+1)] = hexOf(append(object(t, 0x70, unhex(t, r)), ok...))
		}
		return m
	}
	for name, c := range map[string]*plain{
		"two numbers":       {gpo: map[string]string{debit: "8006 1000 08010200 9000"}, records: records(track2, "5A08 6225880000000002")},
		"no number":         {gpo: map[string]string{debit: "8006 1000 08010100 9000"}, records: records("5F2403301231")},
		"no expiry":         {gpo: map[string]string{debit: "8006 1000 08010100 9000"}, records: records("5A08 6225880000000001")},
		"letters in track2": {gpo: map[string]string{debit: "8006 1000 08010100 9000"}, records: records("57 0B 6225880000000001D30ABC")},
		"no separator":      {gpo: map[string]string{debit: "8006 1000 08010100 9000"}, records: records("57 08 6225880000000001")},
		"record missing":    {gpo: map[string]string{debit: "8006 1000 08010200 9000"}, records: records(track2)},
		"too many records":  {gpo: map[string]string{debit: "8006 1000 0801FF00 9000"}},
		"file 0":            {gpo: map[string]string{debit: "8006 1000 00010100 9000"}},
		"backwards":         {gpo: map[string]string{debit: "8006 1000 08020100 9000"}},
		"cut locator":       {gpo: map[string]string{debit: "8005 1000 080101 9000"}},
		"no template":       {gpo: map[string]string{debit: "82021000 9000"}},
	} {
		c.t, c.dir = t, [][]byte{entryOf(t, debit, 1)}
		if card, err := c.read(); !errors.Is(err, ErrAnswer) || card != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExpiryDay(t *testing.T) {
	for _, c := range []struct {
		full, month string
		today       string
		want        bool
	}{
		{"", "2601", "20260131", false},
		{"", "2601", "20260201", true},
		{"260115", "2601", "20260115", false},
		{"260114", "2601", "20260115", true},
		{"", "9912", "20260115", false},
	} {
		day, err := time.Parse("20060102", c.today)
		if err != nil {
			t.Fatal(err)
		}
		f := fields{}
		if c.full != "" {
			f.expiry = []byte(c.full)
		}
		if got := f.expired(day, []byte(c.month)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestTables(t *testing.T) {
	for _, a := range applications() {
		if len(a.AID) < 5 || a.Scheme == "" {
			t.Errorf("%+v", a)
		}
	}
	if len(applications()) != 5 {
		t.Error(len(applications()))
	}
}

func TestAmountIsChecked(t *testing.T) {
	for _, a := range []Terminal{{Amount: -1, Now: now.Now}, {Amount: 1 << 40, Now: now.Now}} {
		if _, err := Start(context.Background(), program(func([]byte) []byte { return nil }), a); err == nil {
			t.Error(a.Amount)
		}
	}
}

// FuzzStart plays a card whose every answer comes from the input: a byte of
// length, then that many bytes.
func FuzzStart(f *testing.F) {
	seed := func(answers ...[]byte) {
		var b []byte
		for _, a := range answers {
			b = append(append(b, byte(len(a))), a...)
		}
		f.Add(b)
	}
	dir := append(object(f, 0x6F, object(f, 0xA5, object(f, 0xBF0C, entryOf(f, debit, 1)))), ok...)
	app := append(object(f, 0x6F, object(f, 0xA5, object(f, 0x9F38, unhex(f, "9F66049F0206")))), ok...)
	seed(dir, app, append(object(f, 0x77, unhex(f, "82021000"), unhex(f, track2)), ok...), unhex(f, "8012 80 0001 1122334455667788 07010103A00000 9000"))
	seed(dir, app, append(object(f, 0x77, unhex(f, "82022000 9F360200019F26081122334455667788 9F270180 9F100807010103A0000000 9F690701000000008000"), unhex(f, track2)), ok...))
	seed(dir, app, unhex(f, "8006 1000 08010100 9000"), append(object(f, 0x70, unhex(f, track2)), ok...))
	seed(notFound, notFound, notFound, notFound)
	f.Fuzz(func(t *testing.T, b []byte) {
		commands := 0
		p, err := Start(context.Background(), program(func([]byte) []byte {
			if commands++; commands > 20*maxRecords {
				t.Fatal("the terminal never ends")
			}
			if len(b) == 0 {
				return nil
			}
			n := min(int(b[0]), len(b)-1)
			answer := append([]byte{}, b[1:1+n]...)
			b = b[1+n:]
			return answer
		}), now)
		if err != nil {
			return
		}
		card := p.Card
		if de55, err := p.DE55(); err != nil || len(de55) > 255 {
			t.Fatal(len(de55), err)
		}
		if len(card.PAN) < 12 || len(card.PAN) > 19 || len(card.Expiry) != 4 || len(card.Masked()) != len(card.PAN) {
			t.Fatalf("%s", card)
		}
	})
}

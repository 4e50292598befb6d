package emv

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

type chooser func(context.Context, []Choice) (int, error)

func picks(i int) chooser {
	return func(context.Context, []Choice) (int, error) { return i, nil }
}

var errAsked = errors.New("asked for nothing")

// named is a directory entry.
func named(t testing.TB, aid, name string, priority byte) []byte {
	return object(t, 0x61, object(t, 0x4F, unhex(t, aid)), object(t, 0x50, []byte(name)), object(t, 0x87, []byte{priority}))
}

// serves is the answer to GPO of an application that serves.
func serves(t testing.TB) string {
	return hexOf(append(object(t, 0x77, unhex(t, "82021000"), unhex(t, track2)), ok...))
}

// TestChoice is EMV Book 1 12.4: what needs a confirmation is taken only if the
// cardholder has given it; and Entry Point: without contacts priority alone
// decides.
func TestChoice(t *testing.T) {
	nobody := chooser(func(context.Context, []Choice) (int, error) { return 0, errAsked })
	d := func(priority byte) []byte { return named(t, debit, "D", priority) }
	c := func(priority byte) []byte { return named(t, credit, "C", priority) }
	for name, x := range map[string]struct {
		dir     [][]byte
		choose  chooser
		contact string // applications selected, in order, of a card with contacts
		fails   bool
		tapped  string // and of one without
	}{
		"nobody to ask":               {[][]byte{d(0x82), c(0x03)}, nil, credit, false, debit},
		"nobody to ask, all confirm":  {[][]byte{d(0x81)}, nil, "", true, debit},
		"asked, the second":           {[][]byte{d(1), c(2)}, picks(1), credit, false, debit},
		"one that confirms":           {[][]byte{d(0x81)}, picks(0), debit, false, debit},
		"one that does not":           {[][]byte{d(1)}, nobody, debit, false, debit},
		"the cardholder goes":         {[][]byte{d(1), c(2)}, nobody, "", true, debit},
		"a number that is not there":  {[][]byte{d(1), c(2)}, picks(2), "", true, debit},
		"equal priorities, as listed": {[][]byte{c(1), d(1)}, nil, credit, false, credit},
		"none given comes last":       {[][]byte{c(0), d(15)}, nil, debit, false, debit},
	} {
		for _, contact := range []bool{true, false} {
			card := &plain{t: t, contact: contact, dir: x.dir, gpo: map[string]string{debit: serves(t), credit: serves(t)}}
			want, fails := x.contact, x.fails
			if !contact {
				want, fails = x.tapped, false
			}
			at := now
			at.Choose = x.choose
			_, err := Start(context.Background(), program(card.answer), at)
			if strings.Join(card.order, " ") != want || (err != nil) != fails {
				t.Errorf("%s, contacts %v: %v, %v", name, contact, card.order, err)
			}
			if name == "the cardholder goes" && contact && !errors.Is(err, errAsked) {
				t.Errorf("what the chooser said is lost: %v", err)
			}
		}
	}
}

// TestChosenAndUseless: where what was chosen does not serve, the rest is asked
// about again, be it only one: nobody pays by what they did not choose.
func TestChosenAndUseless(t *testing.T) {
	var asked [][]Choice
	at := now
	at.Choose = func(_ context.Context, list []Choice) (int, error) {
		asked = append(asked, slices.Clone(list))
		return len(list) - 1, nil
	}
	card := &plain{t: t, contact: true, dir: [][]byte{named(t, debit, "D", 1), named(t, credit, "C", 2)}, gpo: map[string]string{debit: serves(t), credit: ""}}
	p, err := Start(context.Background(), program(card.answer), at)
	if err != nil || hexOf(p.Card.AID) != debit || len(asked) != 2 || len(asked[1]) != 1 || asked[1][0].Name != "D" {
		t.Errorf("%v, asked %+v", err, asked)
	}
}

// TestNamesToChooseFrom: best first, by preferred name, label, or none of the
// card's that can be shown.
func TestNamesToChooseFrom(t *testing.T) {
	aid := func(s string) []byte { return object(t, 0x4F, unhex(t, s)) }
	label, preferred := object(t, 0x50, []byte("DEBIT")), object(t, 0x9F12, []byte("Carte d\xE9bit"))
	for name, c := range map[string]struct {
		entry    []byte
		alphabet string // of the PSE
		want     string
	}{
		"label":                            {label, "", "DEBIT"},
		"preferred, alphabet of the entry": {slices.Concat(label, preferred, unhex(t, "9F1101 01")), "", "Carte débit"},
		"preferred, alphabet of the PSE":   {slices.Concat(label, preferred), "01", "Carte débit"},
		"Cyrillic":                         {slices.Concat(label, object(t, 0x9F12, []byte{0xBA, 0xD0, 0xE0, 0xE2, 0xD0}), unhex(t, "9F1101 05")), "", "Карта"},
		"preferred, no alphabet":           {slices.Concat(label, preferred), "", "DEBIT"},
		"preferred, an alphabet of nobody": {slices.Concat(label, preferred, unhex(t, "9F1101 11")), "", "DEBIT"},
		"preferred, controls in it":        {slices.Concat(label, object(t, 0x9F12, []byte{0x1B, '['}), unhex(t, "9F1101 01")), "", "DEBIT"},
		"preferred, too long":              {slices.Concat(label, object(t, 0x9F12, []byte(strings.Repeat("x", 17))), unhex(t, "9F1101 01")), "", "DEBIT"},
		"a label that is no ASCII":         {object(t, 0x50, []byte("d\xE9bit")), "", ""},
		"a label with controls":            {object(t, 0x50, []byte{0x1B, '['}), "", ""},
		"a label of spaces":                {object(t, 0x50, []byte("    ")), "", ""},
		"nothing":                          {nil, "", ""},
	} {
		d := directory{alphabet: unhex(t, c.alphabet)}
		d.add([][]byte{slices.Concat(aid(debit), c.entry)})
		if got := d.candidates[0].name; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	d := directory{}
	d.add([][]byte{slices.Concat(aid(debit), label, unhex(t, "8701 02")), slices.Concat(aid(credit), unhex(t, "8701 01"))})
	d.sort()
	at := now
	at.Choose = func(_ context.Context, list []Choice) (int, error) {
		if len(list) != 2 || list[0].Kind != "unionpay-credit" || list[0].Name != "" || hexOf(list[1].AID) != debit || list[1].Name != "DEBIT" {
			t.Errorf("%+v", list)
		}
		return 1, nil
	}
	if i, asked, err := d.pick(context.Background(), at, d.candidates, false); i != 1 || !asked || err != nil {
		t.Error(i, asked, err)
	}
}

// bare is a card without a directory: applications by their whole names.
type bare struct {
	t        testing.TB
	list     []bareApplication
	at       int
	selected []string // with P2 = 00 and a whole name
}

type bareApplication struct {
	name, about string // hexadecimal
	sw          string // of SELECT; "": 9000
	gpo         string // "": 6985
}

func (c *bare) answer(cmd []byte) []byte {
	switch {
	case cmd[1] == 0xA4:
		return c.find(hexOf(cmd[5:5+cmd[4]]), cmd[3] == 0x02)
	case cmd[1] == 0xA8 && c.at >= 0 && c.list[c.at].gpo != "":
		return unhex(c.t, c.list[c.at].gpo)
	case cmd[1] == 0xA8:
		return []byte{0x69, 0x85}
	case cmd[1] == 0xAE:
		return unhex(c.t, "8012 80 0001 1122334455667788 07010103A00000 9000")
	}
	return notFound
}

// find is SELECT by a name or its beginning, the first or the next one.
func (c *bare) find(name string, next bool) []byte {
	from := 0
	if next {
		from = c.at + 1
	}
	for i := from; i < len(c.list); i++ {
		a := c.list[i]
		if !strings.HasPrefix(a.name, name) {
			continue
		}
		if c.at = i; a.name == name && !next {
			c.selected = append(c.selected, name)
		}
		sw := ok
		if a.sw != "" {
			sw = unhex(c.t, a.sw)
		}
		return append(object(c.t, 0x6F, object(c.t, 0x84, unhex(c.t, a.name)), object(c.t, 0xA5, unhex(c.t, "8C03 9F0206 8D02 8A02"), unhex(c.t, a.about))), sw...)
	}
	return notFound
}

// TestNoDirectoryIsAskedForEach: a card without a directory is asked for each of
// our names, and then priority, confirmation and choice are as with one (EMV Book
// 1 12.3.3 and 12.4).
func TestNoDirectoryIsAskedForEach(t *testing.T) {
	const first, second = "A00000033301010101", "A00000033301010102"
	const d, c = "500144 870102", "500143 870101"
	for name, x := range map[string]struct {
		list    []bareApplication
		choose  chooser
		want    string // the one that pays; "": none
		refused Reason
	}{
		"the best of two":              {[]bareApplication{{debit, d, "", serves(t)}, {credit, c, "", serves(t)}}, nil, credit, ""},
		"chosen":                       {[]bareApplication{{debit, d, "", serves(t)}, {credit, c, "", serves(t)}}, picks(1), debit, ""},
		"one that wants to be agreed":  {[]bareApplication{{debit, "500144 870181", "", serves(t)}}, nil, "", NoApp},
		"one that is agreed to":        {[]bareApplication{{debit, "500144 870181", "", serves(t)}}, picks(0), debit, ""},
		"two whose names begin so":     {[]bareApplication{{first, d, "", ""}, {second, d, "", serves(t)}}, nil, second, ""},
		"two of them, chosen":          {[]bareApplication{{first, d, "", serves(t)}, {second, d, "", serves(t)}}, picks(1), second, ""},
		"the first is blocked":         {[]bareApplication{{first, d, "6283", ""}, {second, d, "", serves(t)}}, nil, second, ""},
		"both are blocked":             {[]bareApplication{{first, d, "6283", ""}, {second, d, "6283", ""}}, nil, "", Blocked},
		"the card is blocked":          {[]bareApplication{{debit, d, "6A81", ""}}, nil, "", Blocked},
		"a longer name, the only one":  {[]bareApplication{{debit + "0203", d, "", serves(t)}}, nil, debit + "0203", ""},
		"nothing of ours":              {[]bareApplication{{"A0000000250101", d, "", serves(t)}}, nil, "", NoApp},
		"a name that is asked for, no": {[]bareApplication{{debit, d, "6985", ""}, {credit, c, "", serves(t)}}, nil, credit, ""},
	} {
		card := &bare{t: t, list: x.list, at: -1}
		at := now
		at.Choose = x.choose
		p, err := Start(context.Background(), program(card.answer), at)
		if x.want == "" {
			if !errors.Is(err, &Refusal{Reason: x.refused}) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || hexOf(p.Card.AID) != x.want || card.list[card.at].name != x.want {
			t.Errorf("%s: %v, selected %v", name, err, card.selected)
			continue
		}
		if de55, err := p.DE55(); err != nil || !strings.Contains(hexOf(de55), hexOf(object(t, 0x84, unhex(t, x.want)))) {
			t.Errorf("%s: DE55 %X names another application, %v", name, de55, err)
		}
	}
}

// reset is a card that a reader with an ATR has.
type reset struct {
	program
	atr []byte
}

func (c reset) ATR() []byte { return c.atr }

// TestBothFaces: a card with contacts may have a PPSE as well; what it lists
// there does not serve in a slot. What a contactless reader makes of an ATR tells
// which face this is.
func TestBothFaces(t *testing.T) {
	for name, c := range map[string]struct {
		atr  string
		want Interface
	}{
		"in a slot, T=0":             {"3B6500002063CB6800", Contact},
		"in a slot, T=1":             {"3B800181", Contact},
		"in a slot, inverse":         {"3F6500002063CB6800", Contact},
		"in a field":                 {"3B80800101", Contactless},
		"in a field, with a history": {"3B8B80014E75722057656E6E2000000000", Contactless},
		"nobody knows":               {"", Contactless},
	} {
		tapped := &plain{t: t, dir: [][]byte{named(t, debit, "D", 1)}, gpo: map[string]string{debit: serves(t)}}
		slot := &plain{t: t, contact: true, dir: tapped.dir, gpo: tapped.gpo}
		p, err := Start(context.Background(), reset{atr: unhex(t, c.atr), program: func(cmd []byte) []byte {
			if cmd[1] == 0xA4 && string(cmd[5:5+cmd[4]]) == string(ppse) {
				return tapped.answer(cmd)
			}
			return slot.answer(cmd)
		}}, now)
		if err != nil || p.Interface != c.want {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

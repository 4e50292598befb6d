package emv

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"buka/cardio/apdu"
)

// paying is a payment with what the card has said so far, as hexadecimal.
func paying(t testing.TB, profile string, card map[apdu.Tag]string) *Payment {
	objects, err := now.objects()
	if err != nil {
		t.Fatal(err)
	}
	p := &Payment{terminal: objects, card: map[apdu.Tag][]byte{}, app: applications()[0], profile: unhex(t, profile),
		tvr: make([]byte, allTVR), tsi: make([]byte, 2), cvm: []byte{0x3F, 0, 0}, Card: &Card{Expiry: Digits("3012")}}
	for tag, v := range card {
		p.card[tag] = unhex(t, v)
	}
	return p
}

// TestProcessingRestrictions is EMV Book 3 10.4, by the bits of the TVR's second
// byte.
func TestProcessingRestrictions(t *testing.T) {
	for name, c := range map[string]struct {
		card    map[apdu.Tag]string
		tvr     byte
		expired bool
	}{
		"nothing to say":          {nil, 0, false},
		"same version":            {map[apdu.Tag]string{0x9F08: "0030"}, 0, false},
		"other version":           {map[apdu.Tag]string{0x9F08: "0020"}, 0x80, false},
		"all uses":                {map[apdu.Tag]string{0x9F07: "FF00", 0x5F28: "0156"}, 0, false},
		"cash machines only":      {map[apdu.Tag]string{0x9F07: "FE00"}, 0x10, false},
		"goods at home":           {map[apdu.Tag]string{0x9F07: "2100", 0x5F28: "0156"}, 0, false},
		"services at home":        {map[apdu.Tag]string{0x9F07: "0900", 0x5F28: "0156"}, 0, false},
		"abroad only, at home":    {map[apdu.Tag]string{0x9F07: "1500", 0x5F28: "0156"}, 0x10, false},
		"home only, from abroad":  {map[apdu.Tag]string{0x9F07: "2900", 0x5F28: "0840"}, 0x10, false},
		"goods from abroad":       {map[apdu.Tag]string{0x9F07: "1100", 0x5F28: "0840"}, 0, false},
		"no country, no question": {map[apdu.Tag]string{0x9F07: "0100"}, 0, false},
		"from today":              {map[apdu.Tag]string{0x5F25: "260115"}, 0, false},
		"from tomorrow":           {map[apdu.Tag]string{0x5F25: "260116"}, 0x20, false},
		"from the last century":   {map[apdu.Tag]string{0x5F25: "990101"}, 0, false},
		"from 2049":               {map[apdu.Tag]string{0x5F25: "490101"}, 0x20, false},
		"to today":                {map[apdu.Tag]string{0x5F24: "260115"}, 0, false},
		"to yesterday":            {map[apdu.Tag]string{0x5F24: "260114"}, 0x40, true},
	} {
		p := paying(t, "1000", c.card)
		if expired := p.restrict(now); expired != c.expired || p.tvr[1] != c.tvr {
			t.Errorf("%s: TVR %X, expired %v", name, p.tvr, expired)
		}
	}
}

// TestCardholderVerification is EMV Book 3 10.5: which method the list leads to
// at 50.00, with a PIN always wanted and with none up to 100.00; CVM results and
// the TVR's third byte.
func TestCardholderVerification(t *testing.T) {
	const x, y = "00002710", "000003E8" // 100.00, 10.00
	for name, c := range map[string]struct {
		list, over, under string // CVM results
		tvrOver, tvrUnder byte
		pinOver, pinUnder bool
	}{
		"PIN at the bank":              {x + y + "0200", "020000", "020000", 0x04, 0x04, true, true},
		"PIN if able, else none":       {x + y + "4203 1F00", "420300", "420300", 0x04, 0x04, true, true},
		"none first":                   {x + y + "1F00 0200", "1F0001", "1F0002", 0x80, 0, false, false},
		"none, next, PIN":              {x + y + "5F00 0200", "020000", "5F0002", 0x04, 0, true, false},
		"signature, next, PIN":         {x + y + "5E03 4203", "420300", "420300", 0x04, 0x04, true, true},
		"signature only":               {x + y + "1E00", "1E0001", "1E0001", 0x80, 0x80, false, false},
		"offline PIN, next, PIN":       {x + y + "4403 4103 4203", "420300", "420300", 0x04, 0x04, true, true},
		"offline PIN, no next":         {x + y + "0100 0200", "010001", "010001", 0x80, 0x80, false, false},
		"fail":                         {x + y + "0000", "000001", "000001", 0x80, 0x80, false, false},
		"fail, whatever comes next":    {x + y + "4000 0200", "400001", "400001", 0x80, 0x80, false, false},
		"a method of the future":       {x + y + "6000 0200", "020000", "020000", 0x44, 0x44, true, true},
		"cash only":                    {x + y + "0201 0204 0205", "3F0001", "3F0001", 0x80, 0x80, false, false},
		"not cash":                     {x + y + "0202", "020200", "020200", 0x04, 0x04, true, true},
		"under X":                      {x + y + "0206", "020600", "020600", 0x04, 0x04, true, true},
		"over X is not":                {x + y + "0207 1F00", "1F0001", "1F0002", 0x80, 0, false, false},
		"over Y":                       {x + y + "0209", "020900", "020900", 0x04, 0x04, true, true},
		"under Y is not":               {x + y + "0208 0200", "020000", "020000", 0x04, 0x04, true, true},
		"a list without rules":         {x + y, "3F0000", "3F0000", 0x04, 0, true, false},
		"half a rule at the end of it": {x + y + "0200 1F", "020000", "020000", 0x04, 0x04, true, true},
		"conditions that nobody knows": {x + y + "02AA 1F00", "1F0001", "1F0002", 0x80, 0, false, false},
	} {
		for _, limit := range []bool{false, true} {
			at, want, tvr, pin := now, c.over, c.tvrOver, c.pinOver
			if limit {
				at.NoCVM, want, tvr, pin = 100_00, c.under, c.tvrUnder, c.pinUnder
			}
			p := paying(t, "1000", map[apdu.Tag]string{0x8E: c.list, 0x9F42: "0156"})
			p.verifyHolder(at)
			if hexOf(p.cvm) != want || p.tvr[2] != tvr || p.PIN != pin {
				t.Errorf("%s, limit %v: CVM results %X, TVR %X, PIN %v; want %s, %02X, %v", name, limit, p.cvm, p.tvr, p.PIN, want, tvr, pin)
			}
		}
	}
}

// TestAmountsOfAnotherCurrency: a rule about an amount is about the application's
// currency. Where that is not ours, or not told, the rule does not apply.
func TestAmountsOfAnotherCurrency(t *testing.T) {
	const x = "00002710" // 100.00
	at := now
	at.NoCVM = 100_00
	for currency, wantPIN := range map[string]bool{"0156": false, "0840": true, "": true} {
		for _, rule := range []string{"1F06", "1F08"} {
			card := map[apdu.Tag]string{0x8E: x + x + rule + "0200"} // none below X, else a PIN
			if currency != "" {
				card[0x9F42] = currency
			}
			p := paying(t, "1000", card)
			if p.verifyHolder(at); p.PIN != wantPIN {
				t.Errorf("%s, currency %q: PIN %v, CVM results %X", rule, currency, p.PIN, p.cvm)
			}
		}
	}
}

// TestWhatTheTerminalSaysOfItself, against EMV Book 4 annex A: what a claim of
// 9F33, 9F35 and 9F40 would be worth here.
func TestWhatTheTerminalSaysOfItself(t *testing.T) {
	o, err := now.objects()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tag  apdu.Tag
		at   int
		mask byte
		want bool
	}{
		"chip with contacts":               {0x9F33, 0, 0x20, true},
		"magnetic stripe, keyed":           {0x9F33, 0, 0xC0, false},
		"PIN at the bank":                  {0x9F33, 1, 0x40, true},
		"no CVM":                           {0x9F33, 1, 0x08, true},
		"PIN to the card, signature":       {0x9F33, 1, 0xB0, false},
		"SDA":                              {0x9F33, 2, 0x80, true},
		"DDA":                              {0x9F33, 2, 0x40, true},
		"CDA":                              {0x9F33, 2, 0x08, true},
		"keeps cards":                      {0x9F33, 2, 0x20, false},
		"unattended, online, a shop's":     {0x9F35, 0, 0x24, true},
		"cash":                             {0x9F40, 0, 0x80, false},
		"shows the cardholder":             {0x9F40, 3, 0x10, true},
		"an attendant, to print or to see": {0x9F40, 3, 0xA0, false},
		"ISO 8859-9":                       {0x9F40, 3, 0x01, true},
		"ISO 8859-10":                      {0x9F40, 3, 0x02, true},
		"ISO 8859-1":                       {0x9F40, 4, 0x01, true},
		"ISO 8859-8":                       {0x9F40, 4, 0x80, true},
	} {
		if got := o[c.tag][c.at] & c.mask; (got == c.mask) != c.want || got != 0 && !c.want {
			t.Errorf("%s: %v %X", name, c.tag, o[c.tag])
		}
	}
}

// TestActionCodes: any bit that is set in the results and in a denial code of
// terminal or card has an AAC asked for, and the payment ends there.
func TestActionCodes(t *testing.T) {
	gpo := "8006 1000 08010100 9000"
	record := func(extra string) map[byte]string {
		return map[byte]string{1: hexOf(append(object(t, 0x70, unhex(t, track2), unhex(t, extra)), ok...))}
	}
	for name, c := range map[string]struct {
		extra string
		p1    byte // of the first GENERATE AC
		taken bool
	}{
		"no denial":               {"8C039F0206", 0x80, true},
		"the card's denial":       {"8C039F0206 9F0E05 8000000000", 0x00, false}, // not authenticated offline
		"another bit":             {"8C039F0206 9F0E05 0000000080", 0x80, true},
		"not allowed: terminal":   {"8C039F0206 9F0702 FE00", 0x00, false}, // TAC denial 0010000000
		"online codes are moot":   {"8C039F0206 9F0F05 0000000000 9F0D05 FFFFFFFFFF", 0x80, true},
		"short codes are ignored": {"8C039F0206 9F0E01 00", 0x80, true},
	} {
		card := &plain{t: t, dir: [][]byte{entryOf(t, debit, 1)}, gpo: map[string]string{debit: gpo}, records: record(c.extra)}
		asked := byte(0xFF)
		_, err := Start(context.Background(), program(func(cmd []byte) []byte {
			if cmd[1] == 0xAE {
				asked = cmd[2]
			}
			return card.answer(cmd)
		}), now)
		if asked != c.p1 || (err == nil) != c.taken || !c.taken && !errors.Is(err, &Refusal{Reason: Declined}) {
			t.Errorf("%s: GENERATE AC %02X, %v", name, asked, err)
		}
	}
}

// TestKindsOfAuthentication: which bits of the TVR's first byte each kind leaves
// when the card has no certificates, and that the status says that it was tried.
func TestKindsOfAuthentication(t *testing.T) {
	for profile, want := range map[string][2]byte{
		"1000": {0x80, 0x00}, // none
		"4000": {0x62, 0x80}, // SDA selected and failed, data missing
		"2000": {0x28, 0x80}, // DDA
		"0100": {0x24, 0x80}, // CDA
		"7000": {0x28, 0x80}, // the better one of two
		"6100": {0x24, 0x80},
	} {
		p := paying(t, profile, nil)
		err := p.authenticate(context.Background(), program(func([]byte) []byte { return nil }), now)
		if err != nil || p.tvr[0] != want[0] || p.tsi[0] != want[1] {
			t.Errorf("%s: TVR %X, TSI %X, %v", profile, p.tvr, p.tsi, err)
		}
	}
}

// TestTrustedTables: keys of real cards are there without the test keys, test
// keys only when they are asked for; every checksum was compared when they were
// loaded.
func TestTrustedTables(t *testing.T) {
	live, all := BuiltinCAKeys(false), BuiltinCAKeys(true)
	for _, rid := range []string{"A000000333", "A000000003", "A000000004"} {
		if _, ok := live.find(unhex(t, rid), 0xFE); ok {
			t.Errorf("%s: the test key is trusted", rid)
		}
		if _, ok := all.find(unhex(t, rid), 0xFE); !ok {
			t.Errorf("%s: the test key is missing", rid)
		}
	}
	for rid, indexes := range map[string][]byte{"A000000333": {8, 9, 10, 11}, "A000000003": {8, 9}, "A000000004": {5, 6}} {
		for _, i := range indexes {
			if _, ok := live.find(unhex(t, rid), i); !ok {
				t.Errorf("%s: no key %02X", rid, i)
			}
		}
	}
	if _, ok := live.find(unhex(t, "A000000003"), 0x92); ok {
		t.Error("a scheme's test key is trusted")
	}
	bad := strings.Replace(string(cakeysJSON), `"index": "08"`, `"index": "07"`, 1)
	if _, err := LoadCAKeys([]byte(bad), true); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Error(err)
	}
}

// FuzzFinish gives the end of a dialogue any host's data and any card's answers.
func FuzzFinish(f *testing.F) {
	f.Add(true, unhex(f, "910A 0102030405060708 3030 7209 9F1804 00000001 8600"), unhex(f, "02 9000 14 8012 40 0001 1122334455667788 07010103A00000 9000"))
	f.Add(false, unhex(f, "7116 9F1804 01020304 860D 841E000008 1122334455667788"), unhex(f, "02 9000"))
	f.Fuzz(func(t *testing.T, approved bool, de55, card []byte) {
		a := ParseAnswer(approved, "00", de55)
		if a.Issuer != nil && (len(a.Issuer) < 8 || len(a.Issuer) > 16) {
			t.Fatalf("issuer data %X", a.Issuer)
		}
		p := paying(t, "1C00", map[apdu.Tag]string{0x8D: "8A02 9505 9108"})
		commands := 0
		scripts, err := p.Finish(context.Background(), program(func([]byte) []byte {
			if commands++; commands > 4*maxScripts*maxScriptCommands+20 {
				t.Fatal("the terminal never ends")
			}
			if len(card) == 0 {
				return nil
			}
			n := min(int(card[0]), len(card)-1)
			answer := slices.Clone(card[1 : 1+n])
			card = card[1+n:]
			return answer
		}), a)
		if len(scripts) > 2*5*maxScripts {
			t.Fatalf("%d bytes of results", len(scripts))
		}
		if approved && err == nil && p.ac.kind != tc {
			t.Fatal("an approval without the card's certificate")
		}
	})
}

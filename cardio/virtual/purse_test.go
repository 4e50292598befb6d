package virtual

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"buka/cardio/apdu"
	"buka/internal/pboc"
)

const testNumber = "3105170010170907984"

var testTerminal = pboc.Terminal{0x11, 0x22, 0x33, 0x44, 0x55, 0x66}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newPurse is the card of the computed set, with the changes that a test wants.
func newPurse(t testing.TB, change func(*PurseOptions)) *Purse {
	t.Helper()
	o := PurseOptions{Number: testNumber, Balance: 2850, Counter: 2, Offline: 10}
	if change != nil {
		change(&o)
	}
	p, err := NewPurse(o, NewMemoryStore())
	if err != nil {
		t.Fatal(err)
	}
	p.Reset()
	return p
}

// say sends hex and wants that hex back; "*" in want skips the data.
func say(t testing.TB, p Program, cmd, want string) []byte {
	t.Helper()
	got := p.Process(unhex(t, cmd))
	h := strings.ToUpper(hex.EncodeToString(got))
	want = strings.ReplaceAll(want, " ", "")
	if tail, any := strings.CutPrefix(want, "*"); any {
		if !strings.HasSuffix(h, tail) {
			t.Fatalf("%s answered %s, want …%s", cmd, h, tail)
		}
		return got
	}
	if h != want {
		t.Fatalf("%s answered %s, want %s", cmd, h, want)
	}
	return got
}

const (
	selectPurse = "00A4040008A00000063201010500"
	balance     = "805C000204"
	initLoad    = "805000020B 01 00001388 112233445566 10"
)

// credit builds CREDIT FOR LOAD for the last INITIALIZE answer.
func credit(t testing.TB, init []byte, amount uint32) string {
	t.Helper()
	if len(init) != 18 {
		t.Fatalf("INITIALIZE answered %X", init)
	}
	master, _, _ := DefaultKeys()
	asn, _ := pboc.ParseASN(testNumber)
	l := pboc.Load{Type: pboc.PurseLoad, OldBalance: binary.BigEndian.Uint32(init), Counter: binary.BigEndian.Uint16(init[4:]),
		Random: pboc.Random(init[8:12]), Amount: amount, Terminal: testTerminal,
		Date: pboc.Date{0x20, 0x26, 0x01, 0x15}, Time: pboc.TimeOfDay{0x09, 0x30, 0x15}}
	return "805200000B 20260115 093015" + l.MAC2(master.Diversify(asn.X())).String() + "04"
}

func TestComputedConversation(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "internal", "pboc", "testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Conversation []struct{ Step, Random, Command, Answer string }
	}
	if err := json.Unmarshal(b, &v); err != nil || len(v.Conversation) != 7 {
		t.Fatal(err, len(v.Conversation))
	}
	random := [4]byte{}
	p := newPurse(t, func(o *PurseOptions) { o.Random = func() [4]byte { return random } })
	say(t, p, selectPurse, "*9000")
	for _, c := range v.Conversation {
		if c.Random != "" {
			random = [4]byte(unhex(t, c.Random))
		}
		say(t, p, c.Command, c.Answer)
	}
	if p.Balance() != 7650 {
		t.Error(p.Balance())
	}
	// The load stands second in the log, by its number before increment.
	say(t, p, "00B202C417", "0002 000000 00001388 02 112233445566 20260115 093015 9000")
	say(t, p, "00B201C417", "000A 000000 000000C8 06 112233445566 20260115 181500 9000")
	say(t, p, "00B203C417", strings.Repeat("00", 23)+"9000")
	say(t, p, "00B20BC417", "6A83")
	say(t, p, "805C010204", "00000000 9000")
}

func TestSelection(t *testing.T) {
	p := newPurse(t, nil)
	say(t, p, balance, "6985")
	say(t, p, "00A404000E 325041592E5359532E4444463031 00",
		"6F2E 840E 325041592E5359532E4444463031 A51C BF0C19 6117 4F08 A000000632010105 5008 4D4F545F545F4550 870101 9000")
	fci := say(t, p, selectPurse, "*9000")
	ef15, err := apdu.Find(fci[:len(fci)-2], 0x6F, 0xA5, 0x9F0C)
	if err != nil {
		t.Fatal(err)
	}
	info, err := pboc.ParseInfo(ef15)
	if err != nil || info.ASN.Number() != testNumber {
		t.Fatal(info, err)
	}
	say(t, p, "00B095001E", strings.ToUpper(hex.EncodeToString(ef15))+"9000")
	say(t, p, "00B0951404", "202001019000")
	say(t, p, "00B09500FF", "6C1E")
	say(t, p, "00B0951E01", "6B00")
	say(t, p, "00A4040005 A000000632 00", "*9000")
	say(t, p, "00A4040004 A0000006 00", "6A82")
	say(t, p, balance, "6985")
	say(t, p, "00A4040008 A000000632010106 00", "6A82")
	say(t, p, "00A404000E 315041592E5359532E4444463031 00", "6A82")
	city := newPurse(t, func(o *PurseOptions) { o.Family = CityUnion })
	say(t, city, "00A404000E 325041592E5359532E4444463031 00", "6A82")
	say(t, city, "00A4040009 A00000000386980701 00", "*9000")
	say(t, city, "805C010204", "6A86")
	say(t, city, "00A4000002 3F00", "9000")
	say(t, city, "00A4000002 1001 00", "*9000")
	say(t, city, balance, "00000B22 9000")
}

func TestRefusals(t *testing.T) {
	p := newPurse(t, func(o *PurseOptions) { o.Limit = 5000 })
	say(t, p, "04B095001E", "6E00")
	say(t, p, selectPurse, "*9000")
	say(t, p, "805200000B 20260115093015 00000000 04", "6901")
	say(t, p, "80500002 0B 02 00000064 112233445566 10", "9403")
	say(t, p, initLoad, "6985")
	say(t, p, "805001020B 01 00002710 112233445566 0F", "9401")
	say(t, p, "80FF0000", "6D00")
	say(t, p, "00FF0000", "6D00")
	say(t, p, "00", "6700")
	say(t, p, "805A0002 02 0003 08", "6985")
	say(t, p, "805C000202", "6C04")
	init := say(t, p, "805000020B 01 00000064 112233445566 10", "*9000")
	say(t, p, balance, "00000B22 9000")
	say(t, p, credit(t, init, 100), "6901") // another command came between
	init = say(t, p, "805000020B 01 00000064 112233445566 10", "*9000")
	p.Reset()
	say(t, p, selectPurse, "*9000")
	say(t, p, credit(t, init, 100), "6901")
	if _, err := NewPurse(PurseOptions{Number: "1"}, NewMemoryStore()); err == nil {
		t.Error("a short number")
	}
	full := newPurse(t, func(o *PurseOptions) { o.Counter = 0xFFFF })
	say(t, full, selectPurse, "*9000")
	say(t, full, initLoad, "9402")
}

func TestProofVariants(t *testing.T) {
	for _, c := range []struct {
		proof           ProofOnInit
		prove           ProveNumber
		right, wrong    string
		afterInitialize string
	}{
		{WipeProof, ProveNext, "0003", "0002", "6985"},
		{KeepProof, ProveNext, "0003", "0002", "*9000"},
		{WipeProof, ProveSame, "0002", "0003", "6985"},
		{KeepProof, ProveSame, "0002", "0003", "*9000"},
	} {
		p := newPurse(t, func(o *PurseOptions) { o.Proof, o.Prove = c.proof, c.prove })
		say(t, p, selectPurse, "*9000")
		tac := say(t, p, credit(t, say(t, p, initLoad, "*9000"), 5000), "*9000")
		p.Reset()
		say(t, p, selectPurse, "*9000")
		for range 2 {
			say(t, p, "805A0002 02"+c.wrong+"08", "9406")
			say(t, p, "805A0006 02"+c.right+"08", "9406")
			say(t, p, "805A0002 02"+c.right+"08", "00000000"+strings.ToUpper(hex.EncodeToString(tac)))
		}
		say(t, p, initLoad, "*9000")
		say(t, p, "805A0002 02"+c.right+"08", c.afterInitialize)
	}
}

func TestPIN(t *testing.T) {
	p := newPurse(t, func(o *PurseOptions) { o.PIN = "123456" })
	say(t, p, selectPurse, "*9000")
	say(t, p, initLoad, "6982")
	say(t, p, "0020000003 111111", "63C2")
	say(t, p, "0020000003 123456", "9000")
	say(t, p, initLoad, "*9000")
	say(t, p, selectPurse, "*9000")
	say(t, p, initLoad, "6982")
	say(t, p, "0020000003 111111", "63C2")
	say(t, p, "0020000003 111111", "63C1")
	say(t, p, "0020000003 111111", "6983")
	p.Reset()
	say(t, p, selectPurse, "*9000")
	say(t, p, "0020000003 123456", "6983")
	open := newPurse(t, nil)
	say(t, open, selectPurse, "*9000")
	say(t, open, "0020000003 123456", "6A88")
}

func Test61xx(t *testing.T) {
	p := newPurse(t, func(o *PurseOptions) { o.Use61xx = true })
	say(t, p, selectPurse, "6133")
	say(t, p, "00C0000000", "*9000")
	say(t, p, balance, "6104")
	say(t, p, "00C0000002", "6C04")
	say(t, p, "00C0000004", "00000B22 9000")
	say(t, p, "00C0000004", "6985")
	say(t, p, initLoad, "6110")
	init := say(t, p, "00C0000010", "*9000")
	say(t, p, credit(t, init, 5000), "6104")
	say(t, p, "00C0000004", "*9000")
	if p.Balance() != 7850 {
		t.Error(p.Balance())
	}
}

func TestBlockedLockedExpired(t *testing.T) {
	p := newPurse(t, func(o *PurseOptions) { o.Blocked = true })
	say(t, p, selectPurse, "*6283")
	say(t, p, balance, "6A81")
	p = newPurse(t, func(o *PurseOptions) { o.MACErrorLimit = 2 })
	say(t, p, selectPurse, "*9000")
	wrong := "805200000B 20260115 093015 00000000 04"
	say(t, p, initLoad, "*9000")
	say(t, p, wrong, "9302")
	say(t, p, wrong, "6901")
	say(t, p, initLoad, "*9000")
	say(t, p, wrong, "9303")
	say(t, p, balance, "9303")
	say(t, p, selectPurse, "6A81")
	p = newPurse(t, func(o *PurseOptions) { o.Expired = true })
	say(t, p, selectPurse, "*9000")
	say(t, p, "00B0951804", "20201231 9000")
}

func TestTwoLevelKeys(t *testing.T) {
	one, two := newPurse(t, nil), newPurse(t, func(o *PurseOptions) { o.TwoLevels = true })
	own := newPurse(t, func(o *PurseOptions) { o.LoadKey = one.load; o.TwoLevels = true })
	if one.load == two.load || own.load != one.load || own.tac != two.tac {
		t.Error("keys")
	}
}

func TestDirStoreNames(t *testing.T) {
	s, err := NewDirStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "../x", "a/b", ".x", strings.Repeat("a", 101)} {
		if err := s.Save(bad, nil); err == nil {
			t.Error(bad)
		}
	}
	if err := s.Save("a", []byte("{")); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Load("a"); err != nil || !slices.Equal(b, []byte("{")) {
		t.Error(b, err)
	}
	s.Save("purse-"+testNumber, []byte("{"))
	if _, err := NewPurse(PurseOptions{Number: testNumber}, s); err == nil {
		t.Error("a damaged file must be said")
	}
}

func FuzzPurse(f *testing.F) {
	for _, c := range []string{selectPurse, balance, initLoad, "00B095001E", "00B201C417", "805A0002020003 08", "00C0000000"} {
		f.Add(unhex(f, c), unhex(f, balance))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		p := newPurse(t, nil)
		say(t, p, selectPurse, "*9000")
		for _, cmd := range [][]byte{a, b, a} {
			if got := p.Process(cmd); len(got) < 2 {
				t.Fatalf("%X answered %X", cmd, got)
			}
		}
		if p.Balance() != 2850 {
			t.Fatalf("balance %v without a key", p.Balance())
		}
	})
}

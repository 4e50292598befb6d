package virtual

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"buka/cardio/apdu"
)

const gpo = "80A8000023 8321" +
	"34800080 000000005000 000000000000 0156 0000000000 0156 260115 00 01020304 00"

func newBank(t testing.TB, o BankOptions) *Bank {
	t.Helper()
	if o.PAN == "" {
		o.PAN = "6225880000000001"
	}
	b, err := NewBank(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset()
	return b
}

func TestBankDialogue(t *testing.T) {
	b := newBank(t, BankOptions{Expiry: "3010"})
	say(t, b, "00B2010C00", "6985")
	dir := say(t, b, "00A404000E 325041592E5359532E4444463031 00", "*9000")
	aid, err := apdu.Find(dir[:len(dir)-2], 0x6F, 0xA5, 0xBF0C, 0x61, 0x4F)
	if err != nil || !bytes.Equal(aid, unhex(t, "A000000333010101")) {
		t.Fatalf("%X %v", aid, err)
	}
	fci := say(t, b, "00A4040008 A000000333010101 00", "*9000")
	wanted, err := apdu.Find(fci[:len(fci)-2], 0x6F, 0xA5, 0x9F38)
	if err != nil {
		t.Fatal(err)
	}
	list, err := apdu.ParseDOL(wanted)
	if n := len(apdu.FillDOL(list, nil)); err != nil || n != 0x21 {
		t.Fatal(n, err)
	}
	say(t, b, "00B2010C00", "6985")
	say(t, b, "80A8000002 8300 00", "6700")
	answer := say(t, b, gpo, "*9000")
	for tag, want := range map[apdu.Tag]string{0x82: "2000", 0x94: "080101001001010118010300", 0x9F36: "0001", 0x9F27: "80", 0x9F10: "07010103A0000000", 0x9F6C: "8000"} {
		if v, err := apdu.Find(answer[:len(answer)-2], 0x77, tag); err != nil || !bytes.Equal(v, unhex(t, want)) {
			t.Errorf("%v: %X %v", tag, v, err)
		}
	}
	say(t, b, gpo, "6985")
	say(t, b, "00B2010C00", "*9000")
	if !strings.Contains(fmt.Sprintf("%X", b.Process(unhex(t, "00B2010C00"))), "6225880000000001D3010220") {
		t.Error("track 2")
	}
	r := say(t, b, "00B2011400", "*9000")
	for tag, want := range map[apdu.Tag]string{0x5A: "6225880000000001", 0x5F24: "301031", 0x5F34: "01"} {
		if v, err := apdu.Find(r[:len(r)-2], 0x70, tag); err != nil || !bytes.Equal(v, unhex(t, want)) {
			t.Errorf("%v: %X %v", tag, v, err)
		}
	}
	say(t, b, "00B2020C00", "6A83")
	say(t, b, "00B2012400", "6A82")
	say(t, b, "00FF000000", "6D00")
	if b.ATC() != 1 {
		t.Error(b.ATC())
	}
	say(t, b, "00A404000E 315041592E5359532E4444463031 00", "*9000")
	say(t, b, "00B2010C00", "*9000")
	say(t, b, "00B2020C00", "6A83")
}

func TestBankVariants(t *testing.T) {
	say(t, newBank(t, BankOptions{Blocked: true}), "00A404000E 325041592E5359532E4444463031 00", "6A81")
	if b := newBank(t, BankOptions{Expired: true}); b.opt.Expiry != "2012" {
		t.Error(b.opt.Expiry)
	}
	odd := newBank(t, BankOptions{PAN: "6225880000000000019"})
	if s := odd.String(); strings.Contains(s, "000000") || s != "bank card 622588*********0019" {
		t.Error(s)
	}
	for _, o := range []BankOptions{{PAN: "1"}, {PAN: "62258800000000x1"}, {PAN: "6225880000000001", Expiry: "9913"}, {PAN: "6225880000000001", Service: "2"}} {
		if _, err := NewBank(o); err == nil {
			t.Error(o)
		}
	}
	b := newBank(t, BankOptions{})
	b.Tear(Tear{When: Before})
	if b.Process(unhex(t, gpo)) != nil {
		t.Error("torn")
	}
}

// TestTwoApplications: the directory lists both; each has its own state, which the
// selection of the other one ends; names are found by their beginning, one after
// the other.
func TestTwoApplications(t *testing.T) {
	const debit, credit = "A000000333010101", "A000000333010102"
	b := newBank(t, BankOptions{Contact: true, Confirm: true, Second: &BankOptions{PAN: "6225880000000035"}})
	say(t, b, "00A404000E 315041592E5359532E4444463031 00", "*9000")
	for n, want := range []string{debit, credit} {
		r := say(t, b, fmt.Sprintf("00B2%02X0C00", n+1), "*9000")
		aid, err := apdu.Find(r[:len(r)-2], 0x70, 0x61, 0x4F)
		p, _ := apdu.Find(r[:len(r)-2], 0x70, 0x61, 0x87)
		if err != nil || !bytes.Equal(aid, unhex(t, want)) || !bytes.Equal(p, [][]byte{{0x81}, {0x02}}[n]) {
			t.Errorf("%X, priority %X, %v", aid, p, err)
		}
	}
	say(t, b, "00B2030C00", "6A83")
	named := func(cmd, want string) {
		t.Helper()
		r := say(t, b, cmd, "*9000")
		if name, err := apdu.Find(r[:len(r)-2], 0x6F, 0x84); err != nil || !bytes.Equal(name, unhex(t, want)) {
			t.Errorf("%X, %v", name, err)
		}
	}
	say(t, b, "00A4040205 A000000333 00", "6A82") // nothing was selected before
	named("00A4040005 A000000333 00", debit)
	named("00A4040205 A000000333 00", credit)
	say(t, b, "00A4040205 A000000333 00", "6A82")
	named("00A4040008"+credit+"00", credit)
	say(t, b, "80A8000004 8302 0156 00", "*9000")
	say(t, b, "00B2011400", "*9000")
	named("00A4040008"+debit+"00", debit)
	say(t, b, "00B2011400", "6985")
	if b.ATC() != 0 || b.Second().ATC() != 1 {
		t.Error(b.ATC(), b.Second().ATC())
	}
	b.Reset()
	say(t, b, "80A8000004 8302 0156 00", "6985")
	if _, err := NewBank(BankOptions{PAN: "6225880000000001", Second: &BankOptions{PAN: "1"}}); err == nil {
		t.Error("a second application without a number")
	}
	say(t, newBank(t, BankOptions{Contact: true, NoPSE: true}), "00A404000E 315041592E5359532E4444463031 00", "6A82")
}

func FuzzBank(f *testing.F) {
	f.Add(unhex(f, gpo))
	f.Add(unhex(f, "00B2010C00"))
	made := newBank(f, BankOptions{}) // to sign its certificates takes longer than all the rest
	f.Fuzz(func(t *testing.T, cmd []byte) {
		b := &Bank{opt: made.opt, key: made.key, kernel: made.kernel, files: made.files, certs: made.certs, aip: made.aip, store: NewMemoryStore()}
		b.Reset()
		say(t, b, "00A4040008 A000000333010101 00", "*9000")
		for range 2 {
			if len(b.Process(cmd)) < 2 {
				t.Fatalf("%X", cmd)
			}
		}
	})
}

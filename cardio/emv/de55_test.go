package emv

import (
	"fmt"
	"strings"
	"testing"

	"buka/cardio/apdu"
)

// TestChipDataOfAMessage is reference/emv.md 4.6 and iso8583.md 1.9 as they stand:
// which objects a request, a reversal and a script's result hold, in which order. What
// is mandatory and not there has length 0; what a card says beside it stays here, the
// card's own word about the terminal's objects too.
func TestChipDataOfAMessage(t *testing.T) {
	p := paying(t, "7C00", map[apdu.Tag]string{0x5A: "6225880000000001", 0x57: "6225880000000001D3012220", 0x5F20: "41", 0x5F24: "301231", 0x99: "1234",
		0x9F1F: "01", 0x9F20: "01", 0x9F63: "3131", 0x5F34: "01", 0x9F33: "FFFFFF", 0x9F02: "000000000001", 0xDF31: "2000000000", 0x8E: "00"})
	p.ac = cryptogram{kind: arqc, atc: unhex(t, "0007"), value: unhex(t, "1122334455667788")}
	orderIs := func(what string, make func() ([]byte, error), want string) map[apdu.Tag]string {
		t.Helper()
		b, err := make()
		if err != nil {
			t.Fatal(err)
		}
		list, err := apdu.ParseTLVs(b)
		var got []string
		values := map[apdu.Tag]string{}
		for _, o := range list {
			got, values[o.Tag] = append(got, fmt.Sprintf("%X", uint32(o.Tag))), hexOf(o.Value)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s, %v", what, strings.Join(got, " "), want, err)
		}
		return values
	}
	got := orderIs("request", p.DE55, "9F26 9F27 9F10 9F37 9F36 95 9A 9C 9F02 5F2A 82 9F1A 9F03 9F33 9F34 9F35 9F1E 9F41 9F63 5F34")
	for tag, want := range map[apdu.Tag]string{0x9F10: "", 0x9F27: "80", 0x9F36: "0007", 0x9F02: "000000005000", 0x82: "7C00", 0x9F33: "2048C8"} {
		if got[tag] != want {
			t.Errorf("%X is %s, want %s", uint32(tag), got[tag], want)
		}
	}
	orderIs("reversal", p.ReversalDE55, "95 9F1E 9F10 9F36")
	p.scripts = unhex(t, "2001020304")
	orderIs("reversal with a script's result", p.ReversalDE55, "95 9F1E 9F10 9F36 DF31")
	orderIs("script's result", p.ScriptDE55, "9F33 95 9F37 9F1E 9F10 9F26 9F36 82 DF31 9F1A 9A")
}

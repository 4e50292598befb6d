package switchlink

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"buka/internal/entry"
	"buka/internal/pin"
)

var (
	docBlock = regexp.MustCompile("(?s)```hex (\\w+)\n(.*?)```")
	docHex   = regexp.MustCompile(`^(?:[0-9A-F]{2})+(?: (?:[0-9A-F]{2})+)*`)
)

const protocolDoc = "../../docs/protocols/switch.md"

// TestDocExamples makes the examples of the protocol's page from their values,
// byte for byte.
func TestDocExamples(t *testing.T) {
	text, err := os.ReadFile(protocolDoc)
	if err != nil {
		t.Fatal(err)
	}
	card := entry.Card{Family: "tunion", Number: "3105170010170907984"}
	examples := map[string]*Request{
		"sale": {Kind: KindPay, STAN: 2, Batch: 1, Sale: "FOREIGNSALE00001", Amount: 50_00, Card: card, Slot: 2,
			PAN: "4012345678909", Expiry: "3012", EntryMode: "051",
			PIN: sealed(pin.TDESDUKPT, pin.Format0, unhex(t, "1B9C1845EB993A7A"), 1)},
		"load": {Kind: KindAuthorise, STAN: 3, Batch: 1, Sale: "FOREIGNSALE00001", Amount: 50_00, Exchange: 0xCAFE0001,
			Attempt: entry.Attempt{Card: card, Slot: 2, OldBalance: 28_50, Amount: 50_00, Terminal: unhex(t, "112233445566"),
				KeyVersion: 1, Random: unhex(t, "A1B2C3D4"), MAC1: unhex(t, "233E6C43"), STAN: 3}},
	}
	blocks := docBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != len(examples) {
		t.Fatalf("%d examples on the page", len(blocks))
	}
	for _, b := range blocks {
		var digits strings.Builder
		for line := range strings.Lines(b[2]) {
			// A comment stands behind two blanks.
			line, _, _ = strings.Cut(strings.TrimRight(line, "\n"), "  ")
			if docHex.FindString(line) != line {
				t.Fatalf("%s: %q is not hex", b[1], line)
			}
			digits.WriteString(strings.ReplaceAll(line, " ", ""))
		}
		r := examples[b[1]]
		r.Terminal, r.Merchant = "FOREIGN1", "FOREIGNSHOP0001"
		m, err := UnionPay().EncodeRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		frame, err := UnionPay().frame.bytes(UnionPay().frame.request(packed))
		if err != nil || !bytes.Equal(frame, unhex(t, digits.String())) {
			t.Errorf("%s: %v\n got %X\npage %s", b[1], err, frame, digits.String())
		}
	}
}

// TestDocTables: every message of the table is on the page with its codes, and
// every data element of the spec.
func TestDocTables(t *testing.T) {
	text, err := os.ReadFile(protocolDoc)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for k, s := range UnionPay().shapes {
		cell := s.code
		if cell == "" {
			cell = "–"
		}
		row := regexp.MustCompile(`(?m)^\| [^|]+ \| ` + s.mti + `[^|]*\| ` + cell + ` \|.*\| ` + s.kind + ` \| ` + s.net + ` \| ` + k.AnswerMTI() + ` \|`)
		if !row.MatchString(page) {
			t.Errorf("%v has no row", k)
		}
	}
	source, err := os.ReadFile("tlv.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range regexp.MustCompile(`tag = 0x(\w{4})`).FindAllStringSubmatch(string(source), -1) {
		if !strings.Contains(page, "| "+object[1]) && !strings.Contains(page, ", "+object[1]) && !strings.Contains(page, "· "+object[1]) &&
			!strings.Contains(page, "\n"+object[1]) && !strings.Contains(page, ". "+object[1]) {
			t.Errorf("object %s is not described", object[1])
		}
	}
	for _, id := range []int{2, 3, 4, 11, 14, 22, 23, 25, 26, 35, 37, 38, 39, 48, 49, 52, 53, 55, 58, 59, 60, 61, 62, 64} {
		if !strings.Contains(page, "\n| "+strconv.Itoa(id)+" |") {
			t.Errorf("DE%d has no row", id)
		}
	}
}

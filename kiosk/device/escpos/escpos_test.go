package escpos

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

type vectors struct {
	Encoded  []struct{ Name, QR, Text, Hex string }
	Commands []struct{ Name, What, Hex string }
	Answers  []struct {
		Name string
		Ask  Question
		Byte string
		Want Status
	}
	Automatic []struct {
		Name, Hex string
		Want      Status
	}
}

func load(t *testing.T) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil || len(v.Encoded) == 0 || len(v.Commands) == 0 || len(v.Answers) == 0 || len(v.Automatic) == 0 {
		t.Fatal("vectors:", err)
	}
	return v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBytesOfOthers: what other programs send for the same content.
func TestBytesOfOthers(t *testing.T) {
	for _, c := range load(t).Encoded {
		var s Slip
		if c.QR != "" {
			s = Slip{QR{Data: c.QR}}
		} else {
			s = Slip{Text{Say: c.Text}}
		}
		if got := Encode(s, Paper{}); !bytes.Contains(got, unhex(t, c.Hex)) {
			t.Errorf("%s: %X", c.Name, got)
		}
	}
}

func TestCommands(t *testing.T) {
	have := map[string][]byte{"initialise": Initialise, "ask1": Ask(AskPrinter), "ask4": Ask(AskPaper), "printed": AskPrinted, "on": StatusOn, "off": StatusOff, "clear": Clear}
	for _, c := range load(t).Commands {
		if want := unhex(t, c.Hex); !bytes.Equal(have[c.What], want) {
			t.Errorf("%s: %X, not %X", c.Name, have[c.What], want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range load(t).Answers {
		var r Reader
		said, ok, _ := r.Take(unhex(t, c.Byte)[0])
		if !ok || said.Answer == nil {
			t.Errorf("%s: taken for %+v", c.Name, said)
			continue
		}
		var s Status
		if s.Take(c.Ask, *said.Answer); s != c.Want {
			t.Errorf("%s: %+v", c.Name, s)
		}
	}
}

// TestAnswersMend: what was wrong is forgotten when the printer no longer says
// so.
func TestAnswersMend(t *testing.T) {
	s := Status{Offline: true, Cover: true, Feeding: true, PaperLow: true, PaperOut: true, Cutter: true, Error: true, Hot: true}
	for q := AskPrinter; q <= AskPaper; q++ {
		s.Take(q, 0x12)
	}
	if s != (Status{}) {
		t.Errorf("after four good answers: %+v", s)
	}
}

func TestAutomaticStatus(t *testing.T) {
	for _, c := range load(t).Automatic {
		var r Reader
		var got *Status
		for _, b := range unhex(t, c.Hex) {
			if said, ok, _ := r.Take(b); ok && said.Status != nil {
				got = said.Status
			}
		}
		if got == nil || *got != c.Want {
			t.Errorf("%s: %+v", c.Name, got)
		}
	}
}

// TestBrokenStatus: a status that breaks off is not put together with the next,
// and its rest is never taken for the word that a slip is printed.
func TestBrokenStatus(t *testing.T) {
	var r Reader
	for _, b := range []byte{0x18, 0x08} {
		r.Take(b)
	}
	said, ok, dropped := r.Take(0x12)
	if !ok || said.Answer == nil || dropped != 2 {
		t.Fatalf("%+v %v %d", said, ok, dropped)
	}
	for i, b := range []byte{0x10, 0x00, 0x00, 0x0F} {
		said, ok, _ := r.Take(b)
		if ok != (i == 3) || said.Printed != nil {
			t.Fatalf("byte %d: %+v", i, said)
		}
	}
	for b := range 256 {
		var r Reader
		said, _, _ := r.Take(byte(b))
		if want := b == 0 || b == 0x03 || b == 0x0C || b == 0x0F; (said.Printed != nil) != want {
			t.Errorf("%02X is the answer to GS r: %v", b, said.Printed != nil)
		}
	}
}

// TestLines: nothing is wider than the paper, and a word is broken only where
// it has to be.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    []string
	}{
		{"Put the same card on this machine", 16, []string{"Put the same", "card on this", "machine"}},
		{"不卡不卡不卡", 5, []string{"不卡", "不卡", "不卡"}},
		{"  A  B  ", 16, []string{"A  B"}},
		{"ABCDEFGH", 3, []string{"ABC", "DEF", "GH"}},
		{"卡 card 卡", 8, []string{"卡 card", "卡"}},
		{"", 8, nil},
		{"\x1b@\x10\x04\x01a\tb\nc", 16, []string{"@a b c"}}, // no text is a command
	} {
		lines := wrap(GB18030.glyphs(c.text), c.columns)
		var got []string
		for _, l := range lines {
			if width(l) > c.columns {
				t.Errorf("%q: a line of %d columns", c.text, width(l))
			}
			var b strings.Builder
			for _, g := range l {
				if g.width == 2 {
					b.WriteString(map[string]string{"\xb2\xbb": "不", "\xbf\xa8": "卡"}[g.bytes])
				} else {
					b.WriteString(g.bytes)
				}
			}
			got = append(got, b.String())
		}
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q in %d: %q", c.text, c.columns, got)
		}
	}
}

// TestASCII: a printer without Chinese gets nothing above 7F, and what it lacks
// is seen to be missing.
func TestASCII(t *testing.T) {
	got := Encode(Slip{Text{Say: "卡 €10 ￥5 “x”"}, Pair{Name: "Amount", Value: "¥5.00"}}, Paper{Charset: ASCII})
	for _, b := range got {
		if b >= 0x80 {
			t.Fatalf("byte %02X", b)
		}
	}
	if !bytes.Contains(got, []byte(`?? ?10 CNY 5 "x"`)) || !bytes.Contains(got, []byte("CNY 5.00")) {
		t.Errorf("%q", got)
	}
}

func TestBounds(t *testing.T) {
	var s Slip
	for range 10 * MaxElements {
		s = append(s, Text{Say: strings.Repeat("长", 10*MaxText)}, QR{Data: strings.Repeat("A", MaxQR)})
	}
	for _, p := range []Paper{{}, {Dots: true}, {Columns: 1}, {Columns: 1 << 30}} {
		if n := len(Encode(s, p)); n > MaxBytes+100 {
			t.Errorf("%+v: %d bytes", p, n)
		}
	}
	if got := Encode(Slip{QR{Data: strings.Repeat("A", MaxQR+1)}}, Paper{}); bytes.Contains(got, []byte("(k")) {
		t.Error("half of a code was printed")
	}
}

// FuzzReader: whatever a line says, each byte ends in at most one thing said, and
// a status is always of four bytes in a row.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0x10, 0, 0, 0x0F, 0x12, 0x00, 0x13, 0x11})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Reader
		for _, b := range data {
			said, ok, dropped := r.Take(b)
			n := 0
			for _, is := range []bool{said.Answer != nil, said.Status != nil, said.Printed != nil, said.Hold, said.Go, said.Noise != nil} {
				if is {
					n++
				}
			}
			if ok != (n == 1) || n > 1 || dropped > 3 || r.have > 3 {
				t.Fatalf("%02X: %+v, %v, %d dropped", b, said, ok, dropped)
			}
		}
	})
}

package device

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"buka/internal/pin"
)

type frameVector struct{ Name, ID, Hex string }

func frameVectors(t testing.TB) map[string][]byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Frames []frameVector }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, v := range file.Frames {
		b, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		out[v.Name] = b
		f := onlyFrame(t, b)
		if id := messageID(f); id != v.ID {
			t.Errorf("%s: id %s", v.Name, id)
		}
		if again, err := f.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: encodes as %X, %v", v.Name, again, err)
		}
	}
	return out
}

// feed gives the events of some bytes.
func feed(d *Decoder, b []byte) (events []Event) {
	for _, c := range b {
		if ev := d.Feed(c); ev.Kind != EventNone {
			events = append(events, ev)
		}
	}
	return events
}

func onlyFrame(t testing.TB, b []byte) Frame {
	t.Helper()
	var d Decoder
	events := feed(&d, b)
	if len(events) != 1 || events[0].Kind != EventFrame || d.Partial() {
		t.Fatalf("%X gives %v", b, events)
	}
	return events[0].Frame
}

func TestExactFrames(t *testing.T) {
	want := frameVectors(t)
	for name, f := range map[string]Frame{
		"select master key 0": msgSelectKey("0"),
		"cancel":              msgCancel(),
		"Z60 DUKPT":           msgEnterPIN("4012345678909"),
	} {
		if got, err := f.Encode(); err != nil || !bytes.Equal(got, want[name]) {
			t.Errorf("%s: %X, %v; want %X", name, got, err, want[name])
		}
	}
	for _, name := range []string{"71 DUKPT", "73 DUKPT"} {
		r, err := parseEntryAnswer(onlyFrame(t, want[name]))
		if err != nil || r.KSN.String() != "FFFF9876543210E00001" ||
			r.Block != (pin.Block{0x1B, 0x9C, 0x18, 0x45, 0xEB, 0x99, 0x3A, 0x7A}) {
			t.Errorf("%s: %v, %X, %v", name, r.KSN, r.Block[:], err)
		}
	}
	if _, err := parseEntryAnswer(onlyFrame(t, want["71 MK/SK"])); !errors.Is(err, ErrAnswer) {
		t.Errorf("71 without a KSN: %v", err)
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		f    Frame
		want string
	}{
		{msgPrompt("HI"), "Z2\x1aHI"},
		{msgEnterPINAmount("4012345678909", 5000), "70.4012345678909\x1cD50.00"},
		{msgEnterPINAmount("4012345678909", 0), "70.4012345678909\x1cD"},
		{Frame{Body: []byte(displayText("PIN, PLEASE", 5000))}, "CNY 50.00       PIN, PLEASE"},
		{Frame{Body: []byte(displayText("请输入密码", 5))}, "CNY 0.05        ENTER PIN"},
		{Frame{Body: []byte(displayText("", 0))}, "ENTER PIN"},
		{Frame{Body: []byte(displayText("A PROMPT OF MORE THAN 16", 0))}, "A PROMPT OF MORE"},
	} {
		if string(c.f.Body) != c.want {
			t.Errorf("%q, want %q", c.f.Body, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for body, code := range map[string]string{
		"711": "1", "71A": "A", "71F": "F", "710": "0", "73.1": "1", "73.00002" + "9876543210E00001" + "1B9C1845EB993A7A": "00002",
	} {
		var refused ErrPadRefused
		_, err := parseEntryAnswer(Frame{Body: []byte(body)})
		if !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, body := range []string{
		"", "7", "71", "73", "72", "Z60.1", "710" + "1B9C1845EB993A7A", "7101B9C1845",
		"710" + "9876543210E0000G" + "1B9C1845EB993A7A", "710" + "9876543210E00001" + "1B9C1845EB993A7G",
		"710" + "0000FFFF9876543210E00001" + "1B9C1845EB993A7A",
	} {
		if _, err := parseEntryAnswer(Frame{Body: []byte(body)}); !errors.Is(err, ErrAnswer) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestDecoder(t *testing.T) {
	const cancel = "\x0272\x03\x06"
	kinds := func(s string) string {
		var d Decoder
		out := ""
		for _, ev := range feed(&d, []byte(s)) {
			out += string("?ANEFB"[ev.Kind])
		}
		return out
	}
	long := string(bytes.Repeat([]byte{'x'}, MaxBody+1))
	for _, c := range []struct{ name, in, want string }{
		{"LRC that is ACK", cancel, "F"},
		{"answers around it", "\x06" + cancel + "\x15\x04", "AFNE"},
		{"noise", "hello\x7f\xff\x00\x1c", ""},
		{"wrong LRC", "\x0272\x03\x07", "B"},
		{"wrong LRC that is EOT", "\x0272\x03\x04", "B"},
		{"start lost: the LRC is no ACK", "72\x03\x06", "B"},
		{"admin end in a packet", "\x0272\x0e\x06", "B"},
		{"packet end in an admin", "\x0f06\x03\x05", "B"},
		{"a new start in a packet", "\x02half" + cancel, "F"},
		{"control character inside", "\x027\x042\x03\x02", "B"},
		{"high bit inside", "\x027\xb2\x03\x86", "B"},
		{"empty", "\x02\x03\x03", "B"},
		{"longest", string(must(Frame{Body: []byte(long[1:])}.Encode())), "F"},
		{"too long: the LRC is no answer", "\x02" + long + "\x03\x06", "B"},
		{"never ending", "\x02" + long + long, ""},
	} {
		if got := kinds(c.in); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, body := range []string{"", long, "a\x03", "a\x0e", "\x02", "\xb0", "\x7f"} {
		if _, err := (Frame{Body: []byte(body)}).Encode(); !errors.Is(err, ErrFrame) {
			t.Errorf("body of %d bytes: %v", len(body), err)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func FuzzDecoder(f *testing.F) {
	for _, b := range frameVectors(f) {
		f.Add(b)
	}
	f.Add([]byte("72\x03\x06\x02half\x0272\x03\x06"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var d Decoder
		for _, ev := range feed(&d, in) {
			if ev.Kind != EventFrame {
				continue
			}
			raw, err := ev.Frame.Encode()
			if err != nil || !bytes.Contains(in, raw) {
				t.Fatalf("gives a packet that is not in the input: %v", err)
			}
		}
	})
}

func FuzzParseEntryAnswer(f *testing.F) {
	f.Add([]byte("73.000009876543210E000011B9C1845EB993A7A"))
	f.Add([]byte("7109876543210E000011B9C1845EB993A7A"))
	f.Add([]byte("71A"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseEntryAnswer(Frame{Body: body})
		if err != nil && (r.Block != pin.Block{} || r.KSN != pin.KSN{}) {
			t.Fatal("a result beside an error")
		}
		parsed := Frame{Admin: true, Body: body}
		if messageID(parsed) == "08" {
			parseSelectAnswer(parsed)
		}
	})
}

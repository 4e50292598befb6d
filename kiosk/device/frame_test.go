package device

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"buka/internal/mac"
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
		"check master key 0":  msgCheckKey("0"),
		"Z60 DUKPT":           entryMessage{pan: "4012345678909"}.frame(PacketZ60),
		"Z60 MK/SK":           entryMessage{scheme: pin.MasterSession, key: sampleKey, pan: "4012345678909"}.frame(PacketZ60),
	} {
		if got, err := f.Encode(); err != nil || !bytes.Equal(got, want[name]) {
			t.Errorf("%s: %X, %v; want %X", name, got, err, want[name])
		}
	}
	for name, scheme := range map[string]pin.Scheme{"71 DUKPT": pin.TDESDUKPT, "73 DUKPT": pin.TDESDUKPT, "71 MK/SK": pin.MasterSession} {
		f := onlyFrame(t, want[name])
		s, err := parseEntryAnswer(f, scheme, pin.Format0)
		if err != nil || s.Scheme != scheme || s.Block() != (pin.Block{0x1B, 0x9C, 0x18, 0x45, 0xEB, 0x99, 0x3A, 0x7A}) {
			t.Fatalf("%s: %v", name, err)
		}
		if scheme == pin.TDESDUKPT && s.KSN.String() != "FFFF9876543210E00001" {
			t.Errorf("%s: %v", name, s.KSN)
		}
		for _, other := range []pin.Scheme{pin.TDESDUKPT, pin.AESDUKPT, pin.MasterSession} {
			if other == scheme {
				continue
			}
			if s, err := parseEntryAnswer(f, other, pin.Format0); !errors.Is(err, ErrAnswer) || s != nil {
				t.Errorf("%s is taken for %v: %v", name, other, err)
			}
		}
	}
}

// sampleKey is the session key of the sheet's Z60.
var sampleKey = pin.WrappedKey{Cryptogram: []byte{0x67, 0x01, 0xEA, 0xD6, 0xA9, 0xAD, 0x51, 0xE5, 0x1A, 0xA4, 0x06, 0xE2, 0xC2, 0x7F, 0xCF, 0xA9}}

func TestMessages(t *testing.T) {
	session := entryMessage{scheme: pin.MasterSession, key: sampleKey, pan: "4012345678909", timeout: time.Second}
	for _, c := range []struct {
		f    Frame
		want string
	}{
		{msgPrompt("HI"), "Z2\x1aHI"},
		{entryMessage{pan: "4012345678909", amount: 5000, timeout: time.Minute}.frame(Packet70), "70.4012345678909\x1cD50.00\x1c3"},
		{entryMessage{pan: "4012345678909", timeout: 31 * time.Second}.frame(Packet70), "70.4012345678909\x1cD\x1c3"},
		{entryMessage{pan: "4012345678909", timeout: time.Hour}.frame(PacketZ63), "Z63.4012345678909\x1cDUKPT ENCRYPTION0412N*"},
		{entryMessage{pan: "4012345678909", amount: 5000, prompt: "PIN", timeout: time.Hour}.frame(PacketZ62), "Z62.4012345678909\x1c0412NCNY 50.00\x1cPIN\x1cPLEASE WAIT\x1c9"},
		{session.frame(Packet70), "70.4012345678909\x1c6701EAD6A9AD51E51AA406E2C27FCFA90.00\x1c2"},
		{session.frame(PacketZ62), "Z62.4012345678909\x1c6701EAD6A9AD51E51AA406E2C27FCFA90412N\x1cENTER PIN\x1cPLEASE WAIT\x1c2"},
		{session.frame(PacketZ63), "Z63.4012345678909\x1c6701EAD6A9AD51E51AA406E2C27FCFA90412N*"},
		{msgMAC(true, 7, "0", sampleKey, []byte{0x01, 0xEF}), "Z663070\x1c6701EAD6A9AD51E51AA406E2C27FCFA9\x1c\x1c01EF"},
		{msgMAC(false, 42, "9", sampleKey, []byte{0xAB}), "Z662429\x1c6701EAD6A9AD51E51AA406E2C27FCFA9\x1c\x1cAB"},
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
		"711": "1", "71A": "A", "71F": "F", "710": "0", "73.1": "1", "717": "7",
		"73.00002" + "9876543210E00001" + "1B9C1845EB993A7A": "00002",
	} {
		var refused ErrPadRefused
		for _, scheme := range []pin.Scheme{pin.TDESDUKPT, pin.AESDUKPT, pin.MasterSession} {
			if len(code) > 1 && scheme == pin.MasterSession {
				continue
			}
			_, err := parseEntryAnswer(Frame{Body: []byte(body)}, scheme, pin.Format0)
			if !errors.As(err, &refused) || refused.Code != code || errors.Is(err, ErrThrottled) != (code == "7") {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
	const ksn, aesKSN, block = "9876543210E00001", "123456789012345600000001", "1B9C1845EB993A7A"
	for scheme, bodies := range map[pin.Scheme][]string{
		pin.TDESDUKPT: {
			"", "7", "71", "73", "72", "Z60.1", "710" + block, "7101B9C1845", "710" + "9876543210E0000G" + block,
			"710" + ksn + "1B9C1845EB993A7G", "710" + "0000FFFF9876543210E00001" + block, "71.00401" + block,
		},
		pin.AESDUKPT: {"710" + ksn + block, "710" + aesKSN + "0" + block, "710" + aesKSN[:23] + "G" + block, "71.00401" + block},
		pin.MasterSession: {
			"710" + ksn + block, "73.00000" + ksn + block, "71.00301" + block, "71.01301" + block, "71.10401" + block, "71.00402" + block,
			"71.00403" + block, "71.0 401" + block, "71.004011B9C1845EB993A7", "71.00401" + block + "0", "71.00401" + "1B9C1845EB993A7G",
		},
	} {
		for _, body := range bodies {
			if s, err := parseEntryAnswer(Frame{Body: []byte(body)}, scheme, pin.Format0); !errors.Is(err, ErrAnswer) || s != nil {
				t.Errorf("%v, %q: %v", scheme, body, err)
			}
		}
	}
	if s, err := parseEntryAnswer(Frame{Body: []byte("71.00403" + block)}, pin.MasterSession, pin.Format3); err != nil || s.Layout != pin.Format3 {
		t.Errorf("format 3 of master/session: %v", err)
	}
	if s, err := parseEntryAnswer(Frame{Body: []byte("73.00000" + aesKSN + block + block)}, pin.AESDUKPT, pin.Format4); err != nil || s.AESKSN.String() != aesKSN || len(s.Bytes()) != 16 {
		t.Errorf("format 4: %v", err)
	}
}

func TestMACAnswers(t *testing.T) {
	code, more, err := parseMACAnswer(Frame{Body: []byte("Z6704AB6082F0E61DE6F")})
	if err != nil || more || fmt.Sprintf("%X", code) != "4AB6082F0E61DE6F" {
		t.Errorf("%X, %t, %v", code, more, err)
	}
	if _, more, err := parseMACAnswer(Frame{Body: []byte("Z671")}); err != nil || !more {
		t.Errorf("%t, %v", more, err)
	}
	for _, status := range []string{"2", "9", "A"} {
		var refused ErrPadRefused
		if _, _, err := parseMACAnswer(Frame{Body: []byte("Z67" + status)}); !errors.As(err, &refused) || refused.Code != status {
			t.Errorf("%s: %v", status, err)
		}
	}
	for _, body := range []string{"", "Z6", "Z67", "Z670", "Z6704AB6082F0E61DE6", "Z6714AB6082F0E61DE6F", "Z6704AB6082F0E61DE6G", "7104AB6082F0E61DE6F"} {
		if code, _, err := parseMACAnswer(Frame{Body: []byte(body)}); !errors.Is(err, ErrAnswer) || code != (mac.Code{}) {
			t.Errorf("%q: %v", body, err)
		}
	}
	for body, want := range map[string]bool{"04F": true, "040": false, "04FK0": true} {
		if got, err := parseCheckAnswer(Frame{Admin: true, Body: []byte(body)}); err != nil || got != want {
			t.Errorf("%s: %t, %v", body, got, err)
		}
	}
	if _, err := parseCheckAnswer(Frame{Admin: true, Body: []byte("041")}); !errors.Is(err, ErrAnswer) {
		t.Error(err)
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
	f.Add([]byte("73.000009876543210E000011B9C1845EB993A7A"), byte(0), byte(0))
	f.Add([]byte("7109876543210E000011B9C1845EB993A7A"), byte(0), byte(0))
	f.Add([]byte("710123456789012345600000001A912150391AB65A67E52883D81CE2D15"), byte(1), byte(4))
	f.Add([]byte("71.004011B9C1845EB993A7A"), byte(2), byte(0))
	f.Add([]byte("71A"), byte(0), byte(0))
	f.Fuzz(func(t *testing.T, body []byte, scheme, format byte) {
		s, err := parseEntryAnswer(Frame{Body: body}, pin.Scheme(scheme%3), pin.Format(format))
		if (s == nil) != (err != nil) {
			t.Fatal("a result beside an error")
		}
		if s != nil && len(s.Bytes()) != pin.Format(format).Size() {
			t.Fatal("a block of another size")
		}
		parsed := Frame{Admin: true, Body: body}
		switch messageID(parsed) {
		case "08":
			parseSelectAnswer(parsed)
		case "04":
			parseCheckAnswer(parsed)
		}
	})
}

func FuzzParseMACAnswer(f *testing.F) {
	f.Add([]byte("Z6704AB6082F0E61DE6F"))
	f.Add([]byte("Z671"))
	f.Fuzz(func(t *testing.T, body []byte) {
		code, more, err := parseMACAnswer(Frame{Body: body})
		if (err != nil || more) && code != (mac.Code{}) {
			t.Fatal("a code beside an error")
		}
	})
}

package switchlink

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnionPaySample reads and writes a message that was printed by others, byte
// for byte.
func TestUnionPaySample(t *testing.T) {
	var v struct {
		Message, MTI   string
		Fields, Binary map[string]string
	}
	raw, err := os.ReadFile("testdata/unionpay-0200.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	wire := unhex(t, v.Message)
	m, err := UnionPay().Unpack(wire)
	if err != nil {
		t.Fatal(err)
	}
	want := UnionPay().newMessage(v.MTI)
	for de, s := range v.Fields {
		n, _ := strconv.Atoi(de)
		want.set(n, s)
	}
	for de, s := range v.Binary {
		n, _ := strconv.Atoi(de)
		want.Fields[n] = unhex(t, s)
	}
	if m.MTI != want.MTI || len(m.Fields) != len(want.Fields) {
		t.Fatalf("got %s with %d elements", m.MTI, len(m.Fields))
	}
	for de, b := range want.Fields {
		if !bytes.Equal(m.Fields[de], b) {
			t.Errorf("DE%d: %q, want %q", de, m.Fields[de], b)
		}
	}
	for _, x := range []*Message{m, want} {
		again, err := x.Pack()
		if err != nil || !bytes.Equal(again, wire) {
			t.Errorf("packed as %X, %v", again, err)
		}
	}
}

func TestSpecRefuses(t *testing.T) {
	for _, bad := range []string{
		`{}`, `{"fields":{"0":{"kind":"digits","size":4}}}`,
		`{"fields":{"65":{"kind":"digits","size":4}}}`,
		`{"fields":{"2":{"kind":"digits","size":0}}}`,
		`{"fields":{"2":{"kind":"numeric","size":4}}}`,
		`{"fields":{"2":{"kind":"digits","size":4,"prefix":"LLLL"}}}`,
		`{"fields":{"2":{"kind":"digits","size":4,"align":"centre"}}}`,
		`{"fields":{"2":{"kind":"digits","size":4,"pad":"0"}}}`,
	} {
		if _, err := LoadSpec([]byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestTrack2(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		track := rapid.StringMatching(`[0-9]{8,19}D[0-9]{7,17}`).Draw(r, "track")
		m := UnionPay().newMessage("0200")
		m.set(35, track)
		b, err := m.Pack()
		if err != nil {
			r.Fatal(err)
		}
		back, err := UnionPay().Unpack(b)
		if err != nil || back.Text(35) != track {
			r.Fatalf("%q, %v", back.Text(35), err)
		}
	})
	m := UnionPay().newMessage("0200")
	m.set(35, "62258800E0001")
	if _, err := m.Pack(); !errors.Is(err, ErrMessage) {
		t.Errorf("a letter in track 2: %v", err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	good := UnionPay().newMessage("0800")
	good.set(11, "000001")
	good.set(41, "BUKA0001")
	b, err := good.Pack()
	if err != nil {
		t.Fatal(err)
	}
	secondary := bytes.Clone(b)
	secondary[2] |= 0x80
	for name, bad := range map[string][]byte{
		"empty": nil, "short": b[:9], "cut": b[:len(b)-1], "more": append(bytes.Clone(b), 0),
		"secondary bitmap": secondary, "huge": make([]byte, MaxFrame+1),
		"letters in a number": append(append(bytes.Clone(b[:10]), 0xAB, 0xCD, 0xEF), b[13:]...),
	} {
		if _, err := UnionPay().Unpack(bad); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for de, value := range map[int]string{3: "12345", 11: "00000x", 41: "short", 2: strings.Repeat("1", 20), 7: "1", 52: "7 bytes", 0: "0", 1: "0"} {
		m := UnionPay().newMessage("0200")
		m.set(de, value)
		if _, err := m.Pack(); !errors.Is(err, ErrMessage) {
			t.Errorf("DE%d %q: %v", de, value, err)
		}
	}
	if _, err := UnionPay().newMessage("02").Pack(); !errors.Is(err, ErrMessage) {
		t.Error(err)
	}
}

// TestLogTellsLittle packs everything secret into a message and looks for it in
// what a log shows.
func TestLogTellsLittle(t *testing.T) {
	m := UnionPay().newMessage("0200")
	m.set(2, "6225880000000001")
	m.set(35, "6225880000000001D30122010000000000000")
	m.set(14, "3012")
	m.set(52, "SECRETPB")
	m.set(62, "working keys")
	m.set(55, "chip data of the card")
	m.set(48, "00000000123400100000000000000000")
	m.set(59, "\xDF\x10\x08SECRETPB")
	m.set(64, "MACMACMA")
	m.set(23, "001")
	m.set(11, "000042")
	m.set(60, "22000007000")
	for _, s := range []string{m.String(), m.LogValue().String()} {
		for _, bad := range []string{"622588", "0001D", "SECRET", "3012", "keys", "chip", "1234001", "MACM", "001\""} {
			if strings.Contains(s, bad) {
				t.Errorf("%q shows in %s", bad, s)
			}
		}
		if !strings.Contains(s, "000042") || !strings.Contains(s, "000007") {
			t.Error(s)
		}
	}
	for _, de := range []int{48, 64, 23} {
		delete(m.Fields, de)
	}
	m.Zero()
	if len(m.Fields) != 3 {
		t.Errorf("%d elements are left", len(m.Fields))
	}
}

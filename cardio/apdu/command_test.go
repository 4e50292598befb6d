package apdu

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCommandCases(t *testing.T) {
	for _, c := range []struct {
		name string
		cmd  Command
		hex  string
	}{
		{"1", Command{INS: 0x84, Ne: NoLe}, "00840000"},
		{"2", Command{CLA: 0x80, INS: 0x5C, P2: 2, Ne: 4}, "805C000204"},
		{"2, 256", Command{INS: 0xB2, P1: 1, P2: 0x0C, Ne: 256}, "00B2010C00"},
		{"3", Command{INS: 0x20, Data: []byte{0x12, 0x34, 0x56}, Ne: NoLe}, "0020000003123456"},
		{"4", SelectByName([]byte{0xA0, 0, 0, 6}), "00A4040004A000000600"},
	} {
		b, err := c.cmd.Bytes()
		if err != nil || !bytes.Equal(b, unhex(t, c.hex)) {
			t.Errorf("case %s: %X %v, want %s", c.name, b, err, c.hex)
		}
		back, err := ParseCommand(b)
		if err != nil || !reflect.DeepEqual(back, c.cmd) {
			t.Errorf("case %s: parsed %+v %v", c.name, back, err)
		}
	}
}

func TestCommandRefused(t *testing.T) {
	for _, c := range []Command{{}, {Ne: 257}, {Ne: -2}, {Ne: NoLe, Data: make([]byte, 256)}} {
		if _, err := c.Bytes(); !errors.Is(err, ErrCommand) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, h := range []string{"", "00", "00A404", "00A4040002A0", "00A4040001A00000", "00A40400000001AA", "00A4040000AA"} {
		if c, err := ParseCommand(unhex(t, h)); !errors.Is(err, ErrCommand) {
			t.Errorf("%s: %v %v", h, c, err)
		}
	}
}

func TestStringHidesData(t *testing.T) {
	s := Command{INS: 0x20, Data: []byte{0x12, 0x34, 0x56}, Ne: NoLe}.String()
	if strings.Contains(s, "123456") || s != "00 20 00 00 Lc=3" {
		t.Error(s)
	}
}

func TestStatusWords(t *testing.T) {
	if n, ok := SW(0x6100).More(); !ok || n != 256 {
		t.Error("6100", n, ok)
	}
	if n, ok := SW(0x6C08).WrongLe(); !ok || n != 8 {
		t.Error("6C08", n, ok)
	}
	if n, ok := SW(0x63C2).TriesLeft(); !ok || n != 2 {
		t.Error("63C2", n, ok)
	}
	if _, ok := AuthFailed.TriesLeft(); ok {
		t.Error("6300 has no number of tries")
	}
	if OK.String() != "9000" || !OK.IsOK() || SW(0x9001).IsOK() {
		t.Error("9000")
	}
}

// script is a card that answers a fixed list.
type script struct {
	t     *testing.T
	lines []string // "command → answer"
}

func (s *script) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	if len(s.lines) == 0 {
		return nil, errors.New("nothing more was expected")
	}
	want, answer, _ := strings.Cut(s.lines[0], " → ")
	s.lines = s.lines[1:]
	if !bytes.Equal(cmd, unhex(s.t, want)) {
		s.t.Errorf("sent %X, want %s", cmd, want)
	}
	return unhex(s.t, answer), nil
}

func TestExchangeFollows(t *testing.T) {
	s := &script{t, []string{
		"00B201 0C00 → 6C05",
		"00B201 0C05 → AA 6103",
		"00C0000003 → BB 6102",
		"00C0000002 → 6C01",
		"00C0000001 → CC 9000",
	}}
	r, err := Exchange(context.Background(), s, ReadRecord(1, 1, 256))
	if err != nil || r.SW != OK || !bytes.Equal(r.Data, []byte{0xAA, 0xBB, 0xCC}) || len(s.lines) != 0 {
		t.Errorf("%X %v %v, %d lines left", r.Data, r.SW, err, len(s.lines))
	}
}

func TestSendFollowsNothing(t *testing.T) {
	s := &script{t, []string{"8052000001 AA 04 → 6C04"}}
	r, err := Send(context.Background(), s, Command{CLA: 0x80, INS: 0x52, Data: []byte{0xAA}, Ne: 4})
	if err != nil || r.SW != 0x6C04 || len(s.lines) != 0 {
		t.Error(r, err)
	}
}

func TestExchangeIsBounded(t *testing.T) {
	var lines []string
	lines = append(lines, "00840000 04 → 6101")
	for range maxRounds {
		lines = append(lines, "00C0000001 → AA 6101")
	}
	_, err := Exchange(context.Background(), &script{t, lines}, Command{INS: 0x84, Ne: 4})
	if !errors.Is(err, ErrResponse) {
		t.Error(err)
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add([]byte{0, 0xA4, 4, 0, 2, 0xA0, 0, 0})
	f.Add([]byte{0x80, 0x5C, 0, 2, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCommand(b)
		if err != nil {
			return
		}
		back, err := c.Bytes()
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%X became %X, %v", b, back, err)
		}
	})
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte{0x90, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseResponse(b)
		if err == nil && !bytes.Equal(r.Bytes(), b) {
			t.Fatalf("%X became %X", b, r.Bytes())
		}
	})
}

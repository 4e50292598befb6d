package pboc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"buka/cardio/purse"
	"buka/internal/entry"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// script is a card that expects exactly these commands.
type script struct {
	t     *testing.T
	turns [][2][]byte // command, answer
}

func newScript(t *testing.T, path string) *script {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t}
	for _, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "C "):
			s.turns = append(s.turns, [2][]byte{unhex(t, line[2:])})
		case strings.HasPrefix(line, "R "):
			s.turns[len(s.turns)-1][1] = unhex(t, line[2:])
		}
	}
	return s
}

func (s *script) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	if len(s.turns) == 0 {
		s.t.Fatalf("%X was not expected", cmd)
	}
	turn := s.turns[0]
	s.turns = s.turns[1:]
	if !bytes.Equal(cmd, turn[0]) {
		s.t.Fatalf("sent %X, want %X", cmd, turn[0])
	}
	return turn[1], nil
}

// program is a card that answers each command by a function.
type program func(cmd []byte) []byte

func (p program) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	if a := p(cmd); a != nil {
		return a, nil
	}
	return nil, errors.New("no answer")
}

func header(cmd []byte) string { return strings.ToUpper(hex.EncodeToString(cmd[:4])) }

const tunionFCI = "6F318408A000000632010105A5259F0801029F0C1E" +
	"01011000FFFFFFFF0201031051700101709079842019080620401231" + "0000 9000"

// tunion answers SELECT as the real card of the sheet and leaves the rest to
// answers by header; anything else is 6D00.
func tunion(t testing.TB, answers map[string]string) program {
	return func(cmd []byte) []byte {
		if a, ok := answers[header(cmd)]; ok {
			return unhex(t, a)
		}
		if header(cmd) == "00A40400" {
			if bytes.Contains(cmd, []byte("SYS")) {
				return unhex(t, "6A82")
			}
			return unhex(t, tunionFCI)
		}
		return unhex(t, "6D00")
	}
}

func open(t testing.TB, c Config, ch purse.Channel) purse.Purse {
	t.Helper()
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Open(context.Background(), ch)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func grant(at entry.Stamp, mac2 entry.Hex) purse.Authority {
	return purse.AuthorityFunc(func(context.Context, entry.Attempt) (purse.Grant, error) {
		return purse.Grant{At: at, MAC2: mac2}, nil
	})
}

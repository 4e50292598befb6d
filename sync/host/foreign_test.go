package host

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// turn is one request of a written conversation and the answer it must get.
type turn struct {
	name      string
	ask, want []byte
}

func readTurns(t *testing.T, file string) (turns []turn) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var into *[]byte
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, ">"); ok {
			turns = append(turns, turn{name: strings.TrimSpace(name)})
			into = &turns[len(turns)-1].ask
			continue
		}
		if strings.HasPrefix(line, "<") {
			into = &turns[len(turns)-1].want
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if len(b) > 0 {
			*into = append(*into, b...)
		}
	}
	return turns
}

// TestForeignTerminal talks to the host in bytes that were written by hand, so
// that our two ends do not only agree with each other.
func TestForeignTerminal(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.host.PutAccount(w.ctx(), Account{PAN: "4012345678909", PIN: "1234", Expiry: "3012", Funds: 60_00}); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", w.host.SwitchAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	turns := readTurns(t, "testdata/foreign.txt")
	for _, turn := range append(turns, turns[1:]...) { // and once more: the same answers
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		// In two parts, as TCP may deliver them.
		for _, part := range [][]byte{turn.ask[:7], turn.ask[7:]} {
			if _, err := conn.Write(part); err != nil {
				t.Fatal(turn.name, err)
			}
		}
		got := make([]byte, len(turn.want))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, turn.want) {
			t.Fatalf("%s:\n got %X\nwant %X\n%v", turn.name, got, turn.want, err)
		}
	}
	if net, err := w.host.NetDebits(w.ctx(), "4012345678909"); err != nil || net != 50_00 {
		t.Errorf("charged %v, %v", net, err)
	}
}

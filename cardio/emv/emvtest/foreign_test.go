package emvtest

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"buka/cardio/reader/pcscd"
	"buka/cardio/virtual"
	"buka/internal/cryptogram"
)

// python is Debian's, with python3-pyscard; another one may come first in PATH.
func python(t *testing.T) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		p := filepath.Join(dir, "python3")
		if exec.Command(p, "-c", "import smartcard").Run() == nil {
			return p
		}
	}
	t.Fatal("no python3 with pyscard: apt-get install python3-pyscard (make deps)")
	return ""
}

// TestForeignTerminal: a terminal that shares no code with us drives every face
// of the virtual bank card through pcscd and vpcd, and is served to its end. It
// is terminal and issuer: it authenticates the card offline, checks and answers
// the cryptogram, and ends with the second GENERATE AC.
func TestForeignTerminal(t *testing.T) {
	program := python(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	unlock, err := pcscd.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	end, err := pcscd.Ensure(ctx, pcscd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	slot := virtual.NewVPCD(net.JoinHostPort("127.0.0.1", strconv.Itoa(pcscd.Port1)))
	for name, o := range faces() {
		t.Run(name, func(t *testing.T) {
			o.PAN, o.Store = pan, virtual.NewMemoryStore()
			r := driven(ctx, t, program, slot, o, "")
			want := result{OneCVN: r.OneCVN, AID: r.AID, ODA: o.ODA, ATC: 1, First: "80", Last: "40"}
			if o.ODA == "" {
				want.ODA = "cda"
			}
			if !o.Contact {
				want.Last = ""
				if o.AID == nil || string(o.AID) == string(visa) {
					want.ODA = "fdda"
				}
			}
			if r != want {
				t.Errorf("%+v, want %+v", r, want)
			}
			if again := driven(ctx, t, program, slot, o, ""); again.ATC != 2 {
				t.Errorf("the next transaction has counter %d", again.ATC)
			}
		})
	}
	for name, noPSE := range map[string]bool{"two applications": false, "two applications, no directory": true} {
		t.Run(name, func(t *testing.T) {
			o := virtual.BankOptions{PAN: pan, Contact: true, NoPSE: noPSE, Second: &virtual.BankOptions{PAN: otherPAN}, Store: virtual.NewMemoryStore()}
			for which, aid := range []string{"a000000333010101", "a000000333010102"} { // each counts for itself
				if r := driven(ctx, t, program, slot, o, "", strconv.Itoa(which)); r.AID != aid || r.ATC != 1 || r.Last != "40" {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	for name, c := range map[string]struct {
		card virtual.BankOptions
		says string
	}{
		"another issuer's key": {virtual.BankOptions{Contact: true, IssuerKey: cryptogram.Key{1}}, "the issuer does not know the cryptogram"},
		"refuses":              {virtual.BankOptions{Contact: true, Refuses: true}, "cryptogram of kind 00"},
		"regrets":              {virtual.BankOptions{Contact: true, Regrets: true}, "the card refuses"},
		"locked":               {virtual.BankOptions{Blocked: true}, "6A81"},
	} {
		t.Run(name, func(t *testing.T) {
			c.card.PAN = pan
			driven(ctx, t, program, slot, c.card, c.says)
		})
	}
}

// result is what the terminal prints.
type result struct {
	ODA    string `json:"oda"`
	ATC    int    `json:"atc"`
	First  string `json:"first"`
	Last   string `json:"last"`
	OneCVN int    `json:"cvn"`
	AID    string `json:"aid"`
}

// driven has the program serve one card. says is the reason for which it must
// end; empty: it must end well.
func driven(ctx context.Context, t *testing.T, program string, slot virtual.Slot, o virtual.BankOptions, says string, which ...string) (r result) {
	t.Helper()
	if err := slot.Insert(bank(t, o)); err != nil {
		t.Fatal(err)
	}
	defer slot.Remove()
	face := "contactless"
	if o.Contact {
		face = "contact"
	}
	key := hex.EncodeToString(virtual.TestIssuerKey[:])
	args := append([]string{"testdata/terminal.py", pcscd.Reader1, face, key, "../cakeys.json", "5000"}, which...)
	cmd := exec.CommandContext(ctx, program, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n') // an empty one is judged below
	slot.Remove()
	err = cmd.Wait()
	switch {
	case says != "":
		if err == nil || !strings.Contains(line, says) {
			t.Fatalf("%v: %s%s, want %q", err, line, &complaint, says)
		}
		return r
	case err != nil:
		t.Fatalf("%v: %s%s", err, line, &complaint)
	}
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r
}

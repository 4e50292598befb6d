package virtual

import (
	"context"
	"encoding/hex"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"buka/cardio/reader/pcscd"
)

// run runs a tool that is not ours and returns what it printed; a scan that
// never ends is ended.
func run(t *testing.T, limit time.Duration, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install the Debian packages opensc and pcsc-tools", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

var spaces = regexp.MustCompile(`[\s:]+`)

// TestToolsAgree lets opensc-tool and pcsc_scan, which know nothing of us, look
// at both virtual cards through a real pcscd.
func TestToolsAgree(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // others may play all their cards first
	defer cancel()
	unlock, err := pcscd.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	stop, err := pcscd.Ensure(ctx, pcscd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	purse, bank := newPurse(t, nil), newBank(t, BankOptions{})
	v0, v1 := NewVPCD(fmt.Sprintf("127.0.0.1:%d", VPCDPort0)), NewVPCD(fmt.Sprintf("127.0.0.1:%d", VPCDPort1))
	defer v0.Remove()
	defer v1.Remove()
	v0.Insert(purse)
	v1.Insert(bank)

	present := regexp.MustCompile(`(?m)^(\d+)\s+(Yes|No)\s+.*(Virtual PCD 00 0[01])`)
	seen := map[string]string{}
	for limit := time.Now().Add(time.Minute); len(seen) < 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("opensc-tool sees only", seen)
		}
		for _, m := range present.FindAllStringSubmatch(run(t, 30*time.Second, "opensc-tool", "-l"), -1) {
			if m[2] == "Yes" {
				seen[m[3]] = m[1]
			}
		}
	}
	for name, card := range map[string]Program{pcscd.Reader0: purse, pcscd.Reader1: bank} {
		atr := strings.ToUpper(hex.EncodeToString(card.ATR()))
		if out := run(t, 30*time.Second, "opensc-tool", "-r", seen[name], "-a"); !strings.Contains(strings.ToUpper(spaces.ReplaceAllString(out, "")), atr) {
			t.Errorf("%s: opensc-tool has another ATR than %s:\n%s", name, atr, out)
		}
	}
	out := run(t, 30*time.Second, "opensc-tool", "-r", seen[pcscd.Reader0], "-s", selectPurse, "-s", balance, "-s", "00B0950A0A", "-s", "805A0002020003"+"08")
	for _, want := range []string{"SW1=0x90, SW2=0x00", "00 00 0B 22", "03 10 51 70 01 01 70 90 79 84", "SW1=0x69, SW2=0x85"} {
		if !strings.Contains(out, want) {
			t.Errorf("opensc-tool does not show %q:\n%s", want, out)
		}
	}
	out = run(t, 30*time.Second, "opensc-tool", "-r", seen[pcscd.Reader1], "-s", "00A404000E325041592E5359532E444446303100")
	if !strings.Contains(out, "4F 08 A0 00 00 03 33") {
		t.Errorf("opensc-tool does not see the bank application:\n%s", out)
	}
	for wait := 5 * time.Second; ; wait *= 2 { // it never ends by itself
		scan := strings.ToUpper(spaces.ReplaceAllString(run(t, wait, "pcsc_scan", "-c", "-n"), ""))
		missing := ""
		for name, card := range map[string]Program{pcscd.Reader0: purse, pcscd.Reader1: bank} {
			if !strings.Contains(scan, strings.ToUpper(hex.EncodeToString(card.ATR()))) {
				missing = name
			}
		}
		if missing == "" {
			break
		}
		if wait > time.Minute {
			t.Fatalf("pcsc_scan does not see %s's ATR:\n%s", missing, scan)
		}
	}
}

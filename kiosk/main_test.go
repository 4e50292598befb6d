package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buka/kiosk/config"
)

// run gives what a command prints and how it ends.
func runCLI(args ...string) (string, error) {
	var out bytes.Buffer
	c := rootCommand()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestScenarioCommand(t *testing.T) {
	good := "scenario/testdata/first-topup.txt"
	if out, err := runCLI("scenario", good); err != nil || out != "ok   "+good+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	for name, script := range map[string]string{
		"a wrong balance":            "card red number=3105170010170907984 balance=1.00 counter=1\ntap red\nexpect within 100ms balance red 2.00\n",
		"no such word":               "dance\n",
		"a fault that never strikes": "card red number=3105170010170907984 balance=1.00 counter=1\ntear red before commit\ntap red\nexpect screen amount\n",
		"a cut that never strikes":   "power cut at write-done\n",
		"an unknown entry":           "power cut at lunch\n",
		"an unknown option":          "card red number=3105170010170907984 colour=red\n",
		"a card of another program":  "await card green\n",
	} {
		bad := write(t, "bad.txt", script)
		out, err := runCLI("scenario", good, bad)
		if err == nil || !strings.Contains(out, "FAIL "+bad+": ") || !strings.Contains(out, "ok   "+good) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	if _, err := runCLI("scenario", "--reader", "tape", good); err == nil {
		t.Error("an unknown reader was accepted")
	}
}

func TestConfigAndDoctor(t *testing.T) {
	out, err := runCLI("config", "example")
	if err != nil || out != string(config.Example) {
		t.Fatalf("%v", err)
	}
	text := strings.Replace(out, `data = "data" `, `data = "`+t.TempDir()+`" `, 1)
	text = strings.Replace(text, `"127.0.0.1:5000"`, `"127.0.0.1:1"`, 1)
	file := write(t, "kiosk.toml", text)
	if out, err := runCLI("config", "check", file); err != nil || !strings.Contains(out, "ok") {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := runCLI("config", "check", write(t, "bad.toml", "kiosk = \"K1\"\nfoo = 1\n")); err == nil || !strings.Contains(err.Error(), "line 2: foo") {
		t.Errorf("%v", err)
	}
	out, err = runCLI("doctor", "--config", file)
	if err == nil {
		t.Error("a kiosk without devices is well")
	}
	for _, want := range []string{"ok   disk", "ok   journal", "ok   clock", "FAIL PIN pad", "plug it in, or correct pinpad.port", "FAIL switch link"} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor does not say %q:\n%s", want, out)
		}
	}
}

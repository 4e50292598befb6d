package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buka/internal/mac"
	"buka/internal/pin"
	"buka/sync/host"
)

func TestConfig(t *testing.T) {
	c, err := parseConfig(example)
	if err != nil {
		t.Fatal(err)
	}
	if c.made.MAC != 0 || c.made.Spec != nil || c.made.TLS != nil || c.made.NoCVM != 0 || len(c.testKeys()) != 5 {
		t.Errorf("%+v, %v", c.made, c.testKeys())
	}
	for from, to := range map[string]string{
		"\nlisten = ": "\nlisen = ", `bdk = ""`: `bdk = "12"`, `"1000.00"`: `"much"`, `K0001 = "change-me-please-0001"`: `K0001 = ""`, `"none"`: `"x9.17"`,
		`spec = "unionpay"`: `spec = "no such file"`, `bins = []`: `bins = ["62a"]`, `bins = [] `: `bins = [""]`, `tmk = ""`: `tmk = "file:no such file"`, `aes_bdk = ""`: `aes_bdk = "file:/dev/zero"`,
		`"0.00"`: `"-1.00"`, `cert = ""`: `cert = "no such file"`, "\n[terminals]": "\n[terminals]\n\"1/2\" = \"\"",
		"\n[terminals] ": "\n[terminals]\n\"BUKAMERCHANT001/BUKA0001\" = \"12\"",
	} {
		text := strings.Replace(string(example), from, to, 1)
		line := 1 + strings.Count(text[:strings.Index(text, to)], "\n") + strings.Count(to, "\n")
		_, err := parseConfig([]byte(text))
		if err == nil {
			t.Errorf("%s was accepted", to)
		} else if want := fmt.Sprintf("line %d: ", line); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, and not %s", to, err, want)
		}
	}
	_, err = parseConfig([]byte(strings.Replace(string(example), `tac = ""`, `tac = "0123456789ABCDEF"`, 1)))
	if err == nil || strings.Contains(err.Error(), "0123") || !strings.Contains(err.Error(), "keys.tac") {
		t.Errorf("half a key: %v", err)
	}
}

func TestConfigOfARealBank(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tmk")
	if err := os.WriteFile(file, []byte("70F2A84CCBC2AE8625CBB0F2C22AB923\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := string(example)
	for from, to := range map[string]string{`mac = "none"`: `mac = "x9.19"`, `spec = "unionpay"`: `spec = "ascii87"`, `authority = ""`: `authority = "127.0.0.1:0"`,
		`bins = []`: `bins = ["622588"]`, `no_pin_limit = "0.00"`: `no_pin_limit = "300.00"`, `require_chip = false`: `require_chip = true`,
		`chip = ""`:     `chip = "000102030405060708090A0B0C0D0E0F"`,
		"\n[terminals]": "\n[terminals]\n\"BUKAMERCHANT001/BUKA0001\" = \"file:" + file + "\""} {
		text = strings.Replace(text, from, to, 1)
	}
	c, err := parseConfig([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := pin.ParseSecretKey(pin.TDES2, "70F2A84CCBC2AE8625CBB0F2C22AB923")
	if h := c.made; h.MAC != mac.X919 || h.Spec == nil || h.Spec.Name == "" || h.Authority == "" || h.NoCVM != 300_00 || !h.RequireICC || len(h.BINs) != 1 ||
		h.Keys.Chip[15] != 0x0F || !h.TMKs["BUKAMERCHANT001/BUKA0001"].Equal(want) || len(c.testKeys()) != 5 {
		t.Errorf("%+v, %v", h, c.testKeys())
	}
	c.made.Dir = t.TempDir()
	c.made.Listen = "127.0.0.1:0"
	h, err := host.Open(t.Context(), c.made)
	if err != nil {
		t.Fatal(err)
	}
	if h.AuthorityAddr() == h.SwitchAddr() {
		t.Error("one address for both")
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzConfig: no text breaks the reading of a configuration.
func FuzzConfig(f *testing.F) {
	f.Add(string(example))
	f.Add("[terminals]\n\"BUKAMERCHANT001/BUKA0001\" = \"\"")
	f.Add("[keys]\nload = \"00112233445566778899AABBCCDDEEFF\"\nmac = 7")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConfig([]byte(text))
		if err == nil {
			c.testKeys()
		}
	})
}

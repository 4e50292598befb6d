package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The example must show every key with the value that stands without it.
func TestExampleShowsTheDefaults(t *testing.T) {
	got, err := Parse(Example)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Kiosk, want.Purse.Terminal = got.Kiosk, got.Purse.Terminal
	want.Readers, want.PINPad.Port = got.Readers, got.PINPad.Port
	want.Switch.Address, want.Switch.Terminal, want.Switch.Merchant = got.Switch.Address, got.Switch.Terminal, got.Switch.Merchant
	want.Fleet.URL = got.Fleet.URL
	want.Hosts, want.Purse.Issuers, want.Purse.PINs, want.Journal.Backups = []string{}, []string{}, []string{}, []string{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example says\n%+v\nthe defaults are\n%+v", got, want)
	}
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		if lineOf(Example, key) == 0 {
			t.Errorf("the example does not show %s", key)
		}
	}
}

// The page that errors point to must name every key.
func TestThePageNamesEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		if !strings.Contains(string(page), "| `"+key+"` |") {
			t.Errorf("docs/configuration.md does not name %s", key)
		}
	}
}

func keysOf(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous { // its keys stand in the same table
			keys = append(keys, keysOf(f.Type, prefix)...)
			continue
		}
		key := prefix + f.Tag.Get("toml")
		if f.Type.Kind() == reflect.Struct && !reflect.PointerTo(f.Type).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			keys = append(keys, keysOf(f.Type, key+".")...)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

func TestErrorsNameTheLine(t *testing.T) {
	for change, want := range map[string]string{
		`kiosk = "K0001"|kiosk = "a b"`:                                   "kiosk",
		`place = ""|colour = "red"`:                                       "colour: no such key",
		`max_balance = "1000.00"|max_balance = "many"`:                    "",
		`baud = 9600|baud = "fast"`:                                       "",
		`timeout = "10s"|timeout = "soon"`:                                "",
		`warn = "20s"|warn = "5s"`:                                        "sale.warn",
		`transit = "Virtual PCD 00 00"|transit = "("`:                     "readers.transit",
		`terminal = "112233445566"|terminal = "1122"`:                     "purse.terminal",
		`amounts = ["10.00", "20.00"|amounts = ["0.00", "20.00"`:          "sale.amounts",
		`[fleet]|[fleet`:                                                  "",
		`keys = "dukpt"|keys = "tmk"`:                                     "",
		`keys = "dukpt"|keys = "master-session"`:                          "pinpad.keys: master-session wants key_slot",
		`format = 0|format = 1`:                                           "pinpad.format",
		`format = 0|format = 4`:                                           "pinpad.format: 4 goes with",
		`packet = "Z60"|packet = "76"`:                                    "pinpad.packet",
		`key_slot = ""|key_slot = "10"`:                                   "pinpad.key_slot",
		`serial = ""|serial = "12345678901234567"`:                        "pinpad.serial",
		`quiet = "02:00-05:00"|quiet = "2-5"`:                             "",
		`backups = []|backups = ["data"]`:                                 "journal.backups",
		`backup_keep = 8|backup_keep = 0`:                                 "journal.backup_keep",
		`archive_keep = 50000|archive_keep = 1`:                           "journal.archive_keep",
		`mode = "8N1"|mode = "8N2"`:                                       "pinpad.mode",
		`baud = 9600|baud = 0`:                                            "pinpad.baud",
		`entry_timeout = "60s"|entry_timeout = "1s"`:                      "pinpad.entry_timeout",
		`spec = "unionpay"|spec = ""`:                                     "switch.spec",
		`mac = "none"|mac = "des"`:                                        "switch.mac",
		"mac = \"none\"|mac = \"x9.9\"":                                   "switch.mac: it wants master_key",
		`ca = ""|ca = "ca.pem"`:                                           "switch.ca: ca, cert and key",
		`settle = "23:30"|settle = "24:00"`:                               "",
		`no_pin = "0.00"|no_pin = "-1.00"`:                                "",
		`when = "cross_border", outcome|when = "cross_border +", outcome`: `risk.rules: risk rule "cross-border-seen": line 1, column 15`,
		`outcome = "alarm" }|outcome = "stop" }`:                          `risk.rules: risk rule "cross-border-seen": outcome`,
	} {
		from, to, _ := strings.Cut(change, "|")
		text := strings.Replace(string(Example), from, to, 1)
		if text == string(Example) {
			t.Fatalf("%q is not in the example", from)
		}
		_, err := Parse([]byte(text))
		want = fmt.Sprintf("line %d: %s", 1+strings.Count(text[:strings.Index(text, to)], "\n"), want)
		var bad *Error
		if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", to, err, want)
		}
	}
}

// TestPINPadModes reads what must be taken.
func TestPINPadModes(t *testing.T) {
	for change, want := range map[string]string{
		`keys = "dukpt"|keys = "aes-dukpt"`:       "aes-dukpt 0 Z60",
		`format = 0|format = 3`:                   "dukpt 3 Z60",
		`packet = "Z60"|packet = "Z62"`:           "dukpt 0 Z62",
		`pad_prompts = false|pad_prompts = true`:  "dukpt 0 70",
		"keys = \"dukpt\"|keys = \"aes-dukpt\" #": "aes-dukpt 0 Z60",
	} {
		from, to, _ := strings.Cut(change, "|")
		c, err := Parse([]byte(strings.Replace(string(Example), from, to, 1)))
		if got := fmt.Sprintf("%v %d %s", c.PINPad.Keys, c.PINPad.Format, c.PINPad.Packet); err != nil || got != want {
			t.Errorf("%s: %s, %v", to, got, err)
		}
	}
	text := strings.Replace(string(Example), `keys = "dukpt" `, `keys = "aes-dukpt" `, 1)
	if c, err := Parse([]byte(strings.Replace(text, "format = 0", "format = 4", 1))); err != nil || c.PINPad.Format != 4 {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Example)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > MaxBytes {
			return
		}
		if _, err := Parse(data); err == nil && lineOf(data, "kiosk") == 0 {
			t.Fatal("accepted without a kiosk id")
		}
	})
}

// Package config reads the one configuration file of a kiosk, TOML. A mistake is an
// error that names the line; nothing is guessed and nothing ignored.
package config

import (
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/risk"
)

// Example is a configuration file with every key, its default and its meaning.
//
//go:embed config.toml
var Example []byte

// Duration is a time in a configuration, such as "1m30s".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads; it must be positive.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a time such as \"2s\"", text)
	}
	*d = Duration(v)
	return nil
}

// Amount is money in a configuration, in yuan.
type Amount money.Fen

// UnmarshalText reads yuan with at most two decimals.
func (a *Amount) UnmarshalText(text []byte) error {
	v, err := money.Parse(string(text))
	*a = Amount(v)
	return err
}

// Config of a station. The fields are those of config.toml.
type Config struct {
	Kiosk    string   `toml:"kiosk"`
	Place    string   `toml:"place"`
	Data     string   `toml:"data"`
	Listen   string   `toml:"listen"`
	Hotline  string   `toml:"hotline"`
	Language string   `toml:"language"`
	Theme    string   `toml:"theme"`
	Hosts    []string `toml:"hosts"`
	Readers  struct {
		Transit string `toml:"transit"`
		Bank    string `toml:"bank"`
		Desk    string `toml:"desk"`
	} `toml:"readers"`
	Purse struct {
		Terminal   string   `toml:"terminal"`
		Issuers    []string `toml:"issuers"`
		PINs       []string `toml:"pins"`
		MaxBalance Amount   `toml:"max_balance"`
	} `toml:"purse"`
	PINPad struct {
		Port         string     `toml:"port"`
		Baud         int        `toml:"baud"`
		Mode         string     `toml:"mode"`
		Keys         pin.Scheme `toml:"keys"`
		Format       int        `toml:"format"`
		Packet       string     `toml:"packet"`
		KeySlot      string     `toml:"key_slot"`
		Serial       string     `toml:"serial"`
		PadPrompts   bool       `toml:"pad_prompts"`
		EntryTimeout Duration   `toml:"entry_timeout"`
	} `toml:"pinpad"`
	Printer   Printer   `toml:"printer"`
	Switch    Switch    `toml:"switch"`
	Authority Authority `toml:"authority"`
	BankCard  struct {
		NoPIN     Amount `toml:"no_pin"`
		DeviceCVM bool   `toml:"device_cvm"`
		CAKeys    string `toml:"ca_keys"`
	} `toml:"bank_card"`
	Risk struct {
		Rules []risk.Rule `toml:"rules"`
	} `toml:"risk"`
	Fleet struct {
		URL       string   `toml:"url"`
		Password  string   `toml:"password"`
		Heartbeat Duration `toml:"heartbeat"`
	} `toml:"fleet"`
	Journal struct {
		Backups      []string `toml:"backups"`
		BackupEvery  Duration `toml:"backup_every"`
		BackupKeep   int      `toml:"backup_keep"`
		VerifyEvery  Duration `toml:"verify_every"`
		ArchiveAfter Duration `toml:"archive_after"`
		ArchiveKeep  int      `toml:"archive_keep"`
		Quiet        Window   `toml:"quiet"`
		Restore      bool     `toml:"restore"`
	} `toml:"journal"`
	Sale struct {
		Amounts  []Amount `toml:"amounts"`
		Offer    Duration `toml:"offer"`
		HandOver Duration `toml:"hand_over"`
		Patience Duration `toml:"patience"`
		Idle     Duration `toml:"idle"`
		Warn     Duration `toml:"warn"`
		PINs     int      `toml:"pins"`
	} `toml:"sale"`
}

// MaxBytes bounds a configuration file.
const MaxBytes = 1 << 20

// Error is a mistake in a configuration file. Line is 0 if a key is
// missing.
type Error struct {
	Line int
	Key  string
	What string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Key, e.What)
	}
	if e.Key == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.What)
	}
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Key, e.What)
}

// Default is what a file starts from.
func Default() Config {
	var c Config
	c.Data, c.Listen, c.Language = "data", "127.0.0.1:8080", "zh"
	c.Purse.MaxBalance = 100000
	c.BankCard.DeviceCVM = true
	c.PINPad.Baud, c.PINPad.Mode, c.PINPad.EntryTimeout = 9600, "8N1", Duration(time.Minute)
	c.PINPad.Packet = "Z60"
	c.Printer = defaultPrinter()
	c.Switch.Timeout, c.Switch.Spec, c.Switch.MAC = Duration(10*time.Second), "unionpay", "none"
	c.Switch.Settle = At(23*time.Hour + 30*time.Minute)
	c.Authority.Spec, c.Authority.MAC = "unionpay", "none"
	c.Risk.Rules = slices.Clone(risk.Shipped)
	c.Fleet.Heartbeat = Duration(5 * time.Second)
	c.Journal.BackupEvery, c.Journal.BackupKeep = Duration(6*time.Hour), 8
	c.Journal.VerifyEvery, c.Journal.ArchiveAfter, c.Journal.ArchiveKeep = Duration(24*time.Hour), Duration(30*24*time.Hour), 50_000
	c.Journal.Quiet, c.Journal.Restore = Window{2 * time.Hour, 5 * time.Hour}, true
	c.Sale.HandOver, c.Sale.Patience = Duration(24*time.Hour), Duration(15*time.Minute)
	c.Sale.Amounts = []Amount{1000, 2000, 5000, 10000, 20000}
	c.Sale.Offer, c.Sale.Idle, c.Sale.Warn, c.Sale.PINs = Duration(2*time.Minute), Duration(45*time.Second), Duration(20*time.Second), 3
	return c
}

// Load reads a file. The error names the file and the line.
func Load(path string) (Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	if info.Size() > MaxBytes {
		return Config{}, fmt.Errorf("%s: more than %d bytes: not a configuration", path, MaxBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c, err := Parse(data)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads TOML over the defaults and checks every value.
func Parse(data []byte) (Config, error) {
	c := Default()
	d := toml.NewDecoder(strings.NewReader(string(data))).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, asError(err)
	}
	if what := c.check(); what != nil {
		what.Line = lineOf(data, what.Key)
		return c, what
	}
	if what, rule := c.checkRisk(); what != nil {
		if what.Line = lineOf(data, what.Key); rule >= 0 {
			what.Line = max(what.Line, ruleLine(data, rule))
		}
		return c, what
	}
	return c, nil
}

var wrongType = regexp.MustCompile(`cannot decode TOML (\w+) into .*`)

func asError(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		return &Error{row, strings.Join(strict.Errors[0].Key(), "."), "no such key: see the list in docs/configuration.md"}
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, _ := bad.Position()
		return &Error{row, strings.Join(bad.Key(), "."), wrongType.ReplaceAllString(strings.TrimPrefix(bad.Error(), "toml: "), "a $1 cannot stand here")}
	}
	return err
}

var kioskID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// check finds the first value that cannot work.
func (c *Config) check() *Error {
	bad := func(key, what string, a ...any) *Error { return &Error{0, key, fmt.Sprintf(what, a...)} }
	terminal, err := hex.DecodeString(c.Purse.Terminal)
	switch {
	case !kioskID.MatchString(c.Kiosk):
		return bad("kiosk", "%q is no id: 1 to 32 letters, digits, '-' or '_'", c.Kiosk)
	case c.Data == "":
		return bad("data", "a directory is wanted")
	case c.Language != "zh" && c.Language != "en":
		return bad("language", "%q: zh or en is wanted", c.Language)
	case err != nil || len(terminal) != 6:
		return bad("purse.terminal", "%q: 12 hex digits are wanted", c.Purse.Terminal)
	case c.Purse.MaxBalance <= 0:
		return bad("purse.max_balance", "an amount above 0 is wanted")
	case c.Switch.Address == "":
		return bad("switch.address", "host:port is wanted")
	case len(c.Switch.Terminal) != 8:
		return bad("switch.terminal", "%q: 8 characters are wanted (DE41)", c.Switch.Terminal)
	case len(c.Switch.Merchant) != 15:
		return bad("switch.merchant", "%q: 15 characters are wanted (DE42)", c.Switch.Merchant)
	case len(c.Sale.Amounts) == 0 || len(c.Sale.Amounts) > 9:
		return bad("sale.amounts", "one to nine amounts are wanted")
	case c.Sale.Warn < Duration(20*time.Second):
		return bad("sale.warn", "a passenger needs at least 20s to answer (WCAG 2.2.1)")
	case c.Sale.PINs < 1 || c.Sale.PINs > 9:
		return bad("sale.pins", "1 to 9 is wanted")
	}
	if wrong := c.checkPINPad(); wrong != nil {
		return wrong
	}
	if wrong := c.checkPrinter(); wrong != nil {
		return wrong
	}
	if bad := c.checkJournal(); bad != nil {
		return bad
	}
	if bad := c.checkLinks(); bad != nil {
		return bad
	}
	if c.BankCard.NoPIN < 0 {
		return bad("bank_card.no_pin", "an amount is wanted; 0.00: a PIN for every card")
	}
	for key, expr := range map[string]string{"readers.transit": c.Readers.Transit, "readers.bank": c.Readers.Bank, "readers.desk": c.Readers.Desk} {
		if expr == "" && key != "readers.desk" {
			return bad(key, "an expression over reader names is wanted")
		}
		if _, err := regexp.Compile(expr); err != nil {
			return bad(key, "%v", err)
		}
	}
	for _, a := range c.Sale.Amounts {
		if a <= 0 {
			return bad("sale.amounts", "amounts must be above 0")
		}
	}
	return nil
}

// lineOf finds the line on which a dotted key stands; 0 if it does not.
func lineOf(data []byte, dotted string) (line int) {
	eachKey(data, func(key string, e *unstable.Node) bool {
		if key != dotted {
			return false
		}
		for it := e.Key(); it.Next(); {
			line = lineAt(data, it.Node())
		}
		return true
	})
	return line
}

// eachKey goes over the keys of a file, dotted, with what stands there, until found.
func eachKey(data []byte, found func(dotted string, e *unstable.Node) bool) {
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		for it := e.Key(); it.Next(); {
			parts = append(parts, string(it.Node().Data))
		}
		key := strings.Join(parts, ".")
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = key + "."
		case unstable.KeyValue:
			if found(table+key, e) {
				return
			}
		}
	}
}

// lineAt is the line on which a part of a key stands.
func lineAt(data []byte, key *unstable.Node) int {
	return 1 + strings.Count(string(data[:key.Raw.Offset]), "\n")
}

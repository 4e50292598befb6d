package pboc

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"buka/internal/entry"
	"buka/internal/money"
)

// Application is a purse application that can be selected by name.
type Application struct {
	AID        entry.Hex `json:"aid"`    // 5 to 16 bytes; longer names on cards begin with it
	Family     string    `json:"family"` // what entry.Card.Family becomes
	Label      string    `json:"label"`
	SecondSlot bool      `json:"secondSlot"` // GET BALANCE with P1 01 gives the overdrawn amount
	KeyIndex   byte      `json:"keyIndex"`   // of the load key; 0 means Config.KeyIndex
}

//go:embed aids.json
var aidsJSON []byte

// Applications is the built-in list, in the order in which it is tried.
var Applications = sync.OnceValue(func() []Application {
	var list []Application
	if err := json.Unmarshal(aidsJSON, &list); err != nil {
		panic("pboc: aids.json: " + err.Error()) // part of the program, tested
	}
	return list
})

// Bounds of a configuration and of what a card may make us do.
const (
	maxApplications = 16
	maxPINs         = 8
	maxLogRecords   = 50
	maxCandidates   = 8 // applications of one card that are tried
)

// Config of the family. The zero value serves every issuer, knows no PIN and
// takes every error of a write as unknown.
type Config struct {
	Applications []Application // nil: the built-in list
	KeyIndex     byte          // of the load key, default 1
	PINs         []PIN         // tried in order when a card wants a PIN before a load
	Issuers      []string      // city codes that are served, four digits; nil: all
	Limit        money.Fen     // most that a purse may hold, fen; 0: the host decides
	LogRecords   int           // read for history, default 10, at most 50
	// NotSent reports that a failed Transmit surely did not reach the card.
	// reader.NotSent is meant; nil: nothing is sure.
	NotSent func(error) bool
}

// ErrConfig is in the chain of every error about a configuration.
var ErrConfig = errors.New("pboc: bad configuration")

func (c Config) orDefault() (Config, error) {
	if c.Applications == nil {
		c.Applications = Applications()
	}
	if len(c.Applications) > maxApplications || len(c.PINs) > maxPINs {
		return c, fmt.Errorf("%w: at most %d applications and %d PINs", ErrConfig, maxApplications, maxPINs)
	}
	for _, a := range c.Applications {
		if len(a.AID) < 5 || len(a.AID) > 16 || a.Family == "" {
			return c, fmt.Errorf("%w: application %q: 5 to 16 bytes and a family are wanted", ErrConfig, a.Label)
		}
	}
	if c.KeyIndex == 0 {
		c.KeyIndex = 1
	}
	if c.LogRecords == 0 {
		c.LogRecords = 10
	}
	if c.LogRecords < 0 || c.LogRecords > maxLogRecords || c.Limit < 0 || c.Limit > money.Max {
		return c, fmt.Errorf("%w: log records 1 to %d, limit 0 to %v", ErrConfig, maxLogRecords, money.Max)
	}
	if c.NotSent == nil {
		c.NotSent = func(error) bool { return false }
	}
	return c, nil
}

func (c Config) serves(city string) bool {
	return c.Issuers == nil || slices.Contains(c.Issuers, city)
}

// PIN is a card's PIN: a constant of its issuer, not a passenger's. It prints
// as stars.
type PIN struct {
	Reference byte // P2 of VERIFY
	digits    []byte
}

// ParsePIN reads 4 to 12 decimal digits. They travel as BCD, an odd number
// filled with F. The error does not repeat the text.
func ParsePIN(reference byte, digits string) (PIN, error) {
	if len(digits) < 4 || len(digits) > 12 {
		return PIN{}, fmt.Errorf("%w: a card PIN has 4 to 12 digits", ErrConfig)
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return PIN{}, fmt.Errorf("%w: a card PIN is decimal", ErrConfig)
		}
	}
	if len(digits)%2 != 0 {
		digits += "F"
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return PIN{}, fmt.Errorf("%w: a card PIN is decimal", ErrConfig)
	}
	return PIN{Reference: reference, digits: b}, nil
}

// Format hides the PIN from every verb.
func (PIN) Format(s fmt.State, _ rune) { s.Write([]byte("****")) }

// MarshalText hides the PIN from JSON and logs.
func (PIN) MarshalText() ([]byte, error) { return []byte("****"), nil }

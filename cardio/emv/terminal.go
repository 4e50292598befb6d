package emv

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"buka/cardio/apdu"
	"buka/internal/entry"
	"buka/internal/money"
)

// Terminal is what the card may ask for in its PDOL.
type Terminal struct {
	Amount money.Fen // fen; tag 9F02
	Now    time.Time // in the kiosk's zone; tags 9A and 9F21, and the expiry check
}

// Fixed data of an unattended, online-only kiosk in China (EMV Book 4 annex A,
// country and currency of ISO 3166 and ISO 4217).
var (
	china    = []byte{0x01, 0x56}
	ttq      = []byte{0x34, 0xC0, 0x00, 0x80} // contact and contactless, online PIN, cryptogram and CVM required, fDDA v01
	termType = []byte{0x24}
	ability  = []byte{0x20, 0x40, 0x00} // chip; enciphered PIN to the host
)

// objects fills what a PDOL wishes for.
func (t Terminal) objects() (map[apdu.Tag][]byte, error) {
	amount, err := hex.DecodeString(fmt.Sprintf("%012d", t.Amount))
	if err != nil || t.Amount < 0 || t.Amount > money.Max {
		return nil, fmt.Errorf("emv: amount %v", t.Amount)
	}
	date, err := hex.DecodeString(t.Now.Format("060102"))
	if err != nil {
		return nil, fmt.Errorf("emv: date: %w", err)
	}
	clock, err := hex.DecodeString(t.Now.Format("150405"))
	if err != nil {
		return nil, fmt.Errorf("emv: time: %w", err)
	}
	unpredictable := make([]byte, 4)
	rand.Read(unpredictable) // never fails
	return map[apdu.Tag][]byte{
		0x9F66: ttq,
		0x9F02: amount,
		0x9F03: make([]byte, 6),
		0x9F1A: china,
		0x5F2A: china,
		0x95:   make([]byte, 5),
		0x9A:   date,
		0x9F21: clock,
		0x9C:   {0x00}, // goods and services
		0x9F37: unpredictable,
		0x9F35: termType,
		0x9F33: ability,
	}, nil
}

// application is one that this kiosk takes; names on cards begin with its AID.
type application struct {
	AID    entry.Hex `json:"aid"`
	Scheme string    `json:"scheme"`
	Label  string    `json:"label"`
}

//go:embed aids.json
var aidsJSON []byte

var applications = sync.OnceValue(func() []application {
	var list []application
	if err := json.Unmarshal(aidsJSON, &list); err != nil {
		panic("emv: aids.json: " + err.Error()) // part of the program, tested
	}
	return list
})

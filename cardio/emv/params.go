package emv

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"buka/cardio/apdu"
	"buka/internal/entry"
	"buka/internal/money"
)

// Terminal is one payment as the card sees it, and what the kiosk may do.
type Terminal struct {
	Amount money.Fen // fen; tag 9F02
	Now    time.Time // in the kiosk's zone; tags 9A and 9F21, and the dates' checks
	Serial string    // 8 characters, tag 9F1E; may be empty
	Count  uint32    // of this terminal's payments, tag 9F41

	// NoCVM is the largest amount that needs no PIN, where the card agrees; 0: a
	// PIN for every payment.
	NoCVM money.Fen
	// AskPIN: the issuer has asked for the PIN, so what card, device and amount would
	// do without does not count.
	AskPIN bool
	// NoDevice: that a telephone has verified its owner does not count.
	NoDevice bool
	// Keys are the certification authorities' public keys; nil: those built in.
	Keys *CATable
	// Choose lets the cardholder choose among applications (best first), when a
	// card with contacts has several or wants a confirmation. It takes its own
	// time: ctx is that of Start. Nil: the first that needs no confirmation is
	// taken. An error ends the payment, and Start gives it back.
	Choose func(ctx context.Context, list []Choice) (int, error)

	unpredictable func([]byte) // tests only
}

// application is one that this kiosk takes; names on cards begin with its AID.
// The action codes are those of an acquirer's parameter sheet for the scheme.
type application struct {
	AID     entry.Hex `json:"aid"`
	Scheme  string    `json:"scheme"`
	Label   string    `json:"label"`
	Kind    string    `json:"kind"`    // as pages name it
	Kernel  int       `json:"kernel"`  // contactless: 2, 3 or 7
	Version entry.Hex `json:"version"` // 9F09
	Denial  entry.Hex `json:"denial"`  // terminal action code
	Online  entry.Hex `json:"online"`
	Default entry.Hex `json:"default"`
}

//go:embed aids.json
var aidsJSON []byte

var applications = sync.OnceValue(func() []application {
	var list []application
	if err := json.Unmarshal(aidsJSON, &list); err != nil {
		panic("emv: aids.json: " + err.Error()) // part of the program, tested
	}
	for _, a := range list {
		if len(a.AID) < 5 || len(a.Version) != 2 || len(a.Denial) != 5 || len(a.Online) != 5 || len(a.Default) != 5 {
			panic(fmt.Sprintf("emv: aids.json: %X is not whole", a.AID))
		}
	}
	return list
})

// Fixed data of an unattended, online-only kiosk in China (EMV Book 4 annex A,
// country and currency of ISO 3166 and ISO 4217).
var (
	china     = []byte{0x01, 0x56}
	termType  = []byte{0x24}                               // unattended, online only, of a merchant
	ability   = []byte{0x20, 0x48, 0xC8}                   // chip; PIN to the host, no CVM; SDA, DDA, CDA, and no card is kept
	additions = []byte{0x60, 0x00, 0xB0, 0x13, 0xFF}       // goods and services; keys; shows the cardholder ISO 8859-1 to -10
	riskData  = []byte{0x00, 0x00, 0x00, 0x00, 0, 0, 0, 0} // 9F1D: no offline PIN
)

// Bytes of the terminal transaction qualifiers (9F66), emv sheet 4.3; EMV
// Contactless Book A 5.7.
const (
	ttqAbilities = 0x34 // qPBOC and qVSDC, contact too, online PIN
	ttqOnline    = 0x80 // an online cryptogram is required
	ttqCVM       = 0x40 // a CVM is required
	ttqDevice    = 0x40 // a device may have verified its owner itself
	ttqFDDA      = 0x80 // fDDA version 01
)

// qualifiers are 9F66 for this amount.
func (t Terminal) qualifiers() []byte {
	second := byte(ttqOnline)
	if t.needsCVM() {
		second |= ttqCVM
	}
	var third byte
	if t.takesDevice() {
		third = ttqDevice
	}
	return []byte{ttqAbilities, second, third, ttqFDDA}
}

func (t Terminal) takesDevice() bool { return !t.AskPIN && !t.NoDevice }

func (t Terminal) needsCVM() bool { return t.AskPIN || t.NoCVM == 0 || t.Amount > t.NoCVM }

// objects are the terminal's own data objects.
func (t Terminal) objects() (map[apdu.Tag][]byte, error) {
	amount, err := bcdOf(fmt.Sprintf("%012d", t.Amount))
	if err != nil || t.Amount < 0 || t.Amount > money.Max {
		return nil, fmt.Errorf("emv: amount %v", t.Amount)
	}
	date, err1 := bcdOf(t.Now.Format("060102"))
	clock, err2 := bcdOf(t.Now.Format("150405"))
	if err1 != nil || err2 != nil || len(t.Serial) > 8 {
		return nil, fmt.Errorf("emv: date %v or serial number %q", t.Now, t.Serial)
	}
	count, _ := bcdOf(fmt.Sprintf("%08d", t.Count%100_000_000))
	random := make([]byte, 4)
	if t.unpredictable != nil {
		t.unpredictable(random)
	} else {
		rand.Read(random) // never fails
	}
	serial := t.Serial + strings.Repeat(" ", 8-len(t.Serial))
	return map[apdu.Tag][]byte{
		0x9F66: t.qualifiers(),
		0x9F02: amount,
		0x9F03: make([]byte, 6),
		0x81:   amountBinary(t.Amount),
		0x9F04: make([]byte, 4),
		0x9F1A: china,
		0x5F2A: china,
		0x5F36: {0x02}, // two decimals
		0x9A:   date,
		0x9F21: clock,
		0x9C:   {0x00}, // goods and services
		0x9F37: random,
		0x9F35: termType,
		0x9F33: ability,
		0x9F40: additions,
		0x9F1B: make([]byte, 4), // floor limit 0: always online
		0x9F1D: riskData,
		0x9F1E: []byte(serial),
		0x9F41: count,
	}, nil
}

func amountBinary(a money.Fen) []byte {
	return []byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}
}

func bcdOf(digits string) ([]byte, error) { return hex.DecodeString(digits) }

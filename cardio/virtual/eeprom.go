package virtual

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"buka/internal/pboc"
)

// logRecords is how many records EF18 holds.
const logRecords = 10

// eeprom is what a purse card keeps without power. It is a value: a command
// works on a copy, which replaces the old one only when the store has it.
type eeprom struct {
	Balance   uint32   `json:"balance_fen"`
	Owed      uint32   `json:"owed_fen"` // second slot of T-Union
	Online    uint16   `json:"online"`
	Offline   uint16   `json:"offline"`
	Log       []string `json:"log,omitempty"` // records in hex, newest first
	Proof     *proof   `json:"proof,omitempty"`
	PINTries  int      `json:"pin_tries"`
	MACErrors int      `json:"mac_errors"`
	Locked    bool     `json:"locked"`
}

// proof is what GET TRANSACTION PROVE answers from.
type proof struct {
	Type   pboc.Type `json:"type"`
	Number uint16    `json:"number"` // before increment
	MAC2   pboc.MAC  `json:"mac2"`   // zero for a load
	TAC    pboc.MAC  `json:"tac"`
}

// with returns a copy whose log starts with r.
func (e eeprom) with(r pboc.LogRecord) eeprom {
	log := append([]string{hex.EncodeToString(r.Bytes())}, e.Log...)
	e.Log = log[:min(len(log), logRecords)]
	return e
}

// record is the nth newest record, from 1; nil if that slot is unused.
func (e eeprom) record(n int) []byte {
	if n < 1 || n > len(e.Log) {
		return nil
	}
	b, err := hex.DecodeString(e.Log[n-1])
	if err != nil || len(b) != pboc.LogSize {
		return nil
	}
	return b
}

// loadEEPROM reads a card's state; a card that the store does not know starts
// with fresh, which is saved at once.
func loadEEPROM(s Store, card string, fresh eeprom) (eeprom, error) {
	b, err := s.Load(card)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, saveEEPROM(s, card, fresh)
	}
	if err != nil {
		return eeprom{}, err
	}
	var e eeprom
	if err := json.Unmarshal(b, &e); err != nil {
		return eeprom{}, fmt.Errorf("card %s: its EEPROM file is damaged, remove it for a new card: %w", card, err)
	}
	return e, nil
}

func saveEEPROM(s Store, card string, e eeprom) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.Save(card, b)
}

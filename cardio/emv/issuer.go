package emv

import (
	"encoding/hex"

	"buka/cardio/apdu"
)

// Country is the issuer's, ISO 3166 numeric, 3 digits; empty if the card does not
// say (5F28).
func (p *Payment) Country() string {
	if v := p.card[0x5F28]; len(v) == 2 && v[0] < 0x10 {
		return hex.EncodeToString(v)[1:]
	}
	return ""
}

// scriptTags are those of the message that tells what became of scripts (iso8583
// sheet 1.9).
var scriptTags = []apdu.Tag{0x9F33, 0x95, 0x9F37, 0x9F1E, 0x9F10, 0x9F26, 0x9F36, 0x82, 0xDF31, 0x9F1A, 0x9A}

// ScriptDE55 is the card's part of that message.
func (p *Payment) ScriptDE55() ([]byte, error) { return p.encode(scriptTags, nil) }

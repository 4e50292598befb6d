package emv

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"buka/internal/entry"
)

// ErrSecret answers every attempt to marshal card data to binary.
var ErrSecret = errors.New("emv: card data must not be stored or sent in this form")

// Digits is card data that never prints. Reveal is the only way to it.
type Digits []byte

const hidden = "****"

// Reveal gives the digits to what encodes a payment message.
func (d Digits) Reveal() string { return string(d) }

func (Digits) String() string                 { return hidden }
func (Digits) Format(s fmt.State, _ rune)     { io.WriteString(s, hidden) }
func (Digits) LogValue() slog.Value           { return slog.StringValue(hidden) }
func (Digits) MarshalText() ([]byte, error)   { return []byte(hidden), nil }
func (Digits) MarshalBinary() ([]byte, error) { return nil, ErrSecret }

// Card is what was read of a bank card. It prints as its masked number.
type Card struct {
	PAN    Digits // 12 to 19 digits
	Expiry Digits // YYMM, as ISO 8583 DE14 wants it
	Track2 Digits // track 2 equivalent, with D as separator, without padding
	PSN    Digits // sequence number, 2 digits; empty if the card has none
	AID    entry.Hex
	Scheme string // "unionpay", "visa", "mastercard"
}

// Masked is the number as it may be shown and kept: the first six digits, stars,
// the last four.
func (c Card) Masked() string { return mask(c.PAN) }

func mask(pan []byte) string {
	if len(pan) < 12 {
		return hidden
	}
	m := make([]byte, len(pan))
	for i := range m {
		m[i] = '*'
	}
	copy(m, pan[:6])
	copy(m[len(m)-4:], pan[len(pan)-4:])
	return string(m)
}

func (c Card) String() string               { return c.Masked() }
func (c Card) Format(s fmt.State, _ rune)   { io.WriteString(s, c.Masked()) }
func (c Card) LogValue() slog.Value         { return slog.StringValue(c.Masked()) }
func (c Card) MarshalText() ([]byte, error) { return []byte(c.Masked()), nil }

// MarshalBinary fails, so that a journal never takes a card.
func (Card) MarshalBinary() ([]byte, error) { return nil, ErrSecret }

// Zero overwrites the card data. Copies that Reveal gave are not reached.
func (c *Card) Zero() {
	for _, d := range []Digits{c.PAN, c.Expiry, c.Track2, c.PSN} {
		clear(d)
	}
	*c = Card{}
}

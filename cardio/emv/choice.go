package emv

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"

	"buka/cardio/apdu"
	"buka/internal/entry"
)

// Choice is an application that the cardholder may choose.
type Choice struct {
	AID  entry.Hex
	Name string // the card's own: its preferred name, else its label; "" if it has none that can be shown
	Kind string // what it is: "unionpay-debit", "visa", …, for words in the cardholder's language
}

// pick gives the application to try next, or -1 if none is left that the
// cardholder need not agree to (EMV Book 1 12.4). Without contacts nobody is
// asked: the card is tapped, not held (Entry Point 3.3.3). Who was asked once is
// asked again, where what was chosen does not serve.
func (d directory) pick(ctx context.Context, t Terminal, list []candidate, again bool) (i int, asked bool, err error) {
	switch {
	case d.over == Contactless:
		return 0, false, nil
	case t.Choose == nil:
		return slices.IndexFunc(list, func(c candidate) bool { return !c.confirm }), false, nil
	case len(list) == 1 && !list[0].confirm && !again:
		return 0, false, nil
	}
	choices := make([]Choice, len(list))
	for i, c := range list {
		choices[i] = Choice{AID: slices.Clone(c.aid), Name: c.name, Kind: c.app.Kind}
	}
	i, err = t.Choose(ctx, choices)
	if err == nil && (i < 0 || i >= len(list)) {
		err = fmt.Errorf("emv: application %d of %d was chosen", i+1, len(list))
	}
	return i, true, err
}

// alphabets are the parts of ISO 8859 by the issuer's code table index (9F11).
var alphabets = map[byte]*charmap.Charmap{
	0x01: charmap.ISO8859_1, 0x02: charmap.ISO8859_2, 0x03: charmap.ISO8859_3, 0x04: charmap.ISO8859_4, 0x05: charmap.ISO8859_5,
	0x06: charmap.ISO8859_6, 0x07: charmap.ISO8859_7, 0x08: charmap.ISO8859_8, 0x09: charmap.ISO8859_9, 0x10: charmap.ISO8859_10,
}

// nameOf is what the cardholder knows the application by: its preferred name
// (9F12) if its alphabet is told (9F11) and known here, else its label (50), which
// is ASCII (EMV Book 1 12.4, Book 4 11.3).
func nameOf(about, alphabet []byte) string {
	if own, err := apdu.Find(about, 0x9F11); err == nil {
		alphabet = own
	}
	if v, err := apdu.Find(about, 0x9F12); err == nil && len(alphabet) == 1 {
		if name := shown(v, alphabets[alphabet[0]]); name != "" {
			return name
		}
	}
	v, err := apdu.Find(about, 0x50)
	if err != nil || slices.ContainsFunc(v, func(c byte) bool { return c > 0x7E }) {
		return ""
	}
	return shown(v, charmap.ISO8859_1)
}

// shown is text that can be put on a page: 1 to 16 characters, each of which
// prints.
func shown(v []byte, alphabet *charmap.Charmap) string {
	if alphabet == nil || len(v) > 16 {
		return ""
	}
	text, err := alphabet.NewDecoder().Bytes(bytes.TrimSpace(v))
	if err != nil || bytes.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return ""
	}
	return strings.TrimSpace(string(text))
}

package emv

import (
	"bytes"
	"fmt"
	"time"

	"buka/cardio/apdu"
)

// span is one entry of an application file locator: records first to last of a
// file; signed of them, from the first, are authenticated (EMV Book 3 §10.2).
type span struct{ sfi, first, last, signed byte }

// parseAFL reads the locator; the number of records over all is bounded.
func parseAFL(b []byte) ([]span, error) {
	if len(b)%4 != 0 || len(b) > 252 {
		return nil, fmt.Errorf("%w: file locator of %d bytes", ErrAnswer, len(b))
	}
	var list []span
	total := 0
	for ; len(b) > 0; b = b[4:] {
		s := span{sfi: b[0] >> 3, first: b[1], last: b[2], signed: b[3]}
		if s.sfi < 1 || s.sfi > 30 || s.first == 0 || s.last < s.first || int(s.signed) > int(s.last)-int(s.first)+1 {
			return nil, fmt.Errorf("%w: file locator %X", ErrAnswer, b[:4])
		}
		if total += int(s.last) - int(s.first) + 1; total > maxRecords {
			return nil, fmt.Errorf("%w: more than %d records", ErrAnswer, maxRecords)
		}
		list = append(list, s)
	}
	return list, nil
}

// fields is what is taken from GPO and records; all else is passed over.
type fields struct {
	pan, track2, psn []byte // as text
	expiry           []byte // YYMMDD, as text
}

// keep takes one object as upper case digits without padding F.
func (f *fields) keep(tag apdu.Tag, v []byte, maxLen int) {
	to := map[apdu.Tag]*[]byte{0x5A: &f.pan, 0x57: &f.track2, 0x5F24: &f.expiry, 0x5F34: &f.psn}[tag]
	if to == nil || len(v) == 0 || len(v) > maxLen {
		return
	}
	const digits = "0123456789ABCDEF"
	text := make([]byte, 0, 2*len(v))
	for _, c := range v {
		text = append(text, digits[c>>4], digits[c&0x0F])
	}
	*to = bytes.TrimRight(text, "F")
}

func (f *fields) zero() {
	clear(f.pan)
	clear(f.track2)
	clear(f.psn)
	clear(f.expiry)
}

// card checks the fields against each other. The PAN of 5A and that of track 2
// must be the same; a card that lacks 5A is known by its track 2.
func (f *fields) card() (Card, error) {
	pan, rest, ok := bytes.Cut(f.track2, []byte("D"))
	if f.track2 != nil && (!ok || len(rest) < 7 || !decimal(rest[:7]) || !decimal(rest)) {
		return Card{}, fmt.Errorf("%w: track 2", ErrAnswer)
	}
	if f.pan == nil {
		f.pan = bytes.Clone(pan)
	}
	if len(f.pan) < 12 || len(f.pan) > 19 || !decimal(f.pan) {
		return Card{}, fmt.Errorf("%w: no card number", ErrAnswer)
	}
	if f.track2 != nil && !bytes.Equal(pan, f.pan) {
		return Card{}, fmt.Errorf("%w: two card numbers", ErrAnswer)
	}
	expiry := f.expiry
	if expiry == nil && f.track2 != nil {
		expiry = rest[:4]
	}
	if len(expiry) < 4 || !decimal(expiry) {
		return Card{}, fmt.Errorf("%w: no expiry date", ErrAnswer)
	}
	c := Card{PAN: bytes.Clone(f.pan), Track2: bytes.Clone(f.track2), Expiry: bytes.Clone(expiry[:4])}
	if len(f.psn) == 2 && decimal(f.psn) {
		c.PSN = bytes.Clone(f.psn)
	}
	return c, nil
}

// expired compares the day (5F24) or the month (track 2) with now. All two-digit
// years are 20YY: no card of the last century is left, and 99 stands for never
// on some.
func (f *fields) expired(now time.Time, yymm []byte) bool {
	if len(f.expiry) == 6 {
		return now.Format("20060102") > "20"+string(f.expiry)
	}
	return now.Format("200601") > "20"+string(yymm)
}

func decimal(b []byte) bool {
	for _, d := range b {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}

package virtualpad

import (
	"strconv"
	"strings"

	"buka/internal/pin"
)

// Codes of the 71 table, as UIC's master/session manual has them; the DUKPT table
// is a part of it.
const (
	codeNoPAN      = "0"
	codeKeyValue   = "1"
	codeShortPAN   = "2"
	codeLongPAN    = "3"
	codePANDigits  = "4"
	codeSessionKey = "5"
	codeTimeout    = "6"
	codeThrottle   = "7"
	codeFormat     = "8"
	codeNoMaster   = "9"
	codeUsedUp     = "F"
	codeFile       = "G"
)

// ask is a request for a PIN, as its packet says it.
type ask struct {
	id       string // "Z60", "Z62", "Z63" or "70"
	pan      string
	key      string // cryptogram of the session key in hex; empty for DUKPT
	min, max int    // digits
	amount   string
	prompts  []string // of Z62: two to show, one for after
	echo     byte
}

const dukptWord = "DUKPT ENCRYPTION"

// parseAsk reads a request. The code is one of the 71 table, empty for a good
// request; ok is false when the packet is no request at all.
func parseAsk(body string, scheme pin.Scheme) (a ask, code string, ok bool) {
	id, rest, dot := strings.Cut(body, ".")
	if !dot {
		return ask{}, "", false
	}
	a = ask{id: id, min: pin.MinPIN, max: pin.MaxPIN, echo: '*'}
	fields := strings.Split(rest, string(rune(fs)))
	a.pan = fields[0]
	fields = fields[1:]
	switch id {
	case "Z60":
		code = a.z60(fields, scheme)
	case "Z62":
		code = a.z62(fields, scheme)
	case "Z63":
		code = a.z63(fields, scheme)
	case "70":
		code = a.seventy(fields, scheme)
	default:
		return ask{}, "", false
	}
	if wrong := panError(a.pan); wrong != "" {
		code = wrong
	}
	return a, code, true
}

func (a *ask) z60(fields []string, scheme pin.Scheme) string {
	if len(fields) < 1 || len(fields) > 2 {
		return codeFormat
	}
	if len(fields) == 2 && !isTimeout(fields[1]) {
		return codeTimeout
	}
	return a.takeKey(fields[0], scheme, func(rest string) bool { return rest == "" }, dukptWord)
}

func (a *ask) z63(fields []string, scheme pin.Scheme) string {
	if len(fields) != 1 {
		return codeFormat
	}
	return a.takeKey(fields[0], scheme, func(rest string) bool {
		if len(rest) != 6 || !a.takeLengths(rest) {
			return false
		}
		a.echo = rest[5]
		return true
	}, dukptWord)
}

func (a *ask) z62(fields []string, scheme pin.Scheme) string {
	if len(fields) != 4 {
		return codeFormat
	}
	if !isTimeout(fields[3]) {
		return codeTimeout
	}
	return a.takeKey(fields[0], scheme, func(rest string) bool {
		if !a.takeLengths(rest) {
			return false
		}
		a.prompts = []string{rest[5:], fields[1], fields[2]}
		return true
	}, "")
}

func (a *ask) seventy(fields []string, scheme pin.Scheme) string {
	if len(fields) < 1 || len(fields) > 2 {
		return codeFormat
	}
	if len(fields) == 2 && !isTimeout(fields[1]) {
		return codeTimeout
	}
	rest := fields[0]
	if scheme != pin.MasterSession {
		if rest == "" || rest[0] != 'C' && rest[0] != 'D' {
			return codeSessionKey // the manual's code for a bad C/D flag
		}
		a.amount = rest[1:]
		if a.amount != "" && !isAmount(a.amount) {
			return codeFormat
		}
		return ""
	}
	return a.takeKey(rest, scheme, func(rest string) bool {
		a.amount = rest
		return isAmount(rest)
	}, "")
}

// takeKey takes 32 or 16 hex digits off the front, or the word that a DUKPT
// request has there, so that good is true of the rest.
func (a *ask) takeKey(text string, scheme pin.Scheme, good func(rest string) bool, word string) string {
	if scheme != pin.MasterSession {
		rest, ok := strings.CutPrefix(text, word)
		if !ok {
			return codeSessionKey // a session key, which a DUKPT pad has no use for
		}
		if !good(rest) {
			return codeFormat
		}
		return ""
	}
	keyed := false
	for _, n := range []int{32, 16} {
		if len(text) >= n && isHex(text[:n]) {
			keyed = true
			if good(text[n:]) {
				a.key = text[:n]
				return ""
			}
		}
	}
	if keyed && text != "" {
		return codeFormat
	}
	return codeSessionKey
}

// takeLengths reads two digits each for the shortest and the longest PIN and Y
// or N for an empty one, which this pad never takes.
func (a *ask) takeLengths(s string) bool {
	if len(s) < 5 || s[4] != 'Y' && s[4] != 'N' {
		return false
	}
	for i, into := range []*int{&a.min, &a.max} {
		n, err := strconv.ParseUint(s[2*i:2*i+2], 10, 8)
		if err != nil || n < pin.MinPIN || n > pin.MaxPIN {
			return false
		}
		*into = int(n)
	}
	return a.min <= a.max
}

func isTimeout(s string) bool { return len(s) == 1 && s[0] >= '1' && s[0] <= '9' }

// isAmount wants 4 to 8 characters with two decimals.
func isAmount(s string) bool {
	if len(s) < 4 || len(s) > 8 || s[len(s)-3] != '.' {
		return false
	}
	for i := range len(s) {
		if i != len(s)-3 && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// panError is the code of the 71 table for a PAN, empty for a good one.
func panError(pan string) string {
	switch {
	case pan == "":
		return codeNoPAN
	case len(pan) < pin.MinPAN:
		return codeShortPAN
	case len(pan) > pin.MaxPAN:
		return codeLongPAN
	case pin.CheckPAN(pan) != nil:
		return codePANDigits
	}
	return ""
}

package device

import (
	"encoding/hex"
	"fmt"
	"strings"

	"buka/internal/pin"
)

// Result is what a PIN pad gives out, and all that it gives out.
type Result struct {
	// PIN is the enciphered block and what names its key. Whoever has it wipes
	// it as soon as the host has it.
	PIN *pin.Sealed
}

// isEntryAnswer says whether a packet is an answer to Z60, Z62, Z63 or 70.
func isEntryAnswer(f Frame) bool {
	id := messageID(f)
	return id == "71" || id == "73"
}

// parseEntryAnswer reads an answer to a request for a PIN:
//
//	71 0 KSN block           DUKPT (UIC; VeriFone to packet 76)
//	73 . 00000 KSN block     DUKPT (VeriFone to Z60 and Z63)
//	71 . 0 LL FF block       master/session; LL digits typed, FF 01
//
// KSN is 10 to 20 hex digits of TDES DUKPT, leading F left out, or the 24 of AES
// DUKPT; the block 16 hex digits, or 32 for format 4. Anything of up to six
// characters is a refusal and its rest is the code. The block goes from the
// packet into the result and nowhere else.
func parseEntryAnswer(f Frame, scheme pin.Scheme, format pin.Format) (*pin.Sealed, error) {
	id, rest := messageID(f), f.Body[min(2, len(f.Body)):]
	unknown := func() (*pin.Sealed, error) {
		return nil, fmt.Errorf("%w: packet %s of %d bytes", ErrAnswer, id, len(f.Body))
	}
	switch {
	case !isEntryAnswer(f), len(rest) == 0:
		return unknown()
	case len(rest) <= len(".00000"):
		return nil, ErrPadRefused{Message: id, Code: strings.TrimPrefix(string(rest), ".")}
	}
	digits := 2 * format.Size()
	var head int
	switch {
	case scheme == pin.MasterSession && id == "71" && rest[0] == '.':
		if !sessionHead(rest, format) || len(rest) != len(".0LLFF")+digits {
			return unknown()
		}
		head = len(".0LLFF")
	case scheme == pin.MasterSession, id == "71" && rest[0] == '.':
		return unknown()
	default:
		good := "0"
		if id == "73" {
			good = ".00000"
		}
		head = len(good)
		if status := string(rest[:head]); status != good {
			return nil, ErrPadRefused{Message: id, Code: strings.TrimPrefix(status, ".")}
		}
	}
	at := len(rest) - digits
	if digits == 0 || at < head {
		return unknown()
	}
	s, err := pin.NewSealed(scheme, format)
	if err != nil {
		return unknown()
	}
	if err := readKSN(s, rest[head:at]); err != nil {
		return nil, fmt.Errorf("%w: packet %s: %w", ErrAnswer, id, err)
	}
	if _, err := hex.Decode(s.Bytes(), rest[at:]); err != nil {
		s.Wipe()
		return nil, fmt.Errorf("%w: packet %s: the block is not hex", ErrAnswer, id)
	}
	return s, nil
}

// sessionHead checks the six characters before a master/session block: a dot,
// the function key 0, the length 04 to 12, the block format. Manuals say that
// the last is always 01; a pad that is set to format 3 may say 03.
func sessionHead(rest []byte, format pin.Format) bool {
	if len(rest) < 6 || rest[1] != '0' {
		return false
	}
	length, kind := string(rest[2:4]), string(rest[4:6])
	return length >= "04" && length <= "12" && rest[3] >= '0' && rest[3] <= '9' && (kind == "01" || format == pin.Format3 && kind == "03")
}

func readKSN(s *pin.Sealed, digits []byte) (err error) {
	switch s.Scheme {
	case pin.TDESDUKPT:
		s.KSN, err = pin.ParseKSN(string(digits))
	case pin.AESDUKPT:
		s.AESKSN, err = pin.ParseAESKSN(string(digits))
	}
	return err
}

// parseSelectAnswer reads UIC's answer to 08: status 0, or an error code.
func parseSelectAnswer(f Frame) error {
	if code := string(f.Body[2:]); code != "0" {
		return ErrPadRefused{Message: "08", Code: code}
	}
	return nil
}

// parseCheckAnswer reads the answer to 04: F the key is there, 0 it is not. What
// may follow describes the key.
func parseCheckAnswer(f Frame) (present bool, err error) {
	rest := f.Body[2:]
	if len(rest) == 0 || rest[0] != '0' && rest[0] != 'F' {
		return false, fmt.Errorf("%w: packet 04 of %d bytes", ErrAnswer, len(f.Body))
	}
	return rest[0] == 'F', nil
}

package apdu

import (
	"errors"
	"fmt"
)

// NoLe as Ne says that no response data is expected: the Le field is absent.
const NoLe = -1

// MaxData is the longest data field of a short command, MaxNe the most
// response data that it can ask for, in bytes (ISO 7816-4 §5.1).
const (
	MaxData = 255
	MaxNe   = 256
)

// ErrCommand is in the chain of every error about a command's form.
var ErrCommand = errors.New("apdu: not a short command")

// Command is an ISO 7816-4 short command APDU. Ne is the number of response
// bytes expected: NoLe for none, 1…256 otherwise; 256 travels as Le 00. The
// zero Ne is refused, so that a forgotten Ne is found at once.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	Ne               int
}

// Bytes encodes the command in one of the four cases of ISO 7816-4 §5.1.
// It fails if Data is longer than 255 bytes or Ne is neither NoLe nor 1…256.
func (c Command) Bytes() ([]byte, error) {
	if len(c.Data) > MaxData {
		return nil, fmt.Errorf("%w: %d bytes of data", ErrCommand, len(c.Data))
	}
	if c.Ne != NoLe && (c.Ne < 1 || c.Ne > MaxNe) {
		return nil, fmt.Errorf("%w: Ne %d", ErrCommand, c.Ne)
	}
	b := make([]byte, 0, 6+len(c.Data))
	b = append(b, c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		b = append(b, byte(len(c.Data)))
		b = append(b, c.Data...)
	}
	if c.Ne != NoLe {
		b = append(b, byte(c.Ne)) // 256 becomes 00
	}
	return b, nil
}

// ParseCommand decodes a short command; Data is a copy. An extended command,
// a length that does not fit, or fewer than four bytes is an error.
func ParseCommand(b []byte) (Command, error) {
	if len(b) < 4 {
		return Command{}, fmt.Errorf("%w: %d bytes", ErrCommand, len(b))
	}
	c := Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3], Ne: NoLe}
	rest := b[4:]
	if len(rest) == 0 {
		return c, nil
	}
	if len(rest) == 1 {
		c.Ne = fromLe(rest[0])
		return c, nil
	}
	lc := int(rest[0])
	switch {
	case lc == 0:
		return Command{}, fmt.Errorf("%w: Lc 00 before %d bytes", ErrCommand, len(rest)-1)
	case len(rest) == 1+lc:
	case len(rest) == 2+lc:
		c.Ne = fromLe(rest[1+lc])
	default:
		return Command{}, fmt.Errorf("%w: Lc %d before %d bytes", ErrCommand, lc, len(rest)-1)
	}
	c.Data = append([]byte(nil), rest[1:1+lc]...)
	return c, nil
}

func fromLe(le byte) int {
	if le == 0 {
		return MaxNe
	}
	return int(le)
}

// String shows the header and the lengths, never the data: it may be a PIN.
func (c Command) String() string {
	s := fmt.Sprintf("%02X %02X %02X %02X", c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		s += fmt.Sprintf(" Lc=%d", len(c.Data))
	}
	if c.Ne != NoLe {
		s += fmt.Sprintf(" Ne=%d", c.Ne)
	}
	return s
}

// SelectByName is SELECT by DF name (AID), first or only occurrence, with the
// file control information wanted (ISO 7816-4 §11.2.2).
func SelectByName(name []byte) Command {
	return Command{INS: 0xA4, P1: 0x04, Data: name, Ne: MaxNe}
}

// ReadRecord is READ RECORD of one record by number in the file with that
// short identifier, 1…30 (ISO 7816-4 §11.4.3).
func ReadRecord(sfi, record byte, ne int) Command {
	return Command{INS: 0xB2, P1: record, P2: sfi<<3 | 0x04, Ne: ne}
}

// ReadBinary is READ BINARY from an offset in the file with that short
// identifier, 1…30 (ISO 7816-4 §11.3.3).
func ReadBinary(sfi, offset byte, ne int) Command {
	return Command{INS: 0xB0, P1: 0x80 | sfi, P2: offset, Ne: ne}
}

// GetResponse is GET RESPONSE, which fetches what 61xx announced.
func GetResponse(ne int) Command {
	return Command{INS: 0xC0, Ne: ne}
}

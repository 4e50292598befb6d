package pboc

import (
	"encoding/binary"
	"fmt"
)

// LogSize is the size of one record of EF18 in bytes.
const LogSize = 23

// LogRecord is one record of EF18, the cyclic transaction log; record 1 is the
// newest.
type LogRecord struct {
	// Number is the online or offline transaction number. Cards differ:
	// it may be the number before or after the increment.
	Number    uint16
	Overdraft uint32 // limit in fen, 24 bits
	Amount    uint32 // fen
	Type      Type
	Terminal  Terminal
	Date      Date
	Time      TimeOfDay
}

// ParseLogRecord reads a record of exactly 23 bytes. used is false for an empty
// slot: all 00 or all FF.
func ParseLogRecord(b []byte) (r LogRecord, used bool, err error) {
	if len(b) != LogSize {
		return LogRecord{}, false, fmt.Errorf("%w: log record of %d bytes", ErrFormat, len(b))
	}
	if all(b, 0x00) || all(b, 0xFF) {
		return LogRecord{}, false, nil
	}
	return LogRecord{
		Number:    binary.BigEndian.Uint16(b),
		Overdraft: uint32(b[2])<<16 | uint32(b[3])<<8 | uint32(b[4]),
		Amount:    binary.BigEndian.Uint32(b[5:]),
		Type:      Type(b[9]),
		Terminal:  Terminal(b[10:16]),
		Date:      Date(b[16:20]),
		Time:      TimeOfDay(b[20:23]),
	}, true, nil
}

// Bytes is the record as the card holds it; an overdraft limit over 24 bits is
// cut to them.
func (r LogRecord) Bytes() []byte {
	b := make([]byte, 0, LogSize)
	b = binary.BigEndian.AppendUint16(b, r.Number)
	b = append(b, byte(r.Overdraft>>16), byte(r.Overdraft>>8), byte(r.Overdraft))
	b = binary.BigEndian.AppendUint32(b, r.Amount)
	b = append(b, byte(r.Type))
	b = append(b, r.Terminal[:]...)
	b = append(b, r.Date[:]...)
	return append(b, r.Time[:]...)
}

func all(b []byte, v byte) bool {
	for _, c := range b {
		if c != v {
			return false
		}
	}
	return true
}

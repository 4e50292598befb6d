package pboc

import (
	"encoding/binary"
	"errors"
	"fmt"

	"buka/cardio/apdu"
	"buka/cardio/purse"
	"buka/internal/entry"
	"buka/internal/money"
	codec "buka/internal/pboc"
)

// valueMask takes away bit 31, which some cards use for something else than the
// value (pboc-purse sheet §1.3).
const valueMask = 0x7FFFFFFF

// maxFCI bounds what a chain of GET RESPONSE may bring for a SELECT, in bytes.
const maxFCI = 1024

// listed takes the application names out of a PPSE or PSE answer, in the card's
// order: every 4F in every 61, at any of the usual depths. Garbage gives none.
func listed(fci []byte) [][]byte {
	if len(fci) > maxFCI {
		return nil
	}
	entries, err := apdu.FindAll(fci, 0x6F, 0xA5, 0xBF0C, 0x61)
	if err != nil {
		return nil
	}
	var aids [][]byte
	for _, e := range entries {
		aid, err := apdu.Find(e, 0x4F)
		if err == nil && len(aid) >= 5 && len(aid) <= 16 && len(aids) < 2*maxCandidates {
			aids = append(aids, aid)
		}
	}
	return aids
}

// infoOf takes EF15 out of a SELECT answer; ok is false if it is not there.
func infoOf(fci []byte) (info codec.Info, ok bool) {
	if len(fci) > maxFCI {
		return codec.Info{}, false
	}
	b, err := apdu.Search(fci, 0x9F0C)
	if err != nil {
		return codec.Info{}, false
	}
	info, err = codec.ParseInfo(b)
	return info, err == nil
}

// parseBalance reads GET BALANCE: four bytes, big-endian, fen.
func parseBalance(b []byte) (money.Fen, error) {
	if len(b) != 4 {
		return 0, fmt.Errorf("%w: balance of %d bytes", purse.ErrAnswer, len(b))
	}
	return money.Fen(binary.BigEndian.Uint32(b) & valueMask), nil
}

// parseInitialize reads INITIALIZE FOR LOAD: old balance (4), counter (2), key
// version (1), algorithm (1), random (4), MAC1 (4). The old balance keeps bit
// 31, because MAC1 is over it.
func parseInitialize(b []byte) (entry.Attempt, error) {
	if len(b) != 16 {
		return entry.Attempt{}, fmt.Errorf("%w: INITIALIZE answer of %d bytes", purse.ErrAnswer, len(b))
	}
	return entry.Attempt{
		OldBalance: money.Fen(binary.BigEndian.Uint32(b)),
		Slot:       entry.Slot(binary.BigEndian.Uint16(b[4:])),
		KeyVersion: b[6],
		Algorithm:  b[7],
		Random:     entry.Hex(b[8:12:12]),
		MAC1:       entry.Hex(b[12:16:16]),
	}, nil
}

// parseProof reads GET TRANSACTION PROVE: MAC2 then TAC, the reverse of DEBIT.
// A card that has no MAC2 for a load may send the TAC alone.
func parseProof(n entry.Slot, b []byte) (entry.Proof, error) {
	switch len(b) {
	case 8:
		return entry.Proof{Asked: n, TAC: entry.Hex(b[4:8:8])}, nil
	case 4:
		return entry.Proof{Asked: n, TAC: entry.Hex(b[:4:4])}, nil
	}
	return entry.Proof{}, fmt.Errorf("%w: PROVE answer of %d bytes", purse.ErrAnswer, len(b))
}

var errEmptySlot = errors.New("empty slot of the log")

// parseRecord reads one EF18 record; longer ones of some issuers begin alike.
// Date and time are kept as the card wrote them: they are compared as evidence
// and may not be decimal.
func parseRecord(b []byte) (entry.LogRecord, error) {
	if len(b) < codec.LogSize {
		return entry.LogRecord{}, fmt.Errorf("%w: log record of %d bytes", purse.ErrAnswer, len(b))
	}
	r, used, err := codec.ParseLogRecord(b[:codec.LogSize])
	if err != nil {
		return entry.LogRecord{}, err
	}
	if !used {
		return entry.LogRecord{}, errEmptySlot
	}
	return entry.LogRecord{
		Number:   entry.Slot(r.Number),
		Type:     uint8(r.Type),
		Amount:   money.Fen(r.Amount),
		Terminal: append(entry.Hex(nil), r.Terminal[:]...),
		At:       entry.Stamp(fmt.Sprintf("%X%X", r.Date[:], r.Time[:])),
	}, nil
}

// dateOf gives a civil date, or none for what is not a day: cards carry zeros,
// FF and garbage where there is no limit.
func dateOf(d codec.Date) purse.Date {
	if _, err := codec.ParseDate(d.String()); err != nil {
		return ""
	}
	return purse.Date(d.String())
}

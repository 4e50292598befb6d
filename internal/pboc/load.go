package pboc

import (
	"crypto/subtle"
	"encoding/binary"
)

// Type is a transaction type as it stands in MACs and in EF18.
type Type byte

// Transaction types (JR/T 0025.2).
const (
	PassbookLoad     Type = 0x01
	PurseLoad        Type = 0x02
	PassbookUnload   Type = 0x03
	PassbookCash     Type = 0x04
	PassbookPurchase Type = 0x05
	PursePurchase    Type = 0x06
	OverdraftUpdate  Type = 0x07
	CompoundPurchase Type = 0x09
)

// Terminal is a terminal id, six bytes.
type Terminal [6]byte

// Random is what a card puts into an INITIALIZE answer.
type Random [4]byte

// Load is what card and authority compute about one load. Amounts are in fen,
// unsigned and big-endian in every MAC, as on the card.
type Load struct {
	Type       Type // PurseLoad, or PassbookLoad
	OldBalance uint32
	Counter    uint16 // the online number that INITIALIZE returned, before increment
	Random     Random
	Amount     uint32
	Terminal   Terminal
	Date       Date      // of the write, from the authority
	Time       TimeOfDay // of the write, from the authority
}

// SessionKey is 3DES(load key, random ‖ counter ‖ 8000).
func (l Load) SessionKey(load Key) SessionKey {
	var b [8]byte
	copy(b[:], l.Random[:])
	binary.BigEndian.PutUint16(b[4:], l.Counter)
	b[6] = 0x80
	return load.block(b)
}

// MAC1 is what the card shows to the authority in INITIALIZE FOR LOAD: over old
// balance, amount, type, terminal.
func (l Load) MAC1(load Key) MAC {
	return l.SessionKey(load).mac(be32(l.OldBalance), be32(l.Amount), []byte{byte(l.Type)}, l.Terminal[:])
}

// MAC2 is what lets the card carry out CREDIT FOR LOAD: over amount, type,
// terminal, date, time.
func (l Load) MAC2(load Key) MAC {
	return l.SessionKey(load).mac(be32(l.Amount), []byte{byte(l.Type)}, l.Terminal[:], l.Date[:], l.Time[:])
}

// TAC is what the card returns from CREDIT FOR LOAD: the MAC with the folded
// TAC key over new balance, counter before increment, amount, type, terminal,
// date, time.
func (l Load) TAC(tac Key) MAC {
	return tac.fold().mac(be32(l.OldBalance+l.Amount), be16(l.Counter), be32(l.Amount),
		[]byte{byte(l.Type)}, l.Terminal[:], l.Date[:], l.Time[:])
}

// Equal compares two MACs in constant time.
func (m MAC) Equal(other MAC) bool { return subtle.ConstantTimeCompare(m[:], other[:]) == 1 }

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func be16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

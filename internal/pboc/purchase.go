package pboc

import "encoding/binary"

// Purchase is what card and terminal module compute about one purchase: a ride,
// or what a compound purchase ends with.
type Purchase struct {
	Type     Type   // PursePurchase, PassbookPurchase or CompoundPurchase
	Counter  uint16 // the offline number that INITIALIZE returned, before increment
	Random   Random
	Amount   uint32 // fen
	Terminal Terminal
	Serial   uint32 // the terminal's transaction number
	Date     Date
	Time     TimeOfDay
}

// SessionKey is 3DES(purchase key, random ‖ counter ‖ the serial's last two bytes).
func (p Purchase) SessionKey(purchase Key) SessionKey {
	var b [8]byte
	copy(b[:], p.Random[:])
	binary.BigEndian.PutUint16(b[4:], p.Counter)
	binary.BigEndian.PutUint16(b[6:], uint16(p.Serial))
	return purchase.block(b)
}

// MAC1 is what the terminal module shows to the card in DEBIT FOR PURCHASE.
func (p Purchase) MAC1(purchase Key) MAC {
	return p.SessionKey(purchase).mac(be32(p.Amount), []byte{byte(p.Type)}, p.Terminal[:], p.Date[:], p.Time[:])
}

// MAC2 is the card's answer to the module: over the amount alone.
func (p Purchase) MAC2(purchase Key) MAC {
	return p.SessionKey(purchase).mac(be32(p.Amount))
}

// TAC is the card's answer to the issuer: over amount, type, terminal, serial,
// date, time; neither balance nor card counter is in it.
func (p Purchase) TAC(tac Key) MAC {
	return tac.fold().mac(be32(p.Amount), []byte{byte(p.Type)}, p.Terminal[:], be32(p.Serial), p.Date[:], p.Time[:])
}

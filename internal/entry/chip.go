package entry

// Chip is what a slip must say of a payment by chip (EMV Book 4, 11.4): which
// application it was, how the card was reached and the card's last cryptogram.
type Chip struct {
	AID   Hex    `cbor:"1,keyasint" json:"aid"`
	Label string `cbor:"2,keyasint,omitempty" json:"label,omitempty"`
	Mode  string `cbor:"3,keyasint,omitempty" json:"mode,omitempty"` // DE22: 05 by contacts, 07 without; then 1 with a PIN, 2 without
	Kind  uint8  `cbor:"4,keyasint" json:"kind"`                     // of the cryptogram: 0x40 TC, 0x80 ARQC
	AC    Hex    `cbor:"5,keyasint" json:"ac"`                       // 8 bytes
	ATC   Hex    `cbor:"6,keyasint" json:"atc"`                      // 2 bytes
	TVR   Hex    `cbor:"7,keyasint,omitempty" json:"tvr,omitempty"`  // 5 bytes; none from a contactless card that is not asked for it
}

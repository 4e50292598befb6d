package virtual

// contactlessATR is what a contactless reader shows for an ISO 14443-4 card
// with these historical bytes, at most 15 (PC/SC part 3 §3.1.3.2.3.1).
func contactlessATR(historical []byte) []byte {
	if len(historical) > 15 {
		historical = historical[:15]
	}
	atr := []byte{0x3B, 0x80 | byte(len(historical)), 0x80, 0x01}
	atr = append(atr, historical...)
	check := byte(0)
	for _, b := range atr[1:] {
		check ^= b
	}
	return append(atr, check)
}

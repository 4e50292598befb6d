package switchlink

import (
	"errors"
	"fmt"
)

// BER-TLV of DE58 and DE59, as small as this protocol needs it: two-byte
// tags, DF.. for values and FF.. for what holds other objects; lengths to 127 in
// one byte, to 255 behind 81. Order is free, a tag occurs once, an unknown tag is
// skipped.

type tag uint16

const (
	tagSale       tag = 0xDF01 // 16 characters
	tagFamily     tag = 0xDF02 // of the transit card, such as "tunion"
	tagNumber     tag = 0xDF03 // of the transit card
	tagSlot       tag = 0xDF04 // 4 bytes, big endian
	tagKSN        tag = 0xDF05 // 10 bytes
	tagExchange   tag = 0xDF06 // 4 bytes, echoed by the host
	tagLastSTAN   tag = 0xDF07 // n6 BCD
	tagHostTime   tag = 0xDF08 // n14 BCD, UTC
	tagOriginal   tag = 0xDF09 // n12 BCD: batch and STAN of the payment that a refund is about
	tagCounts     tag = 0xDF0A // 4 and 4 bytes: payments and refunds of a settlement
	tagIndex      tag = 0xDF0B // 4 bytes: of an upload
	tagPage       tag = 0xDF0C // 2 bytes: of the differences, from 0
	tagPages      tag = 0xDF0D // 2 bytes: how many there are
	tagResult     tag = 0xDF0E // 1 byte: of a closed upload: 1 balanced, 2 differs
	tagAESKSN     tag = 0xDF0F // 12 bytes
	tagPINBlock   tag = 0xDF10 // 16 bytes: format 4
	tagPINFormat  tag = 0xDF13 // 1 byte: of a block in DE52, where DE53 cannot say it
	tagAttempt    tag = 0xFF11
	tagProbe      tag = 0xFF12
	tagOldBalance tag = 0xDF21 // 4 bytes, big endian, two's complement
	tagAmount     tag = 0xDF22 // 4 bytes, big endian
	tagTerminal   tag = 0xDF23 // 6 bytes, as in the card's MACs
	tagKeyVersion tag = 0xDF24 // 1 byte
	tagAlgorithm  tag = 0xDF25 // 1 byte
	tagRandom     tag = 0xDF26 // the card's
	tagMAC1       tag = 0xDF27
	tagStamp      tag = 0xDF28 // n14 BCD, YYYYMMDDHHMMSS
	tagLoadSTAN   tag = 0xDF29 // n6 BCD, of the authorisation
	tagTAC        tag = 0xDF31
	tagAsked      tag = 0xDF32 // 4 bytes: number that PROVE was asked for
	tagBy         tag = 0xDF33 // text
	tagMAC2       tag = 0xDF34
	tagOpinion    tag = 0xDF35 // 1 byte: 0 none, 1 verified, 2 rejected
	tagFresh      tag = 0xDF36 // 1 byte: 0 or 1
	tagLedger     tag = 0xDF37 // 1 byte: 0 silent, 1 only, 2 others
)

var errTLV = errors.New("TLV is malformed")

// tlv collects objects.
type tlv []byte

func (t *tlv) put(id tag, value []byte) {
	*t = append(*t, byte(id>>8), byte(id))
	if len(value) > 127 {
		*t = append(*t, 0x81)
	}
	*t = append(*t, byte(len(value)))
	*t = append(*t, value...)
}

// parseTLV reads one level. Values alias data.
func parseTLV(data []byte) (map[tag][]byte, error) {
	out := map[tag][]byte{}
	for len(data) > 0 {
		if len(data) < 3 || (data[0] != 0xDF && data[0] != 0xFF) || data[1]&0x80 != 0 {
			return nil, errTLV
		}
		id, n, rest := tag(data[0])<<8|tag(data[1]), int(data[2]), data[3:]
		if n == 0x81 && len(rest) > 0 {
			n, rest = int(rest[0]), rest[1:]
		} else if n > 127 {
			return nil, errTLV
		}
		if n > len(rest) {
			return nil, errTLV
		}
		if _, twice := out[id]; twice {
			return nil, fmt.Errorf("%w: %04X twice", errTLV, uint16(id))
		}
		out[id], data = rest[:n:n], rest[n:]
	}
	return out, nil
}

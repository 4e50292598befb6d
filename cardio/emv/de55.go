package emv

import (
	"buka/cardio/apdu"
)

// Order of DE55 as it is deployed for UnionPay (emv sheet 4.6): mandatory first.
// Card number, track 2, names and PINs are never in it.
var (
	requestTags  = []apdu.Tag{0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33}
	optionalTags = []apdu.Tag{0x9F34, 0x9F35, 0x9F1E, 0x84, 0x9F09, 0x9F41, 0x9F63, 0x9F6E, 0x9F7C, 0x5F34}
	reversalTags = []apdu.Tag{0x95, 0x9F1E, 0x9F10, 0x9F36, 0xDF31}
)

// DE55 is the card's part of an authorisation request. At most 255 bytes.
func (p *Payment) DE55() ([]byte, error) { return p.encode(requestTags, optionalTags) }

// ReversalDE55 is its part of a reversal.
func (p *Payment) ReversalDE55() ([]byte, error) { return p.encode(reversalTags, nil) }

func (p *Payment) encode(must, may []apdu.Tag) ([]byte, error) {
	all := p.values()
	all[0x9F26], all[0x9F27], all[0x9F36], all[0x9F10] = p.ac.value, []byte{p.ac.kind}, p.ac.atc, p.ac.issuer
	all[0xDF31] = p.scripts // ours, whatever a card has in its records
	var out []byte
	for i, tag := range append(append([]apdu.Tag(nil), must...), may...) {
		v := all[tag]
		if v == nil && (i >= len(must) || tag == 0xDF31) {
			continue
		}
		b, err := apdu.Encode(tag, v)
		if err != nil {
			return nil, err
		}
		if len(out)+len(b) > 255 {
			break // the optional ones at the end
		}
		out = append(out, b...)
	}
	return out, nil
}

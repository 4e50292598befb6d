package emv

import (
	"bytes"

	"buka/internal/entry"
)

// Receipt is what a slip says of the payment: the application, and the card's
// last cryptogram, TC after a second GENERATE AC or the ARQC where there is
// none. Mode is the caller's.
func (p *Payment) Receipt() entry.Chip {
	aid := p.card[0x84]
	if len(aid) == 0 {
		aid = p.app.AID
	}
	return entry.Chip{
		AID: bytes.Clone(aid), Label: p.label(), Kind: p.ac.kind, AC: bytes.Clone(p.ac.value), ATC: bytes.Clone(p.ac.atc), TVR: bytes.Clone(p.tvr),
	}
}

// label is the card's own name of the application (tag 50), if it is printable,
// else ours.
func (p *Payment) label() string {
	name := bytes.TrimSpace(p.card[0x50])
	for _, b := range name {
		if b < 0x20 || b > 0x7E {
			return p.app.Label
		}
	}
	if len(name) == 0 || len(name) > 16 {
		return p.app.Label
	}
	return string(name)
}

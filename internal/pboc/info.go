package pboc

import (
	"fmt"
	"slices"
)

// InfoSize is the size of EF15 in T-Union and PBOC; some issuers extend it.
const InfoSize = 30

// maxInfo bounds an extended EF15, in bytes.
const maxInfo = 256

// ApplicationType says which purses a card has (EF15, byte 8).
type ApplicationType byte

// Application types.
const (
	PassbookOnly ApplicationType = 1
	PurseOnly    ApplicationType = 2
	Both         ApplicationType = 3
)

// Info is EF15, the public application information, that the FCI carries in
// tag 9F0C. Dates are kept as the card writes them: a card may carry garbage
// there and still be a card.
type Info struct {
	Issuer     [8]byte // T-Union: byte 0 card class, bytes 2…3 city in BCD
	Type       ApplicationType
	Version    byte
	ASN        ASN
	Start      Date
	Expiry     Date
	IssuerFCI  [2]byte
	Additional []byte // what an issuer appended, nil if nothing
}

// ParseInfo reads EF15 of at least 30 bytes. The application serial number must
// be decimal: it names the card in every record.
func ParseInfo(b []byte) (Info, error) {
	if len(b) < InfoSize || len(b) > maxInfo {
		return Info{}, fmt.Errorf("%w: EF15 of %d bytes", ErrFormat, len(b))
	}
	i := Info{
		Issuer: [8]byte(b[0:8]), Type: ApplicationType(b[8]), Version: b[9], ASN: ASN(b[10:20]),
		Start: Date(b[20:24]), Expiry: Date(b[24:28]), IssuerFCI: [2]byte(b[28:30]),
	}
	if len(b) > InfoSize {
		i.Additional = slices.Clone(b[InfoSize:])
	}
	if _, err := DecodeBCD(i.ASN[:]); err != nil {
		return Info{}, fmt.Errorf("EF15, serial number: %w", err)
	}
	return i, nil
}

// Bytes is the file as the card holds it.
func (i Info) Bytes() []byte {
	b := make([]byte, 0, InfoSize+len(i.Additional))
	b = append(b, i.Issuer[:]...)
	b = append(b, byte(i.Type), i.Version)
	b = append(b, i.ASN[:]...)
	b = append(b, i.Start[:]...)
	b = append(b, i.Expiry[:]...)
	b = append(b, i.IssuerFCI[:]...)
	return append(b, i.Additional...)
}

// City is the issuing city code of a T-Union card: four digits, such as "1000".
func (i Info) City() string { return fmt.Sprintf("%X", i.Issuer[2:4]) }

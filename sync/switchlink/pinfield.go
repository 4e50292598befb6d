package switchlink

import (
	"buka/internal/pin"
)

// How the key and the format of a PIN block are told (DE53, DE59):
//
//	TDES DUKPT      DF05, the KSN of 10 bytes
//	AES DUKPT       DF0F, the KSN of 12 bytes
//	master/session  neither: the key is the PIN key of the last sign-on
//
// A block of 8 bytes is DE52; one of format 4 has 16 and is DF10 of DE59. The
// first digit of DE53 is 2 for format 0, else the format's number; the second 6
// for TDES, 9 for AES, which is this house's.
const (
	controlNoPIN   = "0600000000000000"
	controlFormat0 = "2600000000000000"
)

var controls = map[pin.Format]string{
	pin.Format0: controlFormat0,
	pin.Format3: "3600000000000000",
	pin.Format4: "4900000000000000",
}

// putPINKey writes what names the key, and room for a block of format 4.
func putPINKey(t *tlv, p *pin.Sealed) error {
	if p == nil {
		return nil
	}
	if _, known := controls[p.Layout]; !known || p.Layout.Size() != len(p.Bytes()) {
		return fieldErr("PIN block")
	}
	switch p.Scheme {
	case pin.TDESDUKPT:
		t.put(tagKSN, p.KSN[:])
	case pin.AESDUKPT:
		t.put(tagAESKSN, p.AESKSN[:])
	}
	if p.Layout == pin.Format4 {
		t.put(tagPINBlock, make([]byte, len(p.Bytes())))
	} else if p.Layout != pin.Format0 {
		t.put(tagPINFormat, []byte{byte(p.Layout)})
	}
	return nil
}

// encodePIN puts the block into its place and says in DE26 and DE53 what it is.
// A block of 8 bytes is not copied: whoever clears the message wipes it.
func encodePIN(m *Message, p *pin.Sealed) error {
	control := controlNoPIN
	if p != nil {
		control = controls[p.Layout]
		m.set(26, decimal(pin.MaxPIN, 2)) // the longest that a pad takes
		if p.Layout == pin.Format4 {
			copy(pinInside(m.Fields[59]), p.Bytes())
		} else {
			m.Fields[52] = p.Bytes()
		}
	}
	if m.spec.codec.Fields[53] != nil {
		m.set(53, control)
	}
	return nil
}

// decodePIN takes the block and the name of its key. A message whose entry mode
// says otherwise than the block, or that names two keys, is malformed.
func decodePIN(m *Message, r *Request) error {
	t, err := parseTLV(m.Fields[59])
	if err != nil {
		return fieldErr("DE59")
	}
	short, here := m.Fields[52]
	long, inside := t[tagPINBlock]
	if here && inside || len(r.EntryMode) == 3 && (r.EntryMode[2] == '1') != (here || inside) && r.EntryMode[2] != '0' {
		return fieldErr("PIN block")
	}
	if !here && !inside {
		return nil
	}
	block, format := short, pin.Format0
	if inside {
		block, format = long, pin.Format4
	}
	if format, err = formatOf(m, t, format); err != nil || format.Size() != len(block) {
		return fieldErr("PIN block")
	}
	ksn, tdes := t[tagKSN]
	aes, isAES := t[tagAESKSN]
	scheme := pin.MasterSession
	switch {
	case tdes && isAES, tdes && len(ksn) != len(pin.KSN{}), isAES && len(aes) != len(pin.AESKSN{}):
		return fieldErr("KSN")
	case tdes:
		scheme = pin.TDESDUKPT
	case isAES:
		scheme = pin.AESDUKPT
	}
	p, err := pin.NewSealed(scheme, format)
	if err != nil {
		return fieldErr("PIN block")
	}
	copy(p.KSN[:], ksn)
	copy(p.AESKSN[:], aes)
	copy(p.Bytes(), block)
	r.PIN = p
	return nil
}

// formatOf reads the format of the block: DE53 where there is one, or DF13.
func formatOf(m *Message, t map[tag][]byte, usual pin.Format) (pin.Format, error) {
	if v, ok := t[tagPINFormat]; ok && len(v) == 1 {
		if _, known := controls[pin.Format(v[0])]; known {
			return pin.Format(v[0]), nil
		}
	}
	text := m.Text(53)
	if text == "" {
		return usual, nil
	}
	for format, control := range controls {
		if len(text) == len(control) && text[0] == control[0] {
			return format, nil
		}
	}
	return usual, fieldErr("DE53")
}

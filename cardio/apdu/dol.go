package apdu

import "fmt"

// DOLEntry is one wish of a data object list: the object and its length in
// bytes (EMV Book 3 §5.4).
type DOLEntry struct {
	Tag Tag
	Len int
}

// maxDOLBytes bounds the filled list: it must fit one command.
const maxDOLBytes = 252

// ParseDOL reads a data object list (PDOL, CDOL1, CDOL2): pairs of tag and
// one-byte length. It fails on a cut pair, or when the filled list could not
// fit one command.
func ParseDOL(b []byte) ([]DOLEntry, error) {
	var list []DOLEntry
	total := 0
	for len(b) > 0 {
		t, n, err := cutTag(b)
		if err != nil {
			return nil, fmt.Errorf("object list: %w", err)
		}
		b = b[n:]
		if len(b) == 0 {
			return nil, fmt.Errorf("%w: object list without a length", ErrTLV)
		}
		list = append(list, DOLEntry{Tag: t, Len: int(b[0])})
		total += int(b[0])
		b = b[1:]
		if total > maxDOLBytes || len(list) > maxTLVs {
			return nil, fmt.Errorf("%w: object list wants %d bytes", ErrTLV, total)
		}
	}
	return list, nil
}

// FillDOL joins the values that a list wishes for, by the rules of EMV Book 3
// §5.4: unknown objects are zeros; a numeric value is cut or zero-padded on its
// left, any other cut on its right, and padded there with F if it is compressed
// numeric, else with zeros.
func FillDOL(list []DOLEntry, values map[Tag][]byte) []byte {
	var out []byte
	for _, e := range list {
		v := values[e.Tag]
		field := make([]byte, e.Len)
		switch {
		case !numeric(e.Tag):
			n := copy(field, v)
			for i := n; compressed(e.Tag) && n > 0 && i < len(field); i++ {
				field[i] = 0xFF
			}
		case len(v) >= e.Len:
			copy(field, v[len(v)-e.Len:])
		default:
			copy(field[e.Len-len(v):], v)
		}
		out = append(out, field...)
	}
	return out
}

// numeric names the terminal's objects of format n (EMV Book 3 annex A).
func numeric(t Tag) bool {
	switch t {
	case 0x9F02, 0x9F03, 0x9F1A, 0x5F2A, 0x9A, 0x9C, 0x9F21, 0x9F35, 0x9F15, 0x9F01, 0x9F41, 0x9F39:
		return true
	}
	return false
}

// compressed names the objects of format cn: digits from the left, F behind.
func compressed(t Tag) bool { return t == 0x5A || t == 0x9F20 }

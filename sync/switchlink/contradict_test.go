package switchlink

import (
	"errors"
	"testing"

	"buka/internal/pin"
)

// TestRequestsThatContradictThemselves are understood by nobody (30): a PIN that DE22
// denies or promises in vain, two blocks, two serial numbers, two amounts, another
// currency.
func TestRequestsThatContradictThemselves(t *testing.T) {
	two := func(id tag, size int) func(*Message) {
		return func(m *Message) {
			own := tlv(m.Fields[59])
			own.put(id, make([]byte, size))
			m.Fields[59] = own
		}
	}
	for _, spec := range []*Spec{UnionPay(), ASCII87()} {
		for name, c := range map[string]struct {
			kind   Kind
			noPIN  bool
			change func(*Message)
			good   bool
		}{
			"with a PIN":                  {KindPay, false, func(*Message) {}, true},
			"without":                     {KindPay, true, func(*Message) {}, true},
			"PIN or not is not said":      {KindPay, false, func(m *Message) { m.set(22, "050") }, true},
			"DE22 denies the PIN":         {KindPay, false, func(m *Message) { m.set(22, "052") }, false},
			"DE22 promises a PIN":         {KindPay, true, func(m *Message) { m.set(22, "051") }, false},
			"two PIN blocks":              {KindPay, false, two(tagPINBlock, 16), false},
			"two serial numbers":          {KindPay, false, two(tagAESKSN, len(pin.AESKSN{})), false},
			"a load":                      {KindAuthorise, false, func(*Message) {}, true},
			"a load of another amount":    {KindAuthorise, false, func(m *Message) { m.set(4, "000000005001") }, false},
			"a payment in other currency": {KindPay, false, func(m *Message) { m.set(49, "840") }, false},
		} {
			r := wholeRequest(c.kind, 42)
			if c.noPIN {
				r.PIN, r.EntryMode = nil, "052"
			}
			m, err := spec.EncodeRequest(r)
			if err != nil {
				t.Fatal(name, err)
			}
			c.change(m)
			packed, err := m.Pack()
			if err != nil {
				t.Fatal(name, err)
			}
			if m, err = spec.Unpack(packed); err != nil {
				t.Fatal(name, err)
			}
			got, err := spec.DecodeRequest(m)
			if (err == nil) != c.good || err != nil && !errors.Is(err, ErrMessage) || got.Kind != c.kind {
				t.Errorf("%s, %s: %v", spec.Name, name, err)
			}
		}
	}
}

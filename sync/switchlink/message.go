package switchlink

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/moov-io/iso8583"
)

// ErrMessage says that bytes are not a message of the spec. It never repeats
// them.
var ErrMessage = errors.New("switchlink: not a message")

// Message is an MTI and its data elements by number: digits and text as ASCII,
// the rest as bytes. The bitmap and DE1 are made when it is packed.
type Message struct {
	MTI    string
	Fields map[int][]byte

	spec *Spec
	seal seal
}

func (s *Spec) newMessage(mti string) *Message {
	return &Message{MTI: mti, Fields: map[int][]byte{}, spec: s}
}

func (m *Message) set(de int, value string) { m.Fields[de] = []byte(value) }

// Text gives a data element as a string, "" if it is absent.
func (m *Message) Text(de int) string { return string(m.Fields[de]) }

// Zero overwrites what could pay: PAN, track 2 and PIN block, which for format 4
// is in DE59.
func (m *Message) Zero() {
	for _, de := range []int{2, 14, 35, 52, 55, 59} {
		clear(m.Fields[de])
		delete(m.Fields, de)
	}
}

// Pack gives the bytes from MTI to the last data element.
func (m *Message) Pack() (out []byte, err error) {
	defer guard(&err)
	if len(m.MTI) != 4 {
		return nil, fmt.Errorf("%w: MTI of %d digits", ErrMessage, len(m.MTI))
	}
	im := iso8583.NewMessage(m.spec.codec)
	im.MTI(m.MTI)
	for _, de := range slices.Sorted(maps.Keys(m.Fields)) {
		if de < 2 {
			return nil, fmt.Errorf("%w: data element %d", ErrMessage, de)
		}
		value := withoutPIN(de, m.Fields[de])
		if m.spec.hexed[de] {
			value = []byte(strings.ToUpper(hex.EncodeToString(value)))
			defer clear(value)
		}
		if err := im.BinaryField(de, value); err != nil {
			return nil, fmt.Errorf("%w: data element %d does not fit", ErrMessage, de)
		}
	}
	out, err = im.Pack()
	if err != nil {
		return nil, fmt.Errorf("%w: a data element does not fit its place", ErrMessage)
	}
	if len(out) > MaxFrame-tpduSize-headerSize {
		clear(out)
		return nil, fmt.Errorf("%w: too long", ErrMessage)
	}
	if block := m.pinBlock(); block != nil {
		at, ok := m.spec.pinSpan(out)
		if !ok {
			return nil, fmt.Errorf("%w: no place for the PIN block", ErrMessage)
		}
		at.put(out, block)
	}
	return out, nil
}

// withoutPIN gives an element as the codec may see it.
func withoutPIN(de int, value []byte) []byte {
	switch {
	case de == 52:
		return make([]byte, len(value))
	case de == 59 && pinInside(value) != nil:
		out := make([]byte, len(value))
		from, n, _ := findObject(len(value), func(i int) byte { return value[i] }, tagPINBlock)
		copy(out, value[:from])
		copy(out[from+n:], value[from+n:])
		return out
	}
	return value
}

// pinBlock is the enciphered PIN in the message's elements, not a copy; nil: none.
func (m *Message) pinBlock() []byte {
	if block, ok := m.Fields[52]; ok {
		return block
	}
	return pinInside(m.Fields[59])
}

// Unpack reads what Pack writes. Anything after the last element is refused. If
// the message has a MAC, the bytes that it is over are kept with it, as they
// were on the wire.
func (s *Spec) Unpack(data []byte) (m *Message, err error) {
	defer guard(&err)
	if len(data) < minMessage || len(data) > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes", ErrMessage, len(data))
	}
	at, secret := s.pinSpan(data)
	var block []byte
	back := func() {}
	if secret {
		block, back = at.lift(data)
	}
	whole := false
	defer func() {
		back() // the bytes are as they came
		if !whole {
			clear(block)
			return
		}
		m.keepSeal(data)
	}()
	im := iso8583.NewMessage(s.codec)
	if err := im.Unpack(data); err != nil {
		// The codec's error carries the raw message: it must not travel.
		return nil, fmt.Errorf("%w: the codec refuses it", ErrMessage)
	}
	mti, err := im.GetMTI()
	if err != nil {
		return nil, fmt.Errorf("%w: no MTI", ErrMessage)
	}
	m = s.newMessage(mti)
	for de := range im.GetFields() {
		if de < 2 || de == 65 {
			continue
		}
		value, err := im.GetBytes(de)
		if err == nil && s.hexed[de] {
			value, err = hex.DecodeString(string(value))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: data element %d", ErrMessage, de)
		}
		m.Fields[de] = value
	}
	if end, ok := s.end(data); !ok || end != len(data) {
		return nil, fmt.Errorf("%w: %d bytes where its elements have %d", ErrMessage, len(data), end)
	}
	if secret {
		m.putBack(block)
	}
	whole = true
	return m, nil
}

// putBack gives the message the block that the codec did not see.
func (m *Message) putBack(block []byte) {
	if _, short := m.Fields[52]; short {
		m.Fields[52] = block
		return
	}
	copy(pinInside(m.Fields[59]), block)
	clear(block)
}

// guard turns a panic of the codec into an error: crafted lengths have panicked
// it in the past.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: the codec gave up", ErrMessage)
	}
}

// LogValue is the allow-list: the only elements that may ever reach a log.
func (m *Message) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("mti", m.MTI)}
	for _, e := range []struct {
		de   int
		name string
	}{{3, "code"}, {4, "amount"}, {11, "stan"}, {39, "response"}, {41, "terminal"}} {
		if v, ok := m.Fields[e.de]; ok {
			attrs = append(attrs, slog.String(e.name, string(v)))
		}
	}
	if batch := m.spec.getPart(m, partBatch); batch != "" {
		attrs = append(attrs, slog.String("batch", batch))
	}
	return slog.GroupValue(attrs...)
}

// String shows no more than a log does.
func (m *Message) String() string { return m.LogValue().String() }

package apdu

import (
	"errors"
	"fmt"
)

// Tag is a BER tag of one to three bytes, as a number: 0x84, 0x9F0C, 0xBF0C.
type Tag uint32

// TLV is one data object; Value is a part of what was parsed, not a copy.
type TLV struct {
	Tag   Tag
	Value []byte
}

// Bounds of what a card may send. One answer has at most 256 bytes; a chain of
// GET RESPONSE may bring more.
const (
	maxTLVBytes = 1 << 16
	maxTLVs     = 256 // objects on one level
	maxTLVDepth = 8
)

var (
	// ErrTLV is in the chain of every error about malformed data objects.
	ErrTLV = errors.New("apdu: malformed BER-TLV")
	// ErrNoTag says that the data is well-formed and lacks the object.
	ErrNoTag = errors.New("apdu: no such data object")
)

// Constructed reports that the value is itself made of data objects.
func (t Tag) Constructed() bool {
	for t > 0xFF {
		t >>= 8
	}
	return t&0x20 != 0
}

func (t Tag) String() string { return fmt.Sprintf("%02X", uint32(t)) }

// ParseTLVs reads the data objects of one level, all of b: ISO 7816-4 §5.2.2,
// definite lengths of one to three bytes (EMV Book 3 annex B). Bytes 00 between
// objects are padding. Templates are not entered, so that a garbled issuer
// template does not hide its neighbours.
func ParseTLVs(b []byte) ([]TLV, error) {
	if len(b) > maxTLVBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTLV, len(b))
	}
	var list []TLV
	for len(b) > 0 {
		if b[0] == 0x00 {
			b = b[1:]
			continue
		}
		if len(list) == maxTLVs {
			return nil, fmt.Errorf("%w: more than %d objects", ErrTLV, maxTLVs)
		}
		t, n, err := cutTag(b)
		if err != nil {
			return nil, err
		}
		b = b[n:]
		size, n, err := cutLength(b)
		if err != nil {
			return nil, fmt.Errorf("tag %v: %w", t, err)
		}
		b = b[n:]
		if size > len(b) {
			return nil, fmt.Errorf("%w: tag %v has %d of %d bytes", ErrTLV, t, len(b), size)
		}
		list = append(list, TLV{Tag: t, Value: b[:size:size]})
		b = b[size:]
	}
	return list, nil
}

func cutTag(b []byte) (Tag, int, error) {
	if len(b) == 0 {
		return 0, 0, fmt.Errorf("%w: tag is cut", ErrTLV)
	}
	t := Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return t, 1, nil
	}
	for i := 1; i < 3; i++ {
		if i >= len(b) {
			return 0, 0, fmt.Errorf("%w: tag is cut", ErrTLV)
		}
		t = t<<8 | Tag(b[i])
		if b[i]&0x80 == 0 {
			return t, i + 1, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: tag longer than three bytes", ErrTLV)
}

func cutLength(b []byte) (size, n int, err error) {
	if len(b) == 0 {
		return 0, 0, fmt.Errorf("%w: length is cut", ErrTLV)
	}
	switch {
	case b[0] < 0x80:
		return int(b[0]), 1, nil
	case b[0] == 0x81 && len(b) >= 2:
		return int(b[1]), 2, nil
	case b[0] == 0x82 && len(b) >= 3:
		return int(b[1])<<8 | int(b[2]), 3, nil
	}
	return 0, 0, fmt.Errorf("%w: length form %02X", ErrTLV, b[0])
}

// Find returns the value of the first object on the path: Find(fci, 0x6F,
// 0xA5, 0x9F0C). It fails with ErrNoTag when an object is missing and with
// ErrTLV when a level on the way is malformed.
func Find(b []byte, path ...Tag) ([]byte, error) {
	all, err := FindAll(b, path...)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// FindAll returns every object at the path, in order; at least one.
func FindAll(b []byte, path ...Tag) ([][]byte, error) {
	if len(path) == 0 || len(path) > maxTLVDepth {
		return nil, fmt.Errorf("%w: path of %d tags", ErrTLV, len(path))
	}
	level := [][]byte{b}
	for _, t := range path {
		var next [][]byte
		for _, v := range level {
			list, err := ParseTLVs(v)
			if err != nil {
				return nil, err
			}
			for _, o := range list {
				if o.Tag == t {
					next = append(next, o.Value)
				}
			}
		}
		if len(next) == 0 {
			return nil, fmt.Errorf("%w: %v", ErrNoTag, t)
		}
		if len(next) > maxTLVs {
			return nil, fmt.Errorf("%w: more than %d objects", ErrTLV, maxTLVs)
		}
		level = next
	}
	return level, nil
}

// Search returns the first object with that tag at any depth, depth first.
// A template that does not parse is passed over; the outermost level must.
func Search(b []byte, t Tag) ([]byte, error) {
	list, err := ParseTLVs(b)
	if err != nil {
		return nil, err
	}
	if v, ok := search(list, t, 1); ok {
		return v, nil
	}
	return nil, fmt.Errorf("%w: %v", ErrNoTag, t)
}

func search(list []TLV, t Tag, depth int) ([]byte, bool) {
	for _, o := range list {
		if o.Tag == t {
			return o.Value, true
		}
		if !o.Tag.Constructed() || depth == maxTLVDepth {
			continue
		}
		inner, err := ParseTLVs(o.Value)
		if err != nil {
			continue
		}
		if v, ok := search(inner, t, depth+1); ok {
			return v, true
		}
	}
	return nil, false
}

// Encode returns one object: tag, minimal length, the
// values joined. It fails above 65535 bytes or for a tag of more than three.
func Encode(t Tag, values ...[]byte) ([]byte, error) {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if size >= maxTLVBytes || t > 0xFFFFFF || t == 0 {
		return nil, fmt.Errorf("%w: tag %v of %d bytes", ErrTLV, t, size)
	}
	var b []byte
	for shift := 16; shift >= 0; shift -= 8 {
		if t>>shift != 0 {
			b = append(b, byte(t>>shift))
		}
	}
	switch {
	case size < 0x80:
		b = append(b, byte(size))
	case size < 0x100:
		b = append(b, 0x81, byte(size))
	default:
		b = append(b, 0x82, byte(size>>8), byte(size))
	}
	for _, v := range values {
		b = append(b, v...)
	}
	return b, nil
}

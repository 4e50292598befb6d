package switchlink

import (
	"encoding/hex"
)

// The codec keeps what it packs and unpacks in buffers of its own, which nobody
// clears. So it never sees a PIN block: it packs and unpacks zeros, and the block
// is written into the packed bytes, or taken from the bytes that came, by this
// file alone. Those bytes are cleared by whoever sends or reads them.

// span is where some bytes of an element are in a packed message.
type span struct {
	from, to int
	hexed    bool // two characters a byte
}

// find gives the place of an element's value in a packed message; false if it is
// not there, or if the message cannot be followed so far.
func (s *Spec) find(data []byte, de int) (at span, ok bool) {
	s.walk(data, func(id, from, to int) bool {
		if id == de {
			at, ok = span{from, to, s.hexed[id]}, true
		}
		return id < de
	})
	return at, ok
}

// end gives where the last element of a packed message ends; false if the message
// cannot be followed.
func (s *Spec) end(data []byte) (at int, ok bool) {
	ok = s.walk(data, func(_, _, to int) bool { at = to; return true })
	return at, ok
}

// walk tells the place of each element's value, in order, until visit says no;
// false if an element is unknown, or does not fit into the message.
func (s *Spec) walk(data []byte, visit func(id, from, to int) bool) bool {
	from, at, ok := s.value(data, 0, 0)
	if !ok {
		return false
	}
	bits, ok := s.bitmaps(data[at:])
	if !ok {
		return false
	}
	from = at
	if at += len(bits); s.chars {
		at += len(bits)
	}
	more := visit(1, from, at)
	for id := 2; more && id <= 8*len(bits); id++ {
		if bits[(id-1)/8]&(0x80>>((id-1)%8)) == 0 || id == 65 {
			continue
		}
		if from, at, ok = s.value(data, at, id); !ok {
			return false
		}
		more = visit(id, from, at)
	}
	return true
}

// value gives the place of the value of an element that begins at a place.
func (s *Spec) value(data []byte, at, id int) (from, to int, ok bool) {
	f := s.codec.Fields[id]
	if f == nil || at > len(data) {
		return 0, 0, false
	}
	n, read, err := f.Spec().Pref.DecodeLength(f.Spec().Length, data[at:])
	if err != nil || n < 0 {
		return 0, 0, false
	}
	if s.packed[id] {
		n = (n + 1) / 2
	}
	from = at + read
	return from, from + n, from+n <= len(data)
}

// bitmaps reads the primary bitmap, and the secondary if there is one.
func (s *Spec) bitmaps(data []byte) ([]byte, bool) {
	one := func(data []byte) ([]byte, bool) {
		if !s.chars {
			return data[:min(8, len(data))], len(data) >= 8
		}
		var bits [8]byte
		n, err := hex.Decode(bits[:], data[:min(16, len(data))])
		return bits[:], err == nil && n == len(bits)
	}
	bits, ok := one(data)
	if !ok || bits[0]&0x80 == 0 {
		return bits, ok
	}
	size := 8
	if s.chars {
		size = 16
	}
	more, ok := one(data[size:])
	return append(append([]byte(nil), bits...), more...), ok
}

// pinSpan gives the place of the PIN block in a packed message: DE52, or the
// block of format 4 inside DE59.
func (s *Spec) pinSpan(data []byte) (span, bool) {
	if at, ok := s.find(data, 52); ok {
		return at, true
	}
	at, ok := s.find(data, 59)
	if !ok {
		return span{}, false
	}
	wide := 1
	if at.hexed {
		wide = 2
	}
	field := data[at.from:at.to]
	from, n, ok := findObject(len(field)/wide, func(i int) byte {
		if wide == 1 {
			return field[i]
		}
		return unhexByte(field[2*i])<<4 | unhexByte(field[2*i+1])
	}, tagPINBlock)
	if !ok {
		return span{}, false
	}
	return span{at.from + from*wide, at.from + (from+n)*wide, at.hexed}, true
}

// findObject finds a private object by its bytes, without a copy.
func findObject(size int, at func(int) byte, want tag) (from, n int, ok bool) {
	for i := 0; i+3 <= size; {
		id, n := tag(at(i))<<8|tag(at(i+1)), int(at(i+2))
		i += 3
		if n == 0x81 && i < size {
			n = int(at(i))
			i++
		}
		if n > size-i {
			return 0, 0, false
		}
		if id == want {
			return i, n, true
		}
		i += n
	}
	return 0, 0, false
}

// pinInside is the block of format 4 in DE59, or nothing.
func pinInside(field []byte) []byte {
	from, n, ok := findObject(len(field), func(i int) byte { return field[i] }, tagPINBlock)
	if !ok {
		return nil
	}
	return field[from : from+n]
}

// lift takes what is at a place and leaves zeros there. back puts it there again,
// as it was, and may be called once.
func (p span) lift(data []byte) (value []byte, back func()) {
	place := data[p.from:p.to]
	was := make([]byte, len(place))
	copy(was, place)
	back = func() { copy(place, was); clear(was) }
	value = make([]byte, len(place))
	if !p.hexed {
		copy(value, place)
		clear(place)
		return value, back
	}
	value = value[:len(place)/2]
	for i := range value {
		value[i] = unhexByte(place[2*i])<<4 | unhexByte(place[2*i+1])
	}
	for i := range place {
		place[i] = '0'
	}
	return value, back
}

// put writes bytes to a place.
func (p span) put(data, value []byte) {
	place := data[p.from:p.to]
	if !p.hexed {
		copy(place, value)
		return
	}
	const digits = "0123456789ABCDEF"
	for i, b := range value[:min(len(value), len(place)/2)] {
		place[2*i], place[2*i+1] = digits[b>>4], digits[b&0xF]
	}
}

func unhexByte(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0
}

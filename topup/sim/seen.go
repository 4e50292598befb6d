package sim

import (
	"encoding/binary"
	"unsafe"
)

// sum is the name of a state: equal for worlds that can go on in the same
// ways. It is the first half of SHA-256 over the canonical form, so two
// different states among n share a name with a probability below n²/2^129:
// 10^-22 for 10^8 states.
type sum [16]byte

// sums is a set of names by open addressing, without pointers, so that the
// garbage collector does not look into it. The zero name is never stored: it
// is the empty place.
type sums struct {
	places []sum // a power of two
	n      int
}

// add says whether the name is new.
func (t *sums) add(name sum) bool {
	if 8*(t.n+1) > 7*len(t.places) {
		t.grow()
	}
	i := t.find(name)
	if t.places[i] == name {
		return false
	}
	t.places[i], t.n = name, t.n+1
	return true
}

func (t *sums) has(name sum) bool { return t.n > 0 && t.places[t.find(name)] == name }

// find gives the place of a name, or where it would go.
func (t *sums) find(name sum) int {
	mask := len(t.places) - 1
	i := int(binary.LittleEndian.Uint64(name[:8])) & mask
	for t.places[i] != name && t.places[i] != (sum{}) {
		i = (i + 1) & mask
	}
	return i
}

func (t *sums) grow() {
	old := t.places
	t.places = make([]sum, max(1024, 2*len(old)))
	for _, name := range old {
		if name != (sum{}) {
			t.places[t.find(name)] = name
		}
	}
}

// bytes is what the set takes.
func (t *sums) bytes() int { return len(t.places) * int(unsafe.Sizeof(sum{})) }

package disktest

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
)

// Survive says what a power cut leaves of that which was not synced.
type Survive uint8

const (
	None   Survive = iota // nothing
	All                   // everything
	Subset                // some pages and some names, in any order
	Torn                  // some sectors, and a few of them only in part
	Kept                  // no cut: the process is killed, and the page cache stays
)

func (s Survive) String() string { return [...]string{"none", "all", "subset", "torn", "kept"}[s] }

// chance decides what survives.
type chance struct {
	*rand.Rand
	percent int // of the pieces that survive
}

func newChance(seed uint64) chance {
	r := rand.New(rand.NewPCG(seed, 0xD15C))
	return chance{r, []int{10, 50, 90}[r.IntN(3)]}
}

func (c chance) hits() bool { return c.IntN(100) < c.percent }

// cut gives the disk as the next start finds it.
func (v *volume) cut(how Survive, seed uint64) *volume {
	if how == Kept {
		return v.clone()
	}
	chance := newChance(seed)
	c := &volume{nodes: map[int]*node{}, next: v.next, capacity: v.capacity, ballast: v.ballast, reads: -1}
	for _, id := range slices.Sorted(maps.Keys(v.nodes)) {
		n := v.nodes[id]
		safe := n.survive(how, chance)
		stored := maps.Clone(n.stored)
		c.nodes[id] = &node{dir: n.dir, now: safe.clone(), safe: safe, names: stored, stored: maps.Clone(stored)}
	}
	for _, r := range v.pending {
		if how == All || how != None && chance.hits() {
			r.apply(func(dir int) map[string]int { return c.nodes[dir].names })
			r.apply(c.stored)
		}
	}
	return c
}

// survive gives the content of a file after a cut.
func (n *node) survive(how Survive, c chance) content {
	switch {
	case how == None || len(n.pending) == 0:
		return n.safe.clone()
	case how == All:
		return n.now.clone()
	}
	left := n.safe.clone()
	unit := pageBytes
	if how == Torn {
		unit = sectorBytes
	}
	for _, ch := range n.pending {
		if ch.size >= 0 {
			if c.hits() {
				left.resize(ch.size)
			}
			continue
		}
		left.piecewise(ch, unit, c)
	}
	return left
}

// piecewise writes some pieces of a change.
func (l *content) piecewise(ch change, unit int, c chance) {
	if c.IntN(2) == 0 { // grown, and not yet written
		l.Size = max(l.Size, ch.off+int64(len(ch.data)))
	}
	for n := 0; n < len(ch.data); {
		at := ch.off + int64(n)
		part := ch.data[n:min(len(ch.data), n+unit-int(at%int64(unit)))]
		switch {
		case unit == sectorBytes && (n == 0 && c.IntN(2) == 0 || c.IntN(8) == 0):
			l.tear(part, at, c) // the first more often: there is the head of a page
		case c.hits():
			l.write(part, at)
			l.Size = max(l.Size, at+int64(len(part)))
		}
		n += len(part)
	}
}

// tear writes a sector in part: its beginning, its end, or its beginning and
// then nothing that was ever there. One in two is torn where a record's head is.
func (l *content) tear(part []byte, at int64, c chance) {
	cut := c.IntN(len(part) + 1)
	if c.IntN(2) == 0 {
		cut = min(cut, c.IntN(96))
	}
	l.Size = max(l.Size, at+int64(len(part)))
	switch c.IntN(3) {
	case 0:
		l.write(part[:cut], at)
	case 1:
		l.write(part[cut:], at+int64(cut))
	case 2:
		l.write(part[:cut], at)
		l.write(make([]byte, len(part)-cut), at+int64(cut))
	}
}

// digest tells disks apart by what is on them.
func (v *volume) digest() [32]byte {
	h := sha256.New()
	put := func(n int64) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	for _, id := range slices.Sorted(maps.Keys(v.nodes)) {
		n := v.nodes[id]
		put(int64(id))
		for _, name := range slices.Sorted(maps.Keys(n.stored)) {
			h.Write([]byte(name))
			put(int64(n.stored[name]))
		}
		put(n.safe.Size)
		for _, p := range slices.Sorted(maps.Keys(n.safe.Pages)) {
			put(p)
			if page := n.safe.Pages[p]; page != &zeros {
				h.Write(page[:])
			}
		}
	}
	return [32]byte(h.Sum(nil))
}

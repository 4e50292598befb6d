package disktest

import "maps"

// pageBytes is the unit that the page cache writes; sectorBytes the one that a
// disk writes as a whole, unless it is torn.
const (
	pageBytes   = 4096
	sectorBytes = 512
)

// zeros is every page that has room and was never written.
var zeros [pageBytes]byte

// content of a file. Pages are never changed once they are here, so a copy of
// the map is a copy of the content. A page that is missing is a hole.
type content struct {
	Size  int64
	Pages map[int64]*[pageBytes]byte
}

func (c content) clone() content { return content{c.Size, maps.Clone(c.Pages)} }

// read fills b from off and gives how much there was.
func (c content) read(b []byte, off int64) int {
	if off >= c.Size {
		return 0
	}
	b = b[:min(int64(len(b)), c.Size-off)]
	for n := 0; n < len(b); {
		at := off + int64(n)
		part := b[n:min(len(b), n+int(pageBytes-at%pageBytes))]
		if p := c.Pages[at/pageBytes]; p != nil {
			copy(part, p[at%pageBytes:])
		} else {
			clear(part)
		}
		n += len(part)
	}
	return len(b)
}

// write puts b at off. It does not grow the file.
func (c *content) write(b []byte, off int64) {
	for len(b) > 0 {
		part := b[:min(len(b), int(pageBytes-off%pageBytes))]
		p := new([pageBytes]byte)
		if old := c.Pages[off/pageBytes]; old != nil {
			*p = *old
		}
		copy(p[off%pageBytes:], part)
		if c.Pages == nil {
			c.Pages = map[int64]*[pageBytes]byte{}
		}
		c.Pages[off/pageBytes] = p
		b, off = b[len(part):], off+int64(len(part))
	}
}

// resize cuts the file or lets it grow by a hole.
func (c *content) resize(size int64) {
	if size < c.Size {
		for n := range c.Pages {
			if n*pageBytes >= size {
				delete(c.Pages, n)
			}
		}
		if rest := size % pageBytes; rest > 0 && c.Pages[size/pageBytes] != nil {
			c.write(make([]byte, pageBytes-rest), size)
		}
	}
	c.Size = size
}

// secure gives pages from off to end room on the disk.
func (c *content) secure(off, end int64) {
	for n := off / pageBytes; n*pageBytes < end; n++ {
		if c.Pages[n] == nil {
			if c.Pages == nil {
				c.Pages = map[int64]*[pageBytes]byte{}
			}
			c.Pages[n] = &zeros
		}
	}
}

// holes counts the pages that a write to [off, end) would have to allocate.
func (c content) holes(off, end int64) (n int64) {
	for p := off / pageBytes; p*pageBytes < end; p++ {
		if c.Pages[p] == nil {
			n++
		}
	}
	return n
}

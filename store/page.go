package store

import (
	"errors"
	"fmt"
	"io"
)

const (
	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf element: the value is a bucket

	// maxPageBytes bounds one page with its overflow. bbolt keeps up to four
	// values of any size on one leaf and an entry has at most 8 MiB.
	maxPageBytes = 64 << 20
)

// pages reads the pages of one state of a file, each checked before it is
// believed.
type pages struct {
	src      io.ReaderAt
	pageSize int
	high     uint64 // pages from here on were never used
}

// page is one page with its overflow.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	data     []byte
}

func (f pages) read(id uint64) (page, error) {
	if id < 2 || id >= f.high {
		return page{}, damaged(0, "page %d is referred to, but only %d pages are in use", id, f.high)
	}
	data := make([]byte, f.pageSize)
	if err := f.readAt(data, id); err != nil {
		return page{}, err
	}
	p := parseHeader(data)
	if p.id != id {
		return page{}, damaged(0, "page %d says that it is page %d", id, p.id)
	}
	size := (p.overflow + 1) * uint64(f.pageSize)
	if id+p.overflow >= f.high || size > maxPageBytes {
		return page{}, damaged(0, "page %d claims %d more pages", id, p.overflow)
	}
	if p.overflow > 0 {
		data = make([]byte, size)
		if err := f.readAt(data, id); err != nil {
			return page{}, err
		}
		p.data = data
	}
	return p, nil
}

func (f pages) readAt(data []byte, id uint64) error {
	n, err := f.src.ReadAt(data, int64(id)*int64(f.pageSize))
	if n == len(data) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return damaged(0, "the file ends inside page %d", id)
	}
	return fmt.Errorf("read page %d of the journal: %w", id, err)
}

func parseHeader(data []byte) page {
	return page{
		id:       order.Uint64(data),
		flags:    order.Uint16(data[8:]),
		count:    int(order.Uint16(data[10:])),
		overflow: uint64(order.Uint32(data[12:])),
		data:     data,
	}
}

// inlinePage is a small bucket's only page, kept in the value of the bucket.
func inlinePage(value []byte) (page, error) {
	if len(value) < bucketBytes+headerBytes {
		return page{}, damaged(0, "a bucket is cut short")
	}
	p := parseHeader(value[bucketBytes:])
	if p.flags != flagLeaf {
		return page{}, damaged(0, "a small bucket has page type %#x", p.flags)
	}
	return p, nil
}

func (p page) isLeaf() bool   { return p.flags == flagLeaf }
func (p page) isBranch() bool { return p.flags == flagBranch }

// leaf gives element i of a leaf page. The slices point into the page.
func (p page) leaf(i int) (flags uint32, key, value []byte, err error) {
	at := headerBytes + i*elementBytes
	if i >= p.count || at+elementBytes > len(p.data) {
		return 0, nil, nil, damaged(0, "page %d has no room for element %d", p.id, i)
	}
	e := p.data[at:]
	flags = order.Uint32(e)
	pos, ksize, vsize := uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
	if pos < elementBytes || pos+ksize+vsize > uint64(len(e)) || flags&^flagBucket != 0 {
		return 0, nil, nil, damaged(0, "element %d of page %d points outside of it", i, p.id)
	}
	return flags, e[pos : pos+ksize], e[pos+ksize : pos+ksize+vsize], nil
}

// branch gives element i of a branch page: the first key below it, and the
// page where that part of the tree begins.
func (p page) branch(i int) (key []byte, child uint64, err error) {
	at := headerBytes + i*elementBytes
	if i >= p.count || at+elementBytes > len(p.data) {
		return nil, 0, damaged(0, "page %d has no room for element %d", p.id, i)
	}
	e := p.data[at:]
	pos, ksize := uint64(order.Uint32(e)), uint64(order.Uint32(e[4:]))
	if pos < elementBytes || pos+ksize > uint64(len(e)) {
		return nil, 0, damaged(0, "element %d of page %d points outside of it", i, p.id)
	}
	return e[pos : pos+ksize], order.Uint64(e[8:]), nil
}

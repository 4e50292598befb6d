package store

import (
	"bytes"
	"context"
)

// checker walks the structure of one state of the file and asserts what bbolt
// takes for granted: page numbers in range and used once, keys in order, every
// page either reached or free. bbolt's own Check does the same, but it faults
// on bad page numbers and may not run beside a writer.
type checker struct {
	ctx   context.Context
	pages pages
	used  []uint64 // one bit a page
	// deep reads every leaf. Otherwise only the branches are read, which are
	// one page in a hundred, and the last leaf, which the next append goes to:
	// enough for bbolt to write safely, and quick at any size.
	deep bool
	item func(bucket, key, value []byte) error // for every item in order; deep only
}

func newChecker(ctx context.Context, f pages, deep bool) *checker {
	return &checker{ctx: ctx, pages: f, deep: deep, used: make([]uint64, f.high/64+1)}
}

func (c *checker) isUsed(id uint64) bool { return c.used[id/64]&(1<<(id%64)) != 0 }

// claim marks a page and its overflow, once.
func (c *checker) claim(id, overflow uint64) error {
	for n := id; n <= id+overflow; n++ {
		if n < 2 || n >= c.pages.high {
			return damaged(0, "page %d is referred to, but only %d pages are in use", n, c.pages.high)
		}
		if c.isUsed(n) {
			return damaged(0, "page %d is used twice", n)
		}
		c.used[n/64] |= 1 << (n % 64)
	}
	return nil
}

// run checks the state that begins at root, and the free list if its page is
// known (noFreelist: it is not).
func (c *checker) run(root, freelist uint64) error {
	p, err := c.pages.read(root)
	if err != nil {
		return err
	}
	if !p.isLeaf() {
		return damaged(0, "the root page has type %#x", p.flags)
	}
	if err := c.claim(root, p.overflow); err != nil {
		return err
	}
	if err := c.leaf(p, nil, nil, c.bucket); err != nil {
		return err
	}
	if freelist == noFreelist {
		return nil
	}
	return c.free(freelist)
}

func (c *checker) bucket(flags uint32, name, value []byte) error {
	if flags&flagBucket == 0 || len(value) < bucketBytes {
		return damaged(0, "the root page holds something that is not a bucket")
	}
	item := func(flags uint32, key, value []byte) error {
		if flags != 0 {
			return damaged(0, "the bucket %q holds another bucket", name)
		}
		if c.item == nil {
			return nil
		}
		return c.item(name, key, value)
	}
	root := order.Uint64(value)
	if root == 0 {
		p, err := inlinePage(value)
		if err != nil {
			return err
		}
		return c.leaf(p, nil, nil, item)
	}
	depth, err := c.depth(root)
	if err != nil {
		return err
	}
	return c.walk(walk{id: root, down: depth, last: true, item: item})
}

// depth of the tree, along its first leaves; a B+tree has the same everywhere.
func (c *checker) depth(id uint64) (int, error) {
	for depth := 0; depth <= maxDepth; depth++ {
		p, err := c.pages.read(id)
		if err != nil {
			return 0, err
		}
		if !p.isBranch() {
			return depth, nil
		}
		if _, id, err = p.branch(0); err != nil {
			return 0, err
		}
	}
	return 0, damaged(0, "the tree is deeper than %d pages at page %d", maxDepth, id)
}

// walk is one part of a tree: its keys are from low (nil: any) up to before
// high (nil: any).
type walk struct {
	id        uint64
	down      int // levels below this page
	low, high []byte
	last      bool // the last part of its tree
	item      func(flags uint32, key, value []byte) error
}

func (c *checker) walk(w walk) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if w.down == 0 && !c.deep && !w.last {
		return c.claim(w.id, 0)
	}
	p, err := c.pages.read(w.id)
	if err != nil {
		return err
	}
	if err := c.claim(w.id, p.overflow); err != nil {
		return err
	}
	if w.down == 0 {
		if !p.isLeaf() {
			return damaged(0, "page %d has type %#x where a leaf belongs", w.id, p.flags)
		}
		return c.leaf(p, w.low, w.high, w.item)
	}
	if !p.isBranch() || p.count == 0 {
		return damaged(0, "page %d has type %#x and %d elements where a branch belongs", w.id, p.flags, p.count)
	}
	key, child, err := p.branch(0)
	if err != nil {
		return err
	}
	if w.low != nil && bytes.Compare(key, w.low) < 0 {
		return damaged(0, "the keys of page %d are out of order", w.id)
	}
	for i := range p.count {
		next := w.high
		var nextChild uint64
		if i+1 < p.count {
			if next, nextChild, err = p.branch(i + 1); err != nil {
				return err
			}
			if bytes.Compare(key, next) >= 0 {
				return damaged(0, "the keys of page %d are out of order", w.id)
			}
		}
		part := walk{id: child, down: w.down - 1, low: key, high: next, last: w.last && i+1 == p.count, item: w.item}
		if err := c.walk(part); err != nil {
			return err
		}
		key, child = next, nextChild
	}
	return nil
}

func (c *checker) leaf(p page, low, high []byte, item func(flags uint32, key, value []byte) error) error {
	var before []byte
	for i := range p.count {
		flags, key, value, err := p.leaf(i)
		if err != nil {
			return err
		}
		wrong := i == 0 && low != nil && bytes.Compare(key, low) < 0 ||
			i > 0 && bytes.Compare(before, key) >= 0 ||
			high != nil && bytes.Compare(key, high) >= 0
		if wrong {
			return damaged(0, "the keys of page %d are out of order", p.id)
		}
		if err := item(flags, key, value); err != nil {
			return err
		}
		before = key
	}
	return nil
}

// free reads the list of free pages; with deep, every page must be either in
// it or reached from the root.
func (c *checker) free(id uint64) error {
	ids, overflow, err := c.pages.freelist(id)
	if err != nil {
		return err
	}
	if err := c.claim(id, overflow); err != nil {
		return err
	}
	for _, n := range ids {
		if err := c.claim(n, 0); err != nil {
			return damaged(0, "the list of free pages is wrong: %w", err)
		}
	}
	if !c.deep {
		return nil
	}
	for n := uint64(2); n < c.pages.high; n++ {
		if !c.isUsed(n) {
			return damaged(0, "page %d is neither in use nor free", n)
		}
	}
	return nil
}

// freelist gives the numbers of the free pages.
func (f pages) freelist(id uint64) (ids []uint64, overflow uint64, err error) {
	p, err := f.read(id)
	if err != nil {
		return nil, 0, err
	}
	if p.flags != flagFreelist {
		return nil, 0, damaged(0, "page %d has type %#x where the list of free pages belongs", id, p.flags)
	}
	body, count := p.data[headerBytes:], uint64(p.count)
	if count == 0xFFFF { // more than the header can say: the first number is the count
		count, body = order.Uint64(body), body[8:]
	}
	if count > uint64(len(body))/8 {
		return nil, 0, damaged(0, "the list of free pages claims %d pages", count)
	}
	ids = make([]uint64, count)
	for i := range ids {
		ids[i] = order.Uint64(body[8*i:])
	}
	return ids, p.overflow, nil
}

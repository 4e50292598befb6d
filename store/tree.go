package store

import (
	"bytes"
	"errors"
)

// maxDepth bounds a descent: a B+tree of 4 KiB pages with 8-byte keys has
// more entries than can ever be written long before this.
const maxDepth = 24

// errStop ends a walk early, without an error.
var errStop = errors.New("stop")

// tree is one bucket.
type tree struct {
	pages  pages
	root   uint64
	inline *page // instead of root, for a small bucket
}

func (t tree) top() (page, error) {
	if t.inline != nil {
		return *t.inline, nil
	}
	return t.pages.read(t.root)
}

// bucket finds a bucket by name in the root bucket.
func (v view) bucket(name []byte) (tree, error) {
	root := tree{pages: v.pages, root: v.root}
	var found *tree
	err := root.ascend(name, func(flags uint32, key, value []byte) error {
		if !bytes.Equal(key, name) {
			return errStop
		}
		if flags&flagBucket == 0 || len(value) < bucketBytes {
			return damaged(0, "the bucket %q is not a bucket", name)
		}
		found = &tree{pages: v.pages, root: order.Uint64(value)}
		if found.root == 0 {
			p, err := inlinePage(value)
			if err != nil {
				return err
			}
			found.inline = &p
		}
		return errStop
	})
	if err != nil {
		return tree{}, err
	}
	if found == nil {
		return tree{}, damaged(0, "the bucket %q is missing: this is not a journal, or its root page is damaged", name)
	}
	return *found, nil
}

// ascend calls fn for every key from the given one up, in the order of the
// pages. The slices are valid as long as the caller keeps them.
func (t tree) ascend(from []byte, fn func(flags uint32, key, value []byte) error) error {
	p, err := t.top()
	if err != nil {
		return err
	}
	w := ascent{pages: t.pages, from: from, fn: fn}
	if err := w.page(p, 0); !errors.Is(err, errStop) {
		return err
	}
	return nil
}

// ascent is one walk up the keys. A tree has each page once, so a walk that
// has read more pages than there are goes round in a damaged one.
type ascent struct {
	pages pages
	from  []byte
	fn    func(flags uint32, key, value []byte) error
	read  uint64
}

func (w *ascent) page(p page, depth int) error {
	switch w.read++; {
	case depth > maxDepth || w.read > w.pages.high:
		return damaged(0, "the tree leads back into itself at page %d", p.id)
	case p.isLeaf():
		return ascendLeaf(p, w.from, w.fn)
	case !p.isBranch():
		return damaged(0, "page %d has type %#x where a part of the tree belongs", p.id, p.flags)
	}
	first := 0
	for i := 1; i < p.count; i++ {
		key, _, err := p.branch(i)
		if err != nil {
			return err
		}
		if bytes.Compare(key, w.from) > 0 {
			break
		}
		first = i
	}
	for i := first; i < p.count; i++ {
		_, child, err := p.branch(i)
		if err != nil {
			return err
		}
		next, err := w.pages.read(child)
		if err != nil {
			return err
		}
		if err := w.page(next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func ascendLeaf(p page, from []byte, fn func(flags uint32, key, value []byte) error) error {
	for i := range p.count {
		flags, key, value, err := p.leaf(i)
		if err != nil {
			return err
		}
		if bytes.Compare(key, from) < 0 {
			continue
		}
		if err := fn(flags, key, value); err != nil {
			return err
		}
	}
	return nil
}

// get gives the value of a key, nil if it is not there.
func (t tree) get(key []byte) (value []byte, err error) {
	err = t.ascend(key, func(_ uint32, k, v []byte) error {
		if bytes.Equal(k, key) {
			value = v
		}
		return errStop
	})
	return value, err
}

// last gives the highest key, nil in an empty bucket.
func (t tree) last() (key []byte, err error) {
	p, err := t.top()
	for depth := 0; err == nil; depth++ {
		switch {
		case depth > maxDepth:
			return nil, damaged(0, "the tree is deeper than %d pages at page %d", maxDepth, p.id)
		case p.count == 0 && p.isLeaf():
			return nil, nil
		case p.isLeaf():
			_, key, _, err := p.leaf(p.count - 1)
			return key, err
		case !p.isBranch() || p.count == 0:
			return nil, damaged(0, "page %d has type %#x where a part of the tree belongs", p.id, p.flags)
		}
		var child uint64
		if _, child, err = p.branch(p.count - 1); err == nil {
			p, err = t.pages.read(child)
		}
	}
	return nil, err
}

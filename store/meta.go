package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// Layout of a bbolt file, format version 2 (go.etcd.io/bbolt, internal/common:
// page.go, meta.go, bucket.go). Integers are in the byte order of the machine.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	headerBytes  = 16 // page: id u64, flags u16, count u16, overflow u32
	metaBytes    = 64 // magic, version, page size, flags u32; root, sequence, freelist, high, txid, checksum u64
	elementBytes = 16 // leaf: flags, pos, ksize, vsize u32; branch: pos, ksize u32, child u64
	bucketBytes  = 16 // root u64, sequence u64

	minPageSize = 1 << 10
	maxPageSize = 1 << 16
	noFreelist  = ^uint64(0)
)

var order = binary.NativeEndian

var (
	errNotBolt = errors.New("it does not begin like a journal")
	errMeta    = errors.New("a meta page is damaged")
)

// meta is one of the two pages that say where a state of the file begins. A
// commit writes the one that is older.
type meta struct {
	pageSize int
	root     uint64 // page of the root bucket
	freelist uint64 // first page of the list of free pages
	high     uint64 // first page number that was never used
	txid     uint64
}

func parseMeta(page []byte) (meta, error) {
	if len(page) < headerBytes+metaBytes {
		return meta{}, errNotBolt
	}
	b := page[headerBytes : headerBytes+metaBytes]
	if order.Uint32(b) != boltMagic {
		return meta{}, errNotBolt
	}
	sum := fnv.New64a()
	sum.Write(b[:metaBytes-8])
	if order.Uint32(b[4:]) != boltVersion || order.Uint64(b[56:]) != sum.Sum64() {
		return meta{}, errMeta
	}
	m := meta{
		pageSize: int(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		high:     order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	if !validPageSize(m.pageSize) || m.high < 4 || m.high > 1<<40 {
		return meta{}, errMeta
	}
	return m, nil
}

func validPageSize(n int) bool { return n >= minPageSize && n <= maxPageSize && n&(n-1) == 0 }

// metas is what the two meta pages of a file say.
type metas struct {
	current meta // the newest valid one
	damaged int  // 0 or 1: the page that is not valid; -1: none
}

// readMetas chooses the state as bbolt does: the valid meta page with the
// highest transaction number.
func readMetas(src io.ReaderAt, size int64) (metas, error) {
	if size == 0 {
		return metas{}, damaged(0, "the file is empty")
	}
	first, err0 := metaAt(src, 0)
	sizes := []int{first.pageSize}
	if err0 != nil {
		sizes = sizes[:0]
		for n := minPageSize; n <= maxPageSize; n *= 2 {
			sizes = append(sizes, n)
		}
	}
	var second meta
	var err1 error
	for _, n := range sizes {
		second, err1 = metaAt(src, int64(n))
		if err1 == nil && second.pageSize != n {
			err1 = errMeta
		}
		if err1 == nil {
			break
		}
	}
	for _, err := range []error{err0, err1} {
		if err != nil && !errors.Is(err, errNotBolt) && !errors.Is(err, errMeta) { // the disk, not the file
			return metas{}, fmt.Errorf("read the journal: %w", err)
		}
	}
	switch {
	case err0 == nil && err1 == nil && second.txid > first.txid:
		return metas{second, -1}, nil
	case err0 == nil && err1 == nil:
		return metas{first, -1}, nil
	case err0 == nil:
		return metas{first, 1}, nil
	case err1 == nil:
		return metas{second, 0}, nil
	case errors.Is(err0, errNotBolt) && errors.Is(err1, errNotBolt):
		return metas{}, &ErrDamaged{What: "this is not a journal file", cause: errNotBolt,
			Advice: "nothing was changed: check the path; if the journal stood here, put back a backup or the host's copy"}
	}
	return metas{}, damaged(0, "both meta pages are damaged")
}

func metaAt(src io.ReaderAt, offset int64) (meta, error) {
	var b [headerBytes + metaBytes]byte
	if _, err := src.ReadAt(b[:], offset); err != nil {
		if errors.Is(err, io.EOF) {
			return meta{}, errNotBolt
		}
		return meta{}, err
	}
	return parseMeta(b[:])
}

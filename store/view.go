package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"

	"buka/internal/entry"
)

// view is one consistent state of a journal.
type view struct {
	pages    pages
	root     uint64
	freelist uint64
}

func (m meta) view(src io.ReaderAt) view {
	return view{pages: pages{src: src, pageSize: m.pageSize, high: m.high}, root: m.root, freelist: m.freelist}
}

// point names an entry and what it must be.
type point struct {
	seq  uint64
	hash entry.Hash
}

const pointBytes = 8 + len(entry.Hash{})

func (p point) bytes() []byte { return append(seqKey(p.seq), p.hash[:]...) }

func parsePoint(b []byte) (p point, ok bool) {
	if len(b) != pointBytes {
		return point{}, false
	}
	p.seq = binary.BigEndian.Uint64(b)
	copy(p.hash[:], b[8:])
	return p, true
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// next accepts the entry that follows p and moves p onto it.
func (p *point) next(key, raw []byte) (entry.Entry, error) {
	want := p.seq + 1
	if len(key) != 8 {
		return entry.Entry{}, damaged(want, "a key of %d bytes stands among the entries", len(key))
	}
	if seq := binary.BigEndian.Uint64(key); seq > want {
		return entry.Entry{}, damaged(want, "the entry is missing; the next one there is %d", seq)
	} else if seq < want {
		return entry.Entry{}, damaged(want, "entry %d stands where it belongs", seq)
	}
	e, hash, err := entry.Open(raw)
	if err != nil {
		return entry.Entry{}, damaged(want, "its bytes are not an entry: %w", err)
	}
	if err := e.Follows(p.seq, p.hash); err != nil {
		return entry.Entry{}, damaged(want, "%w", err)
	}
	*p = point{want, hash}
	return e, nil
}

// tail gives the last entry's number and hash. The entry itself is read too:
// it must be the one that the mark names.
func (v view) tail() (point, error) {
	tail, err := v.said()
	if err != nil {
		return point{}, err
	}
	if tail.seq == 0 {
		return point{}, damaged(0, "the mark of the last entry is missing")
	}
	entries, err := v.bucket(bucketEntries)
	if err != nil {
		return point{}, err
	}
	key, err := entries.last()
	if err != nil {
		return point{}, err
	}
	if len(key) != 8 {
		return point{}, damaged(tail.seq, "the last entry is missing")
	}
	if seq := binary.BigEndian.Uint64(key); seq != tail.seq {
		return point{}, damaged(tail.seq, "the last entry there is %d, but %d were written", seq, tail.seq)
	}
	return tail, v.holds(tail)
}

// holds says whether the entry that p names is there, unchanged.
func (v view) holds(p point) error {
	raw, err := v.get(p.seq)
	if err != nil {
		return err
	}
	if sha256.Sum256(raw) != p.hash {
		return damaged(p.seq, "its bytes are not the ones that were written")
	}
	return nil
}

// confirms says whether what comes after p agrees that it is what was written:
// the next entry, or the mark of the last one.
func (v view) confirms(p point) error {
	entries, err := v.bucket(bucketEntries)
	if err != nil {
		return err
	}
	raw, err := entries.get(seqKey(p.seq + 1))
	if err != nil {
		return err
	}
	if raw == nil {
		_, err := v.tail()
		return err
	}
	_, err = p.next(seqKey(p.seq+1), raw)
	return err
}

// get gives the stored bytes of one entry.
func (v view) get(seq uint64) ([]byte, error) {
	entries, err := v.bucket(bucketEntries)
	if err != nil {
		return nil, err
	}
	raw, err := entries.get(seqKey(seq))
	if err == nil && raw == nil {
		return nil, damaged(seq, "the entry is missing")
	}
	return raw, err
}

// before gives the point that entry seq must follow.
func (v view) before(seq uint64) (point, error) {
	seq = max(seq, 1)
	a, err := v.anchor()
	switch {
	case err != nil:
		return point{}, err
	case seq-1 == a.Seq: // zero before the first
		return a.point(), nil
	case seq-1 < a.Seq:
		return point{}, archivedError{a}
	}
	raw, err := v.get(seq - 1)
	if err != nil {
		return point{}, err
	}
	return point{seq - 1, sha256.Sum256(raw)}, nil
}

// each calls fn for every entry from the given one, each checked against the
// one before it.
func (v view) each(from uint64, fn func(e entry.Entry, raw []byte) error) error {
	p, err := v.before(from)
	if err != nil {
		return err
	}
	entries, err := v.bucket(bucketEntries)
	if err != nil {
		return err
	}
	return entries.ascend(seqKey(p.seq+1), func(flags uint32, key, raw []byte) error {
		if flags != 0 {
			return damaged(p.seq+1, "a bucket stands in its place")
		}
		e, err := p.next(key, raw)
		if err != nil {
			return err
		}
		return fn(e, raw)
	})
}

// checkpoint gives the number of the last checkpoint, 0 for none. It is found
// by its key; if the key is wrong, by reading everything.
func (v view) checkpoint() (seq uint64, byKey bool, err error) {
	marks, err := v.bucket(bucketMarks)
	if err != nil {
		return 0, false, err
	}
	b, err := marks.get(keyCheckpoint)
	if err != nil {
		return 0, false, err
	}
	if len(b) == 8 {
		seq = binary.BigEndian.Uint64(b)
		if seq == 0 || v.isCheckpoint(seq) {
			return seq, true, nil
		}
	}
	a, err := v.anchor()
	if err != nil {
		return 0, false, err
	}
	seq = 0
	err = v.each(a.Seq+1, func(e entry.Entry, _ []byte) error {
		if e.Kind == entry.KCheckpoint {
			seq = e.Seq
		}
		return nil
	})
	return seq, false, err
}

func (v view) isCheckpoint(seq uint64) bool {
	raw, err := v.get(seq)
	if err != nil {
		return false
	}
	e, _, err := entry.Open(raw)
	return err == nil && e.Seq == seq && e.Kind == entry.KCheckpoint
}

// acknowledged gives the mark of what the host has acknowledged.
func (v view) acknowledged() (point, error) {
	marks, err := v.bucket(bucketMarks)
	if err != nil {
		return point{}, err
	}
	b, err := marks.get(keyAck)
	if err != nil || b == nil {
		return point{}, err
	}
	p, ok := parsePoint(b)
	a, err := v.anchor()
	switch {
	case err != nil:
		return point{}, err
	case ok && p.seq > a.Seq:
		err = v.holds(p)
	case ok && p.seq == a.Seq:
		ok = p == a.point()
	}
	if d := (*ErrDamaged)(nil); !ok || p.seq == 0 || errors.As(err, &d) {
		return point{}, damaged(0, "the mark of what the host has acknowledged is wrong")
	}
	return p, err
}

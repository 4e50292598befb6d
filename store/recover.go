package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"buka/internal/entry"
)

// A commit first writes and syncs its pages, then one of the two meta pages.
// If that page is damaged afterwards, bbolt quietly goes on from the state
// before: an entry that was acknowledged would be gone. Its pages are still in
// the file, because nothing may use them again before another meta page was
// written. So when a meta page is damaged, recover looks in the unused pages for
// entries that follow the last one. The chain makes them certain: only this
// journal can have written an entry that carries the hash of its last one.
//
// If the damage came from a power cut in the midst of writing the meta page,
// the entry found was never acknowledged: it was maybe durable, and now it is.

// maxFound bounds what is collected.
const maxFound = 2 * maxBodies

func (s *Store) recover(found metas, rep *Report) error {
	var raws [][]byte
	tail, checkpoint := s.tail, s.checkpoint
	err := s.state(func(v view) (err error) {
		candidates, err := v.leftOver(s.tail.seq)
		if err != nil {
			return err
		}
		raws, checkpoint, err = follow(candidates, &tail, checkpoint)
		return err
	})
	if err != nil {
		return err
	}
	if len(raws) == 0 {
		rep.Notes = append(rep.Notes, fmt.Sprintf("meta page %d was damaged; no entry was lost", found.damaged))
		return nil
	}
	if err := s.commitEntries(raws, tail, checkpoint); err != nil {
		return err
	}
	rep.Recovered = len(raws)
	rep.Notes = append(rep.Notes, fmt.Sprintf("meta page %d was damaged; the last %d entries were found in the file and kept", found.damaged, len(raws)))
	return nil
}

// follow chains what was found to the tail. Two different entries for one
// place mean that nobody can say which of them was acknowledged.
func follow(candidates map[uint64][][]byte, tail *point, checkpoint uint64) (raws [][]byte, _ uint64, err error) {
	for {
		var next []byte
		var after point
		var kind entry.Kind
		for _, raw := range candidates[tail.seq+1] {
			p := *tail
			e, err := p.next(seqKey(tail.seq+1), raw)
			switch {
			case err != nil || bytes.Equal(raw, next):
			case next != nil:
				return nil, 0, damaged(tail.seq+1, "a meta page is damaged, and the file holds two different entries for this place")
			default:
				next, after, kind = raw, p, e.Kind
			}
		}
		if next == nil {
			return raws, checkpoint, nil
		}
		if *tail = after; kind == entry.KCheckpoint {
			checkpoint = after.seq
		}
		raws = append(raws, next)
	}
}

// leftOver collects what looks like entries after number last in the pages
// that this state does not use, up to the end of the file.
func (v view) leftOver(last uint64) (map[uint64][][]byte, error) {
	c := newChecker(context.Background(), v.pages, true)
	if err := c.run(v.root, noFreelist); err != nil {
		return nil, err
	}
	found, count := map[uint64][][]byte{}, 0
	all := v.pages
	all.high = 1 << 40 // reading past the end of the file is an error like any other
	head := make([]byte, headerBytes)
	for id := uint64(2); ; id++ {
		if _, err := all.src.ReadAt(head, int64(id)*int64(all.pageSize)); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, fmt.Errorf("look for the last entries: %w", err)
		}
		if id < v.pages.high && c.isUsed(id) || parseHeader(head).id != id || !parseHeader(head).isLeaf() {
			continue
		}
		p, err := all.read(id)
		if errors.As(err, new(*ErrDamaged)) {
			continue // not a page of the lost commit: its pages are whole
		}
		if err != nil {
			return nil, err
		}
		for i := range p.count {
			flags, key, raw, err := p.leaf(i)
			if err != nil {
				break
			}
			if flags == 0 && len(key) == 8 && binary.BigEndian.Uint64(key) > last {
				seq := binary.BigEndian.Uint64(key)
				found[seq] = append(found[seq], bytes.Clone(raw))
				if count++; count > maxFound {
					return nil, damaged(last+1, "a meta page is damaged, and the file holds too many entries that may follow")
				}
			}
		}
	}
}

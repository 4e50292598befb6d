package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"buka/internal/entry"
)

// salvage reads what can be read of a damaged journal file. It believes no tree
// and no mark: it looks at every page for what looks like entries, and the
// chain says which of them are. It never writes.
type salvage struct {
	file  *os.File
	pages pages
	metas metas
	whole bool    // both meta pages were valid
	mark  point   // what the file says that its last entry is; 0: it does not
	list  []place // by number
	bad   int     // pages that could not be read
	cache page
}

// place is where something lies that may be an entry.
type place struct {
	seq  uint64
	page uint64
	elem uint16
}

// maxPlaces bounds what is kept in memory: 24 bytes each.
const maxPlaces = 16 << 20

// openSalvage looks through a file. An error is the disk's, or the file is
// none at all.
func openSalvage(path string) (*salvage, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &salvage{file: file}
	if err := s.scan(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func (s *salvage) close() error { return s.file.Close() }

func (s *salvage) scan() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	size := os.Getpagesize()
	if found, err := readMetas(s.file, info.Size()); err == nil {
		s.metas, s.whole, size = found, found.damaged < 0, found.current.pageSize
		if t, err := found.current.view(s.file).said(); err == nil {
			s.mark = t
		}
	}
	s.pages = pages{src: s.file, pageSize: size, high: uint64(info.Size()) / uint64(size)}
	head := make([]byte, headerBytes)
	for id := uint64(2); id < s.pages.high; id++ {
		if _, err := s.file.ReadAt(head, int64(id)*int64(size)); err != nil {
			if s.bad++; s.bad > 64 {
				return fmt.Errorf("read the damaged journal: %w", err)
			}
			continue
		}
		if h := parseHeader(head); h.id == id && h.isLeaf() {
			if err := s.look(id); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(s.list, func(x, y place) int {
		return cmp.Or(cmp.Compare(x.seq, y.seq), cmp.Compare(x.page, y.page))
	})
	return nil
}

// look notes what a page holds.
func (s *salvage) look(id uint64) error {
	p, err := s.pages.read(id)
	if err != nil {
		if !errors.As(err, new(*ErrDamaged)) {
			s.bad++
		}
		return nil
	}
	for i := range p.count {
		flags, key, _, err := p.leaf(i)
		if err != nil || flags != 0 || len(key) != 8 {
			continue
		}
		if seq := binary.BigEndian.Uint64(key); seq > 0 && seq < 1<<48 {
			s.list = append(s.list, place{seq, id, uint16(i)})
		}
		if len(s.list) > maxPlaces {
			return errors.New("the damaged journal holds too many entries to be looked through")
		}
	}
	return nil
}

// highest gives the highest number that is seen anywhere in the file.
func (s *salvage) highest() uint64 {
	if len(s.list) == 0 {
		return 0
	}
	return s.list[len(s.list)-1].seq
}

// raw gives the bytes at a place; nil if they cannot be read.
func (s *salvage) raw(at place) []byte {
	if s.cache.id != at.page || s.cache.data == nil {
		p, err := s.pages.read(at.page)
		if err != nil {
			return nil
		}
		s.cache = p
	}
	_, _, raw, err := s.cache.leaf(int(at.elem))
	if err != nil {
		return nil
	}
	return bytes.Clone(raw)
}

// after gives the different entries that follow p.
func (s *salvage) after(p point) (raws [][]byte) {
	i, _ := slices.BinarySearchFunc(s.list, p.seq+1, func(x place, seq uint64) int { return cmp.Compare(x.seq, seq) })
	for ; i < len(s.list) && s.list[i].seq == p.seq+1; i++ {
		raw, q := s.raw(s.list[i]), p
		if raw == nil {
			continue
		}
		if _, err := q.next(seqKey(p.seq+1), raw); err != nil {
			continue
		}
		if !slices.ContainsFunc(raws, func(r []byte) bool { return bytes.Equal(r, raw) }) {
			raws = append(raws, raw)
		}
	}
	return raws
}

// follow calls fn for every entry that follows p, one after the other. Where
// two different ones do (a commit that failed leaves its pages behind) it takes
// the one that more entries follow, or that the file's own mark names, and ends
// where neither tells.
func (s *salvage) follow(p point, fn func(e entry.Entry, raw []byte) error) (point, error) {
	for {
		raws := s.after(p)
		if len(raws) > 1 {
			raws = s.choose(p, raws)
		}
		if len(raws) != 1 {
			return p, nil
		}
		e, err := p.next(seqKey(p.seq+1), raws[0])
		if err != nil {
			return p, err
		}
		if fn != nil {
			if err := fn(e, raws[0]); err != nil {
				return p, err
			}
		}
	}
}

func (s *salvage) choose(p point, raws [][]byte) [][]byte {
	best, most, tie := -1, uint64(0), false
	for i, raw := range raws {
		q := p
		if _, err := q.next(seqKey(p.seq+1), raw); err != nil {
			continue
		}
		for q != s.mark {
			next := s.after(q)
			if len(next) == 0 {
				break
			}
			if _, err := q.next(seqKey(q.seq+1), next[0]); err != nil {
				break
			}
		}
		if q == s.mark {
			return raws[i : i+1]
		}
		tie = q.seq == most
		if q.seq > most {
			best, most = i, q.seq
		}
	}
	if best < 0 || tie {
		return nil
	}
	return raws[best : best+1]
}

// said gives the mark of the last entry, whether that entry is there or not.
func (v view) said() (point, error) {
	marks, err := v.bucket(bucketMarks)
	if err != nil {
		return point{}, err
	}
	b, err := marks.get(keyTail)
	if err != nil {
		return point{}, err
	}
	p, ok := parsePoint(b)
	if !ok {
		return point{}, damaged(0, "the mark of the last entry is missing")
	}
	return p, nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
)

// Reader reads a journal, a live one (Store) or a copy (Snapshot). It is safe
// for use from several goroutines, beside the one that appends.
type Reader struct {
	path     string
	look     func(func(view) error) error // runs a function on one consistent state
	archives *archives                    // of entries that the journal no longer holds
}

// Read gives the stored bytes of the entries from number from up, each checked
// against the one before it: at most max entries, and no more than maxBytes in
// all except that the first is given whatever its size. Past the end it gives
// none. Where there is damage it ends before it, and the next Read says so.
func (r Reader) Read(from uint64, most int, maxBytes int) (raws [][]byte, err error) {
	size := 0
	from = max(from, 1)
	err = r.look(func(v view) error {
		return v.each(from, func(_ entry.Entry, raw []byte) error {
			if len(raws) >= most || len(raws) > 0 && size+len(raw) > maxBytes {
				return errStop
			}
			size += len(raw)
			raws = append(raws, append([]byte(nil), raw...))
			return nil
		})
	})
	if gone := (archivedError{}); errors.As(err, &gone) {
		return r.archives.read(from, gone.upTo, most, maxBytes)
	}
	if len(raws) > 0 && errors.As(err, new(*ErrDamaged)) {
		return raws, nil
	}
	return raws, at(r.path, err)
}

// Each calls fn for every entry from number from up, each checked against the
// one before it, until the end or until fn gives an error, which it returns.
// fn runs outside any transaction: it may take its time, and append. raw is
// fn's to keep.
func (r Reader) Each(from uint64, fn func(e entry.Entry, raw []byte) error) error {
	const batch, batchBytes = 1024, 4 << 20
	from = max(from, 1)
	for {
		raws, err := r.Read(from, batch, batchBytes)
		if err != nil {
			return err
		}
		for _, raw := range raws {
			e, _, err := entry.Open(raw)
			if err != nil {
				return err
			}
			if err := fn(e, raw); err != nil {
				return err
			}
			from++
		}
		if len(raws) == 0 {
			return nil
		}
	}
}

// Entry gives one entry, its stored bytes and their hash, checked against the
// entries before and after it.
func (r Reader) Entry(seq uint64) (e entry.Entry, raw []byte, hash entry.Hash, err error) {
	err = r.look(func(v view) error {
		p, err := v.before(seq)
		if err != nil {
			return err
		}
		if raw, err = v.get(seq); err != nil {
			return err
		}
		if e, err = p.next(seqKey(seq), raw); err != nil {
			return err
		}
		hash = p.hash
		return v.confirms(p)
	})
	if gone := (archivedError{}); errors.As(err, &gone) {
		return r.archives.entry(seq, gone.upTo)
	}
	return e, raw, hash, at(r.path, err)
}

// Mark gives number and hash of the last entry that the host has acknowledged;
// 0 and zero if there is none. It may lag behind the truth. When it is damaged
// it is safe to ship everything again.
func (r Reader) Mark() (seq uint64, hash entry.Hash, err error) {
	err = r.look(func(v view) error {
		p, err := v.acknowledged()
		seq, hash = p.seq, p.hash
		return err
	})
	return seq, hash, at(r.path, err)
}

// Begun gives the kiosk of the journal and its epoch: the first one, or that
// of the last restore.
func (r Reader) Begun() (begun entry.EpochBegun, err error) {
	err = r.look(func(v view) error {
		o, err := v.origin()
		begun = entry.EpochBegun{Epoch: o.epoch[:], Kiosk: o.kiosk}
		return err
	})
	return begun, at(r.path, err)
}

// VerifyTail checks the last n entries against the chain.
func (r Reader) VerifyTail(n uint64) error {
	return at(r.path, r.look(func(v view) error {
		tail, err := v.tail()
		if err != nil {
			return err
		}
		a, err := v.anchor()
		if err != nil {
			return err
		}
		from := a.Seq + 1
		if tail.seq > n {
			from = max(from, tail.seq-n+1)
		}
		_, err = v.verifyFrom(from, tail)
		return err
	}))
}

// Verify reads the whole journal: the archives, then every page, every entry
// and the marks of the file. It may run beside appends; as long as it is in the
// file, that grows instead of using free pages again. progress, which may be
// nil, is told how many entries are done; it may sleep.
func (r Reader) Verify(ctx context.Context, progress func(done, total uint64)) error {
	var a anchor
	var total uint64
	err := r.look(func(v view) (err error) {
		if a, err = v.anchor(); err != nil {
			return err
		}
		tail, err := v.tail()
		total = tail.seq
		return err
	})
	if err != nil {
		return at(r.path, err)
	}
	if a.Seq > 0 {
		tell := func(done uint64) {
			if progress != nil {
				progress(done, total)
			}
		}
		if err := r.archives.verify(ctx, a, tell); err != nil {
			return err
		}
	}
	return at(r.path, r.look(func(v view) error { return v.verify(ctx, progress) }))
}

// VerifyFile is Verify without the archives.
func (r Reader) VerifyFile(ctx context.Context, progress func(done, total uint64)) error {
	return at(r.path, r.look(func(v view) error { return v.verify(ctx, progress) }))
}

// verifyFrom checks the chain from one entry to the tail and gives the last
// checkpoint in it, 0 for none.
func (v view) verifyFrom(from uint64, tail point) (checkpoint uint64, err error) {
	p, err := v.before(from)
	if err != nil {
		return 0, err
	}
	err = v.each(from, func(e entry.Entry, _ []byte) error {
		p.seq = e.Seq
		if e.Kind == entry.KCheckpoint {
			checkpoint = e.Seq
		}
		return nil
	})
	if err == nil && p.seq != tail.seq {
		err = damaged(p.seq+1, "the entry is missing")
	}
	return checkpoint, err
}

func (v view) verify(ctx context.Context, progress func(done, total uint64)) error {
	tail, err := v.tail()
	if err != nil {
		return err
	}
	a, err := v.anchor()
	if err != nil {
		return err
	}
	is, err := v.origin()
	if err != nil {
		return err
	}
	p := a.point()
	said := origin{kiosk: a.Kiosk}
	if a.Seq > 0 {
		said.epoch = [16]byte(a.Epoch)
	}
	var checkpoint uint64
	c := newChecker(ctx, v.pages, true)
	c.item = func(bucket, key, raw []byte) error {
		if string(bucket) != string(bucketEntries) {
			return nil
		}
		e, err := p.next(key, raw)
		if err != nil {
			return err
		}
		if e.Kind == entry.KCheckpoint {
			checkpoint = e.Seq
		}
		if progress != nil && p.seq%4096 == 0 {
			progress(p.seq, tail.seq)
		}
		return said.follow(e)
	}
	if err := c.run(v.root, v.freelist); err != nil {
		return err
	}
	if p != tail {
		return damaged(tail.seq, "the chain ends at entry %d with another hash than was written", p.seq)
	}
	if found, byKey, err := v.checkpoint(); err != nil {
		return err
	} else if !byKey || found != checkpoint {
		return damaged(checkpoint, "the mark of the last checkpoint names entry %d", found)
	}
	if is.kiosk != said.kiosk || is.epoch != said.epoch || is.restored != said.restored {
		return damaged(said.restored, "the mark of the epoch names entry %d", is.restored)
	}
	if _, err := v.acknowledged(); err != nil {
		return err
	}
	if progress != nil {
		progress(tail.seq, tail.seq)
	}
	return nil
}

// Stats of a journal.
type Stats struct {
	Entries   uint64
	FileBytes int64   // size of the file
	UsedBytes int64   // up to the last page that was ever used
	FreeRatio float64 // share of the used bytes that is free again, 0 to 1
	Archived  uint64  // entries up to here are in archives
}

func (v view) stats(file *os.File) (Stats, error) {
	tail, err := v.tail()
	if err != nil {
		return Stats{}, err
	}
	a, err := v.anchor()
	if err != nil {
		return Stats{}, err
	}
	info, err := file.Stat()
	if err != nil {
		return Stats{}, fmt.Errorf("size of the journal: %w", err)
	}
	s := Stats{Archived: a.Seq, Entries: tail.seq, FileBytes: info.Size(), UsedBytes: int64(v.pages.high) * int64(v.pages.pageSize)}
	if v.freelist != noFreelist {
		ids, _, err := v.pages.freelist(v.freelist)
		if err != nil {
			return Stats{}, err
		}
		s.FreeRatio = float64(len(ids)) / float64(v.pages.high)
	}
	return s, nil
}

// viewOf gives the state that a read transaction of bbolt holds still. The
// transaction does not tell where its list of free pages is; the meta page
// that it began with does, unless two commits have passed since.
func viewOf(tx *bolt.Tx, file *os.File, pageSize int) view {
	v := view{
		pages:    pages{src: file, pageSize: pageSize, high: uint64(tx.Size()) / uint64(pageSize)},
		root:     uint64(tx.Cursor().Bucket().Root()),
		freelist: noFreelist,
	}
	txid := uint64(tx.ID())
	if m, err := metaAt(file, int64(txid%2)*int64(pageSize)); err == nil && m.txid == txid && m.root == v.root {
		v.freelist = m.freelist
	}
	return v
}

package disktest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"buka/internal/entry"
	"buka/store"
)

// A life is what one start of the kiosk does to its journal, from opening it
// until the power goes. It writes down what it was told, so that the next life
// can be held against it.
type life struct {
	disk  *Disk
	s     *store.Store
	known []entry.Hash // of every entry that was ever sealed here, acknowledged or not
	steps []step
	at    time.Time
	notes int  // openings with a remark
	fresh bool // it began a new journal
}

// step is one thing that a life did, and the calls of the disk that it took.
type step struct {
	what       string
	begin, end int // calls before and after it; end < 0: it has failed
	tail       int // entries when it has come to its end
	size       int // entries that it adds
}

func newLife(d *Disk, before *life) *life {
	l := &life{disk: d, at: time.UnixMilli(1_760_000_000_000)}
	if before != nil {
		l.at = before.at
	}
	return l
}

func (l *life) path() string { return store.Path(filepath.Join(l.disk.Path, "kiosk")) }

func (l *life) clock() time.Time {
	l.at = l.at.Add(time.Second)
	return l.at
}

func (l *life) do(what string, size int, act func() error) error {
	begin, err := l.disk.Count()
	if err != nil {
		return err
	}
	if err := act(); err != nil {
		if what == "open" && len(l.known) == 0 {
			size = 1 // the entry that a journal begins with
		}
		l.steps = append(l.steps, step{what, begin, -1, len(l.known), size})
		return fmt.Errorf("%s: %w", what, err)
	}
	end, err := l.disk.Count()
	l.steps = append(l.steps, step{what, begin, end, len(l.known), size})
	return err
}

func (l *life) open() (rep store.Report, err error) {
	err = l.do("open", 0, func() (err error) {
		l.s, rep, err = store.Open(l.path(), store.Options{Clock: l.clock, Kiosk: "K1", LockWait: time.Second})
		if err != nil {
			return err
		}
		if len(rep.Notes) > 0 {
			l.notes++
		}
		l.known, err = hashes(l.s)
		return err
	})
	return rep, err
}

func hashes(s *store.Store) (list []entry.Hash, err error) {
	err = s.Each(1, func(_ entry.Entry, raw []byte) error {
		list = append(list, sha256.Sum256(raw))
		return nil
	})
	if tail, _ := s.Tail(); err == nil && uint64(len(list)) != tail {
		err = fmt.Errorf("%d entries are there and the last has number %d", len(list), tail)
	}
	return list, err
}

func (l *life) append(bodies ...entry.Body) error {
	return l.do("append", len(bodies), func() error {
		// What is sealed here is known before it is durable: after a cut it
		// may be there.
		list, err := l.s.Append(bodies...)
		if err != nil {
			return err
		}
		for i := range list {
			_, _, hash, err := l.s.Entry(list[i].Seq)
			if err != nil {
				return err
			}
			l.known = append(l.known, hash)
		}
		return nil
	})
}

func (l *life) mark() error {
	return l.do("mark", 0, func() error { return l.s.SetMark(l.s.Tail()) })
}

func (l *life) close() error {
	if l.s == nil {
		return nil
	}
	s := l.s
	l.s = nil
	return s.Close()
}

// promised gives the entries that must be there after a cut after so many
// calls, and those that there may be: the commit that was under way.
func (l *life) promised(calls int) (must, may int) {
	for _, s := range l.steps {
		switch {
		case s.end >= 0 && s.end <= calls:
			must, may = s.tail, s.tail
		case s.begin <= calls:
			may = s.tail
		}
	}
	return must, may
}

// next opens what a cut after so many calls has left, holds it against what this
// life was told, and works on it. The life that follows can be used further.
func (l *life) next(left *Disk, calls int) (*life, error) {
	n, err := l.found(left, calls)
	if err == nil {
		err = n.sound()
	}
	return n, err
}

// found opens what a cut after so many calls has left, and holds it against what
// this life was told.
func (l *life) found(left *Disk, calls int) (*life, error) {
	must, may := l.promised(calls)
	n := newLife(left, l)
	rep, err := n.open()
	if err != nil {
		return n, fmt.Errorf("it does not open: %w", err)
	}
	if n.fresh = rep.Created; rep.Created {
		if must > 0 {
			return n, fmt.Errorf("lost: %d entries were acknowledged and a new journal was begun", must)
		}
		return n, nil
	}
	found := len(n.known)
	switch {
	case found < must:
		return n, fmt.Errorf("lost: %d entries were acknowledged, %d are there", must, found)
	case found != must && found != may:
		return n, fmt.Errorf("half: %d entries are there, not %d or %d", found, must, may)
	}
	for i, h := range n.known {
		if i < len(l.known) && h != l.known[i] {
			return n, fmt.Errorf("changed: entry %d is not the one that was written", i+1)
		}
	}
	return n, nil
}

// sound checks the whole journal, twice: as it was found, and with one more
// commit.
func (l *life) sound() error {
	if err := l.s.Verify(context.Background(), nil); err != nil {
		return err
	}
	if seq, _, err := l.s.Mark(); err != nil || seq > uint64(len(l.known)) {
		return fmt.Errorf("acknowledged until %d: %w", seq, err)
	}
	if err := l.append(body(len(l.known))); err != nil {
		return err
	}
	return l.s.Verify(context.Background(), nil)
}

// work is what a kiosk does in a life: commits of a sale, marks of what the
// host has, checkpoints, a start in between. salt makes lives different.
func (l *life) work(rounds, salt int, keeps bool) error {
	for i := range rounds {
		n := salt + 10*i
		err := l.append(body(n), body(n+1))
		if err == nil {
			err = l.append(body(n + 2))
		}
		if err == nil && i%3 == 1 {
			err = l.mark()
		}
		if err == nil && i%4 == 2 {
			err = l.append(body(n+3), entry.Checkpoint{State: make([]byte, 3000*(1+n%7))})
		}
		if err == nil && keeps && i%6 == 3 {
			err = l.keep()
		}
		if err == nil && i%5 == 4 {
			if err = l.do("close", 0, l.close); err == nil {
				_, err = l.open()
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keep is what a kiosk does in quiet hours, and before a sale.
func (l *life) keep() error {
	ctx := context.Background()
	for _, act := range []struct {
		what string
		do   func() error
	}{
		{"secure", func() error { return l.s.Secure(64 << 10) }},
		{"backup", func() error { _, err := l.s.Backup(ctx, filepath.Join(l.disk.Path, "backups"), 1); return err }},
		{"archive", func() error { _, err := l.s.Archive(ctx, store.ArchivePolicy{Keep: 3}); return err }},
		{"compact", func() error { _, err := l.s.Compact(ctx); return err }},
	} {
		if err := l.do(act.what, 0, act.do); err != nil {
			return err
		}
	}
	return nil
}

func body(i int) entry.Body {
	sale := entry.Of{Sale: entry.SaleID(fmt.Sprintf("ABCDEFGH%08d", i/4))}
	switch i % 4 {
	case 0:
		return entry.SaleOpened{Of: sale, Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Place: strings.Repeat("p", i%97)}
	case 1:
		return entry.WriteStarted{Of: sale, ConfirmSTAN: uint32(i), VoidSTAN: uint32(i + 1)}
	case 2:
		return entry.WriteDone{Of: sale, TAC: entry.Hex{1, 2, 3, byte(i)}, SW: 0x9000}
	}
	return entry.SaleClosed{Of: sale, Why: "done"}
}

// begin is a first life on an empty disk.
func begin(rounds, salt int, keeps bool) (*life, error) {
	d, err := disks.New()
	if err != nil {
		return nil, err
	}
	l := newLife(d, nil)
	if _, err := l.open(); err != nil {
		return l, err
	}
	return l, l.work(rounds, salt, keeps)
}

// end closes a life's files and forgets its disk.
func (l *life) end() error { return errors.Join(l.close(), l.disk.Drop()) }

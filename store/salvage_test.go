package store

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"buka/internal/entry"
)

// branches are two files of one journal that went apart after entry `common`:
// as if a commit had failed, left its pages behind, and another one was made.
func branches(t *testing.T, ends ...[]entry.Body) (images [][]byte, common int, m []meta) {
	t.Helper()
	base := t.TempDir()
	s, _ := mustOpen(t, Path(base))
	bulk(t, s, 200)
	common = len(all(t, s))
	mustClose(t, s)
	image, id := readAll(t, Path(base)), readAll(t, idPath(Path(base)))
	for i, bodies := range ends {
		dir := t.TempDir()
		smp := sample{file: image, id: id}
		s, _, err := Open(smp.place(t, dir, image), Options{Kiosk: "K1", Clock: func() time.Time { return time.UnixMilli(int64(i)) }})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bodies {
			if _, err := s.Append(b); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, s)
		b := readAll(t, Path(dir))
		found, err := readMetas(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		images, m = append(images, b[:found.current.high*uint64(found.current.pageSize)]), append(m, found.current)
	}
	return images, common, m
}

// joined puts every page of entries of the second image behind the first, and
// spoils the root page and the meta pages as told.
func joined(images [][]byte, m []meta, spoilMetas bool) []byte {
	out := bytes.Clone(images[0])
	ps := m[0].pageSize
	for id := 2; id < len(images[1])/ps; id++ {
		p := bytes.Clone(images[1][id*ps:][:ps])
		if h := parseHeader(p); h.isLeaf() && h.overflow == 0 && bytes.Contains(p, []byte("ABCDEFGH")) {
			order.PutUint64(p, uint64(len(out)/ps))
			out = append(out, p...)
		}
	}
	clear(out[m[0].root*uint64(ps):][:ps])
	if spoilMetas {
		clear(out[:2*ps])
	}
	return out
}

// Two entries for one place: the one that goes on is the journal's; where
// neither does, it ends before them.
func TestSalvageDoesNotGuess(t *testing.T) {
	long := []entry.Body{body(1), body(2), body(3)}
	short := []entry.Body{body(6)}
	for _, c := range []struct {
		name string
		ends [][]entry.Body
		want int // entries after those in common
	}{
		{"the second goes on", [][]entry.Body{short, long}, 3},
		{"the first goes on", [][]entry.Body{long, short}, 3},
		{"neither goes on", [][]entry.Body{short, {body(7)}}, 0},
	} {
		images, common, m := branches(t, c.ends...)
		dir := t.TempDir()
		if err := os.WriteFile(Path(dir), joined(images, m, true), 0o600); err != nil {
			t.Fatal(err)
		}
		rep, err := PlanRestore(context.Background(), Path(dir), RestoreOptions{Options: options()})
		if err != nil || int(rep.LastSeq) != common+c.want || !rep.Lost {
			t.Errorf("%s: %d entries, %+v, %v", c.name, common, rep, err)
		}
	}
}

// Somebody who waits for the journal gets the file that is the journal then,
// not the one that had the name when the waiting began.
func TestWhoWaitsGetsTheCompactedFile(t *testing.T) {
	s := grown(t, t.TempDir(), 500)
	o := options()
	o.LockWait = time.Minute
	type result struct {
		s   *Store
		err error
	}
	opened := make(chan result)
	go func() {
		next, _, err := Open(s.path, o)
		opened <- result{next, err}
	}()
	time.Sleep(50 * time.Millisecond) // it waits; if it does not yet, the test is only weaker
	if _, err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(body(1)); err != nil {
		t.Fatal(err)
	}
	want := all(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := <-opened
	if r.err != nil {
		t.Fatal(r.err)
	}
	if got := all(t, r.s); len(got) != len(want) {
		t.Errorf("%d entries, %d were appended", len(got), len(want))
	}
	mustClose(t, r.s)
}

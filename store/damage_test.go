package store

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"buka/internal/entry"
)

// sample is a closed journal of some pages, with inner branches, a checkpoint
// with overflow pages, a mark and free pages.
type sample struct {
	file []byte
	id   []byte
	raws []string
	meta meta
}

func makeSample(t testing.TB, n int) sample {
	t.Helper()
	dir := t.TempDir()
	s, _ := mustOpen(t, Path(dir))
	fill(t, s, n/2)
	if _, err := s.Append(entry.Checkpoint{State: bytes.Repeat([]byte("state"), 4000)}); err != nil {
		t.Fatal(err)
	}
	fill(t, s, n/2)
	seq, hash := s.Tail()
	if err := s.SetMark(seq, hash); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(body(1), body(2)); err != nil { // the last commit must be one of entries
		t.Fatal(err)
	}
	smp := sample{raws: all(t, s)}
	mustClose(t, s)
	smp.file, smp.id = readAll(t, Path(dir)), readAll(t, filepath.Join(dir, IDName))
	found, err := readMetas(bytes.NewReader(smp.file), int64(len(smp.file)))
	if err != nil {
		t.Fatal(err)
	}
	smp.meta = found.current
	smp.file = smp.file[:smp.meta.high*uint64(smp.meta.pageSize)]
	return smp
}

func readAll(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// place puts an image into a data directory and gives its path.
func (smp sample) place(t testing.TB, dir string, image []byte) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, IDName), smp.id, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Path(dir), image, 0o600); err != nil {
		t.Fatal(err)
	}
	return Path(dir)
}

// tryImage opens an image and verifies it. If both say that all is well, every
// entry must be there as it was written, and appending must work. If one does
// not, the file must be as it was.
func (smp sample) tryImage(t testing.TB, dir string, image []byte) (recognised error) {
	t.Helper()
	path := smp.place(t, dir, image)
	s, rep, err := Open(path, options())
	if err != nil {
		if !errors.As(err, new(*ErrDamaged)) {
			t.Fatalf("not an error about damage: %v", err)
		}
		if !bytes.Equal(readAll(t, path), image) {
			t.Fatalf("the file was changed although opening it failed: %v", err)
		}
		return err
	}
	defer s.Close()
	if err := s.Verify(context.Background(), nil); err != nil {
		if !errors.As(err, new(*ErrDamaged)) {
			t.Fatalf("not an error about damage: %v", err)
		}
		return err
	}
	if got := all(t, s); strings.Join(got, "") != strings.Join(smp.raws, "") {
		t.Fatalf("all is well, but %d entries are not the %d that were written: %+v", len(got), len(smp.raws), rep)
	}
	if _, err := s.Append(body(0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return nil
}

func TestACutFileIsRecognised(t *testing.T) {
	smp := makeSample(t, 300)
	dir := t.TempDir()
	ps := smp.meta.pageSize
	for size := 0; size < len(smp.file); size += ps {
		for _, cut := range []int{size, size + 1, size + headerBytes, size + ps/2, size + ps - 1} {
			if err := smp.tryImage(t, dir, smp.file[:cut]); err == nil {
				t.Errorf("a file cut at %d of %d bytes passed", cut, len(smp.file))
			}
		}
	}
	if err := smp.tryImage(t, dir, smp.file); err != nil {
		t.Errorf("the whole file: %v", err)
	}
}

func TestAnEmptyOrForeignFileIsNotBegunAnew(t *testing.T) {
	smp := makeSample(t, 10)
	dir := t.TempDir()
	db, err := bolt.Open(filepath.Join(dir, "other"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	for name, c := range map[string]struct {
		image []byte
		says  string
	}{
		"empty":         {nil, "the file is empty"},
		"text":          {bytes.Repeat([]byte("hello "), 4000), "not a journal file"},
		"zeros":         {make([]byte, 1<<16), "not a journal file"},
		"other bbolt":   {readAll(t, filepath.Join(dir, "other")), "is missing"},
		"start is gone": {append(make([]byte, 2*smp.meta.pageSize), smp.file[2*smp.meta.pageSize:]...), "not a journal file"},
	} {
		if err := smp.tryImage(t, dir, c.image); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Bytes all over the pages in use, with three kinds of damage: either it is
// recognised, or every entry is still as it was written.
func TestFlippedBytesAreRecognisedOrHarmless(t *testing.T) {
	smp := makeSample(t, 120)
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(3, 4))
	v := smp.meta.view(bytes.NewReader(smp.file))
	c := newChecker(context.Background(), v.pages, true)
	if err := c.run(v.root, noFreelist); err != nil {
		t.Fatal(err)
	}
	image := bytes.Clone(smp.file)
	harmless, seen, ps := 0, 0, smp.meta.pageSize
	for at := 0; at < len(image); {
		if id := uint64(at / ps); id >= 2 && id != smp.meta.freelist && !c.isUsed(id) {
			at += ps
			continue
		}
		was := image[at]
		image[at] ^= []byte{0x01, 0x80, 0xFF}[rng.IntN(3)]
		if err := smp.tryImage(t, dir, image); err == nil {
			harmless++
		}
		seen++
		image[at] = was
		if at%ps < 96 { // headers and the first elements
			at += 1 + rng.IntN(4)
		} else {
			at += 1 + rng.IntN(100)
		}
	}
	t.Logf("%d flips, %d of them harmless (unused room in a page, a meta page)", seen, harmless)
	if harmless > seen/2 || seen < 500 {
		t.Error("the test tests little")
	}
}

// Whole pages replaced by others, by zeros or by noise.
func TestReplacedPagesAreRecognisedOrHarmless(t *testing.T) {
	smp := makeSample(t, 400)
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(5, 6))
	ps := smp.meta.pageSize
	for id := 2; id < len(smp.file)/ps; id++ {
		for range 4 {
			image := bytes.Clone(smp.file)
			page := image[id*ps : (id+1)*ps]
			switch rng.IntN(4) {
			case 0:
				clear(page)
			case 1:
				for i := range page {
					page[i] = byte(rng.Uint32())
				}
			case 2: // another page, saying that it is this one
				from := 2 + rng.IntN(len(smp.file)/ps-2)
				copy(page, smp.file[from*ps:(from+1)*ps])
				order.PutUint64(page, uint64(id))
			case 3: // the header's type and count
				order.PutUint16(page[8:], []uint16{flagBranch, flagLeaf, flagFreelist, 4, 0}[rng.IntN(5)])
				order.PutUint16(page[10:], uint16(rng.Uint32()>>rng.IntN(32)))
			}
			smp.tryImage(t, dir, image)
		}
	}
}

// A branch that leads back to itself would make bbolt recurse until the
// process dies.
func TestACycleIsRecognised(t *testing.T) {
	smp := makeSample(t, 400)
	ps := smp.meta.pageSize
	cycles := 0
	for id := 2; id < len(smp.file)/ps; id++ {
		image := bytes.Clone(smp.file)
		p := parseHeader(image[id*ps : (id+1)*ps])
		if !p.isBranch() {
			continue
		}
		for i := range p.count {
			order.PutUint64(p.data[headerBytes+i*elementBytes+8:], uint64(id))
		}
		if smp.tryImage(t, t.TempDir(), image) != nil {
			cycles++
		}
	}
	if cycles == 0 {
		t.Error("no branch in use was found")
	}
}

// change edits a journal behind the store's back, through bbolt itself.
func (smp sample) change(t *testing.T, edit func(entries, marks *bolt.Bucket) error) (string, error) {
	t.Helper()
	dir := t.TempDir()
	path := smp.place(t, dir, smp.file)
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return edit(tx.Bucket(bucketEntries), tx.Bucket(bucketMarks)) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path, smp.tryImage(t, dir, readAll(t, path))
}

func reseal(t *testing.T, raw []byte, seq uint64, prev entry.Hash) []byte {
	t.Helper()
	e, _, err := entry.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	e.Seq, e.Prev = seq, prev
	b, err := entry.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAWrongChainIsRecognised(t *testing.T) {
	smp := makeSample(t, 60)
	last := uint64(len(smp.raws))
	raw := func(seq uint64) []byte { return []byte(smp.raws[seq-1]) }
	for name, c := range map[string]struct {
		edit func(entries, marks *bolt.Bucket) error
		seq  uint64
	}{
		"missing":           {func(e, _ *bolt.Bucket) error { return e.Delete(seqKey(20)) }, 20},
		"first missing":     {func(e, _ *bolt.Bucket) error { return e.Delete(seqKey(1)) }, 1},
		"last missing":      {func(e, _ *bolt.Bucket) error { return e.Delete(seqKey(last)) }, last},
		"last replaced":     {func(e, _ *bolt.Bucket) error { return e.Put(seqKey(last), raw(last-1)) }, last},
		"one too many":      {func(e, _ *bolt.Bucket) error { return e.Put(seqKey(last+1), raw(last)) }, last},
		"a foreign key":     {func(e, _ *bolt.Bucket) error { return e.Put([]byte("x"), raw(last)) }, last},
		"a short key":       {func(e, _ *bolt.Bucket) error { return e.Put([]byte{0, 0}, raw(last)) }, 1},
		"not an entry":      {func(e, _ *bolt.Bucket) error { return e.Put(seqKey(20), []byte("what")) }, 20},
		"nothing in it":     {func(e, _ *bolt.Bucket) error { return e.Put(seqKey(20), nil) }, 20},
		"another number":    {func(e, _ *bolt.Bucket) error { return e.Put(seqKey(20), raw(21)) }, 20},
		"wrong prev":        {func(e, _ *bolt.Bucket) error { return e.Put(seqKey(20), reseal(t, raw(20), 20, entry.Hash{7})) }, 20},
		"a later version":   {func(e, _ *bolt.Bucket) error { return e.Put(seqKey(20), append([]byte{0x86, 0x02}, raw(20)[2:]...)) }, 20},
		"last: a byte more": {func(e, _ *bolt.Bucket) error { return e.Put(seqKey(last), append(raw(last), 0)) }, last},
		"swapped": {func(e, _ *bolt.Bucket) error {
			return errors.Join(e.Put(seqKey(20), raw(30)), e.Put(seqKey(30), raw(20)))
		}, 20},
		"swapped, renumbered": {func(e, _ *bolt.Bucket) error {
			a, _, _ := entry.Open(raw(20))
			b, _, _ := entry.Open(raw(21))
			return errors.Join(e.Put(seqKey(20), reseal(t, raw(21), 20, a.Prev)), e.Put(seqKey(21), reseal(t, raw(20), 21, b.Prev)))
		}, 21},
		"replaced by one that fits before": {func(e, _ *bolt.Bucket) error {
			a, _, _ := entry.Open(raw(20))
			return e.Put(seqKey(20), reseal(t, raw(24), 20, a.Prev))
		}, 21},
		"no tail":         {func(_, m *bolt.Bucket) error { return m.Delete(keyTail) }, 0},
		"an older tail":   {func(_, m *bolt.Bucket) error { return m.Put(keyTail, point{3, entry.Hash{}}.bytes()) }, 3},
		"a wrong tail":    {func(_, m *bolt.Bucket) error { return m.Put(keyTail, point{last, entry.Hash{}}.bytes()) }, last},
		"a wrong mark":    {func(_, m *bolt.Bucket) error { return m.Put(keyAck, point{3, entry.Hash{}}.bytes()) }, 0},
		"a mark too far":  {func(_, m *bolt.Bucket) error { return m.Put(keyAck, point{1 << 50, entry.Hash{}}.bytes()) }, 0},
		"no journal":      {func(e, m *bolt.Bucket) error { return e.Tx().DeleteBucket(bucketEntries) }, 0},
		"no marks":        {func(e, m *bolt.Bucket) error { return e.Tx().DeleteBucket(bucketMarks) }, 0},
		"a nested bucket": {func(e, _ *bolt.Bucket) error { _, err := e.CreateBucket(seqKey(last + 1)); return err }, 0},
	} {
		_, err := smp.change(t, c.edit)
		d := (*ErrDamaged)(nil)
		if !errors.As(err, &d) {
			t.Errorf("%s: %v", name, err)
		} else if c.seq != 0 && d.Seq != c.seq || d.Path == "" || d.Advice == "" {
			t.Errorf("%s: at entry %d instead of %d, %v", name, d.Seq, c.seq, err)
		}
	}
}

func TestAWrongCheckpointMarkIsFoundByReading(t *testing.T) {
	smp := makeSample(t, 60)
	for _, value := range [][]byte{seqKey(7), nil, []byte("?"), seqKey(1 << 60)} {
		path, _ := smp.change(t, func(_, m *bolt.Bucket) error { return m.Put(keyCheckpoint, value) })
		s, rep, err := Open(path, options())
		if err != nil {
			t.Fatal(err)
		}
		e, ok, err := s.LastCheckpoint()
		if err != nil || !ok || e.Kind != entry.KCheckpoint || len(rep.Notes) != 1 {
			t.Errorf("%x: %d %v %v, %+v", value, e.Seq, ok, err, rep)
		}
		s.Close()
	}
	path, _ := smp.change(t, func(_, m *bolt.Bucket) error { return m.Put(keyCheckpoint, seqKey(0)) })
	if _, _, err := Open(path, options()); !errors.As(err, new(*ErrDamaged)) {
		t.Errorf("a mark that hides the checkpoint: %v", err)
	}
}

// FuzzPages gives any bytes as the pages behind two good meta pages. They may
// be those of another whole journal: what passes must agree with its own tail.
func FuzzPages(f *testing.F) {
	smp := makeSample(f, 20)
	ps := smp.meta.pageSize
	f.Add(smp.file[2*ps:])
	f.Fuzz(func(t *testing.T, data []byte) {
		image := append(bytes.Clone(smp.file[:2*ps]), data...)
		src := bytes.NewReader(image)
		found, err := checkPages(src, int64(len(image)))
		if err != nil {
			return
		}
		v := found.current.view(src)
		if v.verify(context.Background(), nil) == nil {
			tail, err := v.tail()
			if err != nil {
				t.Fatalf("verified, but %v", err)
			}
			n := uint64(0)
			if err := v.each(1, func(entry.Entry, []byte) error { n++; return nil }); err != nil || n != tail.seq {
				t.Fatalf("verified to entry %d, but %d entries and %v", tail.seq, n, err)
			}
		}
		v.leftOver(0)
		v.stats(nil)
	})
}

// What the next append would build on must be right when Open returns, not
// only after a full verify.
func TestOpenItselfRefusesWhatItWouldBuildOn(t *testing.T) {
	smp := makeSample(t, 200)
	ps := smp.meta.pageSize
	last := []byte(smp.raws[len(smp.raws)-1])
	for name, c := range map[string]struct {
		spoil func(image []byte)
		says  string
	}{
		"the last entry changed": {func(image []byte) {
			changed := bytes.Clone(last)
			changed[len(changed)-1] ^= 1
			copy(image, bytes.ReplaceAll(image, last, changed))
		}, "not the ones that were written"},
		"a page in use is called free": {func(image []byte) {
			list := image[int(smp.meta.freelist)*ps:]
			order.PutUint64(list[headerBytes:], smp.meta.root)
		}, "used twice"},
		"more free pages than there is room": {func(image []byte) {
			list := image[int(smp.meta.freelist)*ps:]
			order.PutUint16(list[10:], 0xFFFF)
			order.PutUint64(list[headerBytes:], 1<<62)
		}, "claims"},
	} {
		image := bytes.Clone(smp.file)
		c.spoil(image)
		_, _, err := Open(smp.place(t, t.TempDir(), image), options())
		if !errors.As(err, new(*ErrDamaged)) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"buka/internal/entry"
)

// kept is a kiosk's directories: a journal with archives, two backups of
// different age in two places, and entries after the last of them.
type kept struct {
	dir, first, second string
	raws               []string // all entries that were ever written
	backed             int      // entries in the newest backup
}

func makeKept(t testing.TB, archived bool) kept {
	t.Helper()
	k := kept{dir: t.TempDir(), first: t.TempDir(), second: t.TempDir()}
	s := grown(t, k.dir, 1200)
	if archived {
		archive(t, s, ArchivePolicy{Keep: 400})
	}
	backUp(t, s, k.second)
	bulk(t, s, 300)
	backUp(t, s, k.first)
	seq, _ := s.Tail()
	k.backed = int(seq)
	fill(t, s, 40)
	k.raws = all(t, s)
	used, err := s.usedBytes()
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	if err := os.Truncate(Path(k.dir), used); err != nil { // damage must not land in what was never used
		t.Fatal(err)
	}
	return k
}

func backUp(t testing.TB, s *Store, dir string) {
	t.Helper()
	if _, err := s.Backup(context.Background(), dir, 3); err != nil {
		t.Fatal(err)
	}
}

func (k kept) options() RestoreOptions {
	return RestoreOptions{Options: options(), Backups: []string{k.first, k.second}, Why: "a test broke it"}
}

func restore(t testing.TB, path string, o RestoreOptions) RestoreReport {
	t.Helper()
	rep, err := Restore(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// restored checks what must hold after every restore: the journal opens and
// verifies, it holds the first entries of the old one and then says that it was
// restored, under a new epoch, and goes on.
func (k kept) restored(t testing.TB, rep RestoreReport) entry.Restored {
	t.Helper()
	s, opened := mustOpen(t, Path(k.dir))
	got := all(t, s)
	if len(opened.Notes) > 0 || opened.Epoch != rep.Epoch || opened.Epoch == [16]byte{1, 2, 3} || opened.Kiosk != "K1" {
		t.Errorf("%+v after %+v", opened, rep)
	}
	last := got[len(got)-1]
	e, _, err := entry.Open([]byte(last))
	if err != nil {
		t.Fatal(err)
	}
	body, err := e.Body()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := body.(entry.Restored)
	if !ok || r.LastSeq != rep.LastSeq || !bytes.Equal(r.Epoch, rep.Epoch[:]) || r.Lost != rep.Lost || r.Backup != rep.From {
		t.Fatalf("it ends with %+v after %+v", body, rep)
	}
	if rep.LastSeq > 0 && (!slices.Equal(got[:len(got)-1], k.raws[:rep.LastSeq]) || int(rep.LastSeq) != len(got)-1) {
		t.Fatalf("%d entries are not the first of those that were written", len(got)-1)
	}
	if rep.LastSeq > 0 && r.Was.String() != "01020300000000000000000000000000" {
		t.Errorf("the epoch before was %s", r.Was)
	}
	if seq, _, err := s.Mark(); err != nil || seq != 0 {
		t.Errorf("the host's mark is %d, %v", seq, err)
	}
	if _, err := s.Append(body1()); err != nil {
		t.Error(err)
	}
	mustClose(t, s)
	s, _ = mustOpen(t, Path(k.dir))
	mustClose(t, s)
	return r
}

func body1() entry.Body { return entry.Started{Version: "after"} }

// aside gives the file that was put aside.
func (k kept) aside(t testing.TB, rep RestoreReport) []byte {
	t.Helper()
	why := readAll(t, filepath.Join(k.dir, AsideName, rep.Aside, whyName))
	if !strings.Contains(string(why), "a test broke it") {
		t.Errorf("%s", why)
	}
	return readAll(t, filepath.Join(k.dir, AsideName, rep.Aside, FileName))
}

// damages of a journal file; keeps: none of the entries after the backup are
// lost by it.
var damages = []struct {
	name  string
	keeps bool
	spoil func(image []byte, m meta) []byte
}{
	{"root page", true, func(b []byte, m meta) []byte { clear(b[m.root*uint64(m.pageSize):][:m.pageSize]); return b }},
	{"free list", true, func(b []byte, m meta) []byte { clear(b[m.freelist*uint64(m.pageSize):][:64]); return b }},
	{"both meta pages", true, func(b []byte, m meta) []byte { clear(b[:2*m.pageSize]); return b }},
	{"cut in half", false, func(b []byte, _ meta) []byte { return b[:len(b)/2] }},
	{"empty", false, func([]byte, meta) []byte { return nil }},
	{"another file", false, func(b []byte, _ meta) []byte { return bytes.Repeat([]byte("text "), len(b)/5) }},
	{"the last page in use", false, func(b []byte, m meta) []byte {
		at := bytes.LastIndex(b, []byte("ABCDEFGH")) // some page of entries near the end
		clear(b[at/m.pageSize*m.pageSize:][:m.pageSize])
		return b
	}},
}

func TestADamagedJournalIsPutAsideAndRestored(t *testing.T) {
	for _, archived := range []bool{false, true} {
		for _, d := range damages {
			k := makeKept(t, archived)
			image := readAll(t, Path(k.dir))
			found, err := readMetas(bytes.NewReader(image), int64(len(image)))
			if err != nil {
				t.Fatal(err)
			}
			image = d.spoil(image, found.current)
			if err := os.WriteFile(Path(k.dir), image, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Suspect(Path(k.dir), errors.New("the verification in the background")); err != nil {
				t.Fatal(err)
			}
			_, _, err = Open(Path(k.dir), options())
			if d.name == "the last page in use" && err == nil {
				continue // it was a free one
			}
			if !Restorable(err) {
				t.Fatalf("%s: %v", d.name, err)
			}
			planned, err := PlanRestore(context.Background(), Path(k.dir), k.options())
			if err != nil {
				t.Fatal(err)
			}
			rep := restore(t, Path(k.dir), k.options())
			if rep.LastSeq != planned.LastSeq || int(rep.LastSeq) < k.backed || !strings.HasPrefix(rep.From, "journal-") {
				t.Errorf("%s: %+v, planned %+v", d.name, rep, planned)
			}
			if d.keeps && int(rep.LastSeq) < len(k.raws)-2 {
				t.Errorf("%s: %d of %d entries", d.name, rep.LastSeq, len(k.raws))
			}
			if int(rep.LastSeq) < len(k.raws) && !rep.Lost {
				t.Errorf("%s: it is not said that entries are lost: %+v", d.name, rep)
			}
			if !bytes.Equal(k.aside(t, rep), image) {
				t.Errorf("%s: the damaged file was changed", d.name)
			}
			k.restored(t, rep)
			if _, err := os.Lstat(markPath(Path(k.dir))); err == nil {
				t.Errorf("%s: still suspect", d.name)
			}
		}
	}
}

// Damage deep in what the backup holds loses nothing, and it is known.
func TestDamageInHistoryLosesNothing(t *testing.T) {
	k := makeKept(t, false)
	image := readAll(t, Path(k.dir))
	at := bytes.Index(image, []byte(k.raws[700]))
	for ; at >= 0; at = bytes.Index(image, []byte(k.raws[700])) {
		image[at+len(k.raws[700])/2] ^= 1
	}
	if err := os.WriteFile(Path(k.dir), image, 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := mustOpen(t, Path(k.dir)) // the tail is well
	err := s.Verify(context.Background(), nil)
	if !Restorable(err) {
		t.Fatal(err)
	}
	if err := errors.Join(Suspect(s.path, err), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(Path(k.dir), options()); !Restorable(err) {
		t.Fatalf("%v", err)
	}
	rep := restore(t, Path(k.dir), k.options())
	if int(rep.LastSeq) != len(k.raws) || rep.Lost || rep.FromSeq != uint64(k.backed) {
		t.Errorf("%+v", rep)
	}
	k.restored(t, rep)
}

func TestAJournalThatIsGoneIsRestored(t *testing.T) {
	for _, archived := range []bool{false, true} {
		k := makeKept(t, archived)
		if err := os.Remove(Path(k.dir)); err != nil {
			t.Fatal(err)
		}
		if archived {
			if err := os.RemoveAll(filepath.Join(k.dir, ArchiveName)); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := Open(Path(k.dir), options()); !Restorable(err) {
			t.Fatal(err)
		}
		rep := restore(t, Path(k.dir), k.options())
		if int(rep.LastSeq) != k.backed || !rep.Lost || rep.Aside != "" {
			t.Errorf("%+v", rep)
		}
		k.restored(t, rep)
	}
}

// The newest backup is bad: the one before it, in the other place, is taken,
// and what the archives and the damaged file hold after it.
func TestABadBackupIsPassedOver(t *testing.T) {
	k := makeKept(t, true)
	list, _ := Backups(k.first)
	image := readAll(t, list[0].Path)
	image[bytes.Index(image, []byte(k.raws[k.backed-10]))+40] ^= 4
	if err := errors.Join(os.WriteFile(list[0].Path, image, 0o600), os.Remove(Path(k.dir))); err != nil {
		t.Fatal(err)
	}
	rep := restore(t, Path(k.dir), k.options())
	if len(rep.Passed) != 1 || !strings.Contains(rep.Passed[0], list[0].Path) || int(rep.LastSeq) != k.backed-300 {
		t.Errorf("%+v", rep)
	}
	k.restored(t, rep)
}

func TestWithoutABackup(t *testing.T) {
	none := func(k kept) RestoreOptions {
		o := k.options()
		o.Backups = []string{filepath.Join(k.dir, "nothing-here")}
		return o
	}
	k := makeKept(t, true) // the archives, and what of the file follows them
	image := readAll(t, Path(k.dir))
	clear(image[:8192])
	if err := os.WriteFile(Path(k.dir), image, 0o600); err != nil {
		t.Fatal(err)
	}
	rep := restore(t, Path(k.dir), none(k))
	if int(rep.LastSeq) != len(k.raws) || !rep.Lost || rep.From != "" {
		t.Errorf("%+v", rep)
	}
	k.restored(t, rep)

	k = makeKept(t, true) // the archives alone
	if err := os.Remove(Path(k.dir)); err != nil {
		t.Fatal(err)
	}
	rep = restore(t, Path(k.dir), none(k))
	if rep.LastSeq == 0 || !rep.Lost {
		t.Errorf("%+v", rep)
	}
	k.restored(t, rep)

	k = makeKept(t, false) // nothing at all
	if err := os.Remove(Path(k.dir)); err != nil {
		t.Fatal(err)
	}
	rep = restore(t, Path(k.dir), none(k))
	if rep.LastSeq != 0 || !rep.Lost || rep.Was.String() != "01020300000000000000000000000000" {
		t.Errorf("%+v", rep)
	}
	if r := k.restored(t, rep); r.LastSeq != 0 || len(r.LastHash) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestARestoredJournalIsRestoredAgain(t *testing.T) {
	k := makeKept(t, true)
	if err := os.Remove(Path(k.dir)); err != nil {
		t.Fatal(err)
	}
	first := restore(t, Path(k.dir), k.options())
	s, _ := mustOpen(t, Path(k.dir))
	bulk(t, s, 10) // fewer than the backups of the epoch before have
	want := all(t, s)
	backUp(t, s, k.second)
	mustClose(t, s)
	if err := os.Remove(Path(k.dir)); err != nil {
		t.Fatal(err)
	}
	again := restore(t, Path(k.dir), k.options())
	if !bytes.Equal(again.Was, first.Epoch[:]) || int(again.LastSeq) != len(want) || again.Epoch == first.Epoch {
		t.Errorf("%+v after %+v", again, first)
	}
	s, rep := mustOpen(t, Path(k.dir))
	if rep.Epoch != again.Epoch {
		t.Errorf("%+v", rep)
	}
	checkpoint(t, s)
	acknowledge(t, s)
	archive(t, s, ArchivePolicy{}) // with both `restored` in the archive
	if begun, err := s.Begun(); err != nil || !bytes.Equal(begun.Epoch, again.Epoch[:]) || begun.Kiosk != "K1" {
		t.Errorf("%+v, %v", begun, err)
	}
	mustClose(t, s)
	s, rep = mustOpen(t, Path(k.dir))
	if rep.Epoch != again.Epoch || rep.Archived == 0 {
		t.Errorf("%+v", rep)
	}
	mustClose(t, s)
}

func TestWhatIsNotRestored(t *testing.T) {
	k := makeKept(t, false)
	if _, err := Restore(context.Background(), Path(k.dir), k.options()); !errors.Is(err, ErrWell) {
		t.Errorf("a journal that is well: %v", err)
	}
	s, _ := mustOpen(t, Path(k.dir))
	if _, err := Restore(context.Background(), Path(k.dir), k.options()); !errors.Is(err, ErrLocked) {
		t.Errorf("a journal that is open: %v", err)
	}
	mustClose(t, s)
	o := k.options()
	o.Force = true
	rep := restore(t, Path(k.dir), o)
	if int(rep.LastSeq) != len(k.raws) || rep.Lost {
		t.Errorf("%+v", rep)
	}
	k.restored(t, rep)
	// A backup of another kiosk.
	k = makeKept(t, false)
	if err := os.Remove(Path(k.dir)); err != nil {
		t.Fatal(err)
	}
	o = k.options()
	o.Kiosk = "K2"
	if rep, err := PlanRestore(context.Background(), Path(k.dir), o); err != nil || rep.From != "" || len(rep.Passed) != 2 || rep.LastSeq != 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	if _, err := os.Lstat(Path(k.dir)); err == nil {
		t.Error("a plan changed something")
	}
}

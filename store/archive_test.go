package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"buka/internal/entry"
)

// anArchive is the file of some entries, and the anchor after them.
func anArchive(t testing.TB, n int) ([]byte, anchor) {
	t.Helper()
	dir := t.TempDir()
	s := grown(t, dir, n)
	archive(t, s, ArchivePolicy{})
	var a anchor
	if err := s.look(func(v view) (err error) { a, err = v.anchor(); return err }); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	spans, err := archivesOf(Path(dir)).list()
	if err != nil || len(spans) != 1 {
		t.Fatalf("%v, %v", spans, err)
	}
	return readAll(t, filepath.Join(dir, ArchiveName, spans[0].name)), a
}

// read gives what an image says, as an archive that begins with entry 1.
func readArchive(image []byte) (raws [][]byte, end anchor, err error) {
	f, err := readIndex(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		return nil, end, err
	}
	if f.index.First != 1 {
		return nil, end, damaged(f.index.First, "it begins late")
	}
	_, err = f.each(origin{}, func(_ entry.Entry, raw []byte) error {
		raws = append(raws, bytes.Clone(raw))
		return nil
	})
	return raws, f.index.end(), err
}

func TestEveryByteOfAnArchiveCounts(t *testing.T) {
	image, a := anArchive(t, 60)
	raws, end, err := readArchive(image)
	if err != nil || end.point() != a.point() || uint64(len(raws)) != a.Seq {
		t.Fatalf("%d entries, %+v, %v", len(raws), end, err)
	}
	for at := range image {
		for _, bit := range []byte{1, 0x80} {
			image[at] ^= bit
			got, end, err := readArchive(image)
			image[at] ^= bit
			if err == nil && (end.point() != a.point() || len(got) != len(raws)) {
				t.Fatalf("byte %d: %d entries and no error", at, len(got))
			}
			if err != nil && !errors.As(err, new(*ErrDamaged)) {
				t.Fatalf("byte %d: %v", at, err)
			}
		}
		if _, _, err := readArchive(image[:at]); err == nil {
			t.Fatalf("cut at %d of %d bytes, it passes", at, len(image))
		}
	}
}

// FuzzArchive: whatever the bytes, reading ends with entries that are chained
// from the first on, or with an error about damage; and memory stays bounded.
func FuzzArchive(f *testing.F) {
	image, a := anArchive(f, 40)
	f.Add(image)
	f.Add(image[:len(image)/2])
	f.Add([]byte(archiveMagic))
	f.Fuzz(func(t *testing.T, image []byte) {
		raws, end, err := readArchive(image)
		if err != nil {
			if !errors.As(err, new(*ErrDamaged)) {
				t.Fatal(err)
			}
			return
		}
		var p point
		for _, raw := range raws {
			if _, err := p.next(seqKey(p.seq+1), raw); err != nil {
				t.Fatal(err)
			}
		}
		if p != end.point() {
			t.Fatalf("%+v and %+v", p, end)
		}
		_ = a
	})
}

func FuzzAnchor(f *testing.F) {
	_, a := anArchive(f, 40)
	b, err := entry.Marshal(a)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseAnchor(b)
		if err != nil {
			if !errors.As(err, new(*ErrDamaged)) {
				t.Fatal(err)
			}
			return
		}
		if got.Seq == 0 || len(got.Epoch) != 16 || got.Kiosk == "" {
			t.Fatalf("%+v", got)
		}
	})
}

// An anchor that is changed shows at once: the first entry does not follow.
func TestAWrongAnchorIsRecognised(t *testing.T) {
	dir := t.TempDir()
	s := grown(t, dir, 500)
	archive(t, s, ArchivePolicy{})
	var a anchor
	if err := s.look(func(v view) (err error) { a, err = v.anchor(); return err }); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	image := readAll(t, Path(dir))
	good, err := entry.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		wrong := bytes.Clone(good)
		wrong[at] ^= 1
		if err := os.WriteFile(Path(dir), bytes.ReplaceAll(image, good, wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, err := Open(Path(dir), options())
		if err == nil {
			err = s.Verify(t.Context(), nil)
			s.Close()
		}
		if err == nil {
			t.Fatalf("byte %d of the anchor was changed, and all is well", at)
		}
	}
}

// An archive that is whole, but of another journal, is not taken for this one's.
func TestAnotherJournalsArchiveIsRecognised(t *testing.T) {
	var dirs [2]string
	for i := range dirs {
		dirs[i] = t.TempDir()
		o := options()
		o.Clock = func() time.Time { return time.UnixMilli(int64(i)) } // all else is the same
		s, _, err := Open(Path(dirs[i]), o)
		if err != nil {
			t.Fatal(err)
		}
		bulk(t, s, 300)
		checkpoint(t, s)
		acknowledge(t, s)
		archive(t, s, ArchivePolicy{})
		mustClose(t, s)
	}
	names, err := os.ReadDir(filepath.Join(dirs[0], ArchiveName))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	other := readAll(t, filepath.Join(dirs[1], ArchiveName, names[0].Name()))
	if err := os.WriteFile(filepath.Join(dirs[0], ArchiveName, names[0].Name()), other, 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := mustOpen(t, Path(dirs[0]))
	defer s.Close()
	if err := s.Verify(t.Context(), nil); !errors.As(err, new(*ErrDamaged)) {
		t.Errorf("verified: %v", err)
	}
	if err := s.Each(1, func(entry.Entry, []byte) error { return nil }); !errors.As(err, new(*ErrDamaged)) {
		t.Errorf("read: %v", err)
	}
}

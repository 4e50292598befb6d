package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestBackupsRotate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "backups")
	s := grown(t, t.TempDir(), 300)
	for i := range 5 {
		rep, err := s.Backup(context.Background(), dir, 3)
		if err != nil || rep.Number != i+1 || rep.Same || rep.Removed != map[bool]int{true: 1}[i >= 3] {
			t.Fatalf("%+v, %v", rep, err)
		}
		fill(t, s, 5)
	}
	list, err := Backups(dir)
	if err != nil || len(list) != 3 || list[0].Number != 3 || list[2].Number != 5 {
		t.Fatalf("%+v, %v", list, err)
	}
	last, err := s.Backup(context.Background(), dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	same, err := s.Backup(context.Background(), dir, 3)
	if err != nil || !same.Same || same.Path != last.Path {
		t.Errorf("%+v, %v", same, err)
	}
	// A backup that went bad is not taken for the same.
	image := readAll(t, last.Path)
	image[len(image)/2] ^= 1
	if err := os.WriteFile(last.Path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Backup(context.Background(), dir, 3); err != nil || again.Same {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := s.Backup(context.Background(), filepath.Dir(s.path), 3); err == nil {
		t.Error("a backup into the journal's own directory")
	}
	// The other way round: of a journal that nobody has open.
	mustClose(t, s)
	snap, err := OpenSnapshot(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	other := filepath.Join(t.TempDir(), "second")
	if rep, err := snap.Backup(context.Background(), other, 1); err != nil || rep.Seq != same.Seq {
		t.Errorf("%+v, %v", rep, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := snap.Backup(ctx, filepath.Join(t.TempDir(), "third"), 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A backup of a journal that is damaged is no backup.
func TestADamagedJournalGivesNoBackup(t *testing.T) {
	smp := makeSample(t, 300)
	dir := t.TempDir()
	s, _ := mustOpen(t, smp.place(t, dir, smp.file))
	defer s.Close()
	seq, at := uint64(20), 0
	if at = bytes.Index(smp.file, []byte(smp.raws[seq])); at < 0 {
		t.Fatal("not found")
	}
	if _, err := s.file.WriteAt([]byte{smp.file[at+50] ^ 1}, int64(at+50)); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "b")
	if rep, err := s.Backup(context.Background(), to, 2); !errors.As(err, new(*ErrDamaged)) {
		t.Errorf("%+v, %v", rep, err)
	}
	if files, _ := os.ReadDir(to); len(files) > 0 {
		t.Errorf("%v was left", files)
	}
}

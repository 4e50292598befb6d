package journalcmd

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buka/internal/entry"
	"buka/store"
)

// long makes a journal of some pages with an archive.
func long(t *testing.T, dir string) {
	t.Helper()
	s, _, err := store.Open(store.Path(dir), store.Options{Kiosk: "K1"})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		bodies := make([]entry.Body, 50)
		for i := range bodies {
			bodies[i] = entry.Started{Version: strings.Repeat("v", i)}
		}
		if _, err := s.Append(append(bodies, entry.Checkpoint{State: []byte("s")})...); err != nil {
			t.Fatal(err)
		}
	}
	seq, hash := s.Tail()
	if err := s.SetMark(seq, hash); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Archive(context.Background(), store.ArchivePolicy{Keep: 500}); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func cli(args ...string) (string, error) {
	var out bytes.Buffer
	c := New()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

func TestLookingReadsAcrossArchives(t *testing.T) {
	dir := t.TempDir()
	long(t, dir)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"verify"}, "journal ok: 1021 entries"},
		{[]string{"show", "1"}, "kind  epoch-begun"},
		{[]string{"show", "400"}, "entry 400"},
		{[]string{"list", "--from", "2", "--kind", "started"}, "      2  "},
		{[]string{"export", "--from", "1"}, `{"seq":1,`},
	} {
		out, err := cli(append(c.args, "--data", dir)...)
		if err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%v: %v, %.200s", c.args, err, out)
		}
	}
	if out, _ := cli("list", "--data", dir); strings.Count(out, "\n") != 1021 {
		t.Errorf("%d lines", strings.Count(out, "\n"))
	}
	// A copy of the file alone says what is missing.
	lone := filepath.Join(t.TempDir(), "copy.db")
	b, err := os.ReadFile(store.Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lone, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cli("verify", "--file", lone); err == nil || !strings.Contains(err.Error(), "archive is missing") {
		t.Error(err)
	}
}

func TestBackupRestoreRepair(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "b")
	long(t, dir)
	out, err := cli("backup", "--data", dir, "--to", to, "--to", to+"2", "--keep", "2")
	if err != nil || strings.Count(out, "1021 entries") != 2 || strings.Count(out, "1 archives copied") != 2 {
		t.Fatalf("%v, %s", err, out)
	}
	list, _ := store.Backups(to)
	if out, err := cli("verify", "--file", list[0].Path); err != nil || !strings.Contains(out, "journal ok: 1021 entries") {
		t.Errorf("%v, %s", err, out)
	}
	if _, err := cli("restore", "--data", dir, "--from", to, "--yes"); err == nil || !strings.Contains(err.Error(), "nothing to restore") {
		t.Error(err)
	}
	image, err := os.ReadFile(store.Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(image)
	clear(bad[:8192])
	put := func(b []byte) {
		if err := os.WriteFile(store.Path(dir), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(bad)
	for _, c := range []struct {
		args []string
		flag string
	}{{[]string{"restore", "--from", to}, "--yes"}, {[]string{"repair"}, "--accept-loss"}} {
		out, err := cli(append(c.args, "--data", dir)...)
		if err == nil || !strings.Contains(err.Error(), "nothing was changed: add "+c.flag) || !strings.Contains(out, "entries 1 to 1021 would be kept") {
			t.Errorf("%v: %v, %s", c.args, err, out)
		}
		if now, _ := os.ReadFile(store.Path(dir)); !bytes.Equal(now, bad) {
			t.Fatal("the plan changed the file")
		}
		if out, err = cli(append(c.args, "--data", dir, c.flag)...); err != nil || !strings.Contains(out, "kept in damaged/") {
			t.Errorf("%v: %v, %s", c.args, err, out)
		}
		if out, err := cli("list", "--data", dir, "--last", "1"); err != nil || !strings.Contains(out, "restored") {
			t.Errorf("%v, %s", err, out)
		}
		put(bad)
		if err := os.Remove(filepath.Join(dir, store.IDName)); err != nil {
			t.Fatal(err)
		}
	}
	// Half of the file is gone: it says what is lost.
	put(image[:40<<10])
	out, err = cli("repair", "--data", dir)
	if err == nil || !strings.Contains(out, "lost: ") {
		t.Errorf("%v, %s", err, out)
	}
	// A live kiosk is left alone.
	put(image)
	s, _, err := store.Open(store.Path(dir), store.Options{Kiosk: "K1"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := cli("repair", "--data", dir, "--accept-loss"); err == nil || !strings.Contains(err.Error(), "stop the kiosk first") {
		t.Error(err)
	}
}

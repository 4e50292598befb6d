package main

import (
	"os"
	"path/filepath"
	"testing"

	"buka/store"
	"buka/store/storebench"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(startEnv); dir != "" {
		if err := kiosk(dir); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The rows are measured over a journal that a kiosk takes as its own; no test
// asserts a time.
func TestStartsAndKeeping(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "full")
	if err := history(dir, 3000); err != nil {
		t.Fatal(err)
	}
	took, kib, err := start(dir)
	if err != nil || took[0] <= 0 || took[1] < took[0] || kib[0] <= 0 || kib[1] < kib[0] {
		t.Errorf("%v, %v, %v", took, kib, err)
	}
	chores, err := storebench.Chores(store.Path(dir), 1000)
	if err != nil || len(chores) != 4 {
		t.Errorf("%+v, %v", chores, err)
	}
}

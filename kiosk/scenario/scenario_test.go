package scenario

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buka/internal/entry"
	"time"
)

// TestScenarios runs every script of testdata with readers in memory.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel() // each has a world of its own, and mostly waits
			o := Options{Reader: "memory", Slack: 6}
			if testing.Verbose() {
				o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
			}
			if err := RunFile(context.Background(), f, o); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAwaitNeedsAnotherProgram: what await cannot mean is said, not waited for.
func TestAwaitNeedsAnotherProgram(t *testing.T) {
	for _, text := range []string{"await green", "await card", "await card green", "await card green now"} {
		start := time.Now()
		if err := Run(t.Context(), strings.NewReader(text), Options{Reader: "memory"}); err == nil || time.Since(start) > awaitWait/2 {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestEveryEntryIsCut: a script cuts the power at every entry that a single
// kiosk can write.
func TestEveryEntryIsCut(t *testing.T) {
	byHost := map[entry.Kind]string{
		entry.KEpochBegun: "written by the store before the service runs; the store's own tests kill it there",
		entry.KRestored:   "written by the store before the service runs; the store's own tests stop it there",
	}
	for _, k := range entry.Kinds() {
		files, err := filepath.Glob("testdata/cut-at-" + string(k) + "*.txt")
		if err != nil {
			t.Fatal(err)
		}
		if _, other := byHost[k]; other == (len(files) > 0) {
			t.Errorf("%s: %d scripts, by others: %v", k, len(files), other)
		}
	}
}

package scenario

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
			o := Options{Reader: "memory"}
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

package sim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMutants: each patch in testdata/mutants breaks the law at one place. A
// copy of the program is built with it (go build -overlay, so that nothing in
// the shipped one can be switched), and torture or explore must find it.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	patches, err := filepath.Glob("testdata/mutants/*.patch")
	if err != nil || len(patches) < 20 {
		t.Fatalf("%d mutants, %v", len(patches), err)
	}
	gate := make(chan struct{}, 2) // the linker is hungry
	t.Run("unchanged", func(t *testing.T) {
		t.Parallel()
		gate <- struct{}{}
		defer func() { <-gate }()
		if found := hunt(t, "", "unchanged"); !strings.HasPrefix(found, "nothing") {
			t.Errorf("the program as it is: %s", found)
		} else {
			t.Log(found)
		}
	})
	for _, p := range patches {
		t.Run(strings.TrimSuffix(filepath.Base(p), ".patch"), func(t *testing.T) {
			t.Parallel()
			gate <- struct{}{}
			defer func() { <-gate }()
			law, overlay := changedCopy(t, root, p)
			found := hunt(t, overlay, "changed")
			if strings.HasPrefix(found, "nothing") {
				t.Errorf("%s: survived: %s", law, found)
			}
			t.Logf("%s: %s", law, found)
		})
	}
}

// hunt builds this package's tests over an overlay and runs TestHunt.
func hunt(t *testing.T, overlay, mode string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "hunt.test")
	// Half of the time was the compiler: inlining and debug tables gain nothing here.
	args := []string{"test", "-c", "-vet=off", "-gcflags=buka/...=-dwarf=false -l", "-ldflags=-s -w", "-o", binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	run := exec.Command(binary, "-test.run=^TestHunt$", "-test.timeout=5m")
	run.Env = append(os.Environ(), "SIM_HUNT="+mode, "GOMAXPROCS=1")
	out, err := run.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if found, ok := strings.CutPrefix(line, "HUNT "); ok {
			return strings.TrimSpace(found)
		}
	}
	if err != nil { // a mutant that panics is caught too
		first, _, _ := strings.Cut(string(out), "\n")
		return fmt.Sprintf("it fell over: %v: %s", err, first)
	}
	t.Fatalf("no report:\n%s", out)
	return ""
}

// changedCopy applies a patch to a copy of its one file and gives the overlay
// that puts it in place, and the law that it breaks.
func changedCopy(t *testing.T, root, patch string) (law, overlay string) {
	t.Helper()
	text, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	law, _, _ = strings.Cut(string(text), "\n")
	path, hunks := parse(string(text))
	file := filepath.Join(root, path)
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(source)
	for _, h := range hunks {
		if strings.Count(changed, h[0]) != 1 {
			t.Fatalf("%s: the file has changed: these lines are there %d times:\n%s", patch, strings.Count(changed, h[0]), h[0])
		}
		changed = strings.Replace(changed, h[0], h[1], 1)
	}
	dir := t.TempDir()
	mutant := filepath.Join(dir, filepath.Base(path))
	overlay = filepath.Join(dir, "overlay.json")
	replace, _ := json.Marshal(map[string]any{"Replace": map[string]string{file: mutant}})
	for name, data := range map[string][]byte{mutant: []byte(changed), overlay: replace} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return law, overlay
}

// parse reads a unified diff of one file: its path, and of each hunk the lines
// before and after. Line numbers are not looked at, so that a patch outlives
// changes around it.
func parse(text string) (path string, hunks [][2]string) {
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "+++ b/"):
			path = strings.TrimSpace(line[6:])
		case strings.HasPrefix(line, "@@"):
			hunks = append(hunks, [2]string{})
		case len(hunks) == 0:
		default:
			h := &hunks[len(hunks)-1]
			if line[0] != '+' {
				h[0] += line[1:]
			}
			if line[0] != '-' {
				h[1] += line[1:]
			}
		}
	}
	return path, hunks
}

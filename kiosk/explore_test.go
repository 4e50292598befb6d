package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"buka/kiosk/scenario"
	"buka/topup/sim"
)

// TestExploreCommand: one line, complete, without a violation.
func TestExploreCommand(t *testing.T) {
	out, err := runCLI("explore", "--sales", "2", "--faults", "0")
	var v sim.Visit
	if err != nil || json.Unmarshal([]byte(out), &v) != nil || !v.Complete || v.States < 100 || v.Violations != 0 {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := runCLI("explore", "--cards", "9"); err == nil {
		t.Error("nine cards are taken")
	}
}

// TestHistoriesAreScripts: every history can be written as a script that the
// language can read, with a word or a comment for each fault.
func TestHistoriesAreScripts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	words := map[string]int{}
	for range 400 {
		o := sim.Options{Cards: 2, Sales: 2, Faults: 3, Brisk: true, Desk: rng.IntN(2) == 0, Wide: rng.IntN(2) == 0}
		realFamily(&o)
		w := sim.New(&o)
		var history []sim.Action
		for range 40 {
			list := w.Actions(nil)
			if len(list) == 0 {
				break
			}
			a := list[rng.IntN(len(list))]
			history = append(history, a)
			if w.Do(a); w.Err() != nil {
				t.Fatal(w.Err())
			}
		}
		text := sim.Script(&o, history)
		lines, err := scenario.Parse(strings.NewReader(text))
		if err != nil || len(lines) < 7 {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, l := range lines {
			words[l.Words[0]]++
		}
	}
	for _, want := range []string{"lay", "remove", "choose", "pay", "pin", "press", "use", "load", "host", "network", "power", "desk", "expect"} {
		if words[want] == 0 {
			t.Errorf("no history became a line with %s: %v", want, words)
		}
	}
}

// TestAViolationIsAScenario: explore finds a defect in a changed copy of the
// program and writes it as a scenario; that fails in the changed copy and holds
// in the program as it is.
func TestAViolationIsAScenario(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(root, "cardio/pboc/outcomes.go")
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const before, after = "case fitsAny(table().Write.Done, sw):", "case fitsAny(table().Write.Done, sw) || sw == 0x6F00:"
	changed := strings.Replace(string(source), before, after, 1)
	if changed == string(source) {
		t.Fatal("the line to change is no longer there")
	}
	mutant, overlay := filepath.Join(dir, "outcomes.go"), filepath.Join(dir, "overlay.json")
	replace, _ := json.Marshal(map[string]any{"Replace": map[string]string{file: mutant}})
	for name, data := range map[string][]byte{mutant: []byte(changed), overlay: replace} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kiosk, script := filepath.Join(dir, "kiosk"), filepath.Join(dir, "found.txt")
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", kiosk, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(kiosk, "explore", "--script", script).CombinedOutput()
	if err == nil || !strings.Contains(string(out), `"violations":1`) {
		t.Fatalf("explore finds nothing: %v\n%s", err, out)
	}
	text, err := os.ReadFile(script)
	if err != nil || !strings.Contains(string(text), "refuse red 6F00") {
		t.Fatalf("%v\n%s", err, text)
	}
	if out, err := exec.Command(kiosk, "scenario", script).CombinedOutput(); err == nil || !strings.Contains(string(out), "money conserved") {
		t.Errorf("the changed program passes its scenario: %s\n%s", out, text)
	}
	if err := scenario.RunFile(context.Background(), script, scenario.Options{Reader: "memory"}); err != nil {
		t.Errorf("the program as it is does not: %v\n%s", err, text)
	}
}

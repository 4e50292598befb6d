package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shares is what code must not use that the race detector leaves out: generic
// code of the standard library that is compiled into it, and may then be the
// copy that everybody gets, and atomics with which it shares what Go allocates.
var shares = regexp.MustCompile(`sync\.Map|sync\.Once[FV]|atomic\.Pointer\[|"(slices|maps|iter|unique|weak)"`)

// TestNotRacedSharesNothing: what `unit` leaves out of the race detector can be
// left out.
func TestNotRacedSharesNothing(t *testing.T) {
	var left []string
	for _, flag := range raced {
		if pattern, ok := strings.CutSuffix(strings.TrimPrefix(flag, "-gcflags="), "=-race=false"); ok {
			left = append(left, strings.TrimSuffix(pattern, "..."))
		}
	}
	list := exec.Command("go", "list", "-deps", "-test", "-f", `{{$d := .Dir}}{{$p := .ImportPath}}{{range .GoFiles}}{{$p}} {{$d}}/{{.}}{{"\n"}}{{end}}`, "./...")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for line := range strings.Lines(string(out)) {
		pkg, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, prefix := range left {
			if !strings.HasPrefix(pkg, prefix) {
				continue
			}
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			read++
			if found := shares.Find(src); found != nil {
				t.Errorf("%s uses %s: let the race detector see %s", file, found, pkg)
			}
		}
	}
	if len(left) == 0 || read < 50 {
		t.Errorf("%d files of %v", read, left)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)

// instrumented is what `go test -fuzz` has the compiler do with every package,
// the standard library too. Here only with the house's own and with the codec it
// decodes messages by: the rest is then taken as it is built already.
var instrumented = []string{"-gcflags=buka/...=-d=libfuzzer", "-gcflags=github.com/moov-io/...=-d=libfuzzer"}

// fuzzPackage is a folder and the targets in it.
type fuzzPackage struct {
	dir     string
	targets []string
}

// fuzzPackages reads the targets of the tree.
func fuzzPackages() ([]fuzzPackage, error) {
	out, err := exec.Command("git", "ls-files", "*_test.go").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var list []fuzzPackage
	for _, file := range strings.Fields(string(out)) {
		src, err := os.ReadFile(file)
		if err != nil {
			continue // deleted and not committed yet
		}
		dir := filepath.Dir(file)
		for _, m := range fuzzTarget.FindAllSubmatch(src, -1) {
			if len(list) == 0 || list[len(list)-1].dir != dir {
				list = append(list, fuzzPackage{dir: dir})
			}
			p := &list[len(list)-1]
			p.targets = append(p.targets, string(m[1]))
		}
	}
	return list, nil
}

// fuzz gives every fuzz target so many inputs. Not so much time: a run is taken
// for a failure when the time ends within an input (golang/go#75804). Each
// package is built and linked once, not once for each target as `go test` would.
func fuzz(t *tally, each int) {
	if each == 0 {
		return
	}
	list, err := fuzzPackages()
	if err != nil {
		t.fail("%v", err)
		return
	}
	dir, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		t.fail("%v", err)
		return
	}
	defer os.RemoveAll(dir)
	for _, p := range list {
		t.fuzzPackage(p, dir, each)
	}
}

func (t *tally) fuzzPackage(p fuzzPackage, dir string, each int) {
	start, before := time.Now(), t.failed
	binary := filepath.Join(dir, "fuzz.test")
	build := append(slices.Concat([]string{"test", "-c", "-ldflags=-s -w", "-o", binary}, instrumented), "./"+p.dir)
	if said, err := exec.Command("go", build...).CombinedOutput(); err != nil {
		t.fail("fuzz %s: %v\n%s", p.dir, err, said)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, name := range p.targets {
		cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.fuzz=^"+name+"$", "-test.fuzztime="+strconv.Itoa(each)+"x",
			"-test.fuzzminimizetime=10x", "-test.fuzzcachedir="+filepath.Join(dir, "cache", p.dir))
		cmd.Dir = p.dir // its testdata is there, and a failing input is left there
		said, err := cmd.CombinedOutput()
		if err == nil {
			err = wasFuzzed(said, each)
		}
		if err != nil {
			t.fail("fuzz %s %s: %v\n%s", p.dir, name, err, said)
			continue
		}
		t.passed++
	}
	if t.failed > before {
		return
	}
	fmt.Printf("ok   fuzz %-27s %6.1f s, %d targets\n", p.dir, time.Since(start).Seconds(), len(p.targets))
}

var execs = regexp.MustCompile(`execs: (\d+)`)

// wasFuzzed looks into what a run says: an unknown target or a binary that
// cannot guide the search ends well too.
func wasFuzzed(said []byte, each int) error {
	if bytes.Contains(said, []byte("not built with coverage")) {
		return errors.New("the binary is not instrumented")
	}
	all := execs.FindAllSubmatch(said, -1)
	if len(all) == 0 {
		return errors.New("nothing was fuzzed")
	}
	if n, err := strconv.Atoi(string(all[len(all)-1][1])); err != nil || n < each {
		return fmt.Errorf("%d inputs, not %d", n, each)
	}
	return nil
}

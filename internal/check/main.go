// The command check runs everything that must hold and counts it: `make test`
// calls it. The last line is "N passed, M failed"; a test that skips is counted
// as failed, so that nothing is left out silently.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// tally counts over all stages.
type tally struct{ passed, failed int }

func main() {
	fuzzed := flag.Int("fuzz", 20000, "how many inputs each fuzz target gets; 0: none")
	only := flag.String("only", "", "run only the stage of this name")
	flag.Parse()
	stages := []struct {
		name string
		run  func(*tally)
	}{
		{"format", format},
		{"vet", func(t *tally) { t.command("go vet", "go", "vet", "./...") }},
		{"unit", func(t *tally) { t.test(append(raced, "-p=3"), packages("unit")...) }},
		{"whole", func(t *tally) { t.test([]string{"-p=3"}, packages("whole")...) }},
		{"pages", func(t *tally) { t.test(nil, packages("pages")...) }},
		{"fuzz", func(t *tally) { fuzz(t, *fuzzed) }},
	}
	keepPorts()
	var t tally
	for _, s := range stages {
		if *only != "" && *only != s.name {
			continue
		}
		start := time.Now()
		s.run(&t)
		fmt.Printf("== %s: %s\n", s.name, time.Since(start).Round(time.Second))
	}
	fmt.Printf("%d passed, %d failed\n", t.passed, t.failed)
	if t.failed > 0 {
		os.Exit(1)
	}
}

// keepPorts asks the kernel not to give vpcd's fixed ports to a connection of
// another test; where that is not allowed, the start of pcscd waits for them.
func keepPorts() {
	const file, ports = "/proc/sys/net/ipv4/ip_local_reserved_ports", "35963-35966"
	if now, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(now)) == "" {
		_ = os.WriteFile(file, []byte(ports), 0o644)
	}
}

// heavy names what runs without the race detector: a simulation of one thread,
// processes that are killed, a whole matrix of faults, and everything behind them;
// the parts are raced in their own packages.
var heavy = regexp.MustCompile(`^buka/(kiosk/killtest|kiosk|kiosk/faultmatrix|topup/sim|store/disktest|cardio/purse/purtest)$`)

// browsing runs without it too, and with nothing beside it: a browser that shares
// one processor with a search may not answer for minutes.
const browsing = "buka/kiosk/e2e"

// stageOf says where a package's tests run.
func stageOf(pkg string) string {
	switch {
	case pkg == browsing:
		return "pages"
	case heavy.MatchString(pkg):
		return "whole"
	}
	return "unit"
}

// long names what takes longest, in the order in which it should begin: the rest
// fits beside it. What needs the one card reader service then comes last, for it
// waits for the one that has it.
var long = []string{"buka/topup/sim", "buka/store", "buka/kiosk/scenario", "buka/kiosk/device", "buka/sync/host", "buka/kiosk/faultmatrix"}

// packages lists the packages with tests of a stage, in the order in which go test
// should begin them.
func packages(stage string) []string {
	out, err := exec.Command("go", "list", "-f", `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}`, "./...").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "go list:", err)
		os.Exit(1)
	}
	list := strings.Fields(string(out))
	list = slices.DeleteFunc(list, func(p string) bool { return stageOf(p) != stage })
	rank := func(p string) int {
		switch i := slices.Index(long, p); {
		case i >= 0:
			return i
		case strings.HasPrefix(p, "buka/cardio/"):
			return len(long) + 1
		}
		return len(long)
	}
	slices.SortStableFunc(list, func(a, b string) int { return rank(a) - rank(b) })
	return list
}

func format(t *tally) {
	out, err := exec.Command("git", "ls-files", "*.go").Output()
	if err != nil {
		t.fail("git ls-files: %v", err)
		return
	}
	unformatted, err := exec.Command("gofmt", append([]string{"-l"}, strings.Fields(string(out))...)...).CombinedOutput()
	if err != nil || len(unformatted) > 0 {
		t.fail("gofmt would change: %s %v", unformatted, err)
		return
	}
	t.passed++
}

func (t *tally) fail(format string, a ...any) {
	t.failed++
	fmt.Printf("FAIL "+format+"\n", a...)
}

func (t *tally) command(what, name string, args ...string) {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.fail("%s: %v", what, err)
		return
	}
	t.passed++
}

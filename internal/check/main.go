// The command check runs everything that must hold and counts it: `make test`
// calls it. The last line is "N passed, M failed"; a test that skips is counted
// as failed, so that nothing is left out silently.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tally counts over all stages.
type tally struct{ passed, failed int }

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

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
		{"unit", func(t *tally) { t.test("-race", packages(false)...) }},
		{"whole", whole},
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

// whole runs the heavy packages one by one: each wants the machine for itself.
func whole(t *tally) {
	for _, pkg := range packages(true) {
		t.test("", pkg)
	}
}

// heavy names what runs without the race detector: a browser, a simulation of
// one thread, processes that are killed, a whole matrix of faults, and everything
// behind them; the parts are raced in their own packages.
var heavy = regexp.MustCompile(`^buka/(kiosk/e2e|kiosk/killtest|kiosk|kiosk/faultmatrix|topup/sim|store/disktest|cardio/purse/purtest)$`)

// packages lists the packages with tests, heavy ones or the others.
func packages(wantHeavy bool) []string {
	out, err := exec.Command("go", "list", "-f", `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}`, "./...").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "go list:", err)
		os.Exit(1)
	}
	list := strings.Fields(string(out))
	return slices.DeleteFunc(list, func(p string) bool { return heavy.MatchString(p) != wantHeavy })
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

// test runs go test and counts each test. The output of a failed one is shown.
func (t *tally) test(flag string, pkgs ...string) {
	args := []string{"test", "-json", "-count=1", "-timeout=12m"}
	if flag != "" {
		args = append(args, flag)
	}
	cmd := exec.Command("go", append(args, pkgs...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.fail("go test: %v", err)
		return
	}
	before := t.failed
	t.count(out)
	if err := cmd.Wait(); err != nil && t.failed == before {
		t.fail("go test: %v", err)
	}
}

func (t *tally) count(out io.Reader) {
	said := map[string][]string{}
	sc := bufio.NewScanner(out)
	sc.Buffer(make([]byte, 1<<16), 1<<24)
	for sc.Scan() {
		var e event
		if json.Unmarshal(sc.Bytes(), &e) != nil {
			fmt.Println(sc.Text())
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if len(said[key]) < 200 {
				said[key] = append(said[key], e.Output)
			}
		case "pass":
			if e.Test != "" {
				t.passed++
			} else {
				fmt.Printf("ok   %s\n", e.Package)
			}
			delete(said, key)
		case "fail", "skip":
			if e.Test == "" && e.Action == "skip" {
				continue // a package without tests
			}
			t.fail("%s %s (%s)", e.Package, e.Test, e.Action)
			fmt.Print(strings.Join(said[key], ""))
		case "build-fail":
			t.fail("%s does not build", e.Package)
		}
	}
}

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)

// fuzz gives every fuzz target so many inputs. Not so much time: go test takes
// it for a failure when the time ends within an input (golang/go#75804).
func fuzz(t *tally, each int) {
	if each == 0 {
		return
	}
	out, err := exec.Command("git", "ls-files", "*_test.go").Output()
	if err != nil {
		t.fail("git ls-files: %v", err)
		return
	}
	for _, file := range strings.Fields(string(out)) {
		src, err := os.ReadFile(file)
		if err != nil {
			continue // deleted and not committed yet
		}
		for _, m := range fuzzTarget.FindAllSubmatch(src, -1) {
			name := string(m[1])
			args := []string{"test", "-run=^$", "-fuzz=^" + name + "$", "-fuzztime=" + strconv.Itoa(each) + "x", "-fuzzminimizetime=10x", "./" + filepath.Dir(file)}
			if said, err := exec.Command("go", args...).CombinedOutput(); err != nil {
				t.fail("%s %s: %v\n%s", filepath.Dir(file), name, err, said)
				continue
			}
			t.passed++
			fmt.Printf("ok   fuzz %s %s\n", filepath.Dir(file), name)
		}
	}
}

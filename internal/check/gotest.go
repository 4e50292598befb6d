package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// event is one line of `go test -json` (go doc test2json). Elapsed is in seconds.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// raced are the flags of the race detector. What is only computed with, of others
// and by one goroutine at a time, is not slowed down by it: SQLite as Go, and
// ciphers, which would take as long as all the rest. This is not for what shares
// something by atomics, such as CBOR's cache of types: there the detector would
// see a race that is none.
var raced = []string{"-race", "-gcflags=modernc.org/...=-race=false", "-gcflags=golang.org/x/crypto/...=-race=false"}

// test runs go test and counts each test. The output of a failed one is shown.
func (t *tally) test(flags []string, pkgs ...string) {
	// More at a time than there are cores: most tests wait most of the time, for
	// timers, disks and card readers. go vet has seen everything already.
	args := []string{"test", "-json", "-count=1", "-vet=off", "-timeout=12m", "-parallel=3"}
	cmd := exec.Command("go", slices.Concat(args, flags, pkgs)...)
	// A raced process waits a second at its end for races that come after it;
	// hundreds of processes end in the tests.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=20")
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
				fmt.Printf("ok   %-32s %6.1f s\n", e.Package, e.Elapsed)
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

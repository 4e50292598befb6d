package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"buka/internal/entry"
)

// child is what this test binary does as another process.
func child(dir, do string) int {
	if what, n, ok := strings.Cut(do, ":"); ok {
		return keeper(dir, what, n)
	}
	s, _, err := Open(Path(dir), Options{Kiosk: "K1", LockWait: 10 * time.Second})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("open")
	if do == "hold" {
		io.Copy(io.Discard, os.Stdin)
		return 0
	}
	for i := 0; ; i++ {
		bodies := []entry.Body{body(i)}
		if i%7 == 0 {
			bodies = append(bodies, body(i+1), body(i+2))
		}
		if i%20 == 19 {
			bodies = []entry.Body{entry.Checkpoint{State: make([]byte, 20_000)}}
		}
		if _, err := s.Append(bodies...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		seq, hash := s.Tail()
		fmt.Println(seq, hash)
		if i%11 == 0 {
			if err := s.SetMark(seq, hash); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
	}
}

// A process that appends is killed fifty times; whatever it had acknowledged
// is there afterwards.
func TestKill9LosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acked := map[uint64]string{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		killAfter(t, dir, rng.IntN(60), acked)
		s, rep := mustOpen(t, Path(dir))
		if len(rep.Notes) > 0 || rep.Recovered > 0 {
			t.Fatalf("%+v", rep)
		}
		for seq, want := range acked {
			if _, _, hash, err := s.Entry(seq); err != nil || hash.String() != want {
				t.Fatalf("acknowledged entry %d: %s, %v", seq, hash, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, rep := mustOpen(t, Path(dir))
	t.Logf("%d entries, %d acknowledgements seen", rep.Entries, len(acked))
	mustClose(t, s)
}

// killAfter lets a child acknowledge some commits, kills it, and notes what it
// had acknowledged until then.
func killAfter(t *testing.T, dir string, commits int, acked map[uint64]string) {
	t.Helper()
	cmd := command(t, dir, "append")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for n := -1; ; n++ {
		if n == commits {
			cmd.Process.Kill()
		}
		line, err := lines.ReadString('\n')
		if err != nil { // killed; a line cut short was not acknowledged to us
			break
		}
		if seq, hash, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			var n uint64
			if _, err := fmt.Sscan(seq, &n); err != nil {
				t.Fatal(err)
			}
			acked[n] = hash
		}
	}
	if cmd.Wait() == nil {
		t.Fatal("the child ended by itself")
	}
}

func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	cmd := command(t, dir, "hold")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatal(line, err)
	}
	if _, _, err := Open(Path(dir), options()); !errors.Is(err, ErrLocked) {
		t.Errorf("a journal that another process has: %v", err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	s, _ := mustOpen(t, Path(dir))
	mustClose(t, s)
}

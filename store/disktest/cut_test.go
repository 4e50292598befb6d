package disktest

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

var (
	cutsWanted = flag.Int("cuts", 0, "power cuts in all, at random, in lives after lives; 0: the short form")
	long       = flag.Bool("long", false, "every call with every fault and with everything that may survive, not one of each in turn")
	cutSeed    = flag.Uint64("seed", 1, "of the cuts")
)

// tally is what the tests of this package print.
type tally struct {
	cuts, entries, lost, remarks, created int
	distinct                              map[[32]byte]bool
}

func (c *tally) String() string {
	return fmt.Sprintf("%d power cuts, %d different disks, %d acknowledged entries looked for, lost %d, %d opened with a remark, %d begun anew before the first entry",
		c.cuts, len(c.distinct), c.entries, c.lost, c.remarks, c.created)
}

// cut cuts a life after so many calls and opens what is left.
func (c *tally) cut(l *life, calls int, how Survive, seed uint64) (*life, error) {
	left, digest, err := l.disk.Cut(calls, how, seed)
	if err != nil {
		return nil, err
	}
	if c.distinct == nil {
		c.distinct = map[[32]byte]bool{}
	}
	c.distinct[digest] = true
	must, _ := l.promised(calls)
	c.cuts, c.entries = c.cuts+1, c.entries+must
	n, err := l.next(left, calls)
	c.remarks += n.notes
	if n.fresh {
		c.created++
	}
	if err != nil {
		c.lost++
		st, _ := l.disk.Look()
		err = fmt.Errorf("a cut after call %d of %d (%v), %v survives, seed %d: %w", calls, len(st.Calls), tailOf(st.Calls, calls), how, seed, err)
	}
	return n, err
}

func tailOf(calls []string, n int) []string { return calls[max(0, n-4):n] }

// TestCutAtEveryCall: the first life of a journal, cut after each call of the
// disk, with nothing, everything, some pages and torn sectors of what was not
// synced.
func TestPowerCutAfterEveryCall(t *testing.T) {
	var c tally
	l, err := begin(6, 0, true)
	must(t, err)
	must(t, l.close())
	total, err := l.disk.Count()
	must(t, err)
	for calls := range total + 1 {
		for i, how := range []Survive{None, All, Subset, Subset, Torn, Torn} {
			if !*long && i > 0 && calls%5 != i-1 {
				continue
			}
			n, err := c.cut(l, calls, how, uint64(1000*i+calls))
			if err != nil {
				t.Error(err)
			}
			must(t, n.end())
		}
	}
	must(t, l.end())
	t.Log(&c)
}

// TestKillThenPowerCut: the process is killed after each call, and its successor
// sees what the page cache has. Whatever it found when it opened the journal
// survives a power cut at the next moment.
func TestKillThenPowerCut(t *testing.T) {
	var c tally
	l, err := begin(6, 0, true)
	must(t, err)
	must(t, l.close())
	total, err := l.disk.Count()
	must(t, err)
	for calls := range total + 1 {
		left, _, err := l.disk.Cut(calls, Kept, 0)
		must(t, err)
		n, err := l.found(left, calls)
		if err != nil {
			t.Fatal(err)
		}
		must(t, n.close())
		after, err := c.cut(n, n.steps[0].end, None, 0)
		if err != nil {
			t.Errorf("killed after call %d: %v", calls, err)
		}
		must(t, errors.Join(n.end(), after.end()))
	}
	must(t, l.end())
	t.Log(&c)
}

// TestPowerCutsOneAfterAnother: lives at random, each on the disk that the cut
// before has left.
func TestPowerCutsOneAfterAnother(t *testing.T) {
	var c tally
	rng := rand.New(rand.NewPCG(*cutSeed, 7))
	for wanted := max(*cutsWanted, 60); c.cuts < wanted; {
		l, err := begin(1+rng.IntN(6), rng.IntN(1000), rng.IntN(2) == 0)
		must(t, err)
		for range 1 + rng.IntN(8) {
			must(t, l.close())
			total, err := l.disk.Count()
			must(t, err)
			n, err := c.cut(l, rng.IntN(total+1), Survive(rng.IntN(4)), rng.Uint64())
			if err != nil {
				t.Fatal(err)
			}
			if err := n.work(1+rng.IntN(5), rng.IntN(1000), rng.IntN(2) == 0); err != nil {
				t.Fatal(err)
			}
			must(t, l.end())
			l = n
		}
		must(t, l.end())
	}
	t.Log(&c)
}

package sim_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"buka/topup"
	"buka/topup/sim"
	"buka/topup/sim/realpboc"
)

// real is the real family's part.
func real(o sim.Options) sim.Options {
	realpboc.Family(&o)
	return o
}

// cards is that, with the real conversation with a card.
func cards(o sim.Options) sim.Options {
	realpboc.Cards(&o)
	return o
}

// TestTorture: no seed breaks the law, and the same seed gives the same run.
func TestTorture(t *testing.T) {
	for seed := range uint64(2) {
		p := sim.Plan{Options: cards(sim.Options{Cards: 3}), Seed: seed, Sales: 800}
		r := sim.Torture(p)
		if r.Err != nil {
			t.Fatalf("seed %d, %d sales: %v\n%s", seed, r.Sales, r.Err, strings.Join(r.History, "\n"))
		}
		a, _ := json.Marshal(r)
		b, _ := json.Marshal(sim.Torture(p))
		if string(a) != string(b) {
			t.Fatalf("the same seed gives\n%s\nand then\n%s", a, b)
		}
		t.Logf("%s", a)
	}
}

// TestTheSameSeed: two runs hear the same events, byte for byte, and two seeds do
// not.
func TestTheSameSeed(t *testing.T) {
	run := func(seed uint64) (string, int) {
		digest, n := sha256.New(), 0
		o := cards(sim.Options{Cards: 3, Heard: func(kiosk int, e topup.Event) {
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(digest, "%d %T %s\n", kiosk, e, data)
			n++
		}})
		sim.Torture(sim.Plan{Options: o, Seed: seed, Sales: 600})
		return fmt.Sprintf("%x", digest.Sum(nil)), n
	}
	a, n := run(7)
	b, _ := run(7)
	c, _ := run(8)
	if a != b || a == c || n < 5000 {
		t.Errorf("%d events: %s, %s, and with another seed %s", n, a, b, c)
	}
	t.Logf("%d events: %s", n, a)
}

// TestFaultsAreChosen: without faults nothing strikes and nothing stays open.
func TestFaultsAreChosen(t *testing.T) {
	none, err := sim.ParseFaults("none")
	if err != nil {
		t.Fatal(err)
	}
	r := sim.Torture(sim.Plan{Options: cards(sim.Options{Cards: 2, Allowed: none}), Sales: 200})
	if r.Err != nil || len(r.Faults) > 0 || r.Open > 0 {
		t.Errorf("%+v", r)
	}
	if _, err := sim.ParseFaults("torn-after,ride"); err != nil {
		t.Error(err)
	}
	if _, err := sim.ParseFaults("rain"); err == nil {
		t.Error("rain is taken for a fault")
	}
}

// TestExplore searches the smallest bounds to their end.
func TestExplore(t *testing.T) {
	for _, o := range []sim.Options{{Cards: 1, Sales: 1}, {Cards: 1, Sales: 2}} {
		v := sim.Explore(sim.Bound{Options: real(o)})
		if v.Err != nil || !v.Complete {
			t.Fatalf("%+v\n%s", v, strings.Join(v.History, "\n"))
		}
		t.Logf("%d cards, %d sales, %d faults: %+v", o.Cards, o.Sales, o.Faults, v)
	}
}

// TestHunt looks for a breach with all that there is and says what it found.
// TestMutants runs it in changed copies of the program; here it runs in the
// program as it is, and finds nothing.
func TestHunt(t *testing.T) {
	changed := os.Getenv("SIM_HUNT") == "changed"
	share := 1
	if os.Getenv("SIM_HUNT") == "" {
		share = 30 // the long form runs as a child of TestMutants
	}
	for _, file := range histories(t) {
		missing, err := played(t, file)
		if err != nil {
			report(t, changed, "history %s: %v", filepath.Base(file), err)
			return
		}
		if missing != "" && !changed {
			t.Errorf("%s no longer goes where it went: there is no %q", file, missing)
		}
	}
	sales, states := 0, 0
	for _, h := range tortures {
		o := cards(sim.Options{Cards: h.cards, Amounts: h.amounts, Fleet: h.fleet, Allowed: faults(t, h.faults)})
		r := sim.Torture(sim.Plan{Options: o, Seed: 1, Sales: h.sales / share, Raw: true})
		if sales += r.Sales; r.Err != nil {
			report(t, changed, "torture, %d sales: %v", sales, r.Err)
			return
		}
	}
	for _, h := range searches {
		v := sim.Explore(sim.Bound{Options: real(sim.Options{Cards: 1, Sales: 1, Faults: h.faults, Settles: h.settles, Allowed: faults(t, h.allowed)}), States: h.states / share})
		if states += v.States; v.Err != nil {
			report(t, changed, "explore, %d states: %v", states, v.Err)
			return
		}
	}
	fmt.Printf("HUNT nothing in %d sales and %d states\n", sales, states)
}

// histories are ways to what is too rare for chance: told by a torture, or by a
// thought, once.
func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/hunts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d histories, %v", len(files), err)
	}
	return files
}

// played does what a file tells: its world in the first line, why in words, an
// empty line, and the history.
func played(t *testing.T, file string) (missing string, err error) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, history, _ := strings.Cut(string(text), "\n\n")
	o := cards(sim.Options{Fleet: true, Desk: true, Wide: true, Faults: -1, Settles: -1})
	if _, err := fmt.Sscanf(head, "cards=%d kiosks=%d amounts=%d variety=%d", &o.Cards, &o.Kiosks, &o.Amounts, &o.Variety); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return sim.Retell(&o, strings.Split(strings.TrimSpace(history), "\n"))
}

// tortures: all faults, and then the fleet link with few, where one card and one
// amount make loads that look alike.
var tortures = []struct {
	sales, cards, amounts int
	fleet                 bool
	faults                string
}{
	{sales: 12_000, cards: 3},
	{sales: 3000, cards: 3, fleet: true, faults: "journal-restored,torn-before,torn-after"},
	{sales: 6000, cards: 1, amounts: 1, fleet: true, faults: "torn-before"},
	{sales: 4000, cards: 2, amounts: 1, fleet: true, faults: "torn-before,torn-after,journal-restored,crash"},
	{sales: 6000, cards: 1, amounts: 1, fleet: true, faults: "torn-before,authority-down,network-down"},
}

var searches = []struct {
	faults, states int
	settles        int
	allowed        string
}{
	{faults: 1},
	{faults: 2, states: 10_000, allowed: "crash,batch-closed"},
	{faults: 2, states: 40_000, allowed: "answer-late,load-elsewhere"},
	{faults: 1, states: 20_000, settles: 1, allowed: "request-late,answer-lost,append-lost,crash"},
}

func faults(t *testing.T, list string) sim.Faults {
	t.Helper()
	fs, err := sim.ParseFaults(list)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func report(t *testing.T, changed bool, format string, a ...any) {
	fmt.Printf("HUNT "+format+"\n", a...)
	if !changed {
		t.Errorf(format, a...)
	}
}

package killtest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"buka/internal/entry"
)

var (
	killsWanted = flag.Int("kills", 8, "how often the kiosk is killed")
	seed        = flag.Uint64("seed", 1, "of the moments")
)

const (
	readyWait = 30 * time.Second // from the start of the process
	restWait  = 3 * time.Minute
	restEvery = 20 // kills
)

// tally is what is printed.
type tally struct {
	kills, ready, recovering, rests int
	by                              map[string]int // what the kill came at
	acknowledged                    uint64
	found                           found // at last
	slowest                         time.Duration
}

func (c tally) String() string {
	n := c.found.kinds
	return fmt.Sprintf("%d kills (%v), %d sales opened, %d paid, %d written at once, %d writes unknown after a kill of which %d proven and %d disproven, %d reversed; "+
		"%d entries acknowledged, lost 0; starts: %d ready, %d recovering, slowest %s; at rest and conserved %d times",
		c.kills, c.by, len(c.found.sales), n[entry.KPaymentApproved], n[entry.KWriteDone], n[entry.KWriteStarted]-n[entry.KWriteDone]-n[entry.KWriteRefused],
		n[entry.KWriteProven], n[entry.KWriteDisproven], n[entry.KReversalAcknowledged],
		c.acknowledged, c.ready, c.recovering, c.slowest.Round(10*time.Millisecond), c.rests)
}

// TestKillInTheMiddleOfTopUps: see the package.
func TestKillInTheMiddleOfTopUps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(*seed, 9))
	p := &passenger{page: &page{}, w: w, rng: rand.New(rand.NewPCG(*seed, 10)), buys: true}
	k, err := w.startKiosk()
	must(t, err)
	p.turn(k.addr)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.look(ctx) })
	wg.Go(func() { p.run(ctx) })
	defer func() { cancel(); wg.Wait(); k.kill(); <-k.ended }()
	c := tally{by: map[string]int{}}
	for c.kills < *killsWanted {
		m, limit := moments(rng, k.kill)
		w.arm(m)
		by := "time"
		select {
		case <-k.ended:
			by = m.event
		case <-time.After(limit):
			w.arm(nil)
			k.kill()
			<-k.ended
		}
		c.kills++
		c.by[by]++
		began := time.Now()
		if k, err = w.startKiosk(); err != nil {
			t.Fatalf("after kill %d: %v", c.kills, err)
		}
		p.turn(k.addr)
		if err := w.back(ctx, p, &c, began); err != nil {
			t.Fatalf("after kill %d: %v\n%s", c.kills, err, k.said.String())
		}
		if c.kills%restEvery == 0 || c.kills == *killsWanted {
			if err := w.rest(ctx, p); err != nil {
				t.Fatalf("after kill %d: %v\n%s", c.kills, err, k.said.String())
			}
			c.rests++
			t.Log(c)
		}
	}
	fmt.Println(c)
}

// back waits until the kiosk is ready or recovering, and looks for what was
// acknowledged before.
func (w *world) back(ctx context.Context, p *passenger, c *tally, began time.Time) error {
	for {
		if screen, _ := p.at(); screen != "" && screen != "out-of-service" {
			break
		}
		if time.Since(began) > readyWait {
			screen, _ := p.at()
			return fmt.Errorf("not back after %s: screen %q", readyWait, screen)
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.slowest = max(c.slowest, time.Since(began))
	f, committed, err := w.kept(ctx)
	if err != nil {
		return err
	}
	if f.open+f.owed > 0 {
		c.recovering++
	} else {
		c.ready++
	}
	c.acknowledged, c.found = committed, f
	return nil
}

// rest has the passenger finish what is open, until nothing is open and nothing
// owed; then the money must be right.
func (w *world) rest(ctx context.Context, p *passenger) error {
	p.buying(false)
	defer p.buying(true)
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		f, err := w.journal()
		if err != nil {
			return err
		}
		if screen, _ := p.at(); f.open == 0 && f.owed == 0 && screen != "" && screen != "processing" {
			break
		}
		if time.Since(began) > restWait {
			screen, _ := p.at()
			return fmt.Errorf("after %s there are %d sales open, %d obligations owed; screen %q", restWait, f.open, f.owed, screen)
		}
	}
	return w.conserved(ctx)
}

package disktest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/store"
	"buka/topup"
	"buka/topup/sim"
	"buka/topup/sim/realpboc"
)

var salesWanted = flag.Int("sales", 0, "sales over disks that fail; 0: the short form")

// plan says when the disk under a kiosk fails, and how.
type plan struct {
	at    int // call of the disk, counted since the journal was begun; 0: at random
	how   Survive
	errno syscall.Errno // 0: the power goes
	seed  uint64
}

// strikes counts what happened to kiosks.
type strikes struct {
	by               map[string]int
	restarts         int
	ready, recovered int // starts with nothing open or owed, and with something
	entries          int // acknowledged and looked for
}

func (s *strikes) String() string {
	var by []string
	for _, k := range slices.Sorted(maps.Keys(s.by)) {
		by = append(by, fmt.Sprintf("%s %d", k, s.by[k]))
	}
	return fmt.Sprintf("%d restarts (%s): %d ready, %d recovering; %d acknowledged entries looked for, lost 0",
		s.restarts, strings.Join(by, ", "), s.ready, s.recovered, s.entries)
}

// kiosk is the real store of a kiosk in topup/sim, on a disk that fails inside
// commits. It is a sim.Disk.
type kiosk struct {
	t     testing.TB
	plan  plan
	rng   *rand.Rand
	count *strikes
	l     *life
	gone  int  // calls of disks that this kiosk has had before
	done  bool // the plan has struck
	known []entry.Hash
}

func newKiosk(t testing.TB, p plan, count *strikes) *kiosk {
	d, err := disks.New()
	must(t, err)
	return &kiosk{t: t, plan: p, rng: rand.New(rand.NewPCG(p.seed, 21)), count: count, l: newLife(d, nil)}
}

func (k *kiosk) end() { must(k.t, k.l.end()) }

// Append implements sim.Disk. When it is time, it fails in the middle.
func (k *kiosk) Append(bodies ...entry.Body) error {
	begin, err := k.l.disk.Count()
	must(k.t, err)
	if k.plan.errno != 0 && k.due(begin) {
		fault := Fault{At: max(1, k.plan.at-k.gone-begin), Errno: k.plan.errno, Stay: k.plan.errno != syscall.EIO, Seed: k.plan.seed}
		if k.plan.at == 0 {
			fault.At = 1 + k.rng.IntN(4)
		}
		must(k.t, k.l.disk.Arm(fault))
	}
	err = k.l.append(bodies...)
	end, cerr := k.l.disk.Count()
	must(k.t, cerr)
	switch {
	case err != nil:
		k.done = true
		k.note(k.plan.errno.Error())
		return err
	case k.plan.errno != 0:
		return nil
	case k.plan.at > 0 && !k.done && k.gone+end >= k.plan.at:
		k.done = true
		k.power(k.plan.at-k.gone, k.plan.how)
		return errPower
	case k.plan.at == 0 && k.due(begin):
		k.power(begin+1+k.rng.IntN(end-begin), Survive(k.rng.IntN(int(Kept)+1)))
		return errPower
	}
	return nil
}

var errPower = errors.New("the power went")

func (k *kiosk) note(what string) {
	k.count.restarts++
	k.count.by[what]++
}

// due says whether this commit is one that fails.
func (k *kiosk) due(calls int) bool {
	if k.plan.at > 0 {
		return !k.done && k.gone+calls < k.plan.at && k.plan.at <= k.gone+calls+64
	}
	return k.rng.IntN(25) == 0
}

// power takes it away after so many calls of the disk, or kills the process.
func (k *kiosk) power(calls int, how Survive) {
	k.note(how.String())
	must(k.t, k.l.close())
	left, _, err := k.l.disk.Cut(calls, how, k.rng.Uint64())
	must(k.t, err)
	k.swap(left, calls)
}

// swap goes on with what is left.
func (k *kiosk) swap(left *Disk, calls int) {
	must(k.t, k.l.disk.Drop())
	k.gone += calls
	must2, _ := k.l.promised(calls)
	k.known = k.l.known[:must2]
	k.l = newLife(left, k.l)
}

// Restart implements sim.Disk.
func (k *kiosk) Restart() (topup.Durable, error) {
	if k.l.s != nil { // nothing was under way, or a commit has failed
		k.known = slices.Clone(k.l.known)
		_ = k.l.close() // may say again what is wrong
		must(k.t, k.l.disk.Arm(Fault{}))
		if k.rng.IntN(2) == 0 {
			k.note("between commits")
			calls, err := k.l.disk.Count()
			must(k.t, err)
			left, _, err := k.l.disk.Cut(-1, Survive(k.rng.IntN(int(Kept)+1)), k.rng.Uint64())
			must(k.t, err)
			known := k.known
			k.swap(left, calls)
			k.known = known
		}
	}
	rep, err := k.l.open()
	if err != nil {
		return topup.Durable{}, err
	}
	if rep.Created {
		calls, err := k.l.disk.Count()
		must(k.t, err)
		k.gone -= calls
		return replay(k.l.s)
	}
	k.count.entries += len(k.known)
	for i, h := range k.known {
		if i >= len(k.l.known) || k.l.known[i] != h {
			return topup.Durable{}, fmt.Errorf("lost: acknowledged entry %d of %d", i+1, len(k.known))
		}
	}
	d, err := replay(k.l.s)
	if err == nil && len(d.Sales)+d.Owed() > 0 {
		k.count.recovered++
	} else if err == nil {
		k.count.ready++
	}
	return d, err
}

// replay is what a station does at its start, and later in the background: from
// the last checkpoint, and from the beginning; both give the same.
func replay(s *store.Store) (topup.Durable, error) {
	if err := s.Verify(context.Background(), nil); err != nil {
		return topup.Durable{}, err
	}
	whole := topup.New().Durable
	if err := fold(s, &whole, 1); err != nil {
		return whole, err
	}
	last, ok, err := s.LastCheckpoint()
	if err != nil || !ok {
		return whole, err
	}
	body, err := last.Body()
	if err != nil {
		return whole, err
	}
	d, err := topup.Decode(body.(entry.Checkpoint).State)
	if err == nil {
		err = fold(s, &d, last.Seq+1)
	}
	if err != nil {
		return d, err
	}
	a, errA := d.Encode()
	b, errB := whole.Encode()
	if !bytes.Equal(a, b) {
		err = errors.New("the last checkpoint gives another state than the whole journal")
	}
	return d, errors.Join(err, errA, errB)
}

func fold(s *store.Store, d *topup.Durable, from uint64) error {
	return s.Each(from, func(e entry.Entry, _ []byte) error {
		body, err := e.Body()
		if err != nil {
			return err
		}
		return d.Apply(body)
	})
}

// world is a plan of torture over such kiosks. stop ends them.
func world(t testing.TB, count *strikes, faults sim.Faults, sales int, seed uint64, next func() plan) (sim.Plan, func()) {
	var mine []*kiosk
	o := sim.Options{Cards: 2, Allowed: faults}
	realpboc.Cards(&o)
	stop := func() {
		for _, k := range mine {
			k.end()
		}
		mine = nil
	}
	o.NewDisk = func(i int) sim.Disk {
		if i == 0 {
			stop() // of the world before
		}
		k := newKiosk(t, next(), count)
		mine = append(mine, k)
		return k
	}
	return sim.Plan{Options: o, Seed: seed, Sales: sales, Together: 24, Raw: true}, stop
}

// TestSaleOverADiskThatFailsAtEveryCall: one passenger after another, and the
// disk fails at its first call, its second, and so on until none is left: with a
// power cut that leaves nothing, everything, a part, or torn sectors; with EIO,
// with a full disk, with one that cannot be written. The law holds after each,
// and everything comes to rest.
func TestSaleOverADiskThatFailsAtEveryCall(t *testing.T) {
	none, err := sim.ParseFaults("none")
	must(t, err)
	plans := []plan{{how: None}, {errno: syscall.EIO}, {how: Torn}, {errno: syscall.ENOSPC}, {how: Kept}, {how: All}, {errno: syscall.EROFS}, {how: Subset}}
	count := &strikes{by: map[string]int{}}
	for at, struck := 1, true; struck; at++ {
		struck = false
		for i, p := range plans {
			if !*long && at%len(plans) != i {
				continue
			}
			p.at, p.seed = at, uint64(at)
			before := count.restarts
			torture, stop := world(t, count, none, 2, 4, func() plan { return p })
			r := sim.Torture(torture)
			stop()
			if r.Err != nil {
				t.Fatalf("call %d of the disk, %v, %v: %v", at, p.how, p.errno, r.Err)
			}
			struck = struck || count.restarts > before
		}
	}
	if count.restarts < 100 {
		t.Error("hardly anything has failed")
	}
	t.Log(count)
}

// TestTortureOverDisksThatFail: all faults of torture, and disks that fail inside
// commits, at random.
func TestTortureOverDisksThatFail(t *testing.T) {
	sales := max(*salesWanted, 120)
	count := &strikes{by: map[string]int{}}
	rng := rand.New(rand.NewPCG(*cutSeed, 31))
	began := time.Now()
	plan, stop := world(t, count, sim.DiskFaults(), sales, *cutSeed, func() plan {
		errno := []syscall.Errno{0, 0, 0, syscall.EIO, syscall.ENOSPC, syscall.EROFS}[rng.IntN(6)]
		return plan{errno: errno, seed: rng.Uint64()}
	})
	r := sim.Torture(plan)
	stop()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	t.Logf("%d sales in %s, violations %d, %v", r.Sales, time.Since(began).Round(time.Second), r.Violations, count)
}

// TestRoomForASaleIsSecured: what was secured before a sale is there for all of
// it, however full the disk is meanwhile; and when there is no room, it says so
// before anything begins.
func TestRoomForASaleIsSecured(t *testing.T) {
	d := newDisk(t)
	l := newLife(d, nil)
	_, err := l.open()
	must(t, err)
	must(t, l.s.Secure(store.WorstSale))
	st, err := d.Look()
	must(t, err)
	must(t, d.Size(st.Used, 0)) // from now on nobody gets a page
	size, err := l.s.Stats()
	must(t, err)
	for n := 0; ; n++ {
		now, err := l.s.Stats()
		must(t, err)
		if now.UsedBytes-size.UsedBytes > store.WorstSale-(300<<10) {
			break
		}
		if err := l.append(entry.Checkpoint{State: bytes.Repeat([]byte{byte(n)}, 200<<10)}, body(n)); err != nil {
			t.Fatalf("after %d bytes of the %d that were secured: %v", now.UsedBytes-size.UsedBytes, int64(store.WorstSale), err)
		}
	}
	if err := l.s.Secure(32 << 20); !errors.Is(err, store.ErrNoRoom) {
		t.Error("a full disk:", err)
	}
	must(t, l.append(body(1))) // and it goes on
	must(t, l.s.Verify(t.Context(), nil))
	must(t, l.close())
}

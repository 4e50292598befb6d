package disktest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"buka/internal/entry"
	"buka/store"
)

// names says whether an error tells a person what the disk said. bbolt does not
// wrap all of it.
func names(err error, errno syscall.Errno) bool {
	return errors.Is(err, errno) || strings.Contains(err.Error(), errno.Error())
}

// faulty is a life whose disk fails at some call.
type faulty struct {
	*life
	err    error // of what failed; nil: nothing has noticed
	struck int
}

func (f *faulty) run(fault Fault) error {
	d, err := disks.New()
	if err != nil {
		return err
	}
	f.life = newLife(d, nil)
	if err := d.Arm(fault); err != nil {
		return err
	}
	if _, f.err = f.open(); f.err == nil {
		f.err = f.work(5, 0, true)
	}
	st, err := d.Look()
	f.struck = st.Struck
	return err
}

// stopped: after a commit that failed nothing may be added, and what was
// acknowledged is still read.
func (f *faulty) stopped(fault Fault) error {
	if !names(f.err, fault.Errno) {
		return fmt.Errorf("it does not say what the disk said: %w", f.err)
	}
	if f.s == nil || !errors.Is(f.err, store.ErrFailed) {
		return nil
	}
	if _, err := f.s.Append(body(1)); !errors.Is(err, store.ErrFailed) {
		return fmt.Errorf("after a commit that failed another is taken: %v", err)
	}
	if f.s.Failed() == nil {
		return errors.New("a commit has failed and the store does not say so")
	}
	for i, want := range f.known {
		if _, _, hash, err := f.s.Entry(uint64(i + 1)); err != nil || hash != want {
			return fmt.Errorf("entry %d after a commit that failed: %w", i+1, err)
		}
	}
	return nil
}

// again opens the journal on the same disk, which works again, without a power
// cut: what the page cache shows is what it believes. Then the power goes.
func (f *faulty) again(fault Fault) error {
	if err := f.disk.Arm(Fault{}); err != nil {
		return err
	}
	n, err := f.resumed(f.disk)
	if err != nil {
		return fmt.Errorf("opened again on the same disk: %w", err)
	}
	rounds := 2
	if *long {
		rounds = 4 // with what is done in quiet hours
	}
	if err := n.work(rounds, 500, *long); err != nil {
		return err
	}
	if err := n.close(); err != nil {
		return err
	}
	calls, err := f.disk.Count()
	if err != nil {
		return err
	}
	opened := n.steps[0].end
	rng := rand.New(rand.NewPCG(fault.Seed, 3))
	for i, how := range []Survive{None, None, All, Torn, None} {
		if !*long && i > 1 {
			break
		}
		at := calls
		if how == None && i > 0 {
			at = opened + rng.IntN(calls-opened+1)
		}
		left, _, err := f.disk.Cut(at, how, fault.Seed)
		if err != nil {
			return err
		}
		last, err := n.next(left, at)
		if err = errors.Join(err, last.end()); err != nil {
			return fmt.Errorf("after work on the same disk and a power cut after call %d (%v survives): %w", at, how, err)
		}
	}
	return nil
}

// resumed opens what a failed life has left on a disk.
func (f *faulty) resumed(d *Disk) (*life, error) {
	const atTheEnd = 1 << 30
	must, _ := f.promised(atTheEnd)
	if len(f.steps) > 0 {
		if last := &f.steps[len(f.steps)-1]; last.end < 0 {
			last.tail = must + last.size
		}
	}
	return f.next(d, atTheEnd)
}

func (f *faulty) cut(how Survive, seed uint64) error {
	left, _, err := f.disk.Cut(-1, how, seed)
	if err != nil {
		return err
	}
	n, err := f.resumed(left)
	return errors.Join(err, n.end())
}

// TestFaultAtEveryCall: every call fails once, or from then on, with each error;
// the journal says so, takes nothing more, and is whole when it is opened again:
// at once on the same disk, and after a power cut.
func TestFaultAtEveryCall(t *testing.T) {
	faults := []Fault{
		{Errno: syscall.EIO}, {Errno: syscall.ENOSPC, Stay: true}, {Errno: syscall.EROFS, Stay: true}, {Errno: syscall.EIO, Stay: true}, {Errno: syscall.ENOSPC},
	}
	var whole faulty
	must(t, whole.run(Fault{}))
	must(t, whole.err)
	st, err := whole.disk.Look()
	must(t, err)
	must(t, whole.end())
	noticed := map[string]int{}
	for at := range st.Calls {
		for i, fault := range faults {
			// A name that is not durable is the one thing that a file cannot tell.
			if !*long && at%len(faults) != i && (i > 0 || st.Calls[at] != SyncDir.String()) {
				continue
			}
			fault.At, fault.Seed = at+1, uint64(at)
			if failAt(t, fault) != nil {
				noticed[fmt.Sprintf("%v, from then on: %v", fault.Errno, fault.Stay)]++
			}
		}
	}
	for what, n := range noticed {
		t.Logf("%s: %d calls", what, n)
	}
	if len(noticed) != len(faults) || len(st.Calls) < 100 {
		t.Errorf("of %d calls have failed: %v", len(st.Calls), noticed)
	}
}

// failAt has one call fail, and gives what came of it.
func failAt(t *testing.T, fault Fault) error {
	t.Helper()
	var f faulty
	must(t, f.run(fault))
	st, err := f.disk.Look()
	must(t, err)
	last := tailOf(st.Calls, min(fault.At, len(st.Calls)))
	// Less room is asked for when much is not there (allocate, and its sync); an
	// unreadable journal.id is written again, with a remark.
	asked := slices.Contains(last[max(0, len(last)-2):], Allocate.String()) && fault.Errno == syscall.ENOSPC
	if f.struck > 0 && f.err == nil && f.notes == 0 && !asked {
		t.Errorf("call %d (%v) fails with %v and nobody notices", fault.At, last, fault.Errno)
	}
	if f.err != nil {
		if err := f.after(fault); err != nil {
			t.Errorf("call %d (%v) fails with %v, from then on %v: %v", fault.At, last, fault.Errno, fault.Stay, err)
		}
	}
	must(t, f.end())
	return f.err
}

func (f *faulty) after(fault Fault) error {
	if err := f.stopped(fault); err != nil {
		return err
	}
	_ = f.close() // may say again what is wrong
	for i, how := range []Survive{None, Torn, All, Subset} {
		if !*long && i > 1 {
			break
		}
		if err := f.cut(how, uint64(100*fault.At+i)); err != nil {
			return fmt.Errorf("after a power cut (%v survives): %w", how, err)
		}
	}
	return f.again(fault)
}

// TestReadsThatFail: after every read that succeeds the disk gives nothing more.
// The journal says so, whoever reads: its own reader or bbolt through its map.
// Nothing is lost by it.
func TestReadsThatFail(t *testing.T) {
	l, err := begin(2, 0, false)
	must(t, err)
	for i := range 40 { // more than the kernel reads ahead
		must(t, l.append(entry.Checkpoint{State: make([]byte, 60<<10)}, body(i), body(i+1)))
	}
	must(t, l.close())
	calls, err := l.disk.Count()
	must(t, err)
	failed := 0
	for more, ok := 0, false; !ok; more++ {
		cold, _, err := l.disk.Cut(-1, Kept, 0) // none of it is in the page cache
		must(t, err)
		must(t, cold.ArmReads(more))
		n, err := l.next(cold, calls)
		if ok = err == nil; !ok {
			failed++
			if !names(err, syscall.EIO) && !strings.Contains(err.Error(), "bbolt gave up") {
				t.Errorf("after %d reads: %v", more, err)
			}
			must(t, n.close())
			must(t, cold.Arm(Fault{}))
			if n, err = l.next(cold, calls); err != nil {
				t.Errorf("%d reads, and then all of them: %v", more, err)
			}
		}
		must(t, n.end())
	}
	if failed < 3 {
		t.Errorf("only %d reads have failed", failed)
	}
	t.Logf("%d reads", failed)
}

// TestReadThatFailsUnderTheMap: what bbolt touches in its map was evicted, and the
// disk does not give it again. That is an error of the commit; the process lives.
func TestReadThatFailsUnderTheMap(t *testing.T) {
	l, err := begin(1, 0, false)
	must(t, err)
	for i := range 40 {
		must(t, l.append(entry.Checkpoint{State: make([]byte, 60<<10)}, body(i), body(i+1)))
	}
	must(t, l.close())
	_, err = l.open()
	must(t, err)
	f, err := os.Open(l.path())
	must(t, err)
	must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	must(t, f.Close())
	must(t, l.disk.ArmReads(0))
	_, err = l.s.Append(body(1))
	if err == nil || l.s.Failed() == nil {
		t.Errorf("a commit over pages that cannot be read: %v", err)
	}
	must(t, l.disk.Arm(Fault{}))
	must(t, l.close())
	n, err := l.next(l.disk, 1<<30)
	must(t, err)
	must(t, n.end())
}

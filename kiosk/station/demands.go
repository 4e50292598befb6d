package station

import (
	"sync"
	"time"
)

// demands are what a host says about signing on again. The first one is passed on
// at once; one that follows without a message that the host was content with, half a
// second later, then one, up to a minute: a host that always wants another sign-on
// gets few.
type demands struct {
	act func() // one at a time, by a goroutine of its own

	mu     sync.Mutex
	wait   time.Duration // before the next one is passed on
	next   *time.Timer   // that does it; nil: none is wanted
	acting bool
	ended  bool
}

const (
	demandAgain  = 500 * time.Millisecond
	demandSeldom = time.Minute
)

// want takes a demand.
func (d *demands) want() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next != nil || d.acting || d.ended {
		return
	}
	d.next = time.AfterFunc(d.wait, d.pass)
	d.wait = min(max(2*d.wait, demandAgain), demandSeldom)
}

func (d *demands) pass() {
	d.mu.Lock()
	wanted := d.next != nil && !d.acting
	d.next, d.acting = nil, d.acting || wanted
	d.mu.Unlock()
	if !wanted {
		return // met since
	}
	d.act()
	d.mu.Lock()
	d.acting = false
	d.mu.Unlock()
}

// met: a sign-on has been answered, and with it all that was wanted before.
func (d *demands) met() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next != nil {
		d.next.Stop()
		d.next = nil
	}
}

// content: the host wants nothing.
func (d *demands) content() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wait = 0
}

// end passes on nothing any more.
func (d *demands) end() {
	d.met()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
}

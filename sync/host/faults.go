package host

import (
	"sync"
	"time"

	"buka/sync/switchlink"
)

// Action is what a Gate does to one request. The zero value does nothing.
type Action struct {
	Silent  bool          // take the request, never process or answer it
	Decline string        // commit and answer this code; no money moves
	Delay   time.Duration // process and commit, answer so much later
	Drop    bool          // process and commit, never answer
}

// Gate looks at every request but echo and sign-on before it is processed. It
// exists for scenarios; without one nothing is ever held up.
type Gate func(r *switchlink.Request) Action

// SetGate puts a gate in place of the one before; nil takes it away. Requests
// under way keep what they were told.
func (h *Host) SetGate(g Gate) { h.gate.Store(&g) }

func (h *Host) ask(r *switchlink.Request) Action {
	g := h.gate.Load()
	if g == nil || *g == nil || r.Kind == switchlink.KindEcho || r.Kind == switchlink.KindSignOn {
		return Action{}
	}
	return (*g)(r)
}

// Faults is the gate of the scenario words "host silent", "late", "drops" and
// "declines" and "denies". Silent and late touch payments, eligibility and load
// authorisations; declines touches payments and load authorisations; drops
// touches every answer with that MTI. The zero value lets everything through.
type Faults struct {
	mu      sync.Mutex
	silent  bool
	late    time.Duration
	drops   string
	decline string
	denies  string
	fired   int
}

// Silent: payments and loads are taken and never processed.
func (f *Faults) Silent() { f.change(func() { f.silent = true }) }

// Late: payments and loads are processed, and answered after d.
func (f *Faults) Late(d time.Duration) { f.change(func() { f.late = d }) }

// Drops: answers with this MTI are lost after their commit.
func (f *Faults) Drops(mti string) { f.change(func() { f.drops = mti }) }

// Declines: payments and load authorisations get this code.
func (f *Faults) Declines(code string) { f.change(func() { f.decline = code }) }

// Denies: reversals get this code and give nothing back.
func (f *Faults) Denies(code string) { f.change(func() { f.denies = code }) }

// Answers ends every fault.
func (f *Faults) Answers() {
	f.change(func() { f.silent, f.late, f.drops, f.decline, f.denies = false, 0, "", "", "" })
}

// Fired counts the requests that met a fault since a fault was last set.
func (f *Faults) Fired() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

func (f *Faults) change(set func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set()
	f.fired = 0
}

// Gate is what SetGate takes.
func (f *Faults) Gate(r *switchlink.Request) Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	var a Action
	switch r.Kind {
	case switchlink.KindPay, switchlink.KindAuthorise:
		a = Action{Silent: f.silent, Delay: f.late, Decline: f.decline}
	case switchlink.KindEligible:
		a = Action{Silent: f.silent, Delay: f.late}
	case switchlink.KindReverse:
		a = Action{Decline: f.denies}
	}
	a.Drop = f.drops != "" && f.drops == r.Kind.AnswerMTI()
	if a != (Action{}) {
		f.fired++
	}
	return a
}

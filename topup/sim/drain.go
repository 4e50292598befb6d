package sim

import (
	"strings"

	"buka/topup"
)

const drainMax = 4000 // actions until everything must be at rest

// Drain ends all faults, lets everything that is under way arrive, brings each
// card back twice, and asks whether all is at rest. It is a violation if
// anything is owed, or open without a reason that people could act on.
func (w *World) Drain() error {
	w.faults = 0
	presents := 0
	for range drainMax {
		if w.failed != nil {
			return w.failed
		}
		if !w.drainStep(&presents) {
			return w.atRest()
		}
	}
	return violation("it does not come to rest")
}

// drainStep does the one thing that comes next; false: there is none. It
// depends on the world and on presents alone.
func (w *World) drainStep(presents *int) bool {
	switch {
	case len(w.late) > 0:
		return w.Do(Action{Op: opLate})
	case len(w.net) > 0:
		return w.Do(Action{Op: opNet})
	case len(w.place[0].queue) > 0:
		return w.Do(Action{Op: opCard})
	case len(w.place[1].queue) > 0:
		return w.Do(Action{Op: opCard, Arg: 1})
	case len(w.tender) > 0:
		return w.Do(Action{Op: opTender})
	case len(w.links) > 0:
		return w.Do(Action{Op: opLink})
	case !w.up:
		return w.Do(Action{Op: opUp})
	case w.place[1].card >= 0:
		return w.Do(Action{Op: opRemove, Arg: 1})
	}
	for i, t := range w.timers {
		if !strings.HasPrefix(t.name, "offer:") {
			return w.Do(Action{Op: opTimer, Arg: uint8(i)})
		}
	}
	switch {
	case w.place[0].card >= 0:
		return w.Do(Action{Op: opRemove})
	case *presents == 0 && w.disk.Owed() > 0:
		w.fail(violation("8: %d obligations wait for a passenger", w.disk.Owed()))
		return true
	case *presents < 2*len(w.cards):
		c := *presents % len(w.cards)
		*presents++
		return w.Do(Action{Op: opPresent, Arg: uint8(2 * c)})
	case len(w.timers) > 0:
		return w.Do(Action{Op: opTimer})
	}
	return false
}

// atRest says whether what is left is nothing, or a case for people.
func (w *World) atRest() error {
	if n := w.disk.Owed(); n > 0 {
		return violation("8: %d obligations are never met", n)
	}
	if p := w.loop.State.Live.Front.Phase; p != topup.Idle && p != "" && p != topup.Holding {
		return violation("10: the passenger's console stays %s", p)
	}
	for _, s := range w.disk.InOrder() {
		t := w.truthOf(s.ID)
		switch {
		case s.Conflict && t.lied:
		case s.Unresolved() && t.spoiled:
		case s.Offered() && s.PayBatch != w.disk.Batch: // to be written; too late to reverse
		default:
			return violation("10: sale %s is left open: payment %d, write %d, conflict %v", s.ID, s.Pay, s.Write, s.Conflict)
		}
	}
	return nil
}

// Open counts the sales that are left for people.
func (w *World) Open() int { return len(w.disk.Sales) }

// Opened counts the sales ever opened.
func (w *World) Opened() int { return int(w.disk.Opened) }

// Err gives the violation, if there was one.
func (w *World) Err() error { return w.failed }

var _ topup.Journal = (*journal)(nil)

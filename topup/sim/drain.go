package sim

import (
	"slices"
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
	for i := range w.host.terminals {
		if w.turn(i); w.calms() {
			return true
		}
	}
	for i := range w.host.terminals {
		if w.turn(i); *presents == 0 && w.disk.Owed() > 0 {
			w.fail(violation("8: %d obligations wait for a passenger", w.disk.Owed()))
			return true
		}
	}
	all := len(w.cards) * len(w.host.terminals)
	if w.comes(presents, 2*all) {
		return true
	}
	for i := range w.host.terminals {
		if w.turn(i); len(w.timers) > 0 { // an offer ends long before it is handed over
			first := slices.IndexFunc(w.timers, func(t timer) bool { return strings.HasPrefix(t.name, "offer:") })
			return w.Do(Action{Op: opTimer, At: uint8(i), Arg: uint8(max(first, 0))})
		}
	}
	if (len(w.host.rewrites) > 0 || w.turnedAway()) && w.comes(presents, 4*all) {
		return true
	}
	for i := range w.host.terminals {
		if w.turn(i); w.opt.Settles != 0 && w.toSettle() {
			w.settles()
			return true
		}
	}
	return false
}

// turnedAway says that a card may have come while an offer to another one kept the
// passenger's console: offers have ended by now.
func (w *World) turnedAway() bool {
	for k := range w.kiosks {
		for _, s := range k.disk.Sales {
			if t := w.truthOf(s.ID); s.Unresolved() && !t.spoiled && !w.cards[t.card].never {
				return true
			}
		}
	}
	return false
}

// comes brings the next card that can come, until so many were presented. What
// the host owns is known at the kiosk by then.
func (w *World) comes(presents *int, until int) bool {
	for n := len(w.cards); *presents < until; {
		c, at := *presents%n, *presents/n%len(w.host.terminals)
		if *presents++; w.cards[c].never {
			continue
		}
		if w.opt.Fleet {
			w.Do(Action{Op: opSync, At: uint8(at)})
		}
		return w.Do(Action{Op: opPresent, At: uint8(at), Arg: uint8(2 * c)})
	}
	return false
}

// calms does what one kiosk has under way, cards apart that still may come, and
// offers that still may end.
func (w *World) calms() bool {
	a := Action{At: uint8(w.index)}
	if i := slices.Index(w.ill[:], true); i >= 0 {
		a.Op, a.Arg = opHeal, uint8(i)
		return w.Do(a)
	}
	switch {
	case len(w.late) > 0:
		a.Op = opLate
	case len(w.net) > 0:
		a.Op = opNet
	case len(w.place[0].queue) > 0:
		a.Op = opCard
	case len(w.place[1].queue) > 0:
		a.Op, a.Arg = opCard, 1
	case len(w.tender) > 0:
		a.Op = opTender
	case len(w.links) > 0:
		a.Op = opLink
	case !w.up:
		a.Op = opUp
	case w.place[1].card >= 0:
		a.Op, a.Arg = opRemove, 1
	default:
		i := slices.IndexFunc(w.timers, func(t timer) bool {
			return !strings.HasPrefix(t.name, "offer:") && !strings.HasPrefix(t.name, "hand-over:") && !strings.HasPrefix(t.name, "patience:")
		})
		switch {
		case i >= 0:
			a.Op, a.Arg = opTimer, uint8(i)
		case w.place[0].card >= 0:
			a.Op = opRemove
		default:
			return false
		}
	}
	return w.Do(a)
}

// atRest says whether what is left is nothing, or a case for people.
func (w *World) atRest() error {
	for i := range w.host.terminals {
		w.turn(i)
		if err := w.kioskAtRest(); err != nil {
			return err
		}
	}
	return w.rewritesAtRest()
}

func (w *World) kioskAtRest() error {
	if n := w.disk.Owed(); n > 0 {
		return violation("8: %d obligations are never met", n)
	}
	if p := w.loop.State.Live.Front.Phase; p != topup.Idle && p != "" && p != topup.Holding {
		return violation("10: the passenger's console stays %s", p)
	}
	for _, s := range w.disk.InOrder() {
		t := w.truthOf(s.ID)
		switch {
		case s.Conflict && (t.lied || w.doubted()): // it leaves others of its batch in doubt
		case s.ExpectAbsent && w.opt.Settles == 0:
		case s.Unresolved() && (t.spoiled || w.cards[t.card].never):
		case s.Offered() && !w.disk.Reversible(s.PayBatch): // to be written; too late to reverse
		default:
			return violation("10: sale %s is left open: payment %d, write %d, conflict %v", s.ID, s.Pay, s.Write, s.Conflict)
		}
	}
	return w.batchesAtRest()
}

// Open counts the sales that are left for people.
func (w *World) Open() (n int) {
	for k := range w.kiosks {
		n += len(k.disk.Sales)
	}
	return n
}

// Opened counts the sales ever opened.
func (w *World) Opened() (n int) {
	for k := range w.kiosks {
		n += int(k.disk.Opened)
	}
	return n
}

// Err gives the violation, if there was one.
func (w *World) Err() error { return w.failed }

var _ topup.Journal = (*journal)(nil)

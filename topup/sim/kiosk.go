package sim

import (
	"slices"

	"buka/internal/entry"
	"buka/topup"
)

// kiosk is one kiosk, and what is under way between it and the rest.
type kiosk struct {
	index  int
	loop   topup.Loop
	disk   topup.Durable // what a restart would find
	place  [2]place      // front, desk
	tender []topup.Command
	links  []topup.Command // to the host, in any order
	late   []topup.Event   // answers that are under way
	net    []topup.Command // requests that will reach the host later
	timers []timer

	maxSTAN uint32
	up      bool
	journal uint8 // what becomes of the next append
	crashed bool  // by it
	ill     [illCount]bool
	full    bool         // the disk
	down    bool         // it cannot even start
	store   Disk         // with Options.NewDisk
	maybe   []entry.Body // of its append that failed

	book []item // what it counts of closed sales in batches that are not settled

	// With Options.Fleet.
	unshipped []shipped
	backup    *backup // never changed in place
}

// Clone gives a world that goes its own way.
func (w *World) Clone() *World {
	c := *w
	c.cards, c.kiosk, c.host = slices.Clone(w.cards), w.kiosk.clone(), w.host.clone()
	c.truth = slices.Clone(w.truth)
	c.others = slices.Clone(w.others)
	for i := range c.others {
		c.others[i] = w.others[i].clone()
	}
	c.struck = &Counts{}
	return &c
}

func (k kiosk) clone() kiosk {
	k.timers, k.unshipped = slices.Clone(k.timers), slices.Clone(k.unshipped)
	k.book = slices.Clone(k.book)
	k.tender, k.links, k.late, k.net = slices.Clone(k.tender), slices.Clone(k.links), slices.Clone(k.late), slices.Clone(k.net)
	for i := range k.place {
		k.place[i].queue = slices.Clone(k.place[i].queue)
	}
	return k
}

// turn gives the word to a kiosk. The others keep their order.
func (w *World) turn(to int) {
	for i := range w.others {
		if w.index == to {
			return
		}
		w.kiosk, w.others[i] = w.others[i], w.kiosk
	}
}

// kiosks are all of them, in no order that means anything.
func (w *World) kiosks(yield func(*kiosk) bool) {
	if !yield(&w.kiosk) {
		return
	}
	for i := range w.others {
		if !yield(&w.others[i]) {
			return
		}
	}
}

// lies says whether a card lies on a reader anywhere.
func (w *World) lies(c int) bool {
	for k := range w.kiosks {
		if k.place[0].card == c || k.place[1].card == c {
			return true
		}
	}
	return false
}

package station

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"buka/cardio/reader"
	"buka/topup"
)

// watch turns what the readers say into events of the sale. Reader events are
// hints: what counts is the present state, looked at after each hint and every
// second.
type watch struct {
	source  reader.Source
	roles   *reader.Roles
	desk    bool // a desk reader is configured
	post    func(topup.Event)
	present chan struct{} // pokes the tender
	log     *slog.Logger

	sessions uint64
	places   map[topup.Place]presence
	devices  map[string]string

	mu     sync.Mutex
	broken map[topup.Place]time.Time // contact was lost in a dialogue, then
}

type presence struct {
	serial  uint64
	cards   int
	session uint64
	again   int // how often it was taken for another presence without having left
}

const (
	relook = time.Second
	// A reader notices a removal some time after the dialogue that it broke. If
	// by then it has not, the card was away for less than one look of the
	// service, or stands in a field that flickers: it is there again.
	relost   = 700 * time.Millisecond
	maxAgain = 3 // of one presence: a card that is out of order does not go on for ever
)

// lost notes that contact was lost in a dialogue at a place.
func (w *watch) lost(p topup.Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken[p] = time.Now()
}

// flickered says, once for each loss, that contact was lost long enough ago for
// the reader to have noticed a removal.
func (w *watch) flickered(p topup.Place) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, lost := w.broken[p]
	if !lost || time.Since(at) < relost {
		return false
	}
	delete(w.broken, p)
	return true
}

// forgive drops a loss that a removal has explained.
func (w *watch) forgive(p topup.Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.broken, p)
}

func (w *watch) run(ctx context.Context) {
	w.places, w.devices = map[topup.Place]presence{}, map[string]string{}
	tick := time.NewTicker(relook)
	defer tick.Stop()
	w.look()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.source.Events():
			if !ok {
				return
			}
			w.log.Debug("reader", "event", e.Kind, "reader", e.Reader, "serial", e.Serial)
		case <-tick.C:
		}
		w.look()
	}
}

func (w *watch) look() {
	states := w.source.Readers()
	w.device("transit", states, reader.Transit)
	w.device("bank", states, reader.Bank)
	w.place(topup.Front, states, reader.Transit)
	if w.desk {
		w.device("desk", states, reader.Desk)
		w.place(topup.Desk, states, reader.Desk)
	}
	select {
	case w.present <- struct{}{}:
	default:
	}
}

// device says whether a role has a reader that works.
func (w *watch) device(name string, states []reader.State, role reader.Role) {
	why := "reader-missing"
	for _, st := range w.roles.Readers(states, role) {
		if !st.Hung {
			why = ""
			break
		}
		why = "reader-busy"
	}
	if old, known := w.devices[name]; !known || old != why {
		w.devices[name] = why
		w.post(topup.DeviceChanged{Name: name, OK: why == "", Why: why})
	}
}

// place says which card is there. Another presence, or another number of
// cards, is another session.
func (w *watch) place(p topup.Place, states []reader.State, role reader.Role) {
	now := presence{}
	for _, st := range w.roles.Readers(states, role) {
		if st.Present {
			now.serial = max(now.serial, st.Serial)
			now.cards += max(1, st.Cards)
		}
	}
	old := w.places[p]
	if now.serial == old.serial && now.cards == old.cards {
		if old.session == 0 || old.again >= maxAgain || !w.flickered(p) {
			return
		}
		now.again = old.again + 1
	}
	w.forgive(p)
	if old.session != 0 {
		w.post(topup.CardGone{Place: p, Session: old.session})
	}
	if now.cards > 0 {
		w.sessions++
		now.session = w.sessions
		w.post(topup.CardPresented{Place: p, Session: now.session})
	}
	w.places[p] = now
}

// cardIn finds the reader of a role that has a card.
func cardIn(source reader.Source, roles *reader.Roles, role reader.Role) func() (reader.State, error) {
	return func() (reader.State, error) { return roles.ReaderFor(source.Readers(), role) }
}

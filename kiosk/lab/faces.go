package lab

import (
	"sync"

	"buka/kiosk/station"
	"buka/ui"
)

// faces lets the pages stay open over power cuts: they see whatever station is
// running, and a dark one in between.
type faces struct {
	lab *Lab

	mu   sync.Mutex
	next int
	subs map[int]func()

	on        *station.Station
	life      uint64 // counts stations, so that an old press never fits a new screen
	passenger ui.Passenger
	desk      ui.Desk
	leave     func()
}

func newFaces(l *Lab) *faces { return &faces{lab: l, subs: map[int]func(){}, leave: func() {}} }

func (f *faces) tell() {
	f.mu.Lock()
	list := make([]func(), 0, len(f.subs))
	for _, s := range f.subs {
		list = append(list, s)
	}
	f.mu.Unlock()
	for _, s := range list {
		s()
	}
}

func (f *faces) watch(changed func()) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := f.next
	f.next++
	f.subs[id] = changed
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs, id)
	}
}

// current follows the station that is running.
func (f *faces) current() (ui.Passenger, ui.Desk, uint64, bool) {
	st := f.lab.Station()
	f.mu.Lock()
	defer f.mu.Unlock()
	if st != f.on {
		f.leave()
		f.leave = func() {}
		if f.on = st; st != nil {
			f.life++
			f.passenger, f.desk = st.Passenger(), st.Desk()
			f.leave = f.passenger.Subscribe(f.tell)
		}
	}
	return f.passenger, f.desk, f.life << 32, st != nil
}

// Passenger is the passenger's page over power cuts.
func (l *Lab) Passenger() ui.Passenger { return passenger{l.faces} }

type passenger struct{ *faces }

func (p passenger) Subscribe(changed func()) func() { return p.watch(changed) }

func (p passenger) Screen() ui.Screen {
	now, _, life, on := p.current()
	if !on {
		return ui.Screen{Name: ui.ScreenOutOfService, Rev: life, Lang: p.lab.opts.Language, Reason: ui.ReasonStarting}
	}
	scr := now.Screen()
	scr.Rev |= life
	return scr
}

func (p passenger) Input(in ui.Input) error {
	now, _, life, on := p.current()
	if !on || in.Rev&^(1<<32-1) != life {
		return ui.ErrStale
	}
	in.Rev &= 1<<32 - 1
	return now.Input(in)
}

// Desk is the cashier's page over power cuts.
func (l *Lab) Desk() ui.Desk { return desk{l.faces} }

type desk struct{ *faces }

func (d desk) Subscribe(changed func()) func() { return d.watch(changed) }

func (d desk) State() ui.DeskState {
	_, now, life, on := d.current()
	if !on {
		return ui.DeskState{Rev: life, Kiosk: d.lab.opts.Kiosk, Reader: ui.DeviceState{Role: "desk", Name: "desk", State: "down"}}
	}
	st := now.State()
	st.Rev |= life
	return st
}

func (d desk) Do(a ui.DeskAction) error {
	_, now, life, on := d.current()
	if !on || a.Rev&^(1<<32-1) != life {
		return ui.ErrStale
	}
	a.Rev &= 1<<32 - 1
	return now.Do(a)
}

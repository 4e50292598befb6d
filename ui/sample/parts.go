package sample

import (
	"fmt"
	"sync"

	"buka/ui"
)

// news tells subscribers that something changed.
type news struct {
	mu   sync.Mutex
	next int
	subs map[int]func()
}

// Subscribe keeps changed until cancel is called.
func (n *news) Subscribe(changed func()) (cancel func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.subs == nil {
		n.subs = map[int]func(){}
	}
	id := n.next
	n.next++
	n.subs[id] = changed
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.subs, id)
	}
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.subs {
		f()
	}
}

// Passenger shows whatever screen it is set to and remembers what was
// pressed.
type Passenger struct {
	news
	mu     sync.Mutex
	screen ui.Screen
	inputs []ui.Input
}

// Set changes the screen.
func (p *Passenger) Set(s ui.Screen) {
	p.mu.Lock()
	p.screen = s
	p.mu.Unlock()
	p.tell()
}

// Screen implements ui.Passenger.
func (p *Passenger) Screen() ui.Screen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen
}

// Input implements ui.Passenger: it changes the language and keeps the rest.
func (p *Passenger) Input(in ui.Input) error {
	p.mu.Lock()
	p.inputs = append(p.inputs, in)
	if in.Do == ui.DoLang {
		p.screen.Lang = in.Value
	}
	p.mu.Unlock()
	p.tell()
	return nil
}

// Inputs are what was pressed so far.
func (p *Passenger) Inputs() []ui.Input {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]ui.Input(nil), p.inputs...)
}

// Bench is a bench whose devices only show that they were pushed.
type Bench struct {
	news
	mu      sync.Mutex
	state   ui.BenchState
	actions []ui.BenchAction
}

// NewBench is a bench with two cards of each kind.
func NewBench() *Bench { return &Bench{state: benchState()} }

// State implements ui.Bench.
func (b *Bench) State() ui.BenchState {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.state
	s.Transit = append([]ui.BenchCard(nil), s.Transit...)
	s.Bank = append([]ui.BenchBank(nil), s.Bank...)
	return s
}

// Actions are what was pushed so far.
func (b *Bench) Actions() []ui.BenchAction {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]ui.BenchAction(nil), b.actions...)
}

// Do implements ui.Bench.
func (b *Bench) Do(a ui.BenchAction) error {
	b.mu.Lock()
	b.actions = append(b.actions, a)
	err := b.apply(a)
	b.mu.Unlock()
	b.tell()
	return err
}

func (b *Bench) apply(a ui.BenchAction) error {
	switch a.Name {
	case "power":
		b.state.PowerOn = a.Args["to"] == "on"
	case "host":
		b.state.Host = ui.BenchHost{Behaviour: a.Args["behaviour"], Arg: a.Args["arg"]}
	case "network":
		up, link := a.Args["to"] == "up", a.Args["link"]
		if link != "fleet" {
			b.state.SwitchUp = up
		}
		if link != "switch" {
			b.state.FleetUp = up
		}
	case "key":
		b.state.Pad.Digits = (b.state.Pad.Digits + 1) % 7
	case "tap", "lay", "remove", "tear":
		for i := range b.state.Transit {
			c := &b.state.Transit[i]
			if c.Name != a.Args["card"] {
				continue
			}
			switch a.Name {
			case "remove":
				c.Field = ""
			case "tear":
				c.Tear = a.Args["when"]
				if c.Tear == "off" {
					c.Tear = ""
				}
			default:
				c.Field = a.Args["reader"]
			}
			return nil
		}
		return fmt.Errorf("there is no card %q", a.Args["card"])
	}
	return nil
}

// Desk shows whatever state it is set to and remembers what was pressed.
type Desk struct {
	news
	mu      sync.Mutex
	state   ui.DeskState
	actions []ui.DeskAction
}

// Set changes the state.
func (d *Desk) Set(s ui.DeskState) {
	d.mu.Lock()
	d.state = s
	d.mu.Unlock()
	d.tell()
}

// State implements ui.Desk.
func (d *Desk) State() ui.DeskState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Do implements ui.Desk.
func (d *Desk) Do(a ui.DeskAction) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.actions = append(d.actions, a)
	return nil
}

// Actions are what was pressed so far.
func (d *Desk) Actions() []ui.DeskAction {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]ui.DeskAction(nil), d.actions...)
}

// Fleet shows whatever state it is set to.
type Fleet struct {
	news
	mu      sync.Mutex
	state   ui.FleetState
	actions []ui.FleetAction
}

// Do implements ui.Fleet.
func (f *Fleet) Do(a ui.FleetAction) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.actions = append(f.actions, a)
	return nil
}

// Actions are what was pressed so far.
func (f *Fleet) Actions() []ui.FleetAction {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]ui.FleetAction(nil), f.actions...)
}

// Set changes the state.
func (f *Fleet) Set(s ui.FleetState) {
	f.mu.Lock()
	f.state = s
	f.mu.Unlock()
	f.tell()
}

// State implements ui.Fleet.
func (f *Fleet) State() ui.FleetState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

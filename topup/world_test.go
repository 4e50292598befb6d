package topup_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

// world is a small model of everything around the core: cards, host, passenger,
// power. Commands run in any order, answers get lost, cards are torn, and a
// crash forgets all but the entries.
type world struct {
	rng    *rand.Rand
	core   *topup.Core
	state  topup.State
	kept   []entry.Body // durable
	todo   []topup.Command
	events []topup.Event
	timers map[string]uint64

	cards   []*modelCard
	inField *modelCard
	session uint64
	ready   *entry.Attempt // INITIALIZE state of the card in the field, with its authorisation
	up      bool
	faults  bool
	nextID  int

	payments map[uint32]*modelPayment
	early    map[uint32]bool // reversals before their original
	batch    uint32
	settled  map[uint32]bool
	funds    money.Fen // debited and not given back
	ledger   map[string][]entry.Attempt
	seen     map[string]bool
	log      []string
}

type modelPayment struct {
	amount   money.Fen
	reversed bool
	batch    uint32
	sale     entry.SaleID
}

type modelCard struct {
	number  string
	balance money.Fen
	counter entry.Slot
	log     []entry.LogRecord
	proof   *entry.Proof // of the last load
	wipes   bool         // INITIALIZE wipes the proof
	next    bool         // PROVE answers to N+1, else to N
	added   money.Fen    // by loads
}

func (w *world) say(format string, a ...any) { w.log = append(w.log, fmt.Sprintf(format, a...)) }

// chance is a fault's probability in percent; none once faults have ended.
func (w *world) chance(percent int) bool { return w.faults && w.rng.IntN(100) < percent }

func (w *world) post(e topup.Event) { w.events = append(w.events, e) }

func (w *world) step(e topup.Event) error {
	r := w.core.Step(w.state, e)
	w.say("event %T%+v", e, e)
	if r.Err != nil {
		return r.Err
	}
	if len(r.Entries) > 0 && w.chance(2) { // the power goes before the append returns
		if w.chance(50) {
			w.kept = append(w.kept, r.Entries...)
		}
		return w.crash()
	}
	w.kept = append(w.kept, r.Entries...)
	for _, b := range r.Entries {
		w.say("  entry %s %+v", b.Kind(), b)
	}
	w.state = r.State
	if w.chance(2) {
		return w.crash()
	}
	for _, c := range r.Commands {
		if t, ok := c.(topup.SetTimer); ok {
			delete(w.timers, t.Name)
			if t.AfterMS > 0 {
				w.timers[t.Name] = t.Gen
			}
			continue
		}
		w.todo = append(w.todo, c)
	}
	return nil
}

// crash forgets everything but the entries, and starts again.
func (w *world) crash() error {
	w.say("CRASH")
	d := topup.New().Durable
	for _, b := range w.kept {
		if err := d.Apply(b); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	w.todo, w.events, w.timers, w.inField, w.ready = nil, nil, map[string]uint64{}, nil, nil
	w.state = topup.Replayed(d)
	w.post(topup.Started{Version: "test"})
	w.post(topup.LinkChanged{Up: w.up})
	return nil
}

func newWorld(seed uint64, judge topup.Judge) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), state: topup.New(), timers: map[string]uint64{}, up: true, faults: true,
		batch: 1, settled: map[uint32]bool{},
		payments: map[uint32]*modelPayment{}, early: map[uint32]bool{}, ledger: map[string][]entry.Attempt{}, seen: map[string]bool{},
		core: &topup.Core{Rules: topup.DefaultRules(), Judges: map[string]topup.Judge{"tunion": judge}},
	}
	for i := range 2 {
		c := &modelCard{number: fmt.Sprint(31000 + i), balance: 2850, counter: 2, wipes: w.rng.IntN(2) == 0, next: w.rng.IntN(2) == 0}
		c.load(entry.Attempt{Slot: 1, Amount: 5000, Terminal: entry.Hex("t"), At: "19700101000000", OldBalance: 0})
		c.balance, c.counter, c.added = 2850, 2, 0
		w.cards = append(w.cards, c)
	}
	w.post(topup.Started{Version: "test"})
	w.post(topup.LinkChanged{Up: true})
	return w
}

func tac(a entry.Attempt) entry.Hex {
	return entry.Hex(fmt.Sprintf("%d/%d/%d/%s/%s", a.NewBalance(), a.Slot, a.Amount, a.Terminal, a.At))
}

func (c *modelCard) load(a entry.Attempt) {
	c.balance += a.Amount
	c.added += a.Amount
	n := a.Slot
	c.proof = &entry.Proof{Asked: n, TAC: tac(a)}
	if c.next {
		c.proof.Asked = n + 1
	}
	c.log = slices.Insert(c.log, 0, entry.LogRecord{Number: n, Type: 2, Amount: a.Amount, Terminal: a.Terminal, At: a.At})
	c.counter = n + 1
}

func (c *modelCard) prove(numbers ...entry.Slot) (*entry.Proof, []entry.Slot) {
	var none []entry.Slot
	for _, n := range numbers {
		if c.proof != nil && c.proof.Asked == n {
			return &entry.Proof{Asked: n, TAC: c.proof.TAC}, none
		}
		none = append(none, n)
	}
	return nil, none
}

// run does commands and passes events on until all is quiet.
func (w *world) run(steps int) error {
	for range steps {
		switch {
		case len(w.events) > 0 && (len(w.todo) == 0 || w.rng.IntN(2) == 0):
			e := w.events[0]
			w.events = w.events[1:]
			if err := w.step(e); err != nil {
				return err
			}
		case len(w.todo) > 0:
			i := w.rng.IntN(len(w.todo))
			c := w.todo[i]
			w.todo = slices.Delete(w.todo, i, i+1)
			w.say("does %T%+v", c, c)
			w.perform(c)
		default:
			return nil
		}
	}
	return nil
}

// live does one thing that a passenger, a cable or a clock might do.
func (w *world) live() {
	f := w.state.Live.Front
	switch n := w.rng.IntN(13); {
	case n == 12:
		if w.rng.IntN(8) == 0 {
			w.post(topup.SettleAsked{Who: "schedule"})
		}
	case n < 4 && w.inField == nil:
		w.present(w.cards[w.rng.IntN(len(w.cards))])
	case n < 5:
		w.remove()
	case n < 8 && f.Phase == topup.Choosing:
		w.post(topup.Chosen{Sale: f.Sale, Amount: w.core.Rules.Choices[w.rng.IntN(3)]})
	case n == 8:
		w.post(topup.Stopped{Sale: f.Sale})
	case n == 9:
		w.fire()
	case n == 10:
		w.up = w.rng.IntN(3) > 0
		w.post(topup.LinkChanged{Up: w.up})
	case n == 11 && w.inField == nil: // a load at another kiosk
		c := w.cards[w.rng.IntN(len(w.cards))]
		a := entry.Attempt{Card: entry.Card{Family: "tunion", Number: c.number}, Slot: c.counter, OldBalance: c.balance, Amount: 1000,
			Terminal: entry.Hex("x"), Random: entry.Hex(fmt.Sprint(w.rng.Uint32())), At: "20260101000000"}
		w.ledger[c.number+fmt.Sprint(c.counter)] = append(w.ledger[c.number+fmt.Sprint(c.counter)], a)
		c.load(a)
		c.added -= 1000
	}
}

func (w *world) present(c *modelCard) {
	w.session++
	w.inField, w.ready = c, nil
	w.post(topup.CardPresented{Place: topup.Front, Session: w.session})
}

func (w *world) remove() {
	if w.inField != nil {
		w.inField, w.ready = nil, nil
		w.post(topup.CardGone{Place: topup.Front, Session: w.session})
	}
}

func (w *world) fire() {
	names := make([]string, 0, len(w.timers))
	for n := range w.timers {
		names = append(names, n)
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	n := names[w.rng.IntN(len(names))]
	w.post(topup.TimerFired{Name: n, Gen: w.timers[n]})
	delete(w.timers, n)
}

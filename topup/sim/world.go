package sim

import (
	"errors"
	"fmt"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

// Options say what a world is made of.
type Options struct {
	Judge   topup.Judge                   // of the cards' family
	Outcome func(sw uint16) entry.Outcome // of an answer to the write
	Cards   int                           // 1 to 4
	Sales   int                           // amounts that may be chosen; 0: no bound
	Faults  int                           // -1: no bound
	Allowed Faults                        // which; nil: all
	Desk    bool                          // a cashier's reader too
	Amounts int                           // different amounts, 1 to 3
	Variety uint64                        // which kinds of cards: bits of what each does
	Brisk   bool                          // a worker without its card fails at once, and no card comes before it is done
}

const family = "tunion"

// ErrViolation says that the law of money was broken.
var ErrViolation = errors.New("violation")

func violation(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrViolation, fmt.Sprintf(format, a...))
}

// World is one whole state: kiosk, cards, host, and what is under way.
type World struct {
	opt  *Options
	loop topup.Loop
	disk topup.Durable // what a restart would find

	cards   []card
	host    host
	truth   []truth
	place   [2]place // front, desk
	tender  []topup.Command
	links   []topup.Command // to the host, in any order
	late    []topup.Event   // answers that are under way
	net     []topup.Command // requests that will reach the host later
	timers  []timer
	session uint64
	random  uint32
	nextID  int
	maxSTAN uint32
	up      bool

	chosen   int   // sales that got as far as an amount
	faults   int   // that may still strike; negative: no bound
	journal  uint8 // what becomes of the next append
	crashed  bool  // by it
	draining bool
	struck   *Counts
	failed   error
}

type timer struct {
	name string
	gen  uint64
}

// place is a reader, the card on it, and the one worker that speaks to it.
type place struct {
	card    int // -1: none
	session uint64
	queue   []topup.Command
	held    *entry.Attempt // INITIALIZE state with its authorisation
	heldBy  entry.SaleID
}

// truth is what really happened about one sale, whoever knows it.
type truth struct {
	id      entry.SaleID
	card    int
	loads   int
	loaded  string // random of the attempt that was written
	spoiled bool   // somebody else used the card, or it fails now: evidence may be gone
	lied    bool   // the host contradicted itself
}

// How an append ends.
const (
	appendWell uint8 = iota
	appendLost       // an error, and nothing is durable
	appendKept       // an error, and all is durable
)

// New makes a world and starts the kiosk in it.
func New(o *Options) *World {
	w := &World{opt: o, up: true, faults: o.Faults, struck: &Counts{}}
	w.loop = topup.Loop{Core: &topup.Core{Rules: topup.DefaultRules(), Judges: map[string]topup.Judge{family: o.Judge}}, State: topup.New()}
	w.disk = topup.New().Durable
	w.host.batch = 1
	w.place[0].card, w.place[1].card = -1, -1
	for i := range o.Cards {
		w.cards = append(w.cards, newCard(i, o.Variety>>(4*i)))
	}
	w.feed(topup.Started{Version: "sim"})
	w.settle()
	return w
}

// Clone gives a world that goes its own way.
func (w *World) Clone() *World {
	c := *w
	c.cards, c.truth, c.timers = slices.Clone(w.cards), slices.Clone(w.truth), slices.Clone(w.timers)
	c.tender, c.links, c.late, c.net = slices.Clone(w.tender), slices.Clone(w.links), slices.Clone(w.late), slices.Clone(w.net)
	for i := range c.place {
		c.place[i].queue = slices.Clone(w.place[i].queue)
	}
	c.host = w.host.clone()
	c.struck = &Counts{}
	return &c
}

// Append is the model of the journal.
func (j *journal) Append(bodies ...entry.Body) error {
	w := j.w
	mode := w.journal
	w.journal = appendWell
	if mode != appendLost {
		w.disk = w.disk.Clone()
		for _, b := range bodies {
			if err := w.disk.Apply(b); err != nil {
				return violation("the journal would not replay: %v", err)
			}
		}
	}
	if mode != appendWell {
		w.crashed = true
		return errPower
	}
	return nil
}

type journal struct{ w *World }

var errPower = errors.New("the power went")

// feed gives the core an event, and what follows from it at once.
func (w *World) feed(ev topup.Event) {
	if w.failed != nil || w.crashed {
		return
	}
	w.loop.Journal = &journal{w}
	var fresh []topup.Command
	err := w.loop.Take(ev, nil, func(c topup.Command) { fresh = append(fresh, c); w.accept(c) })
	switch {
	case w.crashed:
		return
	case err != nil:
		w.fail(fmt.Errorf("%w: %w", ErrViolation, err))
		return
	}
	w.stans(fresh)
}

func (w *World) fail(err error) {
	if w.failed == nil {
		w.failed = err
	}
}

// accept puts a command where its owner will find it.
func (w *World) accept(c topup.Command) {
	switch c := c.(type) {
	case topup.SetTimer:
		w.timers = slices.DeleteFunc(w.timers, func(t timer) bool { return t.name == c.Name })
		if c.AfterMS > 0 {
			at, _ := slices.BinarySearchFunc(w.timers, c.Name, func(t timer, n string) int { return cmpString(t.name, n) })
			w.timers = slices.Insert(w.timers, at, timer{c.Name, c.Gen})
		}
	case topup.ReleaseCard:
		w.enqueue(c.Place, c)
	case topup.ReadCard:
		w.enqueue(c.Place, c)
	case topup.ProbeCard:
		w.enqueue(c.Place, c)
	case topup.Load:
		w.enqueue(c.Place, c)
	case topup.Write:
		w.enqueue(c.Place, c)
	case topup.Prove:
		w.enqueue(c.Place, c)
	case topup.ProbeSlot:
		w.enqueue(c.Place, c)
	case topup.DropTender:
		w.tender = nil
	case topup.TakeTender, topup.RetryPIN:
		w.tender = append(w.tender, c)
	case topup.Send:
		if s := w.disk.Sales[c.Duty.Sale]; c.Duty.Kind == topup.Reversal && !s.OweReversal {
			w.fail(violation("1: a reversal of sale %s goes out and the journal does not owe it", c.Duty.Sale))
		}
		w.links = append(w.links, c)
	default:
		w.links = append(w.links, c)
	}
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func at(p topup.Place) int {
	if p == topup.Desk {
		return 1
	}
	return 0
}

func nameOf(i int) topup.Place {
	if i == 1 {
		return topup.Desk
	}
	return topup.Front
}

func (w *World) enqueue(p topup.Place, c topup.Command) {
	w.place[at(p)].queue = append(w.place[at(p)].queue, c)
}

// settle does at once what nothing can come between: releasing a card, a
// sign-on on a link that is up, and the restart after a power cut.
func (w *World) settle() {
	for range 64 {
		switch {
		case w.failed != nil:
			return
		case w.crashed:
			w.restart()
		case w.released(0), w.released(1), w.signedOn(), w.opt.Brisk && (w.missed(0) || w.missed(1)):
		default:
			w.prune()
			return
		}
	}
	w.fail(violation("the kiosk restarts or signs on for ever"))
}

func (w *World) released(i int) bool {
	p := &w.place[i]
	if len(p.queue) == 0 {
		return false
	}
	if _, ok := p.queue[0].(topup.ReleaseCard); !ok {
		return false
	}
	p.queue, p.held = p.queue[1:], nil
	return true
}

// missed fails a command whose card is gone.
func (w *World) missed(i int) bool {
	p := &w.place[i]
	if len(p.queue) == 0 {
		return false
	}
	session, _, _ := addressed(p.queue[0])
	if _, ok := p.queue[0].(topup.Write); ok || p.card >= 0 && p.session == session {
		return false
	}
	c := p.queue[0]
	p.queue = p.queue[1:]
	w.onCard(i, c, fNone)
	return true
}

func (w *World) signedOn() bool {
	for i, c := range w.links {
		if _, ok := c.(topup.SignOn); ok {
			w.links = slices.Delete(w.links, i, i+1)
			if !w.up {
				w.feed(topup.SignOnFailed{})
				return true
			}
			w.feed(topup.SignedOn{Batch: w.host.batch, LastSTAN: w.host.lastSTAN})
			w.feed(topup.LinkChanged{Up: true})
			return true
		}
	}
	return false
}

// restart forgets all but the journal, and starts again.
func (w *World) restart() {
	w.crashed, w.journal = false, appendWell
	for i := range w.place {
		w.place[i] = place{card: -1}
	}
	w.tender, w.links, w.late, w.timers = nil, nil, nil, nil
	w.loop = topup.Loop{Core: w.loop.Core, State: topup.Replayed(w.disk)}
	w.feed(topup.Started{Version: "sim"})
}

func (w *World) amount(i int) money.Fen { return w.loop.Core.Rules.Choices[i] }

func (w *World) truthOf(id entry.SaleID) *truth {
	for i := range w.truth {
		if w.truth[i].id == id {
			return &w.truth[i]
		}
	}
	return &truth{id: id}
}

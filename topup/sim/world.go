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
	Judge   topup.Judge                    // of the cards' family
	Outcome func(sw uint16) entry.Outcome  // of an answer to the write
	Cards   int                            // 1 to 4
	Kiosks  int                            // 0 or 1: one; 2: a second one loads the same cards
	Sales   int                            // amounts that may be chosen; 0: no bound
	Faults  int                            // -1: no bound
	Allowed Faults                         // which; nil: all
	Desk    bool                           // a cashier's reader too
	Amounts int                            // different amounts, 1 to 3
	Settles int                            // how often batches may be closed; -1: no bound
	Variety uint64                         // which kinds of cards: bits of what each does
	Heard   func(kiosk int, e topup.Event) // is told of every event, for tests; nil: nobody
	Purse   Purse                          // runs the family's real code; nil: cards are modelled by command
	Fleet   bool                           // the fleet link too: restored journals, rewrites of the host, what people decide
	Wide    bool                           // the faults that only torture has by itself
	NewDisk func(kiosk int) Disk           // a real journal for each kiosk of each world; nil: the model's own. Without Fleet, and DiskFaults at most
	Brisk   bool                           // a worker without its card fails at once, and no card comes before it is done
}

const family = "tunion"

// ErrViolation says that the law of money was broken.
var ErrViolation = errors.New("violation")

func violation(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrViolation, fmt.Sprintf(format, a...))
}

// World is one whole state: kiosks, cards, host, and what is under way.
type World struct {
	opt    *Options
	kiosk          // the one that acts now
	others []kiosk // those that do not, in order

	cards   []card
	host    host
	truth   []truth
	session uint64
	random  uint32
	nextID  int

	chosen   int // sales that got as far as an amount
	asked    int // batches that were closed
	faults   int // that may still strike; negative: no bound
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
	stale   bool // what is held is a recording

	// With Options.Purse.
	chip  *chip                                     // of what is held
	write func() (entry.Outcome, uint16, entry.Hex) // the one command
	init  *entry.Attempt                            // INITIALIZE that the card remembers
	tac   entry.Hex                                 // for GET RESPONSE
}

// truth is what really happened about one sale, whoever knows it.
type truth struct {
	id      entry.SaleID
	card    int
	loads   int
	loaded  string // random of the attempt that was written
	spoiled bool   // somebody else used the card, or it fails now: evidence may be gone
	lied    bool   // the host contradicted itself
	long    bool   // its reversal was owed for so long that people know
	refused bool   // the bank card said no after its approval
	decided bool   // by two people
	home    int    // the kiosk that opened it; -1: paid elsewhere
}

// How an append ends.
const (
	appendWell uint8 = iota
	appendLost       // an error, and nothing is durable
	appendKept       // an error, and all is durable
)

// New makes a world and starts the kiosk in it.
func New(o *Options) *World {
	w := &World{opt: o, faults: o.Faults, struck: &Counts{}}
	for i := range o.Cards {
		w.cards = append(w.cards, newCard(i, o.Variety>>(5*i), o.Purse != nil))
	}
	rules := topup.DefaultRules()
	if o.Settles == 0 && o.Brisk {
		rules.PatienceMS = 0 // only a settlement ends such a reversal
	}
	if o.Fleet {
		rules.HandOverMS = 1
		w.host.used = map[stage]string{}
	}
	core := &topup.Core{Rules: rules, Judges: map[string]topup.Judge{family: o.Judge}}
	w.host.terminals = make([]terminal, max(o.Kiosks, 1))
	for i := range w.host.terminals {
		w.host.terminals[i].next()
		k := kiosk{index: i, up: true, disk: topup.New().Durable, loop: topup.Loop{Core: core, State: topup.New()}}
		k.place[0].card, k.place[1].card = -1, -1
		if o.NewDisk != nil {
			k.begin(o.NewDisk(i))
		}
		if i == 0 {
			w.kiosk = k
		} else {
			w.others = append(w.others, k)
		}
	}
	for i := range w.host.terminals {
		w.turn(i)
		w.feed(topup.Started{Version: "sim"})
		w.settle()
	}
	w.turn(0)
	return w
}

// Append is the model of the journal.
func (j *journal) Append(bodies ...entry.Body) error {
	w := j.w
	mode := w.journal
	w.journal = appendWell
	if w.full {
		mode = appendLost
	}
	if w.store != nil {
		if err := w.store.Append(bodies...); err != nil {
			w.crashed, w.maybe = true, bodies
			return err
		}
	}
	if mode != appendLost {
		w.disk = w.disk.Clone()
		for _, b := range bodies {
			if w.opt.Fleet {
				w.toShip(b)
			}
			w.heeds(b)
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
	if w.failed != nil || w.crashed || w.down {
		return
	}
	if w.opt.Heard != nil {
		w.opt.Heard(w.index, ev)
	}
	w.loop.Journal = &journal{w}
	if late, ok := ev.(topup.AnsweredLate); ok {
		defer w.unmoved(late)()
	}
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
	case topup.Pay:
		if b := w.disk.Batches[c.Batch]; b.Phase != topup.BatchOpen || c.Batch == w.disk.LastSettled {
			w.fail(violation("a payment of sale %s goes out in batch %d, which is closing or settled", c.Sale, c.Batch))
		}
		w.links = append(w.links, c)
	case topup.Settle:
		if b := w.disk.Batches[c.Batch]; b.Phase != topup.BatchSettling || b.STAN != c.STAN || b.Totals != c.Totals {
			w.fail(violation("1: totals of batch %d go out, and the journal has not announced them", c.Batch))
		}
		w.links = append(w.links, c)
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
		case w.released(0), w.released(1), w.signedOn(), w.opt.Brisk && (w.missed(0) || w.missed(1) || w.overdue()):
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
	p.queue, p.held, p.write = p.queue[1:], nil, nil
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
			t := w.host.terminals[w.index]
			w.feed(topup.SignedOn{Batch: t.batch, LastSTAN: t.lastSTAN})
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
	if w.store != nil {
		w.reopened()
	}
	w.loop = topup.Loop{Core: w.loop.Core, State: topup.Replayed(w.disk)}
	if w.down = w.full; w.down {
		return
	}
	w.feed(topup.Started{Version: "sim"})
	if w.ill[illSpace] {
		w.feed(topup.DeviceChanged{Name: "journal", Why: "disk-low"})
	}
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

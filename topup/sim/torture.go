package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"buka/topup"
)

// Plan of a torture: how long, by which seed, with what.
type Plan struct {
	Options
	Seed     uint64
	Sales    int  // opened in all
	Together int  // sales of one world; 0: 60
	Raw      bool // a violation's history is not shrunk, nor told
}

// Report of a torture. Equal plans give equal reports.
type Report struct {
	Seed       uint64         `json:"seed"`
	Sales      int            `json:"sales"`
	Written    int            `json:"written"` // loads that are on cards
	Faults     map[string]int `json:"faults"`
	Lost       int            `json:"lost"`
	Duplicated int            `json:"duplicated"`
	Violations int            `json:"violations"`
	Open       int            `json:"open"` // left for people, with a reason

	Err     error    `json:"-"` // the violation
	History []string `json:"-"` // that leads to it, shrunk
	Script  string   `json:"-"` // the same as a scenario
}

const (
	togetherDefault = 64
	actionsPerSale  = 400 // and then the world is drained as it is
	faultPercent    = 4
	writePercent    = 40 // more often where it hurts
	worldPercent    = 2  // with nothing under way
)

// Torture plays random histories, world after world, until enough sales were
// opened or the law is broken.
func Torture(p Plan) Report {
	r := Report{Seed: p.Seed}
	if p.Together == 0 {
		p.Together = togetherDefault
	}
	var counts Counts
	for i := uint64(0); r.Sales < p.Sales; i++ {
		g := newGame(p, i)
		err := g.play(min(max(p.Together>>(2*(i%3)), 1), p.Sales-r.Sales))
		r.Sales += g.w.Opened()
		r.Open += g.w.Open()
		for f, n := range g.w.struck.Fault {
			counts.Fault[f] += n
		}
		r.Written += g.w.struck.Written
		if err != nil {
			r.broken(err)
			if !p.Raw {
				short := shrink(&g.opt, g.history)
				r.History, r.Err = Tell(&g.opt, short)
				r.Script = Script(&g.opt, short)
			}
			break
		}
	}
	r.Faults = counts.Map()
	return r
}

// broken notes a violation.
func (r *Report) broken(err error) {
	r.Violations, r.Err = 1, err
	text := err.Error()
	switch {
	case strings.Contains(text, "violation: 3:"), strings.Contains(text, "violation: 8:"), strings.Contains(text, "violation: 10:"), strings.Contains(text, "violation: 5:"):
		r.Lost = 1
	case strings.Contains(text, "violation: 2:"), strings.Contains(text, "violation: 4:"):
		r.Duplicated = 1
	}
}

// game is one world at random.
type game struct {
	opt     Options
	w       *World
	rng     *rand.Rand
	history []Action
}

func newGame(p Plan, i uint64) *game {
	g := &game{opt: p.Options, rng: rand.New(rand.NewPCG(p.Seed, i))}
	g.opt.Variety = g.rng.Uint64()
	if g.rng.IntN(4) == 0 {
		g.opt.Purse = nil // the cards that explore has
	}
	g.opt.Cards = 1 + g.rng.IntN(max(p.Cards, 1))
	g.opt.Desk, g.opt.Wide, g.opt.Faults = true, true, -1
	g.opt.Fleet = (g.rng.IntN(3) == 0 || p.Fleet) && p.NewDisk == nil
	g.opt.Sales, g.opt.Settles, g.opt.Kiosks = 0, -1, 1+g.rng.IntN(2)
	if g.opt.Amounts == 0 {
		g.opt.Amounts = 3
	}
	g.w = New(&g.opt)
	return g
}

func (g *game) play(sales int) error {
	var list, well, ill []Action
	for range sales * actionsPerSale {
		if g.w.Opened() >= sales {
			break
		}
		well, ill = well[:0], ill[:0]
		g.w.turn(g.rng.IntN(g.opt.Kiosks))
		list = g.w.actions(list[:0])
		for _, a := range list {
			if a.How == fNone && a.Cut == appendWell {
				well = append(well, a)
			} else if a.Cut == appendWell {
				ill = append(ill, a)
			}
		}
		a := g.pick(well, ill)
		g.history = append(g.history, a)
		if g.w.do(a); g.w.failed != nil {
			return g.w.failed
		}
	}
	if g.w.Opened() < sales && g.w.Opened() == 0 {
		return fmt.Errorf("%w: no sale was ever opened", ErrViolation)
	}
	return g.w.Drain()
}

// weights say how eager each kind of action is.
var weights = [...]int{opPresent: 30, opRemove: 4, opChoose: 60, opStop: 4, opTimer: 12, opCard: 80, opTender: 80, opLink: 60,
	opLate: 10, opNet: 6, opUp: 30, opDesk: 3, opHeal: 20, opSync: 5, opBackup: 1, opCredit: 1, opSettle: 1}

// worldWeights say how often each of those strikes that need no command.
var worldWeights = [faultCount]int{fCrash: 24, fNetworkDown: 8, fBatchClosed: 4, fLoadElsewhere: 24, fRide: 24, fLogLost: 16, fCardDies: 4,
	fHostRestart: 4, fPayDown: 4, fAuthDown: 4, fDiskLow: 3, fDiskFull: 4, fHostClock: 8, fKioskClock: 3, fCardFull: 8, fCardNever: 1, fRestored: 24, fLogShort: 16, fAuthCut: 4}

// pick takes an action that goes well, or one with a fault: more often where it
// hurts, at a write.
func (g *game) pick(well, ill []Action) Action {
	percent, sum := worldPercent, 0
	for _, a := range ill {
		if a.Op != opFault {
			percent = max(percent, faultPercent)
		}
		if g.weight(a) == writeWeight {
			percent = writePercent
		}
		sum += g.weight(a)
	}
	list := ill
	cut := g.rng.IntN(800)
	if sum == 0 || g.rng.IntN(100) >= percent {
		if list, sum = well, 0; len(well) == 0 {
			return Action{Op: opRemove, At: uint8(g.w.index)}
		}
		for _, a := range well {
			sum += g.weight(a)
		}
	}
	n := g.rng.IntN(sum)
	for _, a := range list {
		if n -= g.weight(a); n >= 0 {
			continue
		}
		switch {
		case cut == 0 && g.opt.Allowed.has(fAppendLost):
			a.Cut = appendLost
		case cut == 1 && g.opt.Allowed.has(fAppendKept):
			a.Cut = appendKept
		}
		return a
	}
	return list[0]
}

const writeWeight = 200

func (g *game) weight(a Action) int {
	f := &g.w.loop.State.Live.Front
	switch {
	case a.Op == opFault:
		return worldWeights[a.How]
	case a.How != fNone:
		if a.Op == opCard && g.w.writes(int(a.Arg)) {
			return writeWeight
		}
		return 10
	case a.Op == opPresent && f.Sale != "" && !f.Last():
		if s := g.w.sale(f.Sale); s.Card != g.w.cards[a.Arg/2].id {
			return 1
		}
	case a.Op == opStop && (f.Phase == topup.Holding || f.Phase == topup.Loading):
		return 8
	case a.Op == opRemove && f.Wants():
		return 2
	case a.Op == opTimer:
		switch name := g.w.timers[a.Arg].name; {
		case name == "idle", strings.HasPrefix(name, "offer:"), strings.HasPrefix(name, "patience:"):
			return 1
		}
	}
	return weights[a.Op]
}

// writes says whether a reader's next command is the write.
func (w *World) writes(i int) bool {
	q := w.place[i].queue
	if len(q) == 0 {
		return false
	}
	_, ok := q[0].(topup.Write)
	return ok
}

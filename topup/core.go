package topup

import (
	"fmt"

	"buka/internal/answers"
	"buka/internal/entry"
	"buka/internal/money"
)

// Judge says what became of an unknown write. It is a pure function of the
// card's family (DESIGN §4.3).
type Judge func(entry.Attempt, entry.Evidence) entry.Verdict

// Rules are what an operator may choose. Durations are in milliseconds.
type Rules struct {
	Version      string
	Choices      []money.Fen // amounts that are offered
	MaxBalance   money.Fen   // after a top-up
	OfferMS      int64       // how long an offer stands: 120 s
	IdleMS       int64       // until "are you still there?": 45 s
	WarnMS       int64       // until the sale is stopped after that: 20 s
	LastMS       int64       // how long a last screen stays
	UnfinishedMS int64       // how long an unfinished one stays
	PINs         int         // wrong PINs until the sale ends
	Writes       uint32      // writes refused by the card until the money goes back
	Conflicts    int         // refused reversals until people decide
	HandOverMS   int64       // how long a rewrite waits for its card until the host has it; 0: for ever
	PatienceMS   int64       // how long a reversal is owed until people know, and payments no longer wait for it; 0: for ever
	Terminal     string      // merchant and terminal at the authority, with a slash
}

// DefaultRules are those of the design.
func DefaultRules() Rules {
	return Rules{
		Choices:    []money.Fen{1000, 2000, 5000, 10000, 20000},
		MaxBalance: 100000,
		OfferMS:    120_000, IdleMS: 45_000, WarnMS: 20_000, LastMS: 12_000, UnfinishedMS: 40_000, PatienceMS: 900_000,
		PINs: 3, Writes: 3, Conflicts: 3,
	}
}

// Core is the pure heart. It holds only what never changes while it runs.
type Core struct {
	Rules  Rules
	Judges map[string]Judge // by family

	Answers *answers.Table // what response codes mean; nil: the built-in ones
}

// means looks a response code up.
func (c *Core) means(code string) answers.Answer {
	if c.Answers == nil {
		return answers.Default().Of(code)
	}
	return c.Answers.Of(code)
}

// Result of a step. Entries must be durable before any command runs.
type Result struct {
	State    State
	Entries  []entry.Body
	Commands []Command
	Err      error // ErrUnlawful: a defect of ours; nothing of the result may be used
}

// Step takes one event. The state that is passed in stays as it was.
func (c *Core) Step(s State, ev Event) Result {
	st := &step{core: c, State: s}
	st.Live = s.Live.Clone()
	st.handle(ev)
	st.holdEnds()
	if !st.Durable.Unconfirmed {
		st.returnRemote()
		st.settlement()
		st.closeFinished()
	}
	st.check(s)
	if st.err != nil {
		return Result{State: s, Err: fmt.Errorf("%T: %w", ev, st.err)}
	}
	if len(st.entries) > 0 || len(st.commands) > 0 || st.touched {
		st.Live.Rev++
	}
	return Result{State: st.State, Entries: st.entries, Commands: st.commands}
}

type step struct {
	core *Core
	State
	entries  []entry.Body
	commands []Command
	touched  bool
	err      error
}

// record announces: the entry becomes part of this step's one commit and of
// the state.
func (st *step) record(b entry.Body) {
	if st.err != nil {
		return
	}
	if len(st.entries) == 0 { // most steps record nothing
		st.Durable = st.Durable.Clone()
	}
	if err := st.Durable.Apply(b); err != nil {
		st.err = err
		return
	}
	st.entries = append(st.entries, b)
}

func (st *step) do(c Command) { st.commands = append(st.commands, c) }

// stan takes the next STAN, 1 to 999999. What is reserved in the journal is
// never given out again after a restart.
func (st *step) stan() uint32 {
	if st.Live.STAN >= st.Durable.STANUntil {
		st.reserve()
	}
	st.Live.STAN++
	return wire(st.Live.STAN)
}

// wire is a STAN count as messages carry it; 0 before the first.
func wire(count uint32) uint32 {
	if count == 0 {
		return 0
	}
	return (count-1)%stanMax + 1
}

const stanMax = 999999 // DE11 has six digits, and 0 is none

const stanBlock = 64

func (st *step) reserve() {
	st.record(entry.STANsReserved{Until: max(st.Live.STAN, st.Durable.STANUntil) + stanBlock})
}

// timer starts (or, with 0, stops) a named timer.
func (st *step) timer(name string, afterMS int64) {
	if afterMS == 0 {
		if _, ok := st.Live.Timers[name]; ok {
			delete(st.Live.Timers, name)
			st.do(SetTimer{Name: name})
		}
		return
	}
	st.Live.Gen++
	st.Live.Timers[name] = st.Live.Gen
	st.do(SetTimer{Name: name, Gen: st.Live.Gen, AfterMS: afterMS})
}

// closeFinished closes every sale with nothing open and nothing owed that no
// console is still busy with.
func (st *step) closeFinished() {
	finished := false
	for _, s := range st.Durable.Sales {
		finished = finished || s.Finished()
	}
	if !finished {
		return
	}
	for _, s := range st.Durable.InOrder() {
		if s.Finished() && !st.inHand(s.ID) {
			st.record(entry.SaleClosed{Of: entry.Of{Sale: s.ID}, Why: ending(s)})
		}
	}
}

func ending(s Sale) string {
	switch {
	case s.Settled:
		return "closed before the restore"
	case s.Decided:
		return "decided"
	case s.HandedOver:
		return "handed over"
	case s.Write == WriteDone:
		return "credited"
	case s.Pay == PayReversed:
		return "money back"
	}
	return "not paid"
}

// inHand says whether a console still leads this sale towards a payment.
func (st *step) inHand(id entry.SaleID) bool {
	for _, c := range []*Console{&st.Live.Front, &st.Live.Desk} {
		if c.Sale == id {
			switch c.Phase {
			case Choosing, CardBack, Probing, Paying, PINEntry, Sending:
				return true
			}
		}
	}
	return false
}

// check asserts across the whole step what Apply cannot see entry by entry.
func (st *step) check(before State) {
	if st.err != nil {
		return
	}
	writes := 0
	for _, c := range st.commands {
		switch c := c.(type) {
		case Write:
			writes++
			if s := st.Durable.Sales[c.Sale]; s.Write != WriteStarted {
				st.err = fmt.Errorf("write of %s without its announcement: %w", c.Sale, ErrUnlawful)
			}
			if old := before.Durable.Sales[c.Sale]; old.Write == WriteStarted {
				st.err = fmt.Errorf("write of %s repeated: %w", c.Sale, ErrUnlawful)
			}
		case Pay:
			if s := st.Durable.Sales[c.Sale]; s.Pay != PayStarted || s.PaySTAN != c.STAN {
				st.err = fmt.Errorf("payment of %s without its announcement: %w", c.Sale, ErrUnlawful)
			}
		case Settle:
			if b := st.Durable.Batches[c.Batch]; b.Phase != BatchSettling || b.STAN != c.STAN || b.Totals != c.Totals {
				st.err = fmt.Errorf("settlement of batch %d without its announcement: %w", c.Batch, ErrUnlawful)
			}
		case Send:
			if s := st.Durable.Sales[c.Duty.Sale]; c.Duty.Kind == Reversal && (!s.OweReversal || s.Unresolved() || s.Write == WriteDone) {
				st.err = fmt.Errorf("reversal of %s is not owed: %w", c.Duty.Sale, ErrUnlawful)
			}
			if s := st.Durable.Sales[c.Duty.Sale]; c.Duty.Kind == Refund && (!s.OweRefund || s.OweReversal || s.Write == WriteDone || s.HandedOver) {
				st.err = fmt.Errorf("refund of %s is not owed: %w", c.Duty.Sale, ErrUnlawful)
			}
		}
	}
	if acts := st.acts(); st.Durable.Unconfirmed && acts != nil {
		st.err = fmt.Errorf("%T before the host has confirmed the restored journal: %w", acts, ErrUnlawful)
	}
	if writes > 1 {
		st.err = fmt.Errorf("%d writes in one step: %w", writes, ErrUnlawful)
	}
}

// acts gives a command of this step that may move money or value, or ask for it.
func (st *step) acts() Command {
	for _, c := range st.commands {
		switch c.(type) {
		case ProbeCard, Load, Write, Prove, ProbeSlot, TakeTender, RetryPIN, Pay, Send, VerifyTAC, Settle, Upload:
			return c
		}
	}
	return nil
}

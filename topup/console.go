package topup

import (
	"strings"

	"buka/internal/entry"
)

// Timer names.
const (
	timerIdle   = "idle"  // the passenger has done nothing for a while
	timerWarn   = "warn"  // and has not answered the question
	timerLast   = "last"  // a last screen has stood long enough
	timerRetry  = "retry" // owed messages are tried again
	timerAgain  = "again" // a load that got no answer is tried again
	timerSignOn = "sign-on"
	timerOffer  = "offer:"

	timerRestore  = "restore"    // the host has not confirmed the restored journal
	timerPatience = "patience:"  // a reversal has been owed for long
	timerHandOver = "hand-over:" // a rewrite has waited long enough for its card
)

func (st *step) timerFired(name string) {
	c := &st.Live.Front
	st.touched = true
	switch {
	case name == timerIdle:
		c.Warn = true
		st.timer(timerWarn, st.core.Rules.WarnMS)
	case name == timerWarn:
		st.timeUp(c)
	case name == timerLast:
		if c.Last() || c.idle() {
			st.clear(c)
		}
	case name == timerSignOn:
		if !st.Live.SignedOn || st.Durable.Batch == st.Durable.LastSettled {
			st.do(SignOn{STAN: st.stan()})
		}
	case name == timerSettle: // Step goes on with it
	case name == timerRetry:
		st.hurry()
	case name == timerRestore:
		if st.Durable.Unconfirmed {
			st.askHost()
		}
	case name == timerAgain:
		if c.Phase == Holding && c.Session != 0 {
			c.Phase = Loading
			st.do(ReadCard{Place: Front, Session: c.Session})
		}
	case strings.HasPrefix(name, timerOffer):
		st.offerEnds(entry.SaleID(strings.TrimPrefix(name, timerOffer)))
	case strings.HasPrefix(name, timerPatience):
		st.pendingLong(entry.SaleID(strings.TrimPrefix(name, timerPatience)))
	case strings.HasPrefix(name, timerHandOver):
		st.waitedLong(entry.SaleID(strings.TrimPrefix(name, timerHandOver)))
	}
}

// calm stops the question whether somebody is still there.
func (st *step) calm(c *Console) {
	if c.Place == Front {
		c.Warn = false
		st.timer(timerIdle, 0)
		st.timer(timerWarn, 0)
	}
}

// last shows how it ended, for a while.
func (st *step) last(c *Console, p Phase, reason string, sale entry.SaleID) {
	st.calm(c)
	c.Phase, c.Reason, c.Sale, c.Notice, c.Stop = p, reason, sale, "", false
	if c.Place == Desk {
		return
	}
	st.timer(timerAgain, 0) // of this sale, not of the next one
	ms := st.core.Rules.LastMS
	if p == Open || p == Contact {
		ms = st.core.Rules.UnfinishedMS
	}
	st.timer(timerLast, ms)
}

// anew makes a console ready for a card. Who chose a language before the card,
// or holds it there again after something went wrong, keeps the language.
func (st *step) anew(c *Console) {
	lang := c.Lang
	if c.Phase == Finished {
		lang = ""
	}
	st.clear(c)
	c.Lang = lang
}

// settle ends after a while what one person left on the first screen: a
// language that no card followed, a notice.
func (st *step) settle(c *Console) {
	if c.Place == Front && c.idle() && (c.Lang != "" || c.Notice != "") {
		st.timer(timerLast, st.core.Rules.UnfinishedMS)
	}
}

// clear makes a console ready for the next person.
func (st *step) clear(c *Console) {
	*c = Console{Place: c.Place, Phase: Idle, Session: c.Session}
	if c.Place == Front {
		st.timer(timerLast, 0)
		st.timer(timerAgain, 0)
		st.calm(c)
	}
	st.touched = true
}

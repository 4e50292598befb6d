package sim

import (
	"strings"

	"buka/internal/entry"
	"buka/topup"
)

func (c *canon) live() {
	l := &c.w.loop.State.Live
	c.bool(l.Settling.Flying, l.Settling.Upload, l.OutOfService)
	c.in(l.Settling.Batch)
	c.bool(l.HostUp, l.PayUp, l.SignedOn, l.Devices["journal"] == "", l.Devices["pinpad"] == "")
	for _, r := range l.Remote {
		c.other(r)
	}
	var busy [4]int // sends of closed sales keep their kind busy
	for d := range l.Sending {
		if _, open := c.w.disk.Sales[d.Sale]; !open {
			switch d.Kind {
			case topup.Reversal:
				busy[0]++
			case topup.Confirmation:
				busy[1]++
			case topup.Void:
				busy[2]++
			default:
				busy[3]++
			}
		}
	}
	c.int(busy[:]...)
	c.console(&l.Front, 0)
	c.console(&l.Desk, 1)
	for _, t := range c.w.timers {
		if !c.whole && t.name == timerLast && resting(&l.Front) {
			continue // when it runs out, a console that rests goes on resting
		}
		if name, ok := strings.CutPrefix(t.name, "offer:"); ok {
			c.id(entry.SaleID(name))
		} else if name, ok := strings.CutPrefix(t.name, "patience:"); ok {
			c.text("patience")
			c.id(entry.SaleID(name))
		} else {
			c.text(t.name)
		}
		c.bool(l.Timers[t.name] == t.gen)
	}
}

const timerLast = "last"

func (c *canon) console(k *topup.Console, i int) {
	if i == 1 && !c.w.opt.Desk && !c.whole {
		return // nobody is there
	}
	front := i == 0 && !c.whole
	if front && resting(k) {
		c.text("rests")
		c.session(k.Session, i)
		c.bool(k.Phase == topup.Open && k.Reason == "authority-wait") // it is asked again when the authority is there
		if c.w.opt.Desk {
			c.id(k.Sale)
		}
		return
	}
	c.text(string(k.Phase))
	c.session(k.Session, i)
	c.id(k.Sale)
	c.bool(k.Stop)
	if !front || beforePayment(k.Phase) {
		c.int(k.PINs)
	}
	if !front || k.Phase == topup.Choosing {
		c.facts(k, front)
	}
	switch k.Phase {
	case topup.Resolving:
		c.evidence(k)
	case topup.Paying, topup.PINEntry, topup.Sending:
		c.slot(c.index(k.Probe.Card), k.Probe.Slot)
	}
}

// facts: while a passenger chooses, only what the card can still take matters.
func (c *canon) facts(k *topup.Console, front bool) {
	c.bool(k.Card != nil)
	if k.Card == nil {
		return
	}
	c.of(k.Card.Card)
	if front {
		for i := range max(c.w.opt.Amounts, 1) {
			c.bool(k.Card.Balance+c.w.amount(i) > c.w.loop.Core.Rules.MaxBalance)
		}
		return
	}
	card := c.index(k.Card.Card)
	c.observation(card, k.Card.Observed, false)
	c.balance(card, int(k.Card.Balance))
}

// session: this reader's present one, none, or one of the past.
func (c *canon) session(n uint64, i int) {
	switch n {
	case 0:
		c.int(0)
	case c.w.place[i].session:
		c.int(1)
	default:
		c.int(2)
	}
}

func (c *canon) evidence(k *topup.Console) {
	e := &k.Seen
	card := c.index(c.w.disk.Sales[k.Sale].Card)
	c.bool(e.SameCard, e.Counter != nil)
	c.observation(card, e.Seen, false)
	c.records(card, e.Before, true)
	if n := e.Counter; n != nil {
		c.slot(card, n.Value)
		c.int(int(n.MAC1), int(n.Ledger))
		c.bool(n.Fresh)
	}
}

func (c *canon) place(p *place) {
	if p.card < 0 {
		c.int(-1)
	} else {
		c.int(c.rank[p.card])
	}
	c.int(len(p.queue))
	for _, q := range p.queue {
		c.command(q)
	}
	c.bool(p.held != nil)
	if p.held != nil {
		c.attempt(*p.held)
		c.id(p.heldBy)
		c.bool(p.stale)
	}
}

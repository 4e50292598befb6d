package sim

import (
	"bytes"
	"slices"

	"buka/internal/entry"
	"buka/topup"
)

// settled says that a sale will never again be written or offered: what is left
// of it is at most an obligation, and no evidence about it is looked at.
func settled(s *topup.Sale) bool {
	return s.Write == topup.WriteDone || s.Pay == topup.PayUnknown || s.Pay == topup.PayWithdrawn || s.Pay == topup.PayReversed
}

// resting says that a console is ready for the next card. A last screen is: its
// time changes only what is shown (and lastEnds checks that it has one).
func resting(k *topup.Console) bool { return k.Phase == topup.Idle || k.Phase == "" || k.Last() }

func beforePayment(p topup.Phase) bool {
	switch p {
	case topup.Choosing, topup.CardBack, topup.Probing, topup.Paying, topup.PINEntry, topup.Sending:
		return true
	}
	return false
}

// order ranks the cards as they are first spoken of, and those that nobody
// speaks of by what they hold: cards that are alike may change places.
func (c *canon) order() {
	n := len(c.w.cards)
	for i := range n {
		c.rank[i] = -1
	}
	k := 0
	name := func(i int) {
		if i >= 0 && c.rank[i] < 0 {
			c.rank[i], c.cards[k] = k, i
			k++
		}
	}
	if c.whole {
		for i := range n {
			name(i)
		}
		return
	}
	for i := range c.bare {
		name(c.index(c.bare[i].Card))
	}
	for i := range c.w.place {
		name(c.w.place[i].card)
	}
	for _, f := range []*topup.Console{&c.w.loop.State.Live.Front, &c.w.loop.State.Live.Desk} {
		if f.Card != nil && (f.Place == topup.Desk || f.Phase == topup.Choosing) {
			name(c.index(f.Card.Card))
		}
	}
	for _, t := range c.w.truth {
		name(t.card)
	}
	c.orderRest(name)
}

func (c *canon) orderRest(name func(int)) {
	var rest []int
	for i := range c.w.cards {
		if c.rank[i] < 0 {
			rest = append(rest, i)
		}
	}
	if len(rest) > 1 {
		held := map[int][]byte{}
		for _, i := range rest {
			c.low[i] = c.w.cards[i].counter
			from := len(c.b)
			c.card(i)
			c.rows(i)
			held[i] = bytes.Clone(c.b[from:])
			c.b = c.b[:from]
		}
		slices.SortStableFunc(rest, func(a, b int) int { return bytes.Compare(held[a], held[b]) })
	}
	for _, i := range rest {
		name(i)
	}
}

// lows finds, for each card, the lowest slot that a load, now or later, or an
// unknown write may be about.
func (c *canon) lows() {
	for i := range c.w.cards {
		c.low[i] = c.w.cards[i].counter
	}
	for i := range c.bare {
		s := &c.bare[i]
		if settled(s) {
			continue
		}
		k := c.index(s.Card)
		if s.Pay != topup.PayNone {
			c.low[k] = min(c.low[k], s.Slot)
		}
		if s.Write != topup.WriteNone {
			c.low[k] = min(c.low[k], s.Attempt.Slot)
		}
	}
	for _, f := range []*topup.Console{&c.w.loop.State.Live.Front, &c.w.loop.State.Live.Desk} {
		if k := c.index(f.Probe.Card); k >= 0 && beforePayment(f.Phase) {
			c.low[k] = min(c.low[k], f.Probe.Slot)
		}
	}
	for i := range c.w.place {
		for _, q := range c.w.place[i].queue {
			if l, ok := q.(topup.Load); ok {
				k := c.index(l.Card)
				c.low[k] = min(c.low[k], l.Slot)
			}
		}
	}
}

// matters says whether a line of a card's log can still decide anything. One
// that is older than every slot in question cannot be the record of a write in
// question; it could still be new to a sale, and so lead to an entry that says
// so, unless every sale of the card had seen it when it began.
func (c *canon) matters(card int, r entry.LogRecord, known bool) bool {
	if card < 0 || r.Number >= c.low[card] {
		return true
	}
	if known {
		return false
	}
	for i := range c.bare {
		s := &c.bare[i]
		if c.index(s.Card) == card && !settled(s) && !slices.ContainsFunc(s.Before.Log, r.Same) {
			return true
		}
	}
	return false
}

// host: what it will say to a request that may still come.
func (c *canon) host() {
	h := &c.w.host
	c.int(h.clock, len(c.w.truth))
	for _, t := range c.w.truth {
		c.id(t.id)
		c.int(c.rank[max(t.card, 0)], t.loads)
		if c.whole {
			c.random([]byte(t.loaded))
		} else {
			c.int(slices.Index(c.rands, t.loaded))
		}
		s, open := c.w.disk.Sales[t.id]
		c.bool(t.spoiled && (c.whole || open && !settled(&s)), t.lied, t.long, t.refused, t.decided, slices.Contains(h.confirmed, t.id))
	}
	c.parts = c.parts[:0]
	from := len(c.b)
	for _, p := range h.payments {
		stan := slices.Index(c.stans, p.key.stan)
		if p.reversed && stan < 0 && !c.whole {
			continue // nobody can ask for it again
		}
		at := len(c.b)
		c.id(p.sale)
		c.int(stan, int(p.amount))
		c.bool(p.reversed)
		c.parts = append(c.parts, [2]int{at, len(c.b)})
	}
	c.sorted(from, false)
	c.int(len(c.parts))
	c.early()
	for _, k := range c.cards[:len(c.w.cards)] {
		c.rows(k)
	}
}

// early: reversals that came before their payment matter to payments that may
// still come, and payments that were refused to their reversals.
func (c *canon) early() {
	for i, n := range c.stans {
		c.bool(slices.ContainsFunc(c.w.host.refused, func(k key) bool { return k.stan == n }))
		for _, k := range c.w.host.early {
			if k.stan == n && (c.whole || slices.ContainsFunc(c.w.net, func(q topup.Command) bool {
				p, ok := q.(topup.Pay)
				return ok && p.STAN == n
			})) {
				c.int(i)
			}
		}
	}
	c.int(-1)
}

// rows writes the ledger's rows about one card. One whose attempt nobody can
// name any more counts as "somebody else was authorised for that slot": how
// often, and for whom, is never asked; below the lowest slot in question not
// even that.
func (c *canon) rows(card int) {
	c.parts = c.parts[:0]
	from := len(c.b)
	for _, r := range c.w.host.ledger {
		if r.card != c.w.cards[card].id {
			continue
		}
		at := len(c.b)
		ref := slices.Index(c.rands, r.random)
		if c.whole {
			c.random([]byte(r.random))
			c.slot(card, r.slot)
			c.id(r.sale)
			c.bool(r.given, r.open, r.used)
		} else {
			asks := r.open && c.mayAsk(r.sale)
			if ref < 0 && !asks && (!r.given || r.slot < c.low[card]) {
				continue
			}
			c.int(ref)
			c.slot(card, r.slot)
			c.bool(r.given, asks, ref >= 0 && r.open, ref >= 0 && r.used)
			if asks {
				c.id(r.sale)
			}
		}
		c.parts = append(c.parts, [2]int{at, len(c.b)})
	}
	c.sorted(from, !c.whole)
	c.int(-100)
}

// overdue lets arrive at once what has nothing left to do: an answer that the
// kiosk no longer waits for, and a request that the host has already carried
// out. Neither can come to matter again, because no sale, STAN or duty comes
// back; so whenever it arrives, the world after it is the same. Should it have
// an effect all the same, then that is here, before the eyes of the law.
func (w *World) overdue() bool {
	for i, e := range w.late {
		if !w.awaits(e) {
			w.late = slices.Delete(w.late, i, i+1)
			w.feed(e)
			return true
		}
	}
	for i, c := range w.net {
		if w.carriedOut(c) {
			w.net = slices.Delete(w.net, i, i+1)
			w.arrives(c)
			return true
		}
	}
	return false
}

// awaits says whether an answer may still mean something to the kiosk.
func (w *World) awaits(e topup.Event) bool {
	sending := w.loop.State.Live.Sending
	may := func(id entry.SaleID) bool {
		s, ok := w.disk.Sales[id]
		return ok && !settled(&s)
	}
	switch e := e.(type) {
	case topup.Paid:
		s := w.disk.Sales[e.Sale]
		return s.Pay == topup.PayStarted && s.PaySTAN == e.STAN
	case topup.Sent:
		s := w.disk.Sales[e.Duty.Sale]
		return sending[e.Duty] || slices.Contains(s.Duties(), e.Duty)
	case topup.TACJudged:
		return may(e.Sale) || sending[topup.Duty{Kind: "verification", Sale: e.Sale}]
	case topup.LoadAnswered:
		return may(e.Sale)
	case topup.CounterJudged:
		return may(e.Sale)
	case topup.AnsweredLate:
		return false
	case topup.Settled:
		return w.settling(e.Batch, false)
	case topup.Uploaded:
		return w.settling(e.Batch, true)
	}
	return true
}

// settling says whether the kiosk still waits for the end of a batch.
func (w *World) settling(batch uint32, upload bool) bool {
	l := &w.loop.State.Live.Settling
	return l.Batch == batch && l.Upload == upload && w.disk.Batches[batch].Phase == topup.BatchSettling
}

// carriedOut says whether the host has done what a message asks for.
func (w *World) carriedOut(c topup.Command) bool {
	h := &w.host
	switch c := c.(type) {
	case topup.Settle:
		return h.terminals[w.index].over(c.Batch)
	case topup.Upload:
		return h.terminals[w.index].over(c.Batch)
	}
	q, ok := c.(topup.Send)
	if !ok {
		return false
	}
	switch q.Duty.Kind {
	case topup.Reversal:
		k := key{w.index, q.Sale.PayBatch, q.Duty.STAN}
		return slices.ContainsFunc(h.payments, func(p payment) bool { return p.key == k && p.reversed })
	case topup.Confirmation:
		return slices.Contains(h.confirmed, q.Duty.Sale) &&
			!slices.ContainsFunc(h.ledger, func(r row) bool { return r.open && r.is(q.Sale.Attempt) })
	case topup.Void:
		v := slices.IndexFunc(q.Sale.OweVoids, func(v topup.OwedVoid) bool { return v.STAN == q.Duty.STAN })
		return v >= 0 && slices.ContainsFunc(h.ledger, func(r row) bool { return !r.open && r.is(q.Sale.OweVoids[v].Attempt) })
	}
	return false
}

// mayAsk says whether a sale may still ask for an authorisation.
func (c *canon) mayAsk(id entry.SaleID) bool {
	s, ok := c.w.disk.Sales[id]
	return ok && !settled(&s)
}

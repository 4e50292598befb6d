package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"buka/internal/entry"
	"buka/topup"
)

// sum is the name of a state: equal for worlds that can go on in the same ways.
type sum [16]byte

// canon writes a world down in a form in which names that mean nothing by
// themselves (sale ids, STANs, randoms, sessions) are numbered as they appear,
// and what only counts or adorns is left out.
type canon struct {
	w     *World
	b     []byte
	ids   []entry.SaleID
	stans []uint32
	rands []string
}

func (w *World) sum(extra int) sum {
	c := canon{w: w, b: make([]byte, 0, 1024)}
	c.int(extra, w.faults, w.opt.Sales-w.chosen)
	c.bool(w.up)
	c.durable()
	c.live()
	for i := range w.place {
		c.place(&w.place[i])
	}
	for i := range w.cards {
		c.card(&w.cards[i])
	}
	c.under()
	c.host()
	h := sha256.Sum256(c.b)
	return sum(h[:16])
}

func (c *canon) int(ns ...int) {
	for _, n := range ns {
		c.b = binary.AppendVarint(c.b, int64(n))
	}
}

func (c *canon) bool(bs ...bool) {
	for _, b := range bs {
		if b {
			c.b = append(c.b, 1)
		} else {
			c.b = append(c.b, 0)
		}
	}
}

func (c *canon) text(s string) { c.int(len(s)); c.b = append(c.b, s...) }

func numbered[T comparable](list *[]T, v, none T) int {
	if v == none {
		return -1
	}
	i := slices.Index(*list, v)
	if i < 0 {
		*list = append(*list, v)
		i = len(*list) - 1
	}
	return i
}

func (c *canon) id(id entry.SaleID)  { c.int(numbered(&c.ids, id, "")) }
func (c *canon) stan(n uint32)       { c.int(numbered(&c.stans, n, 0)) }
func (c *canon) random(r string)     { c.int(numbered(&c.rands, r, "")) }
func (c *canon) number(e entry.Card) { c.text(e.Number[max(0, len(e.Number)-1):]) }

func (c *canon) durable() {
	d := &c.w.disk
	c.bool(d.Batch == c.w.host.terminals[c.w.index].batch)
	sales := d.InOrder()
	c.int(len(sales))
	for i := range sales {
		c.sale(&sales[i])
	}
}

func (c *canon) sale(s *topup.Sale) {
	l := &c.w.loop.State.Live
	c.id(s.ID)
	c.number(s.Card)
	c.int(int(s.Amount), int(s.Pay), int(s.Write), int(s.Slot), int(s.Attempts))
	c.stan(s.PaySTAN)
	c.bool(s.PayBatch == c.w.disk.Batch, s.OweReversal, s.OweConfirm, s.Conflict, s.HandedOver, s.Decided)
	c.attempt(s.Attempt)
	c.observation(s.Before)
	c.proofs(s.Proofs)
	for _, o := range s.ProofSays {
		c.int(int(o))
	}
	c.int(len(s.OweVoids))
	for _, v := range s.OweVoids {
		c.attempt(v.Attempt)
	}
	for _, d := range s.Duties() {
		c.bool(l.Sending[d])
		if d.Kind == topup.Reversal {
			c.int(min(l.Tries[d], 4))
		}
	}
	c.bool(l.Sending[topup.Duty{Kind: "verification", Sale: s.ID}])
}

func (c *canon) attempt(a entry.Attempt) {
	c.random(string(a.Random))
	c.int(int(a.Slot), int(a.OldBalance), int(a.Amount), len(a.At))
}

func (c *canon) proofs(ps []entry.Proof) {
	c.int(len(ps))
	for _, p := range ps {
		c.int(int(p.Asked))
		c.text(string(p.TAC))
	}
}

func (c *canon) records(rs []entry.LogRecord) {
	c.int(len(rs))
	for _, r := range rs {
		c.int(int(r.Number), int(r.Amount), int(r.Terminal[5]))
	}
}

func (c *canon) observation(o entry.Observation) {
	c.int(int(o.Balance))
	c.records(o.Log)
	c.proofs(o.Proofs)
	for _, n := range o.NoProof {
		c.int(int(n))
	}
}

func (c *canon) live() {
	l := &c.w.loop.State.Live
	c.bool(l.HostUp, l.SignedOn)
	for d := range l.Sending { // those whose sale is closed keep their kind busy
		if _, open := c.w.disk.Sales[d.Sale]; !open {
			c.int(100 + len(d.Kind))
		}
	}
	for i, k := range []*topup.Console{&l.Front, &l.Desk} {
		c.text(string(k.Phase))
		c.session(k.Session, i)
		c.id(k.Sale)
		c.bool(k.Stop, k.Card != nil)
		c.int(k.PINs)
		if k.Card != nil {
			c.number(k.Card.Card)
			c.observation(k.Card.Observed)
		}
		switch k.Phase {
		case topup.Resolving:
			c.evidence(k.Seen)
		case topup.Paying, topup.PINEntry, topup.Sending:
			c.int(int(k.Probe.Slot))
		}
	}
	for _, t := range c.w.timers {
		if name, ok := strings.CutPrefix(t.name, "offer:"); ok {
			c.id(entry.SaleID(name))
		} else {
			c.text(t.name)
		}
		c.bool(l.Timers[t.name] == t.gen)
	}
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

func (c *canon) evidence(e entry.Evidence) {
	c.bool(e.SameCard, e.Counter != nil)
	c.observation(e.Seen)
	c.records(e.Before)
	if n := e.Counter; n != nil {
		c.int(int(n.Value), int(n.MAC1), int(n.Ledger))
		c.bool(n.Fresh)
	}
}

func (c *canon) place(p *place) {
	c.int(p.card, len(p.queue))
	for _, q := range p.queue {
		c.command(q)
	}
	c.bool(p.held != nil)
	if p.held != nil {
		c.attempt(*p.held)
		c.id(p.heldBy)
	}
}

func (c *canon) card(k *card) {
	c.int(int(k.balance), int(k.counter))
	c.records(k.log)
	c.bool(k.proof != nil, k.wipes, k.next, k.logNext, k.dead)
	if k.proof != nil {
		c.proofs([]entry.Proof{*k.proof})
	}
}

func (c *canon) command(cmd topup.Command) {
	switch q := cmd.(type) {
	case topup.ReadCard:
		c.text("read")
		c.session(q.Session, at(q.Place))
	case topup.ProbeCard:
		c.text("probe")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
	case topup.Load:
		c.text("load")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
		c.int(int(q.Slot))
	case topup.Write:
		c.text("write")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
	case topup.Prove:
		c.text("prove")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
		for _, n := range q.Numbers {
			c.int(int(n))
		}
	case topup.ProbeSlot:
		c.text("slot")
		c.session(q.Session, at(q.Place))
		c.id(q.Sale)
		c.attempt(q.Attempt)
	case topup.ReleaseCard:
		c.text("release")
	case topup.TakeTender:
		c.text("tender")
		c.id(q.Sale)
	case topup.RetryPIN:
		c.text("pin")
		c.id(q.Sale)
	case topup.Pay:
		c.text("pay")
		c.id(q.Sale)
		c.stan(q.STAN)
		c.bool(q.Batch == c.w.host.terminals[c.w.index].batch)
	case topup.Send:
		c.text(string(q.Duty.Kind))
		c.id(q.Duty.Sale)
		if q.Duty.Kind == topup.Reversal {
			c.stan(q.Duty.STAN)
		}
		for _, v := range q.Sale.OweVoids {
			if v.STAN == q.Duty.STAN {
				c.attempt(v.Attempt)
			}
		}
	case topup.VerifyTAC:
		c.text("tac")
		c.id(q.Sale)
		c.attempt(q.Attempt)
		c.proofs([]entry.Proof{q.Proof})
	}
}

// under is what is under way; the order among requests, and among late
// answers, means nothing.
func (c *canon) under() {
	for _, q := range c.w.tender {
		c.command(q)
	}
	c.unordered(len(c.w.links), func(i int) { c.command(c.w.links[i]) })
	c.unordered(len(c.w.net), func(i int) { c.command(c.w.net[i]) })
	c.unordered(len(c.w.late), func(i int) { c.event(c.w.late[i]) })
}

func (c *canon) unordered(n int, write func(int)) {
	c.int(n)
	from := len(c.b)
	parts := make([][]byte, n)
	for i := range n {
		c.b = c.b[:from]
		write(i)
		parts[i] = bytes.Clone(c.b[from:])
	}
	slices.SortFunc(parts, bytes.Compare)
	c.b = c.b[:from]
	for _, p := range parts {
		c.b = append(c.b, p...)
	}
}

func (c *canon) event(ev topup.Event) {
	switch e := ev.(type) {
	case topup.Paid:
		c.text("paid")
		c.id(e.Sale)
		c.stan(e.STAN)
		c.int(int(e.Outcome), int(e.Amount))
		c.text(e.Code)
	case topup.Sent:
		c.text("sent " + string(e.Duty.Kind) + e.Code)
		c.id(e.Duty.Sale)
		_, open := c.w.disk.Sales[e.Duty.Sale]
		c.bool(e.Answered, open)
		c.stan(e.Duty.STAN)
	case topup.LoadAnswered:
		c.text("load " + e.Code)
		c.session(e.Session, at(e.Place))
		c.id(e.Sale)
		c.attempt(e.Attempt)
		c.int(int(e.Outcome))
	case topup.SlotMoved:
		c.text("moved")
		c.session(e.Session, at(e.Place))
		c.id(e.Sale)
		c.int(int(e.Got))
	case topup.CounterJudged:
		c.text("counter")
		c.id(e.Sale)
		c.int(int(e.Counter.Value), int(e.Counter.MAC1), int(e.Counter.Ledger))
		c.bool(e.Counter.Fresh)
	case topup.TACJudged:
		c.text("judged")
		c.id(e.Sale)
		c.proofs([]entry.Proof{e.Proof})
		c.int(int(e.Opinion))
	}
}

func (c *canon) host() {
	h := &c.w.host
	for _, t := range c.w.truth {
		c.id(t.id)
		c.int(t.card, t.loads)
		c.random(t.loaded)
		c.bool(t.spoiled, t.lied)
	}
	c.int(len(h.payments))
	for _, p := range h.payments {
		c.id(p.sale)
		c.stan(p.key.stan)
		c.int(int(p.amount))
		c.bool(p.reversed)
	}
	c.int(len(h.ledger))
	for _, r := range h.ledger {
		c.number(r.card)
		c.int(int(r.slot))
		c.random(r.random)
		c.id(r.sale)
		c.bool(r.given, r.open)
	}
	for _, k := range h.early {
		if i := slices.Index(c.stans, k.stan); i >= 0 {
			c.int(i)
		}
	}
	for _, id := range h.confirmed {
		c.id(id)
	}
}

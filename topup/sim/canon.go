package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"buka/internal/entry"
	"buka/topup"
)

// canon writes a world of one kiosk down in a form that is equal for worlds
// that can go on in the same ways. Why each merging is sound is said in
// docs/decisions/0018; TestMergedStatesGoOnAlike and TestEveryFieldCounts
// watch over it.
//
//   - Names that mean nothing by themselves (sale ids, STANs, randoms, sessions)
//     are numbered as they appear; cards that are alike are in the order in
//     which they are spoken of (order.go).
//   - Load counters count from the card's present one, balances from its
//     present balance: nothing compares them with anything else.
//   - What can influence nothing any more is left out (relevant.go).
//
// With whole set only names are renamed and everything else counts.
type canon struct {
	w     *World
	whole bool

	b     []byte
	ids   []entry.SaleID
	stans []uint32
	rands []string
	open  []uint32 // batches of the kiosk that are not settled

	rank    [cardsMax]int        // of each card
	cards   [cardsMax]int        // in that order
	low     [cardsMax]entry.Slot // no slot below it matters to anyone
	bare    []topup.Sale         // open sales, oldest first
	sales   [2]int               // where they are written
	scratch []byte
	parts   [][2]int
}

const cardsMax = 4

// write makes the canonical form, without what the bound still allows.
func (c *canon) write(w *World) {
	c.w, c.b = w, c.b[:0]
	c.ids, c.stans, c.rands = c.ids[:0], c.stans[:0], c.rands[:0]
	c.bare = w.disk.InOrder()
	c.order()
	c.lows()
	c.bool(w.up, w.full, w.down, w.disk.Unconfirmed, w.disk.Batch == c.batch())
	c.batches()
	c.bool(w.ill[:]...)
	c.int(len(c.bare))
	c.sales[0] = len(c.b)
	for i := range c.bare {
		c.sale(&c.bare[i])
	}
	c.sales[1] = len(c.b)
	c.live()
	for i := range w.place {
		c.place(&w.place[i])
	}
	c.under()
	for _, k := range c.cards[:len(w.cards)] {
		c.card(k)
	}
	c.host()
}

// agrees says whether the state that the kiosk goes by has the sales that the
// journal has. It is the reason why that state's durable half is not written
// down beside the journal.
func (c *canon) agrees() bool {
	d := &c.w.loop.State.Durable
	if !maps.Equal(d.Batches, c.w.disk.Batches) || d.LastSettled != c.w.disk.LastSettled || len(d.Sales) != len(c.bare) || d.Batch != c.w.disk.Batch || d.STANUntil != c.w.disk.STANUntil || d.Unconfirmed != c.w.disk.Unconfirmed {
		return false
	}
	n := len(c.b)
	for _, s := range d.InOrder() {
		c.sale(&s)
	}
	same := bytes.Equal(c.b[n:], c.b[c.sales[0]:c.sales[1]])
	c.b = c.b[:n]
	return same
}

// name is that of the state, the bound included.
func (c *canon) name(w *World) sum {
	n := len(c.b)
	c.int(ofState, w.faults, w.opt.Sales-w.chosen, w.opt.Settles-w.asked)
	return c.sum(n)
}

// restName names what a drain can tell apart: faults and further sales count
// for nothing, but which cards have been presented does.
func (c *canon) restName(kind, presents int) sum {
	n := len(c.b)
	c.int(kind, presents)
	c.int(c.cards[:len(c.w.cards)]...)
	return c.sum(n)
}

// Kinds of names.
const (
	ofState   = iota
	restBack  // what comes to rest when cards come back
	restNever // and when none does
)

// sum names what is written, and takes it back to n bytes.
func (c *canon) sum(n int) sum {
	h := sha256.Sum256(c.b)
	c.b = c.b[:n]
	return sum(h[:16])
}

func (c *canon) batch() uint32 { return c.w.host.terminals[c.w.index].batch }

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

func (c *canon) id(id entry.SaleID) { c.int(numbered(&c.ids, id, "")) }
func (c *canon) stan(n uint32)      { c.int(numbered(&c.stans, n, 0)) }
func (c *canon) random(r []byte)    { c.int(numbered(&c.rands, string(r), "")) }

// of says which card is meant, by its place in the order; -1: none.
func (c *canon) of(e entry.Card) {
	k := c.index(e)
	if k >= 0 {
		k = c.rank[k]
	}
	c.int(k)
}

// index is the card's in the world, or -1.
func (c *canon) index(e entry.Card) int {
	for i := range c.w.cards {
		if c.w.cards[i].id.Number == e.Number {
			return i
		}
	}
	return -1
}

// slot writes a counter of a card, counted from its present one.
func (c *canon) slot(card int, n entry.Slot) {
	if card >= 0 && !c.whole {
		c.int(int(n) - int(c.w.cards[card].counter))
		return
	}
	c.int(int(n))
}

// balance writes a balance of a card, counted from its present one.
func (c *canon) balance(card, fen int) {
	if card >= 0 && !c.whole {
		fen -= int(c.w.cards[card].balance)
	}
	c.int(fen)
}

func (c *canon) sale(s *topup.Sale) {
	card := c.index(s.Card)
	c.id(s.ID)
	c.of(s.Card)
	c.int(int(s.Amount), int(s.Pay), int(s.Write))
	c.stan(s.PaySTAN)
	c.in(s.PayBatch)
	c.bool(s.OweReversal, s.OweConfirm, s.OweRefund, s.Conflict, s.Long, s.ExpectAbsent)
	c.bool(s.HandedOver, s.Decided, s.Remote, s.Settled)
	c.int(int(s.Paid), int(s.PaidBack))
	if s.OweRefund {
		c.stan(s.RefundSTAN)
		c.in(s.RefundBatch)
	}
	c.text(s.Proposal)
	c.text(s.ProposedBy)
	if c.whole || !settled(s) {
		if c.whole || s.Pay != topup.PayNone { // a payment names the slot
			c.slot(card, s.Slot)
		}
		c.int(min(int(s.Attempts), int(c.w.loop.Core.Rules.Writes)))
		if c.whole || s.Write != topup.WriteNone && s.Write != topup.WriteRefused && s.Write != topup.WriteDisproven {
			c.attempt(s.Attempt)
		}
		c.observation(card, s.Before, true)
		c.proofs(s.Proofs)
		for _, o := range s.ProofSays {
			c.int(int(o))
		}
	}
	c.int(len(s.OweVoids))
	for _, v := range s.OweVoids {
		c.stan(v.STAN)
		c.void(s.ID, v.Attempt)
	}
	c.duties(s)
}

// void writes an authorisation that will not be used. Of a sale that asks for no
// other, the host's answer is the same whatever its ledger has; only whether it
// was used all the same is looked at.
func (c *canon) void(id entry.SaleID, a entry.Attempt) {
	if c.whole || c.mayAsk(id) {
		c.attempt(a)
		return
	}
	c.bool(c.w.truthOf(id).loaded == string(a.Random))
}

// duties: what is being sent of what is owed. How often it was in vain matters
// to a host that refuses a reversal without a reason that the core knows: the
// model's host never does.
func (c *canon) duties(s *topup.Sale) {
	l := &c.w.loop.State.Live
	if s.OweConfirm {
		c.stan(s.ConfirmSTAN)
	}
	for _, d := range s.Duties() {
		c.bool(l.Sending[d], l.InVain[d.Kind] == d, l.Waits[d])
		if c.whole && d.Kind == topup.Reversal {
			c.int(min(l.Tries[d], c.w.loop.Core.Rules.Conflicts-1))
		}
	}
	c.bool(l.Sending[topup.Duty{Kind: "verification", Sale: s.ID}])
}

func (c *canon) attempt(a entry.Attempt) {
	card := c.index(a.Card)
	c.of(a.Card)
	c.random(a.Random)
	c.slot(card, a.Slot)
	c.balance(card, int(a.OldBalance))
	c.int(int(a.Amount))
	c.stamp(a.At)
}

// stamp is a time that the authority gave.
func (c *canon) stamp(at entry.Stamp) { c.int(slices.Index(stamps[:], at)) }

func (c *canon) proofs(ps []entry.Proof) {
	c.int(len(ps))
	for _, p := range ps {
		c.tac(p)
	}
}

// tac writes a proof: what the model's TAC is made of, counted from its card's
// present state.
func (c *canon) tac(p entry.Proof) {
	if c.whole || len(p.TAC) < tacLen {
		c.int(int(p.Asked))
		c.text(string(p.TAC))
		return
	}
	card := slices.IndexFunc(c.w.cards, func(k card) bool { return k.id.Number[len(k.id.Number)-1] == p.TAC[tacLen-1] })
	c.slot(card, p.Asked)
	c.balance(card, int(binary.BigEndian.Uint32(p.TAC)))
	c.slot(card, entry.Slot(binary.BigEndian.Uint16(p.TAC[4:])))
	c.b = append(c.b, p.TAC[6:tacLen-1]...)
	c.int(c.rank[max(card, 0)])
	c.stamp(entry.Stamp(p.TAC[tacLen:]))
}

// records writes those lines of a card's log that still matter. known: they
// were read before a sale, and only tell what is new.
func (c *canon) records(card int, rs []entry.LogRecord, known bool) {
	n := 0
	for _, r := range rs {
		if c.whole || c.matters(card, r, known) {
			c.slot(card, r.Number)
			c.int(int(r.Type), int(r.Amount), int(r.Terminal[5]))
			c.stamp(r.At)
			n++
		}
	}
	c.int(n)
}

// observation: the balance that was seen, and which numbers had no proof,
// decide nothing about what a card showed before a sale.
func (c *canon) observation(card int, o entry.Observation, before bool) {
	c.records(card, o.Log, before)
	c.proofs(o.Proofs)
	if before && !c.whole {
		return
	}
	c.balance(card, int(o.Balance))
	c.int(len(o.NoProof))
	for _, n := range o.NoProof {
		c.slot(card, n)
	}
}

// card: how much it can still take counts as far as this search can fill it.
func (c *canon) card(i int) {
	k := &c.w.cards[i]
	if c.whole {
		c.int(int(k.balance), int(k.counter))
	} else {
		room := c.w.loop.Core.Rules.MaxBalance - k.balance
		c.bool(room < 0)
		c.int(min(int(room/1000), roomMax))
	}
	c.records(i, k.log, false)
	c.bool(k.proof != nil, k.wipes, k.next, k.logNext, k.dead, k.full, k.never)
	if k.proof != nil {
		c.tac(*k.proof)
	}
	if c.w.opt.Wide && k.heard != nil { // else no relay plays it
		c.attempt(*k.heard)
	}
}

// roomMax is more loads than a search can put on one card.
const roomMax = 32

// under is what is under way; the order among requests, and among late
// answers, means nothing.
func (c *canon) under() {
	c.int(len(c.w.tender))
	for _, q := range c.w.tender {
		c.command(q)
	}
	c.unordered(len(c.w.links), func(i int) { c.command(c.w.links[i]) })
	c.unordered(len(c.w.net), func(i int) { c.command(c.w.net[i]) })
	c.unordered(len(c.w.late), func(i int) { c.event(c.w.late[i]) })
}

// unordered writes parts in the order of their bytes. Names that appear in them
// for the first time are numbered in that order, and not in the order of sending:
// each part is written alone first, to find it.
func (c *canon) unordered(n int, write func(int)) {
	c.int(n)
	if n == 1 {
		write(0)
		return
	}
	from, ids, stans, rands := len(c.b), len(c.ids), len(c.stans), len(c.rands)
	alone, order := make([]string, n), make([]int, n)
	for i := range n {
		write(i)
		alone[i], order[i] = string(c.b[from:]), i
		c.b, c.ids, c.stans, c.rands = c.b[:from], c.ids[:ids], c.stans[:stans], c.rands[:rands]
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(alone[a], alone[b]) })
	for _, i := range order {
		write(i)
	}
}

// sorted puts the parts of what is written from a place on in order; once
// leaves out repeats.
func (c *canon) sorted(from int, once bool) {
	all := append(c.scratch[:0], c.b[from:]...)
	part := func(p [2]int) []byte { return all[p[0]-from : p[1]-from] }
	slices.SortFunc(c.parts, func(a, b [2]int) int { return bytes.Compare(part(a), part(b)) })
	c.b = c.b[:from]
	var last []byte
	for i, p := range c.parts {
		if b := part(p); !once || i == 0 || !bytes.Equal(b, last) {
			c.b = append(c.b, b...)
			last = b
		}
	}
	c.scratch = all
}

// other is for what canon does not know: every byte of it counts.
func (c *canon) other(v any) { c.text(fmt.Sprintf("%#v", v)) }

package sim

import (
	"fmt"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

// host is the payment host and the load authority, as sync/host decides.
type host struct {
	terminals []terminal // of each kiosk
	payments  []payment
	early     []key // reversals that came before their payment
	refused   []key // payments that were not approved, and are known
	ledger    []row
	confirmed []entry.SaleID
	clock     int      // which of stamps
	seen      []string // INITIALIZE answers, newest last
	fleet
}

type terminal struct {
	batch, lastSTAN uint32
	top             uint32      // the highest STAN ever
	batches         []hostBatch // the open one last
	blurred         bool        // a journal was restored: the kiosk counts what it has not forgotten
	restored        string      // the last epoch that asked after a restore, and what it was told
	told            entry.RestoreConfirmed
}

type key struct {
	kiosk       int
	batch, stan uint32
}

type payment struct {
	key      key
	sale     entry.SaleID
	amount   money.Fen
	slot     entry.Slot
	reversed bool // by a reversal or a refund
	refunded bool
	backIn   uint32 // batch that the refund is a credit of
}

// row is one authorisation, or the void of one that never came.
type row struct {
	kiosk  int // -1: some load elsewhere
	card   entry.Card
	slot   entry.Slot
	random string
	sale   entry.SaleID
	given  bool // authorised once
	open   bool // neither confirmed nor void
	used   bool // confirmed

	attempt *entry.Attempt // never changed in place
}

func (h *host) clone() host {
	c := *h
	c.terminals = slices.Clone(h.terminals)
	for i := range c.terminals {
		t := &c.terminals[i]
		t.batches = slices.Clone(t.batches)
	}
	c.payments, c.early = slices.Clone(h.payments), slices.Clone(h.early)
	c.seen, c.refused = slices.Clone(h.seen), slices.Clone(h.refused)
	if h.used != nil {
		c.fleet = h.fleet.clone()
	}
	c.ledger, c.confirmed = slices.Clone(h.ledger), slices.Clone(h.confirmed)
	return c
}

// standing is the payment of a sale that is approved and not reversed.
func (h *host) standing(sale entry.SaleID) *payment {
	for i := range h.payments {
		if p := &h.payments[i]; p.sale == sale && !p.reversed {
			return p
		}
	}
	return nil
}

// pay decides a payment; part approves less than was asked.
func (h *host) pay(kiosk int, c topup.Pay, part bool) (money.Fen, string) {
	k := key{kiosk, c.Batch, c.STAN}
	t := &h.terminals[kiosk]
	t.lastSTAN = max(t.lastSTAN, c.STAN)
	switch {
	case slices.Contains(h.early, k):
		return 0, "12" // its reversal was faster
	case c.Batch != t.batch:
		return 0, "77"
	case h.standing(c.Sale) != nil:
		h.refused = append(h.refused, k)
		return 0, "94"
	}
	p := payment{key: k, sale: c.Sale, amount: c.Amount, slot: c.Slot}
	if part {
		p.amount -= 100
	}
	h.payments = append(h.payments, p)
	return p.amount, "00"
}

// authorise gives the MAC2 for an INITIALIZE of a paid sale, or says why not.
func (h *host) authorise(kiosk int, sale entry.SaleID, a entry.Attempt) string {
	p := h.standing(sale)
	own := slices.IndexFunc(h.ledger, func(r row) bool { return r.is(a) })
	if a.MAC1 != nil {
		if string(mac1(a)) != string(a.MAC1) {
			return "63"
		}
		h.remember(a)
	}
	switch {
	case h.barred(kiosk, sale, a):
		return "62"
	case slices.Contains(h.confirmed, sale):
		return "C0"
	case !h.mayRewrite(kiosk, sale, a.Card):
		return "62"
	case p == nil:
		return "25"
	case p.amount != a.Amount:
		return "64"
	case own >= 0:
		return "12"
	}
	if r := h.rewrite(sale); r != nil {
		r.holder, r.Slot = kiosk, a.Slot
	}
	h.ledger = append(h.ledger, row{kiosk, a.Card, a.Slot, string(a.Random), sale, true, true, false, &a})
	return "00"
}

// eligible says whether a load would be authorised.
func (h *host) eligible(kiosk int, sale entry.SaleID, a entry.Attempt) string {
	if string(mac1(a)) != string(a.MAC1) {
		return "63"
	}
	if h.remember(a); h.barred(kiosk, sale, a) {
		return "62"
	}
	return "00"
}

// barred: another sale holds an authorisation for this slot, or this sale one
// for another slot.
func (h *host) barred(kiosk int, sale entry.SaleID, a entry.Attempt) bool {
	return slices.ContainsFunc(h.ledger, func(r row) bool {
		here := r.card == a.Card && r.slot == a.Slot
		return r.open && (r.sale == sale && !here || (r.sale != sale || r.kiosk != kiosk) && here)
	})
}

// remember notes an INITIALIZE that a card made, and says whether it is new.
// Far older ones are forgotten: nothing here replays them.
func (h *host) remember(a entry.Attempt) (fresh bool) {
	name := fmt.Sprintf("%s %d %x", a.Card.Number, a.Slot, []byte(a.Random))
	if slices.Contains(h.seen, name) {
		return false
	}
	if h.seen = append(h.seen, name); len(h.seen) > seenMax {
		h.seen = slices.Delete(h.seen, 0, seenMax/2)
	}
	return true
}

const seenMax = 64

// counter looks at a probing INITIALIZE.
func (h *host) counter(a, probe entry.Attempt) entry.Counter {
	n := entry.Counter{Value: probe.Slot, MAC1: entry.Rejected, Ledger: h.ledgerSays(a)}
	if string(mac1(probe)) == string(probe.MAC1) {
		n.MAC1, n.Fresh = entry.Verified, h.remember(probe)
	}
	return n
}

func (r row) is(a entry.Attempt) bool {
	return r.card == a.Card && r.slot == a.Slot && r.random == string(a.Random)
}

// void says that a kiosk has said that this authorisation was not used.
func (h *host) void(a entry.Attempt) bool {
	return slices.ContainsFunc(h.ledger, func(r row) bool {
		return r.is(a) && !r.open && !r.used && r.kiosk >= 0
	})
}

// ledgerSays whether the attempt is the only one ever authorised for its slot.
func (h *host) ledgerSays(a entry.Attempt) entry.Ledger {
	all, own := 0, 0
	for _, r := range h.ledger {
		if r.given && r.card == a.Card && r.slot == a.Slot {
			all++
			if r.random == string(a.Random) {
				own++
			}
		}
	}
	switch {
	case all > own:
		return entry.LedgerOthers
	case own == 1:
		return entry.LedgerOnly
	}
	return entry.LedgerSilent
}

// owed takes a message that the kiosk owes, and gives the answer's code.
func (w *World) owed(c topup.Send) string {
	h := &w.host
	switch c.Duty.Kind {
	case topup.Reversal:
		w.takes("reversal", c.Sale.PayBatch, c.Duty.STAN, string(c.Duty.Sale))
		return w.reverse(c)
	case topup.Refund:
		w.takes("refund", c.Sale.RefundBatch, c.Duty.STAN, string(c.Duty.Sale))
		return w.refund(c)
	case topup.Confirmation:
		w.takes("advice", c.Sale.PayBatch, c.Duty.STAN, "confirm "+string(c.Duty.Sale)+string(c.Sale.Attempt.Random))
		h.disown(c.Duty.Sale)
		if t := w.truthOf(c.Duty.Sale); t.loads == 0 {
			w.fail(violation("sale %s is confirmed and was never written", c.Duty.Sale))
		}
		if !slices.Contains(h.confirmed, c.Duty.Sale) {
			h.confirmed = append(h.confirmed, c.Duty.Sale)
		}
		for i := range h.ledger {
			if h.ledger[i].is(c.Sale.Attempt) {
				h.ledger[i].open, h.ledger[i].used = false, true
			}
		}
	case topup.Void:
		return w.void(c)
	}
	return "00"
}

func (w *World) reverse(c topup.Send) string {
	h := &w.host
	k := key{w.index, c.Sale.PayBatch, c.Duty.STAN}
	i := slices.IndexFunc(h.payments, func(p payment) bool { return p.key == k })
	switch {
	case i < 0 && slices.Contains(h.refused, k):
		if slices.Contains(h.confirmed, c.Duty.Sale) {
			return "C0"
		}
		return "00" // there is nothing to give back
	case i < 0:
		if !slices.Contains(h.early, k) {
			h.early = append(h.early, k)
		}
		return "25"
	case slices.Contains(h.confirmed, c.Duty.Sale), h.owns(c.Duty.Sale) && !h.payments[i].reversed:
		return "C0"
	}
	if h.terminals[w.index].over(k.batch) && !h.payments[i].reversed {
		return "64" // both have counted it
	}
	if t := w.truthOf(c.Duty.Sale); t.loads > 0 {
		w.fail(violation("sale %s is reversed and its value is on the card", c.Duty.Sale))
	}
	h.payments[i].reversed = true
	return "00"
}

func (w *World) void(c topup.Send) string {
	h := &w.host
	v := slices.IndexFunc(c.Sale.OweVoids, func(v topup.OwedVoid) bool { return v.STAN == c.Duty.STAN })
	if v < 0 {
		w.fail(violation("void %d of sale %s is not owed", c.Duty.STAN, c.Duty.Sale))
		return "12"
	}
	a := c.Sale.OweVoids[v].Attempt
	w.takes("advice", c.Sale.PayBatch, c.Duty.STAN, "void "+string(c.Duty.Sale)+string(a.Random))
	defer h.voided(c.Duty.Sale, a)
	if t := w.truthOf(c.Duty.Sale); t.loads > 0 && t.loaded == string(a.Random) {
		w.fail(violation("an authorisation of sale %s is voided and was used", c.Duty.Sale))
	}
	for i := range h.ledger {
		if h.ledger[i].is(a) {
			if h.ledger[i].used {
				return "C0"
			}
			h.ledger[i].open = false
			return "00"
		}
	}
	h.ledger = append(h.ledger, row{w.index, a.Card, a.Slot, string(a.Random), c.Duty.Sale, false, false, false, &a})
	return "00"
}

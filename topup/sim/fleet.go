package sim

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

// fleet is the host's side of the fleet link (Options.Fleet): what it has of
// each kiosk's journal, and the rewrites that it owns.
type fleet struct {
	closed   []entry.SaleID
	rewrites []rewrite
	credits  int // rewrites that were paid elsewhere
	used     map[stage]string
}

// rewrite is one that the host owns.
type rewrite struct {
	topup.Remote
	holder int // the kiosk that was authorised for it last; -1: none
}

// stage is a key of the switch link: one content for each.
type stage struct {
	key
	kind string
}

func (f fleet) clone() fleet {
	f.closed, f.rewrites = slices.Clone(f.closed), slices.Clone(f.rewrites)
	used := make(map[stage]string, len(f.used))
	for k, v := range f.used {
		used[k] = v
	}
	f.used = used
	return f
}

// shipped is an entry that the host has not got yet, and the sale before it.
type shipped struct {
	body entry.Body
	sale topup.Sale
}

// backup is a journal as it was.
type backup struct {
	disk      topup.Durable
	unshipped []shipped
	book      []item
}

// toShip notes what the host will learn of an entry.
func (w *World) toShip(b entry.Body) {
	switch b := b.(type) {
	case entry.HandedOver:
		w.unshipped = append(w.unshipped, shipped{b, w.disk.Sales[b.Sale]})
	case entry.SaleClosed:
		w.unshipped = append(w.unshipped, shipped{b, w.disk.Sales[b.Sale]})
	case entry.Decided:
		w.truthOf(b.Sale).decided = true
	}
}

// ship brings the journal to the host.
func (w *World) ship() {
	h := &w.host
	for _, e := range w.unshipped {
		s := e.sale
		switch b := e.body.(type) {
		case entry.HandedOver:
			var doubt *entry.Attempt
			r := h.rewrite(s.ID)
			switch {
			case b.Mine:
				doubt = &s.Attempt
			case r != nil:
				doubt = r.Attempt
			}
			h.pass(w.index, s.ID, doubt, b.STAN)
			switch {
			case slices.Contains(h.closed, s.ID):
			case r == nil:
				h.rewrites = append(h.rewrites, rewrite{topup.Remote{Sale: s.ID, Card: s.Card, Amount: s.Amount, Slot: s.Slot, Origin: "handed-over", Attempt: doubt}, -1})
			case r.holder != -1 && r.holder != w.index:
			default:
				if b.Mine {
					r.Attempt = doubt
				}
				if !slices.ContainsFunc(h.ledger, func(l row) bool { return l.sale == s.ID && l.open && (r.Attempt == nil || !l.is(*r.Attempt)) }) {
					r.holder = -1
				}
			}
		case entry.SaleClosed:
			if s.HandedOver {
				continue
			}
			h.pass(w.index, b.Sale, nil, math.MaxUint32)
			if !slices.Contains(h.closed, b.Sale) {
				h.closed = append(h.closed, b.Sale)
			}
			h.disown(b.Sale)
		}
	}
	w.unshipped = nil
}

// pass voids what a kiosk's journal has passed without using it.
func (h *host) pass(kiosk int, sale entry.SaleID, but *entry.Attempt, until uint32) {
	for i := range h.ledger {
		if r := &h.ledger[i]; r.kiosk == kiosk && r.sale == sale && (but == nil || !r.is(*but)) && r.attempt.STAN <= until {
			r.open = false
		}
	}
}

func (h *host) rewrite(sale entry.SaleID) *rewrite {
	for i := range h.rewrites {
		if h.rewrites[i].Sale == sale {
			return &h.rewrites[i]
		}
	}
	return nil
}

func (h *host) owns(sale entry.SaleID) bool { return h.rewrite(sale) != nil }

func (h *host) disown(sale entry.SaleID) {
	h.rewrites = slices.DeleteFunc(h.rewrites, func(r rewrite) bool { return r.Sale == sale })
}

// voided: an authorisation was not used, so it is no longer in doubt.
func (h *host) voided(sale entry.SaleID, a entry.Attempt) {
	r := h.rewrite(sale)
	if r == nil {
		return
	}
	if r.Attempt != nil && string(r.Attempt.Random) == string(a.Random) {
		r.Attempt = nil
	}
	if !slices.ContainsFunc(h.ledger, func(l row) bool { return l.sale == sale && l.open && !l.is(a) }) {
		r.holder = -1
	}
}

// mayRewrite says whether a rewrite of the host may be loaded at a kiosk now.
// One in doubt comes first on its card.
func (h *host) mayRewrite(kiosk int, sale entry.SaleID, card entry.Card) bool {
	for _, r := range h.rewrites {
		if r.Sale == sale && (r.Attempt != nil || r.holder != -1 && r.holder != kiosk) || r.Sale != sale && r.Card == card && r.Attempt != nil {
			return false
		}
	}
	return true
}

// known is what kiosks are told of.
func (h *host) known() (list []topup.Remote) {
	for _, r := range h.rewrites {
		if r.holder == -1 {
			list = append(list, r.Remote)
		}
	}
	return list
}

// sync is a round on the fleet link: the journal up, the rewrites down.
func (w *World) sync() {
	if w.up && !w.disk.Unconfirmed {
		w.ship()
		w.feed(topup.RewritesKnown{Open: w.host.known()})
	}
}

// credit is a top-up that was paid in a phone bank.
func (w *World) credit(card int) {
	h := &w.host
	h.credits++
	id := entry.SaleID(fmt.Sprintf("PHONE%011d", h.credits))
	amount := w.amount(0)
	h.payments = append(h.payments, payment{key: key{-1, 0, uint32(h.credits)}, sale: id, amount: amount})
	h.rewrites = append(h.rewrites, rewrite{topup.Remote{Sale: id, Card: w.cards[card].id, Amount: amount, Origin: "remote"}, -1})
	w.account(truth{id: id, card: card, home: -1})
}

// restoreJournal puts an earlier journal in the place of this one.
func (w *World) restoreJournal() {
	w.disk, w.unshipped, w.book = w.backup.disk.Clone(), slices.Clone(w.backup.unshipped), slices.Clone(w.backup.book)
	w.random++
	epoch := binary.BigEndian.AppendUint64(make(entry.Hex, 8), uint64(w.random))
	if err := w.disk.Apply(entry.Restored{Epoch: epoch, Was: w.disk.Epoch, LastSeq: 1, Why: "torture", Lost: true}); err != nil {
		w.fail(violation("the journal would not be restored: %v", err))
	}
	for i := range w.truth {
		if t := &w.truth[i]; t.home == w.index {
			t.spoiled, t.refused = true, false // what was held of it is gone; a payment that stands is credited
		}
	}
	w.maxSTAN, w.crashed = 0, true
}

// onConfirmRestore says what the host knows of a restored journal, and closes
// the batch, so that nothing asked for before can be approved any more.
func (w *World) onConfirmRestore(c topup.ConfirmRestore, how Fault) {
	nothing := topup.RestoreAnswered{}
	if !w.up || how == fRequestLost {
		w.feed(nothing)
		return
	}
	w.ship()
	h := &w.host
	t := &h.terminals[w.index]
	if epoch := string(w.disk.Epoch); t.restored != epoch { // a query that comes again takes nothing
		t.restored, t.told = epoch, w.beginAnew(c, t)
	}
	e := topup.RestoreAnswered{OK: true, Facts: t.told}
	e.Facts.Sales = nil
	for _, id := range c.Open {
		e.Facts.Sales = append(e.Facts.Sales, h.fact(id))
	}
	w.answered(e, nothing, how)
	w.maxSTAN = e.Facts.LastSTAN
}

// beginAnew ends the batch of a terminal whose journal was restored, and takes
// what the journal has forgotten.
func (w *World) beginAnew(c topup.ConfirmRestore, t *terminal) entry.RestoreConfirmed {
	h, facts := &w.host, entry.RestoreConfirmed{LastSTAN: t.lastSTAN}
	t.next()
	t.lastSTAN, t.blurred = 0, true
	for i := range h.rewrites { // what it was working on is the host's again
		if r := &h.rewrites[i]; r.holder == w.index {
			f := h.fact(r.Sale)
			if r.holder = -1; f.Load != nil && !f.Voided {
				r.Attempt = f.Load
			}
		}
	}
	for _, p := range h.payments {
		if p.reversed || p.key.kiosk != w.index || slices.Contains(c.Open, p.sale) || slices.Contains(h.confirmed, p.sale) ||
			slices.Contains(h.closed, p.sale) || h.owns(p.sale) {
			continue
		}
		f := h.fact(p.sale)
		r := rewrite{topup.Remote{Sale: p.sale, Card: w.cards[w.truthOf(p.sale).card].id, Amount: p.amount, Slot: f.Slot, Origin: "lost"}, -1}
		if f.Load != nil && !f.Voided {
			r.Attempt = f.Load
		}
		h.rewrites = append(h.rewrites, r)
		facts.Taken++
	}
	return facts
}

// fact is what the ledgers say of a sale. Of its authorisations only the newest
// can have been written: the older ones end.
func (h *host) fact(id entry.SaleID) entry.HostFact {
	f := entry.HostFact{Sale: id, Owned: h.owns(id), Closed: slices.Contains(h.closed, id), Credited: slices.Contains(h.confirmed, id)}
	for _, p := range h.payments {
		switch {
		case p.sale != id:
		case p.reversed:
			f.Returned = true
		default:
			f.Paid, f.STAN, f.Batch, f.Slot = p.amount, p.key.stan, p.key.batch, p.slot
		}
	}
	newest := -1
	for i := range h.ledger {
		if r := &h.ledger[i]; r.sale == id && r.given {
			if newest >= 0 {
				h.ledger[newest].open = false
			}
			newest = i
		}
	}
	if newest >= 0 {
		r := h.ledger[newest]
		f.Load, f.Voided = r.attempt, !r.open && !f.Credited
	}
	return f
}

// refund gives back a payment that can no longer be reversed.
func (w *World) refund(c topup.Send) string {
	h := &w.host
	if slices.Contains(h.confirmed, c.Duty.Sale) {
		return "C0"
	}
	for i := range h.payments {
		p := &h.payments[i]
		if p.sale != c.Duty.Sale {
			continue
		}
		if t := w.truthOf(c.Duty.Sale); !p.reversed && t.loads > 0 && !t.decided {
			w.fail(violation("4: sale %s is refunded and its value is on the card", c.Duty.Sale))
		}
		if !p.reversed {
			p.reversed, p.refunded, p.backIn = true, true, c.Sale.RefundBatch
			if t := &h.terminals[w.index]; t.begun(p.backIn) {
				p.backIn = t.batch
			}
		}
		return "00"
	}
	return "25"
}

// takes checks that a key of the switch link has one content only.
func (w *World) takes(kind string, batch, stan uint32, content string) {
	t := &w.host.terminals[w.index]
	t.top = max(t.top, stan)
	if batch == t.batch {
		t.lastSTAN = max(t.lastSTAN, stan)
	}
	if !w.opt.Fleet {
		return
	}
	k := stage{key{w.index, batch, stan}, kind}
	if old, ok := w.host.used[k]; ok && old != content {
		w.fail(violation("%s %d of batch %d is used for %s and was for %s", kind, stan, batch, content, old))
	}
	w.host.used[k] = content
}

// oneOwner: what the host owns no kiosk has as its own, but the one that it let
// have it.
func (w *World) oneOwner() error {
	for i := range w.host.rewrites {
		r := &w.host.rewrites[i]
		if s, open := w.disk.Sales[r.Sale]; open && !s.Remote && !s.HandedOver && !w.disk.Unconfirmed && r.holder != w.index {
			return violation("7: sale %s is the host's and kiosk %d acts on it", r.Sale, w.index+1)
		}
	}
	return nil
}

// rewritesAtRest says whether what the host owns is left for a reason.
func (w *World) rewritesAtRest() error {
	for _, r := range w.host.rewrites {
		t := w.truthOf(r.Sale)
		c := &w.cards[t.card]
		if w.host.standing(r.Sale) == nil || slices.Contains(w.host.confirmed, r.Sale) || c.never || c.dead || c.full || t.spoiled {
			continue
		}
		return violation("10: the host's rewrite %s (%s, %s) is left", r.Sale, r.Origin, money.Fen(r.Amount))
	}
	return nil
}

package sim

import (
	"errors"
	"math"
	"slices"

	"buka/internal/entry"
	"buka/topup"
)

// law holds what the kiosk believes against what is true. It runs after every
// action.
func (w *World) law() error {
	for i := range w.truth {
		if err := w.lawOf(&w.truth[i]); err != nil {
			return err
		}
	}
	return errors.Join(w.lastEnds(), w.oneOwner())
}

// lastEnds: a last screen has an end without anybody's help.
func (w *World) lastEnds() error {
	f := &w.loop.State.Live.Front
	if f.Last() && !slices.ContainsFunc(w.timers, func(t timer) bool { return t.name == timerLast && w.loop.State.Live.Timers[timerLast] == t.gen }) {
		return violation("10: the screen %s has no end", f.Phase)
	}
	return nil
}

func (w *World) lawOf(t *truth) error {
	s, open := w.disk.Sales[t.id]
	paid := w.host.standing(t.id)
	switch {
	case t.loads > 1:
		return violation("2: sale %s is written %d times", t.id, t.loads)
	case t.decided: // by people, who may be wrong
		return nil
	case t.loads > 0 && t.refused:
		return violation("2: sale %s is written, and its bank card refused the payment", t.id)
	case t.loads == 1 && paid == nil:
		return violation("2: sale %s is written and not paid", t.id)
	case !open && paid != nil && t.loads == 0 && !w.owned(t.id):
		return violation("3: sale %s is paid and not written, and nobody owns it", t.id)
	case !open || w.disk.Unconfirmed:
		return nil
	case s.Remote:
		return w.lawOfRemote(t, s, paid)
	case s.Write == topup.WriteDone && t.loads == 0:
		return violation("5: sale %s counts as written and is not", t.id)
	case t.loads == 1 && s.Write != topup.WriteDone && s.Write != topup.WriteStarted && s.Write != topup.WriteUnknown:
		return violation("4: sale %s is written and counts as not (write %d)", t.id, s.Write)
	case s.OweReversal && t.loads == 1:
		return violation("4: a reversal of sale %s is owed and its value is on the card", t.id)
	case paid != nil && s.ExpectAbsent && t.lied: // the host denies what it has, until the settlement
	case paid != nil && (s.Pay == topup.PayNone || s.Pay == topup.PayDeclined || s.Pay == topup.PayReversed):
		return violation("3: sale %s is paid and counts as not (payment %d)", t.id, s.Pay)
	case paid == nil && s.Pay == topup.PayApproved:
		return violation("3: sale %s counts as paid and is not", t.id)
	case s.Pay == topup.PayApproved && paid.amount != s.Amount:
		return violation("2: sale %s counts as paid for %s and is for %s", t.id, s.Amount, paid.amount)
	}
	return nil
}

// lawOfRemote: of a rewrite of the host another kiosk may know more; the
// authority bars what that forbids.
func (w *World) lawOfRemote(t *truth, s topup.Sale, paid *payment) error {
	switch {
	case s.Write == topup.WriteDone && t.loads == 0:
		return violation("5: the host's rewrite %s counts as written and is not", t.id)
	case s.OweReversal, s.OweRefund:
		return violation("7: the money of the host's rewrite %s goes back", t.id)
	case paid != nil && paid.amount != s.Amount:
		return violation("2: the host's rewrite %s counts as %s and is for %s", t.id, s.Amount, paid.amount)
	}
	return nil
}

// owned says whether anybody else has a paid sale: another kiosk, the host, or
// the way to it. While a restored journal waits for the host nothing is sure.
func (w *World) owned(id entry.SaleID) bool {
	if !w.opt.Fleet {
		return slices.ContainsFunc(w.others, func(k kiosk) bool { _, open := k.disk.Sales[id]; return open })
	}
	for k := range w.kiosks {
		if _, open := k.disk.Sales[id]; open || k.disk.Unconfirmed ||
			slices.ContainsFunc(k.unshipped, func(e shipped) bool { return e.sale.ID == id && e.sale.Pay == topup.PayApproved }) {
			return true
		}
	}
	return w.host.owns(id)
}

// account opens the account of a sale.
func (w *World) account(t truth) {
	w.truth = append(w.truth, t)
	slices.SortFunc(w.truth, func(a, b truth) int { return cmpString(string(a.id), string(b.id)) })
}

// stans checks that no STAN is ever taken twice: what a step takes is above
// all that was taken before.
func (w *World) stans(commands []topup.Command) {
	if w.disk.Unconfirmed {
		return // a new batch will begin
	}
	top := w.maxSTAN
	for _, c := range commands {
		n := uint32(0)
		switch c := c.(type) {
		case topup.ProbeCard:
			n = c.STAN
		case topup.Load:
			n = c.STAN
		case topup.ProbeSlot:
			n = c.STAN
		case topup.Pay:
			n = c.STAN
		case topup.VerifyTAC:
			n = c.STAN
		case topup.SignOn:
			n = c.STAN
		case topup.Settle:
			if !c.Repeat {
				n = c.STAN
			}
		}
		if n == 0 {
			continue
		}
		if n <= w.maxSTAN || slices.ContainsFunc(w.loop.State.Durable.InOrder(), func(s topup.Sale) bool {
			return s.ConfirmSTAN == n || s.VoidSTAN == n
		}) {
			w.fail(violation("STAN %d is used again (%T)", n, c))
		}
		if n > w.disk.STANUntil {
			w.fail(violation("1: STAN %d goes out and only %d are reserved", n, w.disk.STANUntil))
		}
		top = max(top, n)
	}
	for _, s := range w.loop.State.Durable.Sales {
		top = max(top, s.ConfirmSTAN, s.VoidSTAN)
	}
	w.maxSTAN = top
}

// prune opens the account of each new sale and ends those that nothing can
// reach any more.
func (w *World) prune() {
	for id, s := range w.disk.Sales {
		if !slices.ContainsFunc(w.truth, func(t truth) bool { return t.id == id }) {
			i := slices.IndexFunc(w.cards, func(c card) bool { return c.id == s.Card })
			w.account(truth{id: id, card: i, home: w.index})
		}
	}
	if w.opt.Fleet || w.failed != nil || w.law() != nil {
		return
	}
	w.truth = slices.DeleteFunc(w.truth, func(t truth) bool {
		for k := range w.kiosks {
			if _, open := k.disk.Sales[t.id]; open || k.underWay(t.id) {
				return false
			}
		}
		if !w.booked(t) {
			return false
		}
		w.host.pass(t.home, t.id, nil, math.MaxUint32) // the fleet link is fast here
		return true
	})
	known := func(id entry.SaleID) bool {
		return slices.ContainsFunc(w.truth, func(t truth) bool { return t.id == id })
	}
	w.host.payments = slices.DeleteFunc(w.host.payments, func(p payment) bool { return !known(p.sale) })
	w.host.confirmed = slices.DeleteFunc(w.host.confirmed, func(id entry.SaleID) bool { return !known(id) })
	if len(w.truth) == 0 {
		w.host.early, w.host.refused = nil, nil
	}
	w.host.ledger = slices.DeleteFunc(w.host.ledger, func(r row) bool {
		for k := range w.kiosks {
			for _, t := range w.truth {
				if s, open := k.disk.Sales[t.id]; w.cards[t.card].id == r.card && (r.sale == t.id || open && r.slot >= s.Attempt.Slot || t.home == k.index && !open) {
					return false
				}
			}
		}
		for _, c := range w.cards {
			if c.id == r.card && r.slot >= c.counter && r.given {
				return false
			}
		}
		return true
	})
}

// underWay says whether a message about a sale may still arrive somewhere.
func (w *kiosk) underWay(id entry.SaleID) bool {
	about := func(c topup.Command) bool {
		switch c := c.(type) {
		case topup.Pay:
			return c.Sale == id
		case topup.Send:
			return c.Duty.Sale == id
		}
		return false
	}
	return slices.ContainsFunc(w.net, about) || slices.ContainsFunc(w.links, about)
}

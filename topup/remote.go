package topup

import (
	"slices"

	"buka/internal/entry"
)

// Rewrites of the host (DESIGN §4.4): paid elsewhere, forgotten by a journal
// that was lost, or handed over. The kiosk takes one when its card is read and
// gives it back when the card has gone. What two kiosks may do at once is
// bounded by the authority: it authorises each slot once, and one slot at a
// time for each sale. No kiosk gives the money of such a rewrite back.

// taken opens a sale for a rewrite that the host owns.
func (d *Durable) taken(b entry.RewriteTaken) error {
	if _, ok := d.Sales[b.Sale]; ok || b.Sale == "" {
		return unlawful(b, "sale %q is open here", b.Sale)
	}
	if b.Amount <= 0 || b.Batch == 0 {
		return unlawful(b, "%s in batch %d", b.Amount, b.Batch)
	}
	d.Opened++
	s := Sale{ID: b.Sale, Order: d.Opened, Card: b.Card, Amount: b.Amount, Pay: PayApproved, Tender: b.Origin,
		PayBatch: b.Batch, Slot: b.Slot, Before: b.Observed, Remote: true}
	if a := b.Attempt; a != nil {
		if a.Card != b.Card || a.Amount != b.Amount || b.ConfirmSTAN == 0 || b.VoidSTAN == 0 {
			return unlawful(b, "an attempt of %s for %s", a.Amount, a.Card.Number)
		}
		s.adopt(*a, b.ConfirmSTAN, b.VoidSTAN)
	}
	d.Sales[b.Sale] = s
	return nil
}

// rewritesKnown replaces what is known of the host's rewrites.
func (st *step) rewritesKnown(e RewritesKnown) {
	st.Live.Remote = slices.Clone(e.Open)
	st.touched = true
	st.collectLate()
}

// collectLate finishes what the host owns for the card that lies there, also if
// the card was read before that was known or could be done: it comes before a
// sale.
func (st *step) collectLate() {
	c := &st.Live.Front
	if c.Phase != Choosing || c.Session == 0 || c.Card == nil || c.Card.Refused != "" {
		return
	}
	if r, ok := st.remote(c.Card.Card); ok {
		st.calm(c)
		st.collect(c, r, *c.Card)
	}
}

// collect takes a rewrite and goes on with it.
func (st *step) collect(c *Console, r Remote, facts CardFacts) {
	s := st.take(c, r, facts)
	c.Sale = s.ID
	if c.Place == Desk {
		c.Phase = Idle
		return
	}
	st.withdrawOthers()
	c.Amount, c.Later = s.Amount, true
	if s.Offered() {
		st.offer(s)
	}
	st.resume(c, s)
}

// remote finds the host's rewrite for a card: what is in doubt first, because
// nothing else may be written before that is settled.
func (st *step) remote(card entry.Card) (found Remote, ok bool) {
	if st.Durable.Batch == 0 || !st.Live.SignedOn || !st.Live.HostUp || st.Live.Devices["journal"] != "" {
		return Remote{}, false // each write needs the host's own word
	}
	for _, r := range st.Live.Remote {
		_, open := st.Durable.Sales[r.Sale]
		if r.Card == card && !open && (!ok || r.Attempt != nil && found.Attempt == nil) {
			found, ok = r, true
		}
	}
	return found, ok
}

// take makes a rewrite of the host this kiosk's while its card is here.
func (st *step) take(c *Console, r Remote, facts CardFacts) Sale {
	b := entry.RewriteTaken{
		Of: entry.Of{Sale: r.Sale}, Card: r.Card, Observed: facts.Observed, Place: string(c.Place), Amount: r.Amount,
		Batch: st.Durable.Batch, Slot: r.Slot, Origin: r.Origin, Attempt: r.Attempt,
	}
	if r.Attempt != nil {
		b.ConfirmSTAN, b.VoidSTAN = st.stan(), st.stan()
	}
	st.record(b)
	s := st.Durable.Sales[r.Sale]
	for _, p := range facts.Observed.Proofs {
		st.holdProof(s, p)
	}
	return st.Durable.Sales[r.Sale]
}

// forget leaves a rewrite of the host alone until the host names it again.
func (st *step) forget(id entry.SaleID) {
	if !slices.ContainsFunc(st.Live.Remote, func(r Remote) bool { return r.Sale == id }) {
		return
	}
	st.Live.Remote = slices.DeleteFunc(slices.Clone(st.Live.Remote), func(r Remote) bool { return r.Sale == id })
}

// over says that the authority knows a rewrite of the host as ended.
var over = map[string]bool{"12": true, "25": true, "64": true, "C0": true}

// later ends a console's work on a rewrite of the host: it stays the host's.
func (st *step) later(c *Console, reason string) {
	id := c.Sale
	st.do(ReleaseCard{Place: c.Place})
	st.last(c, Open, reason, id)
}

// returnRemote gives back what nobody here works on any more. A write that this
// kiosk began itself and does not know the end of stays: it has the evidence.
func (st *step) returnRemote() {
	for _, s := range st.Durable.InOrder() {
		if s.Remote && s.MayHandOver() && !s.Mine() && !st.using(s.ID) {
			st.handOver(s, "returned")
		}
	}
}

// using says that a console works on a sale, or holds its card.
func (st *step) using(id entry.SaleID) bool {
	for _, c := range []*Console{&st.Live.Front, &st.Live.Desk} {
		if c.Sale == id && (c.Active() || c.Phase == Holding || c.Phase == Reading || c.Place == Desk && c.Session != 0) {
			return true
		}
	}
	return false
}

func (st *step) handOver(s Sale, why string) {
	st.record(entry.HandedOver{Of: entry.Of{Sale: s.ID}, To: "host", Why: why, Mine: s.Mine(), From: st.core.Rules.Terminal, STAN: wire(st.Live.STAN)})
	st.timer(timerOffer+string(s.ID), 0)
	st.timer(timerHandOver+string(s.ID), 0)
}

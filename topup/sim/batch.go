package sim

import (
	"bytes"
	"iter"
	"maps"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

// hostBatch is a batch of one terminal as the host has it, until both sides have
// settled it.
type hostBatch struct {
	number uint32
	told   bool         // its totals were announced here: nothing begins in it
	closed bool         // settled here
	gone   entry.Totals // payments that nothing can reach any more, and that the kiosk counts alike
}

// next opens the terminal's next batch. The one before it is not closed by that.
func (t *terminal) next() {
	t.batch++
	t.batches = append(t.batches, hostBatch{number: t.batch})
}

func (t *terminal) at(batch uint32) *hostBatch {
	for i := range t.batches {
		if t.batches[i].number == batch {
			return &t.batches[i]
		}
	}
	return nil
}

// over says that a batch is settled here: what is in it stays as it is.
func (t *terminal) over(batch uint32) bool {
	b := t.at(batch)
	return b == nil && batch != 0 && batch < t.batch || b != nil && b.closed
}

// begun says that a batch is being settled here, or is settled: what was announced
// of it stays as it is.
func (t *terminal) begun(batch uint32) bool {
	b := t.at(batch)
	return t.over(batch) || b != nil && b.told
}

// totals of a batch, by the bank's own payments.
func (h *host) totals(kiosk int, batch uint32) (t entry.Totals) {
	if b := h.terminals[kiosk].at(batch); b != nil {
		t = b.gone
	}
	for _, p := range h.payments {
		if p.key.kiosk != kiosk {
			continue
		}
		if p.key.batch == batch && (!p.reversed || p.refunded) {
			t.Debit, t.Debits = t.Debit+p.amount, t.Debits+1
		}
		if p.refunded && p.backIn == batch {
			t.Credit, t.Credits = t.Credit+p.amount, t.Credits+1
		}
	}
	return t
}

// settle compares a kiosk's totals, and closes the batch if they are ours. Whether
// they are or not, the next sign-on tells the next batch.
func (h *host) settle(kiosk int, batch uint32, t entry.Totals) (balanced bool) {
	balanced = h.totals(kiosk, batch) == t
	h.leave(kiosk, batch, balanced)
	return balanced
}

func (h *host) leave(kiosk int, batch uint32, closed bool) {
	t := &h.terminals[kiosk]
	if b := t.at(batch); b != nil {
		b.told, b.closed = true, b.closed || closed
	}
	if t.batch == batch {
		t.next()
	}
}

// item is what a kiosk counts of a sale that is closed.
type item struct {
	sale           entry.SaleID
	stan, batch    uint32
	paid           money.Fen
	backIn, refund uint32 // batch and STAN of the refund
	back           money.Fen
}

func itemOf(s topup.Sale) item {
	return item{s.ID, s.PaySTAN, s.PayBatch, s.Paid, s.RefundBatch, s.RefundSTAN, s.PaidBack}
}

// items are what the kiosk counts, sale by sale.
func (k *kiosk) items(yield func(item) bool) {
	for _, i := range k.book {
		if !yield(i) {
			return
		}
	}
	for _, s := range k.disk.InOrder() {
		if i := itemOf(s); !s.Remote && (i.paid != 0 || i.back != 0) && !yield(i) {
			return
		}
	}
}

// upload compares payment by payment, and closes the batch. A payment is known by
// sale and STAN, a refund by its sale.
func (h *host) upload(kiosk int, batch uint32, items iter.Seq[item]) (differs []entry.Difference) {
	type known struct {
		sale entry.SaleID
		stan uint32 // 0: the refund
	}
	ours := map[known]money.Fen{}
	for _, p := range h.payments {
		if p.key.kiosk != kiosk {
			continue
		}
		if p.key.batch == batch && (!p.reversed || p.refunded) {
			ours[known{p.sale, p.key.stan}] = p.amount
		}
		if p.refunded && p.backIn == batch {
			ours[known{p.sale, 0}] = -p.amount
		}
	}
	matched := map[known]bool{}
	compare := func(k known, stan uint32, theirs money.Fen) {
		if matched[k] = true; ours[k] != theirs {
			differs = append(differs, entry.Difference{Sale: k.sale, STAN: stan, Kiosk: theirs, Host: ours[k]})
		}
	}
	for i := range items {
		if i.batch == batch && i.paid != 0 {
			compare(known{i.sale, i.stan}, i.stan, i.paid)
		}
		if i.backIn == batch && i.back != 0 {
			compare(known{i.sale, 0}, i.refund, -i.back)
		}
	}
	for _, p := range h.payments { // in their order: what follows is the same each time
		for _, k := range []known{{p.sale, p.key.stan}, {p.sale, 0}} {
			if ours[k] != 0 && !matched[k] {
				compare(k, k.stan, 0)
			}
		}
	}
	h.leave(kiosk, batch, true)
	return differs
}

func (w *World) onSettle(c topup.Settle, how Fault) {
	nothing := topup.Settled{Batch: c.Batch}
	e := nothing
	if e.Code = w.refuses(c, how); e.Code == "00" {
		e.Balanced = w.host.settle(w.index, c.Batch, c.Totals)
	}
	e.Answered = e.Code != ""
	w.answered(e, nothing, how)
}

func (w *World) onUpload(c topup.Upload, how Fault) {
	nothing := topup.Uploaded{Batch: c.Batch}
	e := nothing
	if e.Code = w.refuses(c, how); e.Code == "00" {
		e.Differs = w.host.upload(w.index, c.Batch, w.items)
	}
	e.Answered = e.Code != ""
	w.answered(e, nothing, how)
}

// refuses gives the code with which the payment host does not do what it is asked
// for, "" for no answer, "00" if it does it.
func (w *World) refuses(cmd topup.Command, how Fault) string {
	switch {
	case !w.up, how == fRequestLost:
		return ""
	case w.ill[illPay]:
		return unreachable
	case how == fHostFails:
		return "96"
	case how == fNewKeys:
		return newKeys
	case how == fRequestTwice:
		w.net = append(w.net, cmd)
	}
	return "00"
}

// heeds holds an entry about a batch against what is true, before it counts.
func (w *World) heeds(b entry.Body) {
	switch b := b.(type) {
	case entry.SettlementStarted:
		w.announces(b)
	case entry.BatchSettled:
		w.agreed(b)
	case entry.ReversalPendingLong:
		w.truthOf(b.Sale).long = true
	case entry.SaleClosed:
		s := w.disk.Sales[b.Sale]
		if s.ExpectAbsent && !s.Decided && !s.HandedOver && !s.Settled {
			w.fail(violation("4: sale %s is closed, and no settlement has said that the host holds no money of it", s.ID))
		}
		if i := itemOf(s); !s.Remote && (w.disk.Batches[i.batch].Number != 0 && i.paid != 0 || w.disk.Batches[i.backIn].Number != 0 && i.back != 0) {
			w.book = append(w.book, i)
		}
	}
}

// announces: at a settlement both sides count the same, if the host has never
// contradicted itself and everything owed was delivered.
func (w *World) announces(b entry.SettlementStarted) {
	for _, s := range w.disk.Sales {
		if s.PayBatch == b.Batch && !s.Remote && (s.Pay == topup.PayStarted || s.OweReversal && !s.Long) || s.OweRefund && !s.Long && s.RefundBatch == b.Batch {
			w.fail(violation("8: totals of batch %d are announced, and sale %s has something under way or owed in it", b.Batch, s.ID))
		}
	}
	if ours := w.host.totals(w.index, b.Batch); ours != b.Totals && !w.blurred() {
		w.fail(violation("3: batch %d is %+v here and %+v at the bank", b.Batch, b.Totals, ours))
	}
}

// doubted says that of a payment of this kiosk's nobody may know whether it
// stands: its reversal was owed for too long, or the host contradicted it.
func (w *World) doubted() bool {
	return slices.ContainsFunc(w.truth, func(t truth) bool { return t.home == w.index && (t.long || t.lied) })
}

// blurred says that the two sides may count differently: the host contradicted
// itself, a reversal never arrived, people decided, or a journal was lost.
func (w *World) blurred() bool {
	return w.host.terminals[w.index].blurred || slices.ContainsFunc(w.truth, func(t truth) bool {
		return t.home == w.index && (t.lied || t.long || t.decided)
	})
}

// agreed: what both call settled is what the bank has taken.
func (w *World) agreed(b entry.BatchSettled) {
	t := &w.host.terminals[w.index]
	if !t.over(b.Batch) {
		w.fail(violation("8: batch %d counts as settled, and the host has not settled it", b.Batch))
		return
	}
	ours := w.disk.Batches[b.Batch].Totals
	if theirs := w.host.totals(w.index, b.Batch); len(b.Differs) == 0 && ours != theirs {
		w.fail(violation("3: batch %d is settled at %+v, and the bank has %+v", b.Batch, ours, theirs))
	}
	t.batches = slices.DeleteFunc(t.batches, func(h hostBatch) bool { return h.number == b.Batch })
	w.book = slices.DeleteFunc(w.book, func(i item) bool {
		open := func(n uint32) bool { return n != b.Batch && w.disk.Batches[n].Number != 0 }
		return !open(i.batch) && !(i.back != 0 && open(i.backIn))
	})
}

// booked says whether nothing can tell a closed sale any more from others that
// were paid: host and kiosk count it alike. Then it is in the sums alone.
func (w *World) booked(t truth) bool {
	if t.home < 0 {
		return true
	}
	var k *kiosk
	for i := range w.kiosks {
		if i.index == t.home {
			k = i
		}
	}
	var paid, back item
	for _, i := range k.book {
		if i.sale == t.id {
			paid, back = i, i
		}
	}
	h := &w.host.terminals[t.home]
	var debit, credit payment
	for _, p := range w.host.payments {
		if p.sale == t.id && (!p.reversed || p.refunded) {
			debit = p
			if p.refunded {
				credit = p
			}
		}
	}
	in, out := h.at(debit.key.batch), h.at(credit.backIn)
	if in != nil && (debit.amount != paid.paid || debit.key.batch != paid.batch) || out != nil && (credit.amount != back.back || credit.backIn != back.backIn) {
		return false
	}
	if in == nil && k.disk.Batches[paid.batch].Number != 0 && paid.paid != 0 {
		return false
	}
	if in != nil && debit.amount != 0 {
		in.gone.Debit, in.gone.Debits = in.gone.Debit+debit.amount, in.gone.Debits+1
	}
	if out != nil && credit.amount != 0 {
		out.gone.Credit, out.gone.Credits = out.gone.Credit+credit.amount, out.gone.Credits+1
	}
	k.book = slices.DeleteFunc(k.book, func(i item) bool { return i.sale == t.id })
	return true
}

// unmoved holds what a late answer may not touch.
func (w *World) unmoved(e topup.AnsweredLate) func() {
	about := func() (list [][]byte) {
		for _, s := range w.loop.State.Durable.InOrder() {
			data, err := entry.Marshal(s)
			if err != nil {
				w.fail(err)
			}
			list = append(list, data)
		}
		return list
	}
	before, batches := about(), maps.Clone(w.loop.State.Durable.Batches)
	return func() {
		if w.crashed || w.failed != nil {
			return
		}
		if !slices.EqualFunc(before, about(), bytes.Equal) || !maps.Equal(batches, w.loop.State.Durable.Batches) {
			w.fail(violation("4: a late answer to STAN %d has changed what the kiosk knows", e.STAN))
		}
	}
}

// toSettle says that the open batch holds anything that a settlement would end.
func (w *World) toSettle() bool {
	b := w.disk.Batches[w.disk.Batch]
	if w.down || !w.disk.Sells() {
		return false
	}
	for _, s := range w.disk.Sales {
		if s.ExpectAbsent && s.PayBatch == b.Number {
			return true
		}
	}
	return b.Totals != entry.Totals{}
}

// settles closes the open batch, and lets what follows at once happen.
func (w *World) settles() {
	w.feed(topup.SettleAsked{Who: "schedule"})
	w.settle()
	if err := w.law(); err != nil {
		w.fail(err)
	}
}

// batchesAtRest says whether every batch that was left is settled on both sides.
func (w *World) batchesAtRest() error {
	for _, b := range w.disk.Unsettled() {
		if b.Phase != topup.BatchOpen {
			return violation("10: batch %d is never settled (phase %d)", b.Number, b.Phase)
		}
	}
	t := &w.host.terminals[w.index]
	for _, b := range t.batches {
		if b.number < w.disk.Batch && !b.closed && !t.blurred && w.host.totals(w.index, b.number) != (entry.Totals{}) {
			return violation("10: batch %d was left for batch %d and is never settled", b.number, w.disk.Batch)
		}
	}
	return nil
}

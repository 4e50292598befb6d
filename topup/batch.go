package topup

import (
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
)

// BatchPhase says how far a batch has come on its way to its settlement.
type BatchPhase uint8

const (
	BatchOpen     BatchPhase = iota // payments may begin in it
	BatchClosing                    // none begins; what is under way or owed in it ends
	BatchSettling                   // its totals are announced, and nothing changes them
)

// Batch is one that is not settled. What the kiosk counts in it is a fold of the
// journal: each payment that was approved and is not known to be reversed is a
// debit of its batch, each refund that the host has committed a credit of the
// batch that it was asked for in.
type Batch struct {
	Number uint32       `cbor:"1,keyasint"`
	Order  uint64       `cbor:"2,keyasint"` // of opening
	Phase  BatchPhase   `cbor:"3,keyasint"`
	STAN   uint32       `cbor:"4,keyasint,omitempty"` // of the settlement
	Totals entry.Totals `cbor:"5,keyasint"`
	Doubt  bool         `cbor:"6,keyasint,omitempty"` // the host contradicted a payment that is counted
}

// LateAnswer names an answer that was recorded as late.
type LateAnswer struct {
	STAN  uint32 `cbor:"1,keyasint"`
	Batch uint32 `cbor:"2,keyasint"`
}

// lateMax is how many late answers are remembered: one that comes twice is
// recorded once.
const lateMax = 32

// Sells says whether a payment may begin in the batch that is open at the host,
// as far as this journal knows.
func (d Durable) Sells() bool { return d.Batch != 0 && d.sellsIn(d.Batch) }

func (d Durable) sellsIn(batch uint32) bool {
	return d.Batches[batch].Phase == BatchOpen && (batch != d.LastSettled || batch == 0)
}

// Reversible says whether a payment of this batch can still be reversed.
func (d Durable) Reversible(batch uint32) bool {
	return batch == d.Batch && !d.frozen(batch) && (batch != d.LastSettled || batch == 0)
}

// over says that a batch is settled.
func (d Durable) over(batch uint32) bool {
	_, known := d.Batches[batch]
	return !known && (batch != d.Batch || batch == d.LastSettled)
}

// frozen says that a batch's totals are announced.
func (d Durable) frozen(batch uint32) bool { return d.Batches[batch].Phase == BatchSettling }

// Unsettled gives the batches that are not settled, oldest first.
func (d Durable) Unsettled() []Batch {
	if len(d.Batches) == 0 {
		return nil
	}
	list := make([]Batch, 0, len(d.Batches))
	for _, b := range d.Batches {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b Batch) int { return int(int64(a.Order) - int64(b.Order)) })
	return list
}

// batch gives one that is not settled, and begins it if it is not known.
func (d *Durable) batch(number uint32) Batch {
	b, ok := d.Batches[number]
	if !ok {
		d.BatchesEver++
		b = Batch{Number: number, Order: d.BatchesEver}
		if number != d.Batch { // a restored journal hears of one that it lost
			b.Phase = BatchClosing
		}
	}
	return b
}

func (d *Durable) put(b Batch) {
	if d.Batches == nil {
		d.Batches = map[uint32]Batch{}
	}
	d.Batches[b.Number] = b
}

// signedOn takes the batch that is open at the host.
func (d *Durable) signedOn(b entry.SignedOn) {
	d.Batch, d.OffsetMS = b.Batch, b.OffsetMS
	if b.Batch != 0 && b.Batch != d.LastSettled {
		d.put(d.batch(b.Batch))
	}
}

// tally makes the totals follow what an entry has changed about a sale.
func (d *Durable) tally(body entry.Body, was, now Sale) error {
	if b, open := d.Batches[now.PayBatch]; open && now.Conflict && !was.Conflict && now.Paid > 0 && !now.Remote {
		b.Doubt = true
		d.put(b)
	}
	if was.Paid != now.Paid || was.PayBatch != now.PayBatch {
		if err := d.count(body, was.PayBatch, -was.Paid, false); err != nil {
			return err
		}
		if err := d.count(body, now.PayBatch, now.Paid, false); err != nil {
			return err
		}
	}
	if was.PaidBack != now.PaidBack {
		return d.count(body, now.RefundBatch, now.PaidBack-was.PaidBack, true)
	}
	return nil
}

// count adds an amount to a batch, or takes it out again if it is negative. Of a
// batch that is settled nothing is counted any more: what is heard of it then,
// after a restore, can take nothing out of totals that are gone.
func (d *Durable) count(body entry.Body, batch uint32, amount money.Fen, credit bool) error {
	if amount == 0 || batch == 0 {
		return nil
	}
	if _, open := d.Batches[batch]; !open && (amount < 0 || batch == d.LastSettled) {
		return nil
	}
	b := d.batch(batch)
	if b.Phase == BatchSettling {
		return unlawful(body, "the totals of batch %d are announced", batch)
	}
	one := uint32(1)
	if amount < 0 {
		one = ^uint32(0) // one less
	}
	if t := &b.Totals; credit {
		t.Credit, t.Credits = t.Credit+amount, t.Credits+one
	} else {
		t.Debit, t.Debits = t.Debit+amount, t.Debits+one
	}
	d.put(b)
	return nil
}

// closing: no payment begins in the batch any more.
func (d *Durable) closing(b entry.BatchClosing) error {
	batch, ok := d.Batches[b.Batch]
	if !ok || batch.Phase != BatchOpen {
		return unlawful(b, "batch %d is not open", b.Batch)
	}
	batch.Phase = BatchClosing
	d.put(batch)
	return nil
}

// announced: the totals are final. Nothing that could change them may be under
// way or owed.
func (d *Durable) announced(b entry.SettlementStarted) error {
	batch, ok := d.Batches[b.Batch]
	switch {
	case !ok || batch.Phase != BatchClosing || d.Unconfirmed:
		return unlawful(b, "batch %d is not closing", b.Batch)
	case b.STAN == 0 || b.Totals != batch.Totals:
		return unlawful(b, "STAN %d, totals %+v, and the journal has %+v", b.STAN, b.Totals, batch.Totals)
	}
	for _, s := range d.Sales {
		if s.movesIn(b.Batch) {
			return unlawful(b, "sale %s has a payment under way, or owes a reversal or refund (payment %d)", s.ID, s.Pay)
		}
	}
	batch.Phase, batch.STAN = BatchSettling, b.STAN
	d.put(batch)
	return nil
}

// movesIn says that what a batch counts of this sale may still change. A
// reversal or refund that people know of no longer counts: the settlement says
// how it ended.
func (s Sale) movesIn(batch uint32) bool {
	return s.PayBatch == batch && !s.Remote && (s.Pay == PayStarted || s.OweReversal && !s.Long) ||
		s.RefundBatch == batch && s.OweRefund && !s.Long
}

// settled: the batch is over, and what was left to it to say is said (DESIGN
// §4.5).
func (d *Durable) settled(b entry.BatchSettled) error {
	if !d.frozen(b.Batch) || d.Unconfirmed {
		return unlawful(b, "batch %d has no settlement under way", b.Batch)
	}
	sure := b.Uploaded || !d.doubtful(b.Batch)
	for id, s := range d.Sales {
		if s.OweRefund && s.RefundBatch == b.Batch && slices.ContainsFunc(b.Differs, func(f entry.Difference) bool {
			return f.Sale == id && f.Host < 0
		}) { // it has arrived, and its answer has not
			s.Pay, s.OweRefund, s.Long, s.PaidBack = PayReversed, false, false, s.Paid
			d.Sales[id] = s
			continue
		}
		if s.PayBatch != b.Batch || s.Remote || s.HandedOver || s.Decided || !s.ExpectAbsent && !s.OweReversal && !(s.Conflict && s.Pay == PayUnknown) {
			continue
		}
		stands := s.Paid
		for _, f := range b.Differs {
			if f.Sale == id && f.STAN == s.PaySTAN && f.Kiosk >= 0 && f.Host >= 0 {
				stands = f.Host
			}
		}
		s.ExpectAbsent, s.OweReversal, s.Long, s.Paid = false, false, false, stands
		s.Pay, s.Conflict = PayReversed, false
		if stands > 0 || !sure { // and can no longer be reversed: people refund it
			s.Pay, s.Conflict = PayWithdrawn, true
		}
		d.Sales[id] = s
	}
	delete(d.Batches, b.Batch)
	d.LastSettled = b.Batch
	return nil
}

// doubtful says that a batch held a payment of which nobody knows whether it
// stands: its reversal has no end, or the host contradicted it. Then equal sums
// are no proof: another payment may make up for it.
func (d *Durable) doubtful(batch uint32) bool {
	if d.Batches[batch].Doubt {
		return true
	}
	for _, s := range d.Sales {
		if s.PayBatch == batch && !s.Remote && s.OweReversal {
			return true
		}
	}
	return false
}

// answeredLate remembers that an answer was recorded.
func (d *Durable) answeredLate(b entry.AnswerLate) {
	late := slices.Clone(d.Late[max(0, len(d.Late)+1-lateMax):])
	d.Late = append(late, LateAnswer{b.STAN, b.Batch})
}

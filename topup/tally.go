package topup

import (
	"cmp"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
)

// Item is one payment or refund of a batch, as an upload tells it.
type Item struct {
	Sale   entry.SaleID
	STAN   uint32 // of the payment or the refund
	Amount money.Fen
	RRN    string
	Credit bool // a refund
}

// Tally counts a batch from the entries of a journal, read from its beginning.
// It is the second way, sale by sale, to the totals that Durable keeps, and to
// what an upload sends. It holds no more than the open sales and the batch's
// items.
type Tally struct {
	batch uint32
	next  int
	sales map[entry.SaleID]tallied
	items []tallied // of closed sales
}

type tallied struct {
	debit, credit  Item
	paidIn, backIn uint32 // batches
	order          int
	remote         bool
}

// NewTally counts one batch.
func NewTally(batch uint32) *Tally {
	return &Tally{batch: batch, sales: map[entry.SaleID]tallied{}}
}

// Add takes the next entry.
func (t *Tally) Add(body entry.Body) {
	if b, ok := body.(entry.RestoreConfirmed); ok {
		for _, f := range b.Sales {
			t.corrected(f)
		}
		return
	}
	about, ok := body.(interface{ About() entry.SaleID })
	if !ok {
		return
	}
	id := about.About()
	s, known := t.sales[id]
	if !known {
		t.next++
		s.order = t.next
	}
	switch b := body.(type) {
	case entry.PaymentStarted:
		s.paidIn, s.debit.STAN = b.Batch, b.STAN
	case entry.PaymentApproved:
		s.debit.Amount, s.debit.RRN = b.Amount, b.RRN
	case entry.ReversalAcknowledged:
		s.debit.Amount = 0
	case entry.RefundRequested:
		s.credit.STAN, s.backIn = b.STAN, b.Batch
	case entry.Decided:
		s.credit.STAN, s.backIn = b.RefundSTAN, b.RefundBatch
	case entry.RefundAcknowledged:
		s.credit.Sale, s.credit.Amount = id, s.debit.Amount
	case entry.RewriteTaken:
		s.remote = true
	case entry.SaleClosed:
		t.close(id, s)
		return
	}
	s.debit.Sale = id
	t.sales[id] = s
}

func (t *Tally) close(id entry.SaleID, s tallied) {
	delete(t.sales, id)
	if s.debits(t.batch) || s.credits(t.batch) {
		t.items = append(t.items, s)
	}
}

// corrected takes what the host knew after a restore.
func (t *Tally) corrected(f entry.HostFact) {
	s, ok := t.sales[f.Sale]
	if !ok || s.remote || s.credit.Sale != "" {
		return
	}
	if s.debit.Amount = f.Paid; f.Paid > 0 && f.STAN != 0 {
		s.paidIn, s.debit.STAN, s.debit.RRN = f.Batch, f.STAN, f.RRN
	}
	t.sales[f.Sale] = s
}

func (s tallied) debits(batch uint32) bool {
	return s.paidIn == batch && s.debit.Amount != 0 && !s.remote
}

func (s tallied) credits(batch uint32) bool {
	return s.backIn == batch && s.credit.Amount != 0
}

// Items gives the payments and refunds of the batch, in the order in which
// their sales were opened.
func (t *Tally) Items() []Item {
	all := slices.Clone(t.items)
	for _, s := range t.sales {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b tallied) int { return cmp.Compare(a.order, b.order) })
	var list []Item
	for _, s := range all {
		if s.debits(t.batch) {
			list = append(list, s.debit)
		}
		if s.credits(t.batch) {
			c := s.credit
			c.Credit, c.RRN = true, s.debit.RRN
			list = append(list, c)
		}
	}
	return list
}

// Totals adds the items up.
func (t *Tally) Totals() (sum entry.Totals) {
	for _, i := range t.Items() {
		if i.Credit {
			sum.Credit, sum.Credits = sum.Credit+i.Amount, sum.Credits+1
		} else {
			sum.Debit, sum.Debits = sum.Debit+i.Amount, sum.Debits+1
		}
	}
	return sum
}

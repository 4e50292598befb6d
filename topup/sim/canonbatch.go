package sim

import "slices"

// batches: of the sums only whether both sides count alike goes on; numbers are
// names.
func (c *canon) batches() {
	w := c.w
	t := &w.host.terminals[w.index]
	c.bool(w.disk.Batch == w.disk.LastSettled)
	list := w.disk.Unsettled()
	c.open = c.open[:0]
	for _, b := range list {
		c.open = append(c.open, b.Number)
	}
	c.int(len(list))
	for _, b := range list {
		ours := w.host.totals(w.index, b.Number)
		c.int(int(b.Phase), int(b.Totals.Debit-ours.Debit), int(b.Totals.Credit-ours.Credit), int(int32(b.Totals.Debits-ours.Debits)), int(int32(b.Totals.Credits-ours.Credits)))
		c.bool(b.Doubt, b.Number == w.disk.Batch, b.Number == t.batch, t.over(b.Number))
		if c.whole {
			c.int(int(b.Totals.Debit), int(b.Totals.Debits))
		}
	}
	if c.whole {
		c.int(len(w.book))
		for _, i := range w.book {
			c.id(i.sale)
			c.stan(i.stan)
			c.int(int(i.paid), int(i.back))
			c.in(i.batch)
		}
	}
}

// in says which batch is meant: its place among those that are not settled, or
// none of them, and whether it is the open one.
func (c *canon) in(batch uint32) {
	c.int(slices.Index(c.open, batch))
	c.bool(batch == c.w.disk.Batch, batch == c.batch())
}

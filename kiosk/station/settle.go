package station

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
	"buka/topup"
)

// settle tells the host the totals of a batch.
func (h *hosts) settle(ctx context.Context, c topup.Settle) {
	tell(ctx, h.tender)
	r, err := h.links.payments.Settle(ctx, switchlink.Settlement{STAN: c.STAN, Batch: c.Batch, Totals: c.Totals, Repeat: c.Repeat})
	if err != nil {
		h.log.Warn("settlement not answered", "batch", c.Batch, "err", err)
	}
	h.post(topup.Settled{Batch: c.Batch, Answered: err == nil, Code: r.Code, Balanced: r.Balanced})
}

// upload tells the host every payment and refund of a batch, one by one, each
// after the answer to the one before. Where an upload broke off it goes on; after
// a restart it begins again, and the host takes each index once.
func (h *hosts) upload(ctx context.Context, c topup.Upload) {
	answer := topup.Uploaded{Batch: c.Batch}
	items, err := h.journal.batchItems(c.Batch)
	if err != nil {
		h.log.Error("the payments of a batch cannot be read from the journal", "batch", c.Batch, "err", err)
		h.post(answer)
		return
	}
	if len(items) == 0 {
		items = []batchItem{{stan: c.STAN}} // nothing here: the end alone
	}
	if h.told.stan != c.STAN || h.told.batch != c.Batch {
		h.told = uploadMark{batch: c.Batch, stan: c.STAN}
	}
	for i := min(h.told.items, len(items)-1); i < len(items); i++ {
		it, last := items[i], i+1 == len(items)
		r, err := h.links.payments.Upload(ctx, switchlink.Upload{
			STAN: c.STAN, Batch: c.Batch, Index: uint32(i + 1), Last: last, Sale: it.sale, OrigSTAN: it.stan,
			Amount: it.amount, Credit: it.credit, Repeat: h.told.tried,
		})
		h.told.tried = true
		if err != nil {
			h.log.Warn("upload of a batch broke off", "batch", c.Batch, "at", i+1, "of", len(items), "err", err)
			break
		}
		answer.Code, answer.Differs, answer.Answered = r.Code, r.Differs, last
		if !switchlink.Approved(r.Code) {
			answer.Answered, h.told = true, uploadMark{}
			break
		}
		h.told.items, h.told.tried = i+1, false
	}
	h.post(answer)
}

// uploadMark is how far the upload of a settlement has come in this life.
type uploadMark struct {
	batch, stan uint32
	items       int  // answered
	tried       bool // the next one was sent before
}

// batchItem is one payment that stands, or one refund.
type batchItem struct {
	sale   entry.SaleID
	stan   uint32
	amount money.Fen
	credit bool
}

const (
	maxBatchItems = 100_000
	firstLookBack = 4096 // entries; doubled until the batch had not begun
)

// batchItems reads the payments and refunds of a closed batch out of the journal,
// by the same fold that has made its totals, in an order that never changes. It goes
// on from a checkpoint before the batch. topup.Tally counts the same from the entries
// alone, and so has to read the whole journal: it would not know what a refund of an
// earlier batch's payment gives back. Tests hold the two together.
func (j *journal) batchItems(batch uint32) ([]batchItem, error) {
	tail, _ := j.Tail()
	for back := uint64(firstLookBack); ; back *= 4 {
		from := uint64(1)
		if tail > back {
			from = tail - back
		}
		items, whole, err := j.itemsFrom(from, batch)
		if err != nil || whole {
			return items, err
		}
		if from == 1 {
			return nil, fmt.Errorf("batch %d: its beginning is not in the journal", batch)
		}
	}
}

// itemsFrom folds from the first checkpoint at or after an entry, and says
// whether that lies before the batch.
func (j *journal) itemsFrom(from uint64, batch uint32) (items []batchItem, whole bool, err error) {
	d := topup.New().Durable
	begun := from == 1
	whole = begun
	found := map[batchItem]struct{}{}
	seen := map[entry.SaleID][2]batchItem{}
	err = j.Each(from, func(e entry.Entry, _ []byte) error {
		if !begun {
			if e.Kind != entry.KCheckpoint {
				return nil
			}
			if d, err = checkpointState(e); err != nil {
				return err
			}
			begun = true
			if whole = !knows(d, batch); !whole {
				return errEnough
			}
			return nil
		}
		body, err := e.Body()
		if err != nil {
			return err
		}
		if err := d.Apply(body); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		follow(d, batch, seen, found)
		if len(found) > maxBatchItems {
			return fmt.Errorf("batch %d has more than %d payments", batch, maxBatchItems)
		}
		if b, ok := body.(entry.SettlementStarted); ok && b.Batch == batch {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, false, err
	}
	for it := range found {
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b batchItem) int {
		return cmp.Or(cmp.Compare(a.stan, b.stan), cmp.Compare(a.sale, b.sale), cmp.Compare(a.amount, b.amount))
	})
	return items, whole && begun, nil
}

// knows says whether anything of the batch came before this state.
func knows(d topup.Durable, batch uint32) bool {
	if d.Batches[batch].Totals != (entry.Totals{}) {
		return true
	}
	for _, s := range d.Sales {
		if s.PayBatch == batch || s.RefundBatch == batch {
			return true
		}
	}
	return false
}

// follow keeps what the open sales count in the batch now. A sale that closes
// keeps what it counted last.
func follow(d topup.Durable, batch uint32, seen map[entry.SaleID][2]batchItem, found map[batchItem]struct{}) {
	for id, s := range d.Sales {
		var now [2]batchItem
		if s.PayBatch == batch && s.Paid > 0 {
			now[0] = batchItem{id, s.PaySTAN, s.Paid, false}
		}
		if s.RefundBatch == batch && s.PaidBack > 0 {
			now[1] = batchItem{id, s.RefundSTAN, s.PaidBack, true}
		}
		was := seen[id]
		for i := range now {
			if was[i] != now[i] {
				delete(found, was[i])
				if now[i].stan != 0 {
					found[now[i]] = struct{}{}
				}
			}
		}
		if was != now {
			seen[id] = now
		}
	}
}

package station

import (
	"context"
	"errors"
	"time"

	"buka/cardio/emv"
	"buka/internal/entry"
)

// chooser is a tender that may have to ask the passenger how to pay.
type chooser interface {
	// asked is what the passenger of that sale is to choose among; nil: nothing.
	asked(sale entry.SaleID) []emv.Choice
	// chosen takes the answer: the place in asked, and what was shown there. False
	// says that another question stands by now.
	chosen(sale entry.SaleID, i int, name, kind string) bool
}

var _ chooser = (*bankCard)(nil)

// choiceWait is the longest that a card lies open for a choice, however often
// somebody asks for more time. The sale's own time is mostly over before.
const choiceWait = 2 * time.Minute

// question is which application of the card in the slot is to pay.
type question struct {
	sale   entry.SaleID
	list   []emv.Choice
	answer chan int // capacity 1: the first press counts
}

// ask has the passenger choose. The card waits in its slot; it leaving, the stop
// button and the time being up end it, and nothing was sent.
func (b *bankCard) ask(ctx context.Context, list []emv.Choice) (int, error) {
	q := &question{sale: b.asking.Sale, list: list, answer: make(chan int, 1)}
	b.put(q)
	defer b.put(nil)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go b.slot.leaves(ctx, b.serial, func() { end(errCardLeft) })
	late := time.NewTimer(choiceWait)
	defer late.Stop()
	select {
	case i := <-q.answer:
		b.application = list[i].AID
		return i, nil
	case <-late.C:
		return 0, errTender{"timeout"}
	case <-ctx.Done():
	}
	if errors.Is(context.Cause(ctx), errCardLeft) {
		return 0, errTender{"card-gone"}
	}
	return 0, context.Cause(ctx)
}

// same answers for a passenger who has chosen already and is asked for nothing but
// another PIN.
func (b *bankCard) same(_ context.Context, list []emv.Choice) (int, error) {
	for i, c := range list {
		if string(c.AID) == string(b.application) {
			return i, nil
		}
	}
	return 0, errTender{"wrong-pin"} // it does not serve any more: present the card again
}

func (b *bankCard) put(q *question) {
	b.mu.Lock()
	b.question = q
	b.mu.Unlock()
	if b.changed != nil {
		b.changed()
	}
}

func (b *bankCard) asked(sale entry.SaleID) []emv.Choice {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.question == nil || b.question.sale != sale {
		return nil
	}
	return b.question.list
}

func (b *bankCard) chosen(sale entry.SaleID, i int, name, kind string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.question
	if q == nil || q.sale != sale || i < 0 || i >= len(q.list) || q.list[i].Name != name || q.list[i].Kind != kind {
		return false
	}
	select {
	case q.answer <- i:
	default:
	}
	return true
}

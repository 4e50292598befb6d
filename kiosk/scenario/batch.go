package scenario

import (
	"context"
	"fmt"
)

// settle asks the kiosk to close its batch, as its schedule or a person would.
func (r *runner) settle(ctx context.Context, l Line) error {
	if len(l.Words) != 1 {
		return fmt.Errorf("settle stands alone: %w", ErrSyntax)
	}
	err := r.lab.Settle(ctx, "scenario")
	if err != nil && r.cutting && r.lab.Station() == nil {
		return nil // a power cut took it in
	}
	return err
}

// expectBatch compares the number of the batch that is open.
func (r *runner) expectBatch(_ context.Context, l Line) error {
	d, err := r.lab.Durable()
	if err != nil {
		return err
	}
	return count(l, int(d.Batch))
}

func (r *runner) expectSettled(ctx context.Context, _ Line) error { return r.lab.Settled(ctx) }

// expectDifferences counts what the host has written down as different in closed
// batches.
func (r *runner) expectDifferences(ctx context.Context, l Line) error {
	list, err := r.lab.Batches(ctx)
	if err != nil {
		return err
	}
	n := 0
	for _, b := range list {
		n += len(b.Differs)
	}
	return count(l, n)
}

// expectOpen counts the sales that are not closed.
func (r *runner) expectOpen(_ context.Context, l Line) error {
	d, err := r.lab.Durable()
	if err != nil {
		return err
	}
	return count(l, len(d.Sales))
}

// expectOrdered compares what became of the issuer's newest command to a card.
func (r *runner) expectOrdered(ctx context.Context, l Line) error {
	list, err := r.lab.Ordered(ctx, l.word(1))
	if err != nil {
		return err
	}
	if len(list) == 0 || list[len(list)-1] != l.rest(2) {
		return fmt.Errorf("the issuer has ordered %q", list)
	}
	return nil
}

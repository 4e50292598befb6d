package lab

import (
	"context"
	"errors"
	"fmt"

	"buka/sync/host"
	"buka/topup"
)

// Settle asks the running kiosk to close its batch. It returns when the kiosk
// has taken that in, which is not when the host agrees.
func (l *Lab) Settle(ctx context.Context, who string) error {
	st, err := l.running()
	if err != nil {
		return err
	}
	state, err := st.Engine().State()
	if err != nil {
		return err
	}
	batch := state.Durable.Batch
	if batch == 0 {
		return errors.New("no batch is open: the kiosk has not signed on")
	}
	if err := st.Engine().Post(ctx, topup.SettleAsked{Who: who}); err != nil {
		return err
	}
	return l.until(ctx, st, func() bool {
		now, err := st.Engine().State()
		b, known := now.Durable.Batches[batch]
		return err != nil || !known || b.Phase != topup.BatchOpen
	})
}

// Settled checks that every batch of the kiosk but the open one is settled and
// that both sides count the same in each.
func (l *Lab) Settled(ctx context.Context) error {
	d, err := l.Durable()
	if err != nil {
		return err
	}
	for _, b := range d.Unsettled() {
		if b.Phase != topup.BatchOpen {
			return fmt.Errorf("the kiosk has not settled batch %d", b.Number)
		}
	}
	list, err := l.Batches(ctx)
	if err != nil {
		return err
	}
	for _, b := range list {
		switch {
		case b.State == host.BatchOpen && b.Number == d.Batch:
		case b.State != host.BatchBalanced || b.Kiosk != b.Host:
			return fmt.Errorf("batch %d is %s at the host: the kiosk has %+v, the host %+v", b.Number, b.State, b.Kiosk, b.Host)
		}
	}
	return nil
}

// Batches are those of the host, newest first.
func (l *Lab) Batches(ctx context.Context) ([]host.Batch, error) {
	h := l.Host()
	if h == nil {
		return nil, errors.New("the host is down: its batches cannot be asked")
	}
	return h.Batches(ctx, 1000)
}

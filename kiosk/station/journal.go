package station

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"buka/internal/entry"
	"buka/store"
	"buka/topup"
)

// journal is the store as the engine sees it, and the times that the pages
// show.
type journal struct {
	*store.Store
	grown func()

	mu     sync.Mutex
	opened map[entry.SaleID]time.Time
}

// Append adds entries in one commit.
func (j *journal) Append(bodies ...entry.Body) error {
	entries, err := j.Store.Append(bodies...)
	for i, e := range entries {
		j.note(e, bodies[i])
	}
	j.grown()
	return err
}

func (j *journal) note(e entry.Entry, body entry.Body) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch b := body.(type) {
	case entry.SaleOpened:
		j.opened[b.Sale] = e.Time()
	case entry.SaleClosed:
		delete(j.opened, b.Sale)
	}
}

// since says when a sale was opened; zero while that is still looked up.
func (j *journal) since(id entry.SaleID) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.opened[id]
}

// replay rebuilds the state: the last checkpoint and the entries after it.
func (j *journal) replay() (topup.Durable, error) {
	d := topup.New().Durable
	from := uint64(1)
	last, ok, err := j.LastCheckpoint()
	if err != nil {
		return d, fmt.Errorf("last checkpoint: %w", err)
	}
	if ok {
		body, err := last.Body()
		if err != nil {
			return d, err
		}
		if d, err = topup.Decode(body.(entry.Checkpoint).State); err != nil {
			return d, fmt.Errorf("checkpoint %d: %w", last.Seq, err)
		}
		from = last.Seq + 1
	}
	err = j.fold(&d, from, 0)
	return d, err
}

// fold applies entries from number from on, to number to (0: the end).
func (j *journal) fold(d *topup.Durable, from, to uint64) error {
	return j.Each(from, func(e entry.Entry, _ []byte) error {
		if to > 0 && e.Seq > to {
			return errEnough
		}
		body, err := e.Body()
		if err != nil {
			return err
		}
		j.note(e, body)
		if err := d.Apply(body); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		return nil
	})
}

var errEnough = fmt.Errorf("enough")

// recheck verifies the whole journal and folds it again from the first entry;
// the state that the kiosk started from must come out.
func (j *journal) recheck(ctx context.Context, started topup.Durable, to uint64) error {
	if err := j.Verify(ctx, nil); err != nil {
		return err
	}
	d := topup.New().Durable
	if err := j.fold(&d, 1, to); err != nil && err != errEnough {
		return err
	}
	a, err := d.Encode()
	if err != nil {
		return err
	}
	b, err := started.Encode()
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("the journal up to entry %d does not give the state that its last checkpoint holds", to)
	}
	return nil
}

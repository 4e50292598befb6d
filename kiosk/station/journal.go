package station

import (
	"errors"
	"fmt"
	"slices"
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
	wrote func(entry.Body, uint64) // each entry, durable; nil: nobody listens

	mu     sync.Mutex
	opened map[entry.SaleID]time.Time
}

// Append adds entries in one commit. Before a sale is opened, the room for the
// worst that may come of it, and of every sale that is open, is taken from the
// disk: what follows must not fail for want of it.
func (j *journal) Append(bodies ...entry.Body) error {
	if slices.ContainsFunc(bodies, func(b entry.Body) bool { return b.Kind() == entry.KSaleOpened }) {
		if err := j.secure(1); err != nil {
			return err
		}
	}
	entries, err := j.Store.Append(bodies...)
	for i, e := range entries {
		j.note(e, bodies[i])
		if j.wrote != nil {
			j.wrote(bodies[i], e.Seq)
		}
	}
	j.grown()
	return err
}

// openMost bounds for how many open sales room is kept.
const openMost = 16

// secure takes the room for the open sales and so many more.
func (j *journal) secure(more int) error {
	j.mu.Lock()
	open := len(j.opened)
	j.mu.Unlock()
	return j.Secure(store.WorstSale * int64(min(open+more, openMost)))
}

// forget drops what a look into the past noted about sales that have closed
// meanwhile.
func (j *journal) forget(open map[entry.SaleID]topup.Sale) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id := range j.opened {
		if _, is := open[id]; !is {
			delete(j.opened, id)
		}
	}
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
		if d, err = checkpointState(last); err != nil {
			return d, err
		}
		from = last.Seq + 1
	}
	err = j.fold(&d, from, 0, nil)
	return d, err
}

// fold applies entries from number from on, to number to (0: the end). pause,
// which may be nil, is called now and then.
func (j *journal) fold(d *topup.Durable, from, to uint64, pause func() error) error {
	return j.Each(from, func(e entry.Entry, _ []byte) error {
		if pause != nil && e.Seq%pauseEvery == 0 {
			if err := pause(); err != nil {
				return err
			}
		}
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

var errEnough = errors.New("enough")

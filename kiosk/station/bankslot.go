package station

import (
	"context"
	"errors"
	"time"

	"buka/cardio/reader"
)

// bankSlot finds bank cards on the readers of that role. One reader may serve
// the transit card as well: what lies there when a payment begins is mostly that
// one, so a presence that was looked at and is none is passed over until it
// changes.
type bankSlot struct {
	source  reader.Source
	find    func() (reader.State, error)
	present <-chan struct{} // poked when a card may have come

	passed uint64    // a presence that is not to be read again,
	until  time.Time // before then; zero: never
	told   string    // what was said last about a state that stands
}

const slotLook = 300 * time.Millisecond // events are hints

// await waits for a card to read. An errTender says what stands in the way, once
// for each change.
func (s *bankSlot) await(ctx context.Context) (reader.State, error) {
	for {
		st, err := s.find()
		why := ""
		switch {
		case err == nil && (st.Serial != s.passed || !s.until.IsZero() && time.Now().After(s.until)):
			s.told = ""
			return st, nil
		case err == nil, errors.Is(err, reader.ErrNoCard), errors.Is(err, reader.ErrCardRemoved):
		case errors.Is(err, reader.ErrTwoCards):
			why = "two-cards"
		default:
			return st, errTender{"bank-reader-missing"}
		}
		if why != s.told && err != nil {
			if s.told = why; why != "" {
				return st, errTender{why}
			}
		}
		if err := s.pause(ctx); err != nil {
			return st, err
		}
	}
}

func (s *bankSlot) pause(ctx context.Context) error {
	t := time.NewTimer(slotLook)
	defer t.Stop()
	select {
	case <-s.present:
	case <-t.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// pass leaves a presence alone: for good if it is no card to pay with; for as
// long as a reader takes to notice a removal if contact was lost.
func (s *bankSlot) pass(serial uint64, lost bool) {
	s.passed, s.until = serial, time.Time{}
	if lost {
		s.until = time.Now().Add(relost)
	}
}

// still says whether that presence is the one that lies there now.
func (s *bankSlot) still(serial uint64) bool {
	st, err := s.find()
	return err == nil && st.Serial == serial
}

// leaves calls gone when that presence has ended, unless ctx ends before.
func (s *bankSlot) leaves(ctx context.Context, serial uint64, gone func()) {
	for s.still(serial) {
		if s.pause(ctx) != nil {
			return
		}
	}
	gone()
}

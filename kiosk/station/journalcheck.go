package station

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"buka/internal/entry"
	"buka/store"
	"buka/topup"
)

// check verifies the whole journal, archives included, and folds it again; the
// state that `want` gives must come out. An archive that is damaged is put back
// from a backup; where none has it, the folding begins at the first checkpoint
// that the journal itself holds, and the error says which archive is bad. pause
// is called now and then.
func (j *journal) check(ctx context.Context, backups []string, want func() (topup.Durable, uint64, error), pause func() error) (entries uint64, err error) {
	rest := func(uint64, uint64) { _ = pause() }
	history := j.Verify(ctx, rest)
	if ofArchive(history) {
		if _, err := j.HealArchives(ctx, backups); err == nil {
			history = nil
		}
		if err := j.VerifyFile(ctx, rest); err != nil {
			return 0, err
		}
	} else if history != nil {
		return 0, history
	}
	state, to, err := want()
	if err == nil {
		err = j.agrees(state, to, history != nil, pause)
	}
	if err != nil {
		return 0, err
	}
	tail, _ := j.Tail()
	return tail, history
}

// ofArchive says that an error is about history that the host has; the journal
// itself is well.
func ofArchive(err error) bool {
	d := (*store.ErrDamaged)(nil)
	return errors.As(err, &d) && d.Archive || errors.Is(err, store.ErrNoArchive)
}

// agrees folds the entries up to a number; the given state must come out. With
// late it begins at the first checkpoint that the journal itself holds.
func (j *journal) agrees(state topup.Durable, to uint64, late bool, pause func() error) error {
	d := topup.New().Durable
	from := uint64(1)
	if late {
		var err error
		if d, from, err = j.firstCheckpoint(); err != nil || from == 0 || from > to {
			return err // nothing here can be compared
		}
	}
	if err := j.fold(&d, from, to, pause); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	a, err := d.Encode()
	if err != nil {
		return err
	}
	b, err := state.Encode()
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("the journal up to entry %d does not give the state that its last checkpoint holds", to)
	}
	return nil
}

// firstCheckpoint gives the first state that the journal itself holds, and the
// entry after it; 0 if it holds none.
func (j *journal) firstCheckpoint() (d topup.Durable, next uint64, err error) {
	st, err := j.Stats()
	if err != nil {
		return d, 0, err
	}
	err = j.Each(st.Archived+1, func(e entry.Entry, _ []byte) (err error) {
		if e.Kind != entry.KCheckpoint {
			return nil
		}
		next = e.Seq + 1
		if d, err = checkpointState(e); err != nil {
			return err
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return d, next, err
}

// checkpointed gives the state of the last checkpoint and the entry before it.
func (j *journal) checkpointed() (topup.Durable, uint64, error) {
	last, ok, err := j.LastCheckpoint()
	if err != nil || !ok {
		return topup.New().Durable, 0, err
	}
	d, err := checkpointState(last)
	return d, last.Seq - 1, err
}

func checkpointState(e entry.Entry) (topup.Durable, error) {
	body, err := e.Body()
	if err != nil {
		return topup.Durable{}, err
	}
	c, ok := body.(entry.Checkpoint)
	if !ok {
		return topup.Durable{}, fmt.Errorf("entry %d is no checkpoint", e.Seq)
	}
	d, err := topup.Decode(c.State)
	if err != nil {
		return d, fmt.Errorf("checkpoint %d: %w", e.Seq, err)
	}
	return d, nil
}

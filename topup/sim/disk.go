package sim

import (
	"bytes"
	"fmt"

	"buka/internal/entry"
	"buka/topup"
)

// Disk is a real journal of one kiosk, in the place of the model's own.
type Disk interface {
	// Append is topup.Journal's. After an error the kiosk restarts; the entries
	// may be durable or not.
	Append(bodies ...entry.Body) error
	// Restart opens the journal for the first time, or anew after an error, or
	// after the power went or the process was killed, and gives the state that it
	// holds.
	Restart() (topup.Durable, error)
}

// DiskFaults are all faults but those of the model's own journal.
func DiskFaults() Faults {
	fs := Faults{}
	for f := range faultCount {
		fs[f] = f != fAppendLost && f != fAppendKept && f != fDiskFull && f != fRestored
	}
	return fs
}

// begin starts the kiosk on what is an empty disk.
func (k *kiosk) begin(d Disk) {
	found, err := d.Restart()
	if err != nil {
		panic(fmt.Sprintf("a disk that is new: %v", err))
	}
	k.store, k.disk = d, found
	k.loop.State = topup.Replayed(found)
}

// reopened takes what the disk holds, and holds it against what it must.
func (w *World) reopened() {
	found, err := w.store.Restart()
	if err != nil {
		w.fail(violation("10: the kiosk does not start: %v", err))
		return
	}
	maybe := w.disk.Clone()
	for _, b := range w.maybe {
		if err := maybe.Apply(b); err != nil {
			w.fail(violation("the journal would not replay: %v", err))
			return
		}
	}
	w.maybe = nil
	switch {
	case same(found, w.disk):
	case same(found, maybe):
	default:
		w.fail(violation("3: the disk holds neither what was acknowledged nor that and the commit that failed: %s", differs(found, w.disk)))
	}
	w.disk = found
}

func same(a, b topup.Durable) bool {
	x, errX := a.Encode()
	y, errY := b.Encode()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func differs(found, want topup.Durable) string {
	return fmt.Sprintf("%d sales open, %d were; %d owed, %d were", len(found.Sales), len(want.Sales), found.Owed(), want.Owed())
}

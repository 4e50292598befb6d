package disktest

import "syscall"

// Fault is what happens to a call. The zero Fault never strikes.
type Fault struct {
	At    int // the call that it strikes, counted from 1 when the fault is armed
	Errno syscall.Errno
	Stay  bool   // every later call that changes something fails too
	Seed  uint64 // of what a sync that fails had written before
}

// changes says whether a call would change the disk.
func (k call) changes(v *volume) bool {
	switch k.kind {
	case Open:
		return k.keep // opened for writing
	case Sync:
		return len(v.nodes[k.node].pending) > 0
	case SyncDir:
		return false
	}
	return true
}

// strikes gives the error of this call.
func (v *volume) strikes(k call) syscall.Errno {
	f := v.fault
	if f.At == 0 || v.since < f.At || v.since > f.At && !f.Stay {
		return 0
	}
	if (f.Stay || f.Errno != syscall.EIO) && !k.changes(v) {
		return 0 // a disk that is full or cannot be written is still read
	}
	if f.Errno == syscall.ENOSPC && (k.kind == Unlink || k.kind == Open) {
		return 0 // these need no room
	}
	v.struck++
	return f.Errno
}

package store

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var (
	// ErrLocked: another process has the journal open.
	ErrLocked = errors.New("another process has the journal open: stop it, or ask it")
	// ErrLost: a journal was begun here and its file is gone.
	ErrLost = errors.New("the journal is lost: journal.id says that one was begun here, but its file is gone; " +
		"put the file back or restore it, and only if it is gone for good and the host knows, remove journal.id to begin a new one")
	// ErrAbsent: there is no journal here and never was.
	ErrAbsent = errors.New("there is no journal here")
	// ErrOtherKiosk: the journal was begun by another kiosk.
	ErrOtherKiosk = errors.New("the journal belongs to another kiosk: two kiosks must never act on one journal; " +
		"correct the kiosk id in the configuration or give this kiosk its own data directory")
	// ErrFailed: a commit failed. Its entries may be durable or not; nothing
	// can be added until the journal has been closed and opened again.
	ErrFailed = errors.New("a write to the journal failed and may or may not be durable: open the journal again")
	// ErrNoRoom: the disk has no room for what is about to begin.
	ErrNoRoom = errors.New("the disk of the journal is full: make room on it")
	// ErrNoArchive: the entry is in an archive that is not there.
	ErrNoArchive = errors.New("its archive is missing: put the directory " + ArchiveName + " of the journal, or of a backup, beside it")
	// ErrClosed: the journal was closed.
	ErrClosed = errors.New("the journal is closed")
)

const adviceDamaged = "nothing was changed: stop the kiosk, copy the whole data directory aside, then put back a backup or the host's copy"

// ErrDamaged says what is wrong with a journal and what to do.
type ErrDamaged struct {
	Path   string // of the file
	What   string // what is wrong
	Seq    uint64 // the entry that it is about; 0 when it is about none
	Advice string // what a person should do
	Person bool   // only a person can decide: no backup may stand in for this file
	// Archive: it is about an archive, history that the host has; the journal
	// itself is well.
	Archive bool
	cause   error
}

func (e *ErrDamaged) Error() string {
	at := ""
	if e.Seq > 0 {
		at = fmt.Sprintf(" at entry %d", e.Seq)
	}
	what := "journal"
	if e.Archive {
		what = "archive"
	}
	return fmt.Sprintf("%s %s is damaged%s: %s; %s", what, e.Path, at, e.What, e.Advice)
}

func (e *ErrDamaged) Unwrap() error { return e.cause }

func damaged(seq uint64, format string, args ...any) *ErrDamaged {
	err := fmt.Errorf(format, args...)
	return &ErrDamaged{Seq: seq, What: err.Error(), Advice: adviceDamaged, cause: errors.Unwrap(err)}
}

// Restorable says whether a backup may stand in for a journal that could not be
// opened or verified: it is damaged or gone. A disk that cannot be read, another
// kiosk's journal or a lock are none of that: a person has to look.
func Restorable(err error) bool {
	if d := (*ErrDamaged)(nil); errors.As(err, &d) {
		return !d.Person && !d.Archive
	}
	return errors.Is(err, ErrLost)
}

// at names the file in an error about damage.
func at(path string, err error) error {
	if d := (*ErrDamaged)(nil); errors.As(err, &d) && d.Path == "" {
		d.Path = path
	}
	return err
}

// guarded turns a panic of bbolt into an error, and so a page of its map that the
// disk does not give: that would end the process otherwise. The file is checked
// before bbolt sees it, so this is the second line of defence.
func guarded(what string, act func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: bbolt gave up: %v", what, r)
		}
	}()
	return act()
}

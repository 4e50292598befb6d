package station

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"buka/kiosk/config"
	"buka/store"
)

// errNoJournal: this kiosk was backed up and its data directory is empty. It is
// more likely that a disk is not mounted than that somebody wants to begin anew.
var errNoJournal = errors.New("there is no journal here, but there are backups of this kiosk: " +
	"is the disk of `data` mounted? If it is gone for good, run kiosk journal restore")

// openJournal opens the journal. One that is damaged or gone is restored first,
// without a person, unless the configuration says otherwise; what only a person
// can decide is an error that says what to do.
func openJournal(cfg config.Config, parts Parts) (*store.Store, store.Report, *store.RestoreReport, error) {
	path := store.Path(cfg.Data)
	o := store.Options{Clock: parts.Clock, Kiosk: cfg.Kiosk, Logger: parts.Log}
	if err := unmounted(cfg); err != nil {
		return nil, store.Report{}, nil, err
	}
	st, report, err := store.Open(path, o)
	if err == nil || !store.Restorable(err) {
		return st, report, nil, err
	}
	if !cfg.Journal.Restore {
		return nil, report, nil, fmt.Errorf("%w (journal.restore is off: run kiosk journal restore, or repair)", err)
	}
	parts.Log.Error("the journal cannot be used and is restored", "err", err)
	restored, failed := store.Restore(context.Background(), path, store.RestoreOptions{Options: o, Backups: cfg.BackupDirs(), Why: what(err)})
	if failed != nil {
		return nil, report, nil, errors.Join(err, failed)
	}
	st, report, err = store.Open(path, o)
	return st, report, &restored, err
}

// unmounted says whether the data directory is empty although this kiosk has
// backups in another place.
func unmounted(cfg config.Config) error {
	if _, err := store.OpenID(cfg.Data); !errors.Is(err, store.ErrAbsent) {
		return nil
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return err
	}
	for _, dir := range cfg.BackupDirs() {
		if at, err := filepath.Abs(dir); err != nil || strings.HasPrefix(at, data+string(filepath.Separator)) {
			continue
		}
		if list, err := store.Backups(dir); err == nil && len(list) > 0 && store.BackupOf(list[len(list)-1].Path) == cfg.Kiosk {
			return errNoJournal
		}
	}
	return nil
}

// what gives what is wrong with a journal, without what a person should do.
func what(err error) string {
	if d := (*store.ErrDamaged)(nil); errors.As(err, &d) {
		if d.Seq > 0 {
			return fmt.Sprintf("entry %d: %s", d.Seq, d.What)
		}
		return d.What
	}
	if errors.Is(err, store.ErrLost) {
		return "the file was gone"
	}
	return err.Error()
}

// JournalError says that the journal could not be opened, for a reason that may
// go away without anybody touching the configuration.
type JournalError struct{ Err error }

func (e *JournalError) Error() string { return "journal: " + e.Err.Error() }
func (e *JournalError) Unwrap() error { return e.Err }

func journalError(err error) error {
	if errors.Is(err, store.ErrOtherKiosk) {
		return fmt.Errorf("journal: %w", err)
	}
	return &JournalError{err}
}

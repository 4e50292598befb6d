package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/store"
)

// Backup copies the journal of the running kiosk, as it would itself.
func (l *Lab) Backup(ctx context.Context) error {
	st, err := l.running()
	if err != nil {
		return err
	}
	_, err = st.Journal().Backup(ctx, l.path("backup"), 3)
	return err
}

// ErrPower says that the kiosk must be off.
var ErrPower = errors.New("the kiosk must be off: its disk is being replaced")

// LoseJournal replaces the kiosk's disk and puts the journal back from its last
// backup. What was recorded since is gone.
func (l *Lab) LoseJournal(ctx context.Context) error {
	if _, err := l.running(); err == nil {
		return ErrPower
	}
	path := store.Path(l.path("kiosk"))
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err := store.Restore(ctx, path, store.RestoreOptions{
		Options: store.Options{Kiosk: l.opts.Kiosk, Logger: l.log, Clock: l.kioskNow}, Backups: []string{l.path("backup")}, Why: "the disk was replaced",
	})
	if err != nil {
		return fmt.Errorf("put the journal back: %w", err)
	}
	return nil
}

// Credit is a top-up that was paid elsewhere: the host takes it, and the kiosk
// hears of it, if it can.
func (l *Lab) Credit(ctx context.Context, name, id string, amount money.Fen) error {
	h := l.Host()
	if h == nil {
		return errors.New("the host is down")
	}
	l.mu.Lock()
	p := l.purses[name]
	l.mu.Unlock()
	if p == nil {
		return fmt.Errorf("%q is no transit card", name)
	}
	family := string(p.options.Family)
	if family == "" {
		family = "tunion"
	}
	if err := h.Credit(ctx, entry.SaleID(id), entry.Card{Family: family, Number: p.Number()}, amount); err != nil {
		return err
	}
	if st := l.Station(); st != nil {
		st.Fleet().Changed()
	}
	return nil
}

// Knows says whether the running kiosk has heard of a rewrite of the host.
func (l *Lab) Knows(id entry.SaleID) bool {
	st := l.Station()
	if st == nil {
		return false
	}
	state, _ := st.Engine().State()
	for _, r := range state.Live.Remote {
		if r.Sale == id {
			return true
		}
	}
	return false
}

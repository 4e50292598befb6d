package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
)

// journal backs the journal up, or loses everything that was recorded since.
func (r *runner) journal(ctx context.Context, l Line) error {
	switch l.word(1) {
	case "backup":
		return r.lab.Backup(ctx)
	case "lost":
		return r.lab.LoseJournal(ctx)
	}
	return fmt.Errorf("journal backup|lost: %w", ErrSyntax)
}

// credit is a top-up that was paid elsewhere. It has arrived when the kiosk
// knows of it, if the kiosk can be reached.
func (r *runner) credit(ctx context.Context, l Line) error {
	if err := l.takes("id"); err != nil {
		return err
	}
	amount, err := money.Parse(l.word(2))
	if err != nil || l.Opts["id"] == "" {
		return fmt.Errorf("credit NAME AMOUNT id=…: %w", ErrSyntax)
	}
	if err := r.lab.Credit(ctx, l.word(1), l.Opts["id"], amount); err != nil {
		return err
	}
	return poll(ctx, func() error {
		if r.lab.Station() == nil || !r.lab.Reachable("fleet") || r.lab.Knows(entry.SaleID(l.Opts["id"])) {
			return nil
		}
		return errors.New("the kiosk has not heard of it")
	})
}

// kioskClock sets the kiosk's own clock.
func (r *runner) kioskClock(_ context.Context, l Line) error {
	switch {
	case l.word(1) == "runs":
		r.lab.KioskClock(0, false)
	case l.word(1) == "jumps":
		r.lab.KioskClock(0, true)
	case l.word(1) == "1970":
		r.lab.KioskClock(-time.Since(time.Unix(0, 0)), false)
	default:
		d, err := time.ParseDuration(strings.TrimPrefix(l.word(1), "+"))
		if err != nil {
			return fmt.Errorf("clock 1970|jumps|runs|+72h|-72h: %w", ErrSyntax)
		}
		r.lab.KioskClock(d, false)
	}
	return nil
}

package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
	"buka/ui"
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

// deskAlone are the cashier's actions that need no card on the reader.
var deskAlone = map[string]func(topup.Sale) bool{
	ui.DeskRefund: topup.Sale.MayRefund, ui.DeskHandOver: topup.Sale.MayHandOver, "decide": topup.Sale.MayDecide,
}

// deskAlone presses one of them for the oldest sale that it fits: `desk refund`,
// `desk hand-over`, `desk decide paid-out ANNA`.
func (r *runner) deskAlone(ctx context.Context, l Line) error {
	do, who := l.word(1), "scenario"
	fits := deskAlone[do]
	if do == "decide" {
		if do, who = "decide-"+l.word(2), l.word(3); who == "" {
			return fmt.Errorf("desk decide credited|paid-out|refund WHO: %w", ErrSyntax)
		}
	}
	var before topup.Sale
	if err := poll(ctx, func() error {
		_, state, err := r.state()
		if err != nil {
			return err
		}
		for _, s := range state.Durable.InOrder() {
			if fits(s) && (state.Live.Front.Sale != s.ID || !state.Live.Front.Active()) {
				before = s
				return nil
			}
		}
		return errors.New("there is no sale that it fits")
	}); err != nil {
		return err
	}
	st, _, err := r.state()
	if err != nil {
		return err
	}
	d := st.Desk()
	shown := d.State()
	offered := false
	for _, o := range shown.Open {
		for _, a := range o.Actions {
			offered = offered || o.Sale == string(before.ID) && a.Name == do && a.WhyNot == ""
		}
	}
	if !offered {
		return fmt.Errorf("the cashier's page does not offer %s", do)
	}
	if err := d.Do(ui.DeskAction{Sale: string(before.ID), Rev: shown.Rev, Name: do, Who: who}); err != nil {
		return err
	}
	return poll(ctx, func() error {
		if r.lab.Station() == nil {
			return nil // a power cut took it in
		}
		_, now, err := r.state()
		s, open := now.Durable.Sales[before.ID]
		if err == nil && open && s.OweRefund == before.OweRefund && s.Proposal == before.Proposal && s.ProposedBy == before.ProposedBy && !s.HandedOver && !s.Decided {
			err = fmt.Errorf("nothing came of it: %s", now.Live.Desk.Notice)
		}
		return err
	})
}

package scenario

import (
	"context"
	"errors"
	"fmt"

	"buka/kiosk/station"
	"buka/topup"
	"buka/ui"
)

// desk is the cashier: a card on the desk reader, and what to do about it.
func (r *runner) desk(ctx context.Context, l Line) error {
	do := l.word(1)
	switch do {
	case "tap":
		return r.deskTap(ctx, l.word(2))
	case ui.DeskReprint:
		return r.deskReprint(ctx)
	}
	if _, needsNoCard := deskAlone[do]; needsNoCard {
		return r.deskAlone(ctx, l)
	}
	if do != ui.DeskProve && do != ui.DeskRewrite && do != ui.DeskWithdraw {
		return fmt.Errorf("desk tap NAME|prove|rewrite|withdraw|refund|hand-over|decide|reprint: %w", ErrSyntax)
	}
	if err := r.cashier(ctx, func(state topup.State, _ ui.DeskState) (a ui.DeskAction, err error) {
		c := state.Live.Desk
		switch {
		case c.Sale == "":
			err = errors.New("nothing is unfinished on the card at the desk")
		case c.Active() || c.Phase == topup.Reading:
			err = errors.New("the desk is busy")
		}
		return ui.DeskAction{Sale: string(c.Sale), Name: do, Who: "scenario"}, err
	}); err != nil {
		return err
	}
	return r.deskRests(ctx)
}

// cashier presses what is to be pressed on the page as it is then, and waits until
// the core has taken it in: what it did can be seen from there on.
func (r *runner) cashier(ctx context.Context, press func(topup.State, ui.DeskState) (ui.DeskAction, error)) error {
	var at *station.Station
	if err := poll(ctx, func() error {
		st, state, err := r.state()
		if err != nil {
			return err
		}
		d := st.Desk()
		shown := d.State()
		a, err := press(state, shown)
		if err != nil {
			return err
		}
		at, a.Rev = st, shown.Rev
		return d.Do(a)
	}); err != nil {
		return err
	}
	taken, err := at.Engine().Fence(ctx)
	if err != nil {
		return err
	}
	return r.comes(ctx, func(*station.Station, topup.State) error {
		select {
		case <-taken:
			return nil
		default:
			return errors.New("the core did not take it in")
		}
	})
}

// deskTap waits until the card was read: what is unfinished is then known.
func (r *runner) deskTap(ctx context.Context, name string) error {
	if err := r.lab.Tap(ctx, name, topup.Desk); err != nil {
		return err
	}
	return r.deskRests(ctx)
}

// deskRests waits until nothing is done at the desk.
func (r *runner) deskRests(ctx context.Context) error {
	return r.comes(ctx, func(_ *station.Station, now topup.State) error {
		if c := now.Live.Desk; c.Active() || c.Phase == topup.Reading {
			return fmt.Errorf("the desk is not done: %s %s", c.Phase, c.Notice)
		}
		return nil
	})
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
	if err := r.cashier(ctx, func(state topup.State, shown ui.DeskState) (ui.DeskAction, error) {
		for _, s := range state.Durable.InOrder() {
			if fits(s) && (state.Live.Front.Sale != s.ID || !state.Live.Front.Active()) {
				before = s
				a := ui.DeskAction{Sale: string(s.ID), Name: do, Who: who}
				return a, offered(shown, a)
			}
		}
		return ui.DeskAction{}, errors.New("there is no sale that it fits")
	}); err != nil {
		return err
	}
	return r.comes(ctx, func(_ *station.Station, now topup.State) error {
		s, open := now.Durable.Sales[before.ID]
		if open && s.OweRefund == before.OweRefund && s.Proposal == before.Proposal && s.ProposedBy == before.ProposedBy && !s.HandedOver && !s.Decided {
			return fmt.Errorf("nothing came of it: %s", now.Live.Desk.Notice)
		}
		return nil
	})
}

// offered says whether the page has the button.
func offered(shown ui.DeskState, press ui.DeskAction) error {
	for _, o := range shown.Open {
		for _, a := range o.Actions {
			if o.Sale == press.Sale && a.Name == press.Name && a.WhyNot == "" {
				return nil
			}
		}
	}
	return fmt.Errorf("the cashier's page does not offer %s", press.Name)
}

// deskReprint presses the cashier's button and waits for what comes of it.
func (r *runner) deskReprint(ctx context.Context) error {
	if err := r.cashier(ctx, func(_ topup.State, shown ui.DeskState) (ui.DeskAction, error) {
		if shown.LastSlip == nil || !shown.LastSlip.May() {
			return ui.DeskAction{}, errors.New("the cashier's page does not offer it")
		}
		return ui.DeskAction{Sale: shown.LastSlip.Sale, Name: ui.DeskReprint, Who: "scenario"}, nil
	}); err != nil {
		return err
	}
	return r.comes(ctx, func(st *station.Station, _ topup.State) error {
		if s := st.Desk().State().LastSlip; s.Again == "" || s.Again == ui.SlipPrinting {
			return errors.New("it was not printed again")
		}
		return nil
	})
}

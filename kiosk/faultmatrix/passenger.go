package faultmatrix

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"buka/internal/money"
	"buka/kiosk/lab"
	"buka/topup"
	"buka/ui"
)

// Passenger stands before the kiosk of a lab and does what the screen says.
type Passenger struct {
	Lab    *lab.Lab
	Card   string // transit card, by its name in the lab
	Bank   string
	Amount money.Fen
	PIN    func(asked int) string // asked counts from 1; "" is the cancel key
	Stops  func(screen topup.Phase) bool
}

// errGone says that the kiosk is off.
var errGone = errors.New("the kiosk is off")

const (
	look     = 5 * time.Millisecond
	reaction = 300 * time.Millisecond // before the same is tried again
	patience = 4                      // times that a card is held, before the passenger stops
)

// End is the last screen of a go, and why it was shown.
type End struct {
	Phase  topup.Phase
	Reason string
}

// TopUp is one go: from the tap to how it ended.
func (p *Passenger) TopUp(ctx context.Context) (last End, err error) {
	g := &going{Passenger: p}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		st := p.Lab.Station()
		if st == nil {
			return last, errGone
		}
		state, err := st.Engine().State()
		if err != nil {
			return last, err
		}
		c := state.Live.Front
		if c.Last() {
			last = End{c.Phase, c.Reason}
		}
		if g.over(c) {
			return last, nil
		}
		g.act(ctx, c)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return last, fmt.Errorf("the screen is %s (%s, %s) for sale %s: %w", c.Phase, c.Notice, c.Reason, c.Sale, context.Cause(ctx))
		}
	}
}

// going is one go.
type going struct {
	*Passenger
	tapped bool
	did    topup.Phase // what was done last, and when
	at     time.Time
	pins   int
	holds  int
	typed  int // the pad's count of entries, when it was answered last
}

// over: the sale has ended and the kiosk waits for somebody.
func (g *going) over(c topup.Console) bool {
	return g.tapped && (c.Phase == topup.Idle || c.Phase == "")
}

// act does what the screen wants, and the same again only after a while.
func (g *going) act(ctx context.Context, c topup.Console) {
	if c.Phase == g.did && time.Since(g.at) < reaction && c.Phase != topup.PINEntry {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch {
	case c.Last():
		g.press(ui.DoOK, "")
	case g.Stops != nil && g.did != c.Phase && g.Stops(c.Phase):
		g.press(ui.DoStop, "")
	default:
		if !g.deed(ctx, c) {
			return
		}
	}
	g.did, g.at = c.Phase, time.Now()
}

// deed is what the passenger does on a screen; false: nothing. That a deed comes
// to nothing is seen on the screen.
func (g *going) deed(ctx context.Context, c topup.Console) bool {
	switch c.Phase {
	case topup.Holding:
		if g.holds++; g.holds > patience { // it does not get written: the money back, then
			g.press(ui.DoStop, "")
			return true
		}
		g.tapped = g.Lab.Tap(ctx, g.Card, topup.Front) == nil || g.tapped
	case topup.Idle, "", topup.CardBack:
		g.tapped = g.Lab.Tap(ctx, g.Card, topup.Front) == nil || g.tapped
	case topup.Choosing:
		if c.Notice != "" { // not this amount
			g.press(ui.DoStop, "")
		} else {
			g.press(ui.DoChoose, strconv.FormatInt(int64(g.Amount), 10))
		}
	case topup.Paying:
		_ = g.Lab.PresentBank(ctx, g.Bank)
	case topup.PINEntry:
		return g.enter(ctx)
	default:
		return false
	}
	return true
}

// enter answers the pad once each time it asks.
func (g *going) enter(ctx context.Context) bool {
	shown := g.Lab.Pad().Snapshot()
	if !shown.Waiting || shown.Asked == g.typed {
		return false
	}
	g.typed = shown.Asked
	g.pins++
	if digits := g.PIN(g.pins); digits != "" {
		_ = g.Lab.Pad().Type(ctx, digits)
	} else {
		_ = g.Lab.Pad().Key("cancel")
	}
	return true
}

func (g *going) press(do, value string) {
	st := g.Lab.Station()
	if st == nil {
		return
	}
	scr := st.Passenger()
	shown := scr.Screen()
	_ = scr.Input(ui.Input{Sale: shown.Sale, Rev: shown.Rev, Do: do, Value: value})
}

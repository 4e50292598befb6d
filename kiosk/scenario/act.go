package scenario

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/kiosk/station"
	"buka/topup"
	"buka/ui"
)

var actions = map[string]command{
	"tap": (*runner).tap, "lay": (*runner).lay, "remove": (*runner).remove, "await": (*runner).await,
	"choose": (*runner).choose, "pay": (*runner).pay, "pin": (*runner).pin, "press": (*runner).press, "lang": (*runner).lang,
	"tear": (*runner).tear, "refuse": (*runner).refuse, "use": (*runner).use, "load": (*runner).load,
	"block": (*runner).block, "unblock": (*runner).block, "limit": (*runner).limit, "replay": (*runner).replay, "host": (*runner).host, "network": (*runner).network, "power": (*runner).power, "desk": (*runner).desk, "journal": (*runner).journal, "credit": (*runner).credit, "clock": (*runner).kioskClock,
	"settle": (*runner).settle,
}

func (r *runner) tap(ctx context.Context, l Line) error {
	if _, ok := r.awaited(l.word(1)); ok {
		return r.awaitCard(ctx, l.word(1))
	}
	return r.lab.Tap(ctx, l.word(1), topup.Front)
}

func (r *runner) lay(_ context.Context, l Line) error { return r.lab.Lay(l.word(1), topup.Front) }

// remove takes the card that is named, or every one.
func (r *runner) remove(_ context.Context, l Line) error {
	if name := l.word(1); name != "" {
		return r.lab.Remove(name)
	}
	return r.lab.RemoveAll()
}

// state is the running kiosk's.
func (r *runner) state() (*station.Station, topup.State, error) {
	st := r.lab.Station()
	if st == nil {
		return nil, topup.State{}, errors.New("the kiosk has no power")
	}
	state, err := st.Engine().State()
	return st, state, err
}

// comes waits for what a deed leads to. A power cut ends the wait: it took the deed in.
func (r *runner) comes(ctx context.Context, check func(*station.Station, topup.State) error) error {
	return poll(ctx, func() error {
		if r.lab.Station() == nil {
			return nil
		}
		st, state, err := r.state()
		if err != nil {
			return err
		}
		return check(st, state)
	})
}

// input waits for a screen on which the button is, presses it, and waits until
// the core has taken it in.
func (r *runner) input(ctx context.Context, do, value string, on func(topup.Console) bool, taken func(before, now topup.Console) bool) error {
	var before topup.Console
	err := poll(ctx, func() error {
		st, state, err := r.state()
		if err != nil {
			return err
		}
		before = state.Live.Front
		if !on(before) {
			return fmt.Errorf("the screen is %s", st.Core().Look(state).Screen)
		}
		scr := st.Passenger()
		shown := scr.Screen()
		return scr.Input(ui.Input{Sale: shown.Sale, Rev: shown.Rev, Do: do, Value: value})
	})
	if err != nil {
		return err
	}
	return r.comes(ctx, func(_ *station.Station, now topup.State) error {
		if !taken(before, now.Live.Front) {
			return errors.New("the core did not take it in")
		}
		return nil
	})
}

func (r *runner) choose(ctx context.Context, l Line) error {
	amount, err := money.Parse(l.word(1))
	if err != nil {
		return err
	}
	began := time.Now()
	return r.input(ctx, ui.DoChoose, strconv.FormatInt(int64(amount), 10),
		func(c topup.Console) bool {
			return c.Phase == topup.Choosing && (r.offered() || time.Since(began) > offerWait)
		},
		func(_, now topup.Console) bool { return now.Phase != topup.Choosing || now.Notice != "" })
}

// offerWait is how long somebody waits for amounts that are not offered while
// the kiosk finds its host again. After that the press is refused, as it should be.
const offerWait = 3 * time.Second

// offered says whether an amount can be pressed. With the network down nobody
// waits: it will not be.
func (r *runner) offered() bool {
	_, state, err := r.state()
	return err == nil && (state.NoPayment() == "" || !r.lab.Linked())
}

func (r *runner) press(ctx context.Context, l Line) error {
	if l.word(1) == "application" {
		return r.pressApplication(ctx, l)
	}
	do := map[string]string{"stop": ui.DoStop, "more-time": ui.DoMoreTime, "ok": ui.DoOK}[l.word(1)]
	if do == "" {
		return fmt.Errorf("%q is no button: stop, more-time, ok, application N: %w", l.word(1), ErrSyntax)
	}
	return r.input(ctx, do, "",
		func(c topup.Console) bool {
			return do == ui.DoStop && c.Sale != "" && !c.Active() && !c.Last() || do == ui.DoMoreTime && c.Warn || do == ui.DoOK && c.Last()
		},
		func(before, now topup.Console) bool {
			return now.Phase != before.Phase || now.Stop != before.Stop || now.Warn != before.Warn
		})
}

func (r *runner) lang(ctx context.Context, l Line) error {
	if l.word(1) != "zh" && l.word(1) != "en" {
		return fmt.Errorf("lang zh or lang en: %w", ErrSyntax)
	}
	return r.input(ctx, ui.DoLang, l.word(1), func(topup.Console) bool { return true },
		func(_, now topup.Console) bool { return now.Lang == l.word(1) })
}

func (r *runner) pay(ctx context.Context, l Line) error { return r.lab.PresentBank(ctx, l.word(1)) }

// pin types on the PIN pad when it asks, and waits until the core went on.
func (r *runner) pin(ctx context.Context, l Line) error {
	_, before, _ := r.state() // for the words of a failure
	if err := r.lab.Pad().WaitPrompt(ctx); err != nil {
		c := before.Live.Front
		r.mu.Lock()
		defer r.mu.Unlock()
		return fmt.Errorf("the PIN pad does not ask: the phase was %s (%s%s), then the screens %v: %w", c.Phase, c.Notice, c.Reason, r.screens, err)
	}
	_, state, err := r.state()
	if err != nil {
		return err
	}
	gen := state.Live.Front.PINs
	if l.word(1) == "cancel" {
		err = r.lab.Pad().Key("cancel")
	} else {
		for _, d := range l.word(1) {
			if err == nil {
				err = r.lab.Pad().Key(string(d))
			}
		}
		if err == nil {
			err = r.lab.Pad().Key("enter")
		}
	}
	if err != nil {
		return err
	}
	return r.comes(ctx, func(_ *station.Station, now topup.State) error {
		if now.Live.Front.Phase == topup.PINEntry && now.Live.Front.PINs == gen {
			return errors.New("the core did not take the PIN in")
		}
		return nil
	})
}

// tear pulls a transit card at its next write, a bank card at a moment of its
// next dialogue.
func (r *runner) tear(_ context.Context, l Line) error {
	when := l.word(2)
	if moment := l.word(3); len(l.Words) == 4 && virtual.BankMoments[moment] != nil {
		return r.lab.TearBank(l.word(1), when, moment)
	}
	if l.word(3) != "commit" || when != "before" && when != "after" {
		return fmt.Errorf("tear NAME before|after commit, or of a bank card gpo, record, genac1, auth, genac2, script: %w", ErrSyntax)
	}
	return r.lab.Tear(l.word(1), when)
}

// refuse has the card's next write answered with a status word.
func (r *runner) refuse(_ context.Context, l Line) error {
	sw, err := strconv.ParseUint(l.word(2), 16, 16)
	if err != nil {
		return fmt.Errorf("refuse NAME SW, such as 6985: %w", ErrSyntax)
	}
	return r.lab.Refuse(l.word(1), uint16(sw))
}

// use is a ride elsewhere, load a load at somebody else's kiosk.
func (r *runner) use(_ context.Context, l Line) error  { return r.away(l, r.lab.Ride) }
func (r *runner) load(_ context.Context, l Line) error { return r.away(l, r.lab.LoadElsewhere) }

func (r *runner) away(l Line, do func(string, money.Fen) error) error {
	amount, err := money.Parse(l.word(2))
	if err != nil {
		return err
	}
	return do(l.word(1), amount)
}

// hostStruck says whether the host's armed fault has met a request.
func (r *runner) hostStruck() error {
	if r.fault != "" && r.lab.Faults.Fired() == 0 {
		return fmt.Errorf("`%s` was armed and no request met it", r.fault)
	}
	return nil
}

func (r *runner) host(ctx context.Context, l Line) error {
	f := &r.lab.Faults
	switch l.word(1) {
	case "silent", "late", "drops", "declines", "denies", "answers":
		if err := r.hostStruck(); err != nil {
			return err
		}
		r.fault = l.Text
		if l.word(1) == "answers" {
			r.fault = ""
		}
	}
	switch l.word(1) {
	case "answers":
		f.Answers()
	case "silent":
		f.Silent()
	case "late":
		d, err := time.ParseDuration(l.word(2))
		if err != nil || d <= 0 {
			return fmt.Errorf("host late 3s: %w", ErrSyntax)
		}
		f.Late(d)
	case "drops":
		f.Drops(l.word(2))
	case "declines":
		f.Declines(l.word(2))
	case "denies":
		f.Denies(l.word(2))
	case "clock":
		return r.hostClock(l)
	case "wrong-mac":
		return r.forger.arm(l.word(2))
	case "wants":
		if l.rest(2) != "keys" {
			return fmt.Errorf("host wants keys: %w", ErrSyntax)
		}
		return r.lab.WantKeys(ctx)
	case "orders":
		return r.lab.Order(ctx, l.word(2), l.word(3))
	case "killed":
		return r.lab.KillHost()
	case "started":
		return r.lab.StartHost(ctx)
	default:
		return fmt.Errorf("host silent|late|drops|declines|denies|answers|wrong-mac|wants|orders|clock|killed|started: %w", ErrSyntax)
	}
	return nil
}

func (r *runner) network(_ context.Context, l Line) error {
	link, to := "both", l.word(1)
	if len(l.Words) == 3 {
		link, to = l.word(1), l.word(2)
	}
	if to != "up" && to != "down" {
		return fmt.Errorf("network [switch|fleet] up|down: %w", ErrSyntax)
	}
	return r.lab.Network(link, to == "up")
}

func (r *runner) power(ctx context.Context, l Line) error {
	switch l.rest(1) {
	case "cut":
		r.lab.PowerCut()
		return nil
	case "on":
		if off := r.lab.Off(); off != nil && r.lab.Cutting() != "" {
			select { // an armed cut strikes first
			case <-off:
			case <-ctx.Done():
				return fmt.Errorf("the power cut at %s did not strike", r.lab.Cutting())
			}
		} else if off != nil {
			select {
			case <-off:
			case <-ctx.Done():
				return errors.New("the power is on")
			}
		}
		if err := r.lab.PowerOn(); err != nil {
			return err
		}
		return r.ready(ctx)
	}
	if l.word(1) == "cut" && l.word(2) == "at" && len(l.Words) == 4 {
		return r.lab.CutAt(l.word(3))
	}
	return fmt.Errorf("power cut|on, power cut at ENTRY: %w", ErrSyntax)
}

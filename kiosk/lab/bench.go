package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"buka/cardio/reader"
	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
	"buka/ui"
)

// Bench is the virtual devices, for the bench page.
func (l *Lab) Bench() ui.Bench { return bench{l} }

type bench struct{ *Lab }

func (b bench) Subscribe(changed func()) func() { return b.faces.watch(changed) }

const benchJournal = 12 // newest entries that the bench shows

func (b bench) State() ui.BenchState {
	pad := b.pad.Snapshot()
	st := ui.BenchState{
		Screen: Screen(b.Passenger()), SwitchUp: b.toSwitch.up(), FleetUp: b.toFleet.up(), PowerOn: b.Station() != nil,
		Pad:  ui.BenchPad{Port: b.pad.SlavePath(), Display: strings.Split(pad.Display, "\n"), Digits: pad.Digits, Active: pad.Waiting, On: pad.On},
		Host: ui.BenchHost{Behaviour: b.behaviour(), Arg: b.argument()},
	}
	b.cards(&st)
	st.Printer = b.benchPrinter()
	for i := range st.Bank {
		st.Bank[i].Funds = b.funds(st.Bank[i].Name)
	}
	if run := b.Station(); run != nil {
		st.Readers = b.readers(run.Readers())
		tail, _ := run.Journal().Tail()
		raws, err := run.Journal().Read(max(1, tail-min(tail, benchJournal)+1), benchJournal, 1<<20)
		if err == nil {
			st.Journal = lines(raws)
		}
	}
	return st
}

// Screen is the name of what a passenger sees.
func Screen(p ui.Passenger) ui.ScreenName { return p.Screen().Name }

func (b bench) cards(st *ui.BenchState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	roles := map[topup.Place]string{topup.Front: "transit", topup.Desk: "desk"}
	for _, name := range b.order {
		if c, ok := b.purses[name]; ok {
			counter, _ := c.Counters()
			note := ""
			if c.options.Expired {
				note = "expired"
			}
			if c.options.Blocked {
				note = "blocked"
			}
			tear := ""
			if c.Armed() {
				tear = c.armed
			}
			family := c.options.Family
			if family == "" {
				family = virtual.TUnion
			}
			st.Transit = append(st.Transit, ui.BenchCard{
				Name: name, Number: c.Number(), Family: string(family), Balance: c.Balance(), Counter: uint32(counter),
				Field: roles[c.field], Laid: c.laid, Tear: tear, Note: note,
			})
		}
		if c, ok := b.banks[name]; ok {
			field := ""
			if c.inField {
				field = "bank"
			}
			st.Bank = append(st.Bank, ui.BenchBank{Name: name, PAN: c.String(), Field: field, PIN: c.pin, Note: c.note})
		}
	}
}

// funds asks the host, without the lab's lock: a database may take its time.
func (b bench) funds(name string) (f money.Fen) {
	c, err := b.bank(name)
	h := b.Host()
	if err != nil || h == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	f, _ = h.Funds(ctx, c.PAN()) // unknown while the host is busy: 0
	return f
}

func (b bench) readers(states []reader.State) []ui.BenchReader {
	var list []ui.BenchReader
	for _, s := range states {
		r := ui.BenchReader{Name: s.Reader, State: "empty"}
		switch {
		case s.Hung || s.Busy:
			r.State = "busy"
		case s.Cards > 1:
			r.State = "two-cards"
		case s.Present:
			r.State = "card"
		}
		list = append(list, r)
	}
	return list
}

func lines(raws [][]byte) []ui.JournalLine {
	var out []ui.JournalLine
	for i := len(raws) - 1; i >= 0; i-- {
		e, _, err := entry.Open(raws[i])
		if err != nil {
			continue
		}
		line := ui.JournalLine{Seq: e.Seq, At: e.Time(), Kind: string(e.Kind)}
		if body, err := e.Body(); err == nil {
			if about, ok := body.(interface{ About() entry.SaleID }); ok {
				line.Sale = string(about.About())
				line.Text = about.About().Claim()
			}
		}
		out = append(out, line)
	}
	return out
}

// benchWait bounds an action that waits for its moment.
const benchWait = 20 * time.Second

// Do hands an action over; what waits for a moment does so behind the page.
func (b bench) Do(a ui.BenchAction) error {
	arg := func(k string) string { return a.Args[k] }
	place := topup.Front
	if arg("reader") == "desk" {
		place = topup.Desk
	}
	behind := func(f func(ctx context.Context) error) error {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), benchWait)
			defer cancel()
			if err := f(ctx); err != nil {
				b.log.Info("bench", "action", a.Name, "err", err)
			}
			b.changed()
		}()
		return nil
	}
	switch a.Name {
	case "tap":
		if _, err := b.purse(arg("card")); err != nil {
			return err
		}
		return behind(func(ctx context.Context) error { return b.Tap(ctx, arg("card"), place) })
	case "lay":
		return b.Lay(arg("card"), place)
	case "remove":
		defer b.changed()
		return b.Remove(arg("card"))
	case "tear":
		defer b.changed()
		return b.Tear(arg("card"), arg("when"))
	case "pay":
		if _, err := b.bank(arg("card")); err != nil {
			return err
		}
		return behind(func(ctx context.Context) error { return b.PresentBank(ctx, arg("card")) })
	case "key":
		return b.pad.Key(arg("key"))
	case "network":
		return b.Network(arg("link"), arg("to") == "up")
	case "host":
		return b.behave(arg("behaviour"), arg("arg"))
	case "printer":
		return b.Printing(arg("to"))
	case "power":
		if arg("to") == "on" {
			return behind(func(context.Context) error { return b.PowerOn() })
		}
		return behind(func(context.Context) error { b.PowerCut(); return nil })
	}
	return fmt.Errorf("%q is nothing that the bench can do", a.Name)
}

// behave sets how the host answers payments and loads.
func (l *Lab) behave(how, arg string) error {
	switch how {
	case "answers":
		l.Faults.Answers()
	case "silent":
		l.Faults.Silent()
	case "late":
		d, err := time.ParseDuration(arg)
		if err != nil || d <= 0 || d > time.Minute {
			return errors.New("late: a time such as 3s")
		}
		l.Faults.Late(d)
	case "drops":
		l.Faults.Drops(arg)
	case "declines":
		l.Faults.Declines(arg)
	default:
		return fmt.Errorf("%q: answers, silent, late, drops or declines", how)
	}
	l.mu.Lock()
	l.hostHow, l.hostArg = how, arg
	l.mu.Unlock()
	l.changed()
	return nil
}

func (l *Lab) behaviour() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hostHow == "" {
		return "answers"
	}
	return l.hostHow
}

func (l *Lab) argument() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hostArg
}

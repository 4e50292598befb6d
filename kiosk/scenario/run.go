package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"buka/internal/money"
	"buka/kiosk/config"
	"buka/kiosk/lab"
	"buka/sync/host"
)

// Waits of the language.
const (
	momentWait = 5 * time.Second  // an action waits so long for its moment
	expectWait = 5 * time.Second  // and an expectation to come true
	awaitWait  = 60 * time.Second // for a card that another program simulates
)

// Options of a run.
type Options struct {
	Reader string // "memory" or "pcsc"
	Log    *slog.Logger
	Dir    string // where the world keeps its state; "": a directory of its own, removed afterwards
	Keep   bool
	Slack  int // how many times longer than the language says a line may wait, on a machine that has other work; 0: 1
}

// runner is one script under way.
type runner struct {
	opts Options
	lab  *lab.Lab
	dir  string

	timeout   time.Duration
	oneReader bool // for the transit and the bank card
	keys      host.Keys
	cutting   bool   // a power cut at an entry was armed and the power not switched on since
	shared    bool   // another authority loads the cards too
	pending   []Line // declarations before the world is opened
	fault     string // the host's, as it was armed
	forger    forger
	configure []func(*config.Config)
	noPIN     money.Fen // the host's limit, and the kiosk's
	over      bool      // the script has seen how the last sale ended

	mu      sync.Mutex
	screens []string            // shown since the last action
	foreign map[string]*awaited // cards that other programs simulate
}

// RunFile runs one script file.
func RunFile(ctx context.Context, path string, o Options) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return Run(ctx, f, o)
}

// Run runs a script to its end or to the first line that does not hold.
func Run(ctx context.Context, script io.Reader, o Options) (err error) {
	lines, err := Parse(script)
	if err != nil {
		return err
	}
	r := &runner{opts: o, dir: o.Dir, foreign: map[string]*awaited{}}
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "buka-scenario-"); err != nil {
			return err
		}
		defer os.RemoveAll(r.dir)
	}
	defer func() {
		if r.lab != nil {
			err = errors.Join(err, r.lab.Close())
		}
	}()
	for _, l := range lines {
		if o.Log != nil {
			o.Log.Info("script", "line", l.Number, "text", l.Text)
		}
		if err := r.line(ctx, l); err != nil {
			return fmt.Errorf("line %d: %s: %w", l.Number, l.Text, err)
		}
	}
	if err := r.ensure(ctx); err != nil {
		return err
	}
	return r.allStruck()
}

// allStruck: a fault that was armed must have struck.
func (r *runner) allStruck() error {
	if err := r.hostStruck(); err != nil {
		return err
	}
	if armed := r.lab.Armed(); len(armed) > 0 {
		return fmt.Errorf("the tear of %v was armed and never struck", armed)
	}
	if mti := r.forger.armed(); mti != "" {
		return fmt.Errorf("the wrong MAC of an answer %s was armed and never struck", mti)
	}
	if kind := r.lab.Cutting(); kind != "" {
		return fmt.Errorf("the power cut at %s was armed and never struck", kind)
	}
	return nil
}

func (r *runner) line(ctx context.Context, l Line) error {
	switch l.Words[0] {
	case "set", "keys":
		if r.lab != nil {
			return fmt.Errorf("%s must stand before the first action", l.Words[0])
		}
		return r.setting(l)
	}
	if f, ok := declarations[l.Words[0]]; ok {
		if r.lab == nil { // `set` and `keys` may still follow
			r.pending = append(r.pending, l)
			return nil
		}
		return f(r, ctx, l)
	}
	if r.lab == nil && l.cutsAt() { // it may strike while the kiosk starts
		return r.ensureCut(ctx, l.word(3))
	}
	if err := r.ensure(ctx); err != nil {
		return err
	}
	if l.Words[0] == "expect" {
		return r.expect(ctx, l)
	}
	f, ok := actions[l.Words[0]]
	if !ok {
		return fmt.Errorf("no such command: %w", ErrSyntax)
	}
	if len(l.Opts) > 0 && l.Words[0] != "credit" {
		return fmt.Errorf("%s has no options: %w", l.Words[0], ErrSyntax)
	}
	if !r.waits(l) || r.over {
		r.mu.Lock()
		r.screens = nil
		r.mu.Unlock()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.patience(l), errors.New("its moment did not come"))
	defer cancel()
	if r.dark(ctx, l) {
		return nil
	}
	err := f(r, ctx, l)
	r.over = false
	if err != nil && r.dark(ctx, l) {
		err = nil // it struck during the deed
	}
	return err
}

// passenger are the deeds of somebody who stands before the kiosk.
var passenger = []string{"tap", "lay", "choose", "pay", "pin", "press", "lang"}

// dark says that an armed power cut has struck and that the line is a deed at
// the kiosk, which then does nothing: a script need not know at which of several
// deeds the cut strikes. It waits until the kiosk is down.
func (r *runner) dark(ctx context.Context, l Line) bool {
	switch {
	case l.cutsAt():
		r.cutting = true
	case l.rest(0) == "power on":
		r.cutting = false
	}
	if !r.cutting || r.lab.Cutting() != "" || !slices.Contains(passenger, l.Words[0]) {
		return false
	}
	if off := r.lab.Off(); off != nil {
		select {
		case <-off:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (r *runner) patience(l Line) time.Duration {
	if r.waits(l) {
		return awaitWait
	}
	switch l.Words[0] {
	case "power":
		return r.slack(2 * momentWait) // the journal is opened anew
	}
	return r.slack(momentWait)
}

func (r *runner) slack(d time.Duration) time.Duration { return d * time.Duration(max(r.opts.Slack, 1)) }

// ensure opens the world and switches the kiosk on, once.
func (r *runner) ensure(ctx context.Context) error { return r.ensureCut(ctx, "") }

// cutsAt says that the line is `power cut at ENTRY`.
func (l Line) cutsAt() bool {
	return len(l.Words) == 4 && l.Words[0] == "power" && l.Words[1] == "cut" && l.Words[2] == "at"
}

// ensureCut is ensure with a power cut armed before the first start.
func (r *runner) ensureCut(ctx context.Context, kind string) error {
	if r.lab != nil {
		return nil
	}
	w, err := lab.Open(ctx, lab.Options{
		Dir: filepath.Join(r.dir, "world"), Reader: r.opts.Reader, SwitchTimeout: r.timeout, Keys: r.keys, Shared: r.shared, OneReader: r.oneReader, NoCVM: r.noPIN,
		Log: r.opts.Log, Version: "scenario", Postman: r.forger.carry, Configure: r.configured,
	})
	if err != nil {
		return err
	}
	r.lab = w
	w.OnShown(r.shown)
	for _, l := range r.pending {
		if err := declarations[l.Words[0]](r, ctx, l); err != nil {
			return fmt.Errorf("line %d: %s: %w", l.Number, l.Text, err)
		}
	}
	if err := w.CutAt(kind); err != nil {
		return err
	}
	r.cutting = kind != ""
	if err := w.PowerOn(); err != nil {
		return err
	}
	return r.ready(ctx)
}

func (r *runner) shown(screen string) {
	if _, state, err := r.state(); err == nil {
		r.observe(state)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.screens); (n == 0 || r.screens[n-1] != screen) && n < MaxLines {
		r.screens = append(r.screens, screen)
	}
}

// ready waits until the kiosk has its devices and has signed on, as a person
// would wait before tapping. A kiosk whose network is down is ready without.
func (r *runner) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("the kiosk does not become ready"))
	defer cancel()
	return poll(ctx, func() error {
		st := r.lab.Station()
		if st == nil {
			return nil // a power cut struck while it started
		}
		state, err := st.Engine().State()
		if err != nil {
			return err
		}
		for _, name := range []string{"transit", "bank", "pinpad"} {
			if why, known := state.Live.Devices[name]; !known || why != "" {
				return fmt.Errorf("%s: %q", name, why)
			}
		}
		if r.lab.Host() != nil && r.lab.Reachable("switch") && !(state.Live.SignedOn && state.Live.HostUp) {
			return errors.New("not signed on")
		}
		if state.Durable.Unconfirmed && r.lab.Host() != nil && r.lab.Reachable("fleet") {
			return errors.New("the host has not confirmed the restored journal")
		}
		return nil
	})
}

// poll asks until it holds or ctx ends; then it says what was missing.
func poll(ctx context.Context, f func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

package reader

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ebfe/scard"
)

const (
	// watchWait bounds one wait for a change; after it the readers are listed
	// again, because removals can be missed on fast taps.
	watchWait = 2500 * time.Millisecond
	// pollWait is between two lists where there is no reader to wait for and
	// no notice of new ones.
	pollWait = 500 * time.Millisecond

	retryFirst = 100 * time.Millisecond
	retryMost  = 3 * time.Second

	// plugAndPlay is the pseudo reader whose state changes when readers come
	// or go.
	plugAndPlay = `\\?PnP?\Notification`

	maxReaders = 16 // what SCardGetStatusChange of pcsc-lite takes
)

// watch tries for ever to have a watching context.
func (p *PCSC) watch() {
	defer close(p.ended)
	select {
	case watchTurn <- struct{}{}:
		defer func() { <-watchTurn }()
	case <-p.quit:
		return
	}
	wait := retryFirst
	for {
		up, err := p.watchOnce()
		select {
		case <-p.quit:
			return
		default:
		}
		p.board.setService(fmt.Errorf("%w (%w)", ErrNoService, err))
		if up {
			wait = retryFirst
		}
		if !p.pause(wait) {
			return
		}
		wait = min(2*wait, retryMost)
	}
}

// pause waits unless the source is closed.
func (p *PCSC) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.quit:
		return false
	}
}

// watchOnce watches on one context until it fails; up tells that the service
// had answered.
func (p *PCSC) watchOnce() (up bool, err error) {
	ctx, err := scard.EstablishContext()
	if err != nil {
		return false, err
	}
	defer ctx.Release()
	p.setWatching(ctx)
	defer p.setWatching(nil)
	w := &watcher{ctx: ctx, board: p.board, pnp: hasPlugAndPlay(ctx), seen: map[string]scard.StateFlag{}}
	for {
		if err := w.list(); err != nil {
			return up, err
		}
		if !up {
			up = true
			p.board.setService(nil)
		}
		p.board.setReaders(w.names)
		if len(w.names) == 0 && !w.pnp {
			if !p.pause(pollWait) {
				return up, nil
			}
			continue
		}
		err := w.wait()
		if errors.Is(err, scard.ErrUnknownReader) { // it went since the list
			err = nil
			if !p.pause(retryFirst) {
				return up, nil
			}
		}
		if err != nil {
			return up, err
		}
		select {
		case <-p.quit:
			return up, nil
		default:
		}
	}
}

// hasPlugAndPlay asks whether the pseudo reader is supported: it is when its
// state is not "unknown".
func hasPlugAndPlay(ctx *scard.Context) bool {
	probe := []scard.ReaderState{{Reader: plugAndPlay}}
	err := ctx.GetStatusChange(probe, 0)
	return (err == nil || errors.Is(err, scard.ErrTimeout)) && probe[0].EventState&scard.StateUnknown == 0
}

// watcher is what the watching goroutine knows on one context.
type watcher struct {
	ctx    *scard.Context
	board  *board
	pnp    bool
	pnpNow scard.StateFlag
	names  []string
	seen   map[string]scard.StateFlag // last state, event counter in the high word
}

// list asks for the readers; they are few, so it is cheap.
func (w *watcher) list() error {
	names, err := w.ctx.ListReaders()
	switch {
	case errors.Is(err, scard.ErrNoReadersAvailable):
		names = nil
	case err != nil:
		return err
	}
	slices.Sort(names)
	w.names = slices.Compact(names)
	if len(w.names) > maxReaders-1 {
		w.names = w.names[:maxReaders-1]
	}
	for name := range w.seen {
		if !slices.Contains(w.names, name) {
			delete(w.seen, name)
		}
	}
	return nil
}

// wait waits for any change, at most watchWait, and tells what it saw.
func (w *watcher) wait() error {
	states := make([]scard.ReaderState, 0, len(w.names)+1)
	for _, name := range w.names {
		states = append(states, scard.ReaderState{Reader: name, CurrentState: w.seen[name]})
	}
	if w.pnp {
		states = append(states, scard.ReaderState{Reader: plugAndPlay, CurrentState: w.pnpNow})
	}
	err := w.ctx.GetStatusChange(states, watchWait)
	switch {
	case err == nil:
	case errors.Is(err, scard.ErrTimeout), errors.Is(err, scard.ErrCancelled):
		return nil // list again
	default:
		return err
	}
	for _, st := range states {
		if st.Reader == plugAndPlay {
			w.pnpNow = st.EventState &^ scard.StateChanged
			continue
		}
		w.look(st)
	}
	return nil
}

// look tells one reader's state. One that cannot be used has no card.
func (w *watcher) look(st scard.ReaderState) {
	const lost = scard.StateUnknown | scard.StateUnavailable
	before, known := w.seen[st.Reader]
	now := st.EventState &^ scard.StateChanged
	w.seen[st.Reader] = now
	present := now&scard.StatePresent != 0 && now&lost == 0
	s := sight{
		present: present,
		// The counter moves at each insertion and removal: another number
		// between two looks at a card means that it was away in between.
		fresh: present && (!known || before&scard.StatePresent == 0 || counter(before) != counter(now)),
		mute:  now&scard.StateMute != 0,
		busy:  now&(scard.StateInuse|scard.StateExclusive) != 0,
	}
	if present {
		s.atr, s.cards = st.Atr, 1
	}
	w.board.setSight(st.Reader, s)
}

// counter is the event counter of a reader, the high word of its state.
func counter(f scard.StateFlag) uint16 { return uint16(f >> 16) }

package fleetlink

import (
	"context"
	"time"

	"buka/sync/fleetlink/fleetmsg"
)

// beat sends one heartbeat. Its answer says how far the host's copy of the
// journal goes, so a lost answer, or a host restored from a backup, is noticed
// even when nothing is being shipped.
func (l *Link) beat(ctx context.Context) {
	l.lastBeat = time.Now()
	l.nextBeat = l.lastBeat.Add(l.cfg.HeartbeatEvery)
	var h Heartbeat
	if l.cfg.Status != nil {
		h = l.cfg.Status()
	}
	h.Kiosk, h.Epoch, h.AtMS = l.cfg.Kiosk, l.cfg.Epoch, l.lastBeat.UnixMilli()
	h.TailSeq, _ = l.journal.Tail()
	h.MarkSeq = l.State().Mark
	data, err := h.Encode()
	if err != nil {
		l.failed(ctx, err)
		return
	}
	r, err := l.ask(ctx, fleetmsg.HeartbeatSubject(l.cfg.Kiosk), data)
	if err != nil {
		l.failed(ctx, err)
		return
	}
	l.answered(r)
	if r.Code == fleetmsg.CodeRefused || r.Code == fleetmsg.CodeRetry {
		l.failed(ctx, refusal(r))
		return
	}
	l.pull(ctx, r.Rewrites)
	if !l.placed {
		return // ship places us first
	}
	if r.Seq != l.at.seq || r.Hash != l.at.hash {
		l.settle(r, nil)
	}
	if tail, _ := l.journal.Tail(); tail != l.at.seq && l.failures == 0 {
		l.nextShip = earlier(l.nextShip, time.Now().Add(l.cfg.Linger))
	} else if tail == l.at.seq {
		l.change(l.synced)
	}
}

// answered notes that a real request was just answered.
func (l *Link) answered(r fleetmsg.Reply) {
	now := time.Now()
	l.change(func(s *State) {
		s.Up, s.LastAnswer, s.ClockMS = true, now, r.HostAtMS-now.UnixMilli()
		if r.Code == fleetmsg.CodeOK && s.Conflict == nil {
			s.Err = ""
		}
	})
}

// failed notes that a request came to nothing.
func (l *Link) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // shutting down: not the link's fault
	}
	before := l.State()
	l.change(func(s *State) {
		s.Failures++
		s.Err = err.Error()
		if answeredAtAll(err) {
			return
		}
		s.Up = false
	})
	if before.Up || before.Err != err.Error() {
		l.cfg.Log.Warn("fleet link", "error", err, "unshipped", before.Unshipped)
	}
}

// synced marks the present as a moment when host and journal were equal.
func (l *Link) synced(s *State) { s.LastSync = time.Now() }

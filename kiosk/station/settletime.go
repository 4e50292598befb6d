package station

import (
	"context"
	"time"

	"buka/topup"
)

const settleLook = 15 * time.Second

// schedule closes the batch each day at the time of the configuration, by the
// host's clock in the kiosk's zone, and not before the host has told its time. A
// moment that passed while the kiosk had no power is made up for.
func (s *Station) schedule(ctx context.Context) {
	paid, err := s.risk.fill(ctx, s.startAt, time.Duration(s.start.OffsetMS)*time.Millisecond)
	if err != nil {
		s.log.Warn("today's payments are not counted: risk rules see those from now on", "err", err)
	}
	due := settlementDue{at: s.cfg.Switch.Settle.Since(), last: paid}
	tick := time.NewTicker(settleLook)
	defer tick.Stop()
	for {
		if now, ok := s.hostNow(); ok && due.passed(now.Local()) {
			s.log.Info("time to settle")
			s.post(topup.SettleAsked{Who: "schedule"})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// settlementDue finds the moment of each day at which a batch is closed.
type settlementDue struct {
	at   time.Duration // since midnight; negative: never
	last time.Time     // when it was looked at before
}

// passed says whether the moment lies between the last look and now, for a batch
// that was open while the kiosk had no power too. A clock that went back begins
// anew.
func (s *settlementDue) passed(now time.Time) bool {
	was := s.last
	s.last = now
	if s.at < 0 || was.IsZero() || now.Before(was) {
		return false
	}
	return latest(now, s.at).After(was)
}

// latest is the last time of day at or before now.
func latest(now time.Time, at time.Duration) time.Time {
	y, m, d := now.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, now.Location()).Add(at)
	if t.After(now) {
		t = t.AddDate(0, 0, -1)
	}
	return t
}

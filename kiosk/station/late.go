package station

import (
	"context"

	"buka/sync/switchlink"
	"buka/topup"
)

// lateQueue bounds the late answers that wait to be recorded. They are for the
// record only: what does not fit is in the log.
const lateQueue = 16

// late takes a late answer from a link, which does not wait.
func (s *Station) late(l switchlink.Late) {
	select {
	case s.lates <- l:
	default:
		s.log.Warn("a late answer is not recorded: too many at once", "stan", l.STAN, "batch", l.Batch, "code", l.Code)
	}
}

// recordLates has late answers written down, one by one.
func (s *Station) recordLates(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-s.lates:
			if state, _ := s.engine.State(); !reserved(state.Durable.STANUntil, l.STAN) {
				s.log.Error("a late answer to a payment that this kiosk never made", "stan", l.STAN, "batch", l.Batch, "code", l.Code)
				continue
			}
			s.post(topup.AnsweredLate{STAN: l.STAN, Batch: l.Batch, Code: l.Code, Amount: l.Amount, RRN: l.RRN})
		}
	}
}

// reserved says whether a STAN may have been used. They are counted for life, and
// sent modulo the highest.
func reserved(until, stan uint32) bool {
	return stan != 0 && (stan <= until || until >= switchlink.MaxSTAN)
}

package station

import (
	"slices"
	"time"

	"buka/sync/fleetlink"
	"buka/sync/switchlink"
	"buka/topup"
)

// heartbeat is what the fleet host is told.
func (s *Station) heartbeat() fleetlink.Heartbeat {
	return s.heartbeatOf(s.engine.State())
}

func (s *Station) heartbeatOf(state topup.State, failed error) fleetlink.Heartbeat {
	d := state.Durable
	h := fleetlink.Heartbeat{
		Version: s.parts.Version, Place: s.cfg.Place, Owed: d.Owed(), OpenRewrites: d.Rewrites(), Screen: string(s.screen().Name), Sales: d.Opened,
	}
	if d.Unconfirmed {
		h.Recovering = "restored: " + d.RestoredWhy
	}
	for _, sale := range d.InOrder() {
		if sale.Unresolved() {
			h.Unknown++
		}
		if sale.Long {
			h.Long++
		}
		if at := s.journal.since(sale.ID); len(sale.Duties()) > 0 && h.OldestOwedMS == 0 && !at.IsZero() {
			h.OldestOwedMS = at.UnixMilli()
		}
	}
	h.Kept, h.Risk = s.keeper.told(), s.risk.told()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{"transit", "bank", "desk", "pinpad", "journal"} {
		why, known := state.Live.Devices[name]
		if name == "journal" && failed != nil {
			why, known = "journal-failed", true
		}
		if known || name == "journal" {
			h.Devices = append(h.Devices, fleetlink.Device{Name: name, OK: why == "", Code: why, SinceMS: millis(s.since[name])})
		}
	}
	if p, ok := s.slips.state(); ok {
		h.Devices = append(h.Devices, fleetlink.Device{Name: "printer", OK: p.OK, Code: p.Code, SinceMS: millis(p.Since)})
	}
	if since, waits := s.settles(d.Unsettled()); waits {
		h.Devices = append(h.Devices, fleetlink.Device{Name: "settlement", Code: "settlement-waits", SinceMS: millis(since)})
	}
	h.Devices = append(h.Devices, linkDevice("switch", s.links.payments.State(), s.hosts.failed.Load()))
	if s.links.loads != s.links.payments {
		h.Devices = append(h.Devices, linkDevice("authority", s.links.loads.State(), s.links.signOn.fails()))
	}
	return h
}

// settleLong is how long a batch may be on its way to its settlement until an
// operator hears of it: no payment begins in it meanwhile.
const settleLong = 5 * time.Minute

// settles says since when batches that are closed wait for their settlement, and
// whether that is long. s.mu is held.
func (s *Station) settles(batches []topup.Batch) (since time.Time, long bool) {
	if !slices.ContainsFunc(batches, func(b topup.Batch) bool { return b.Phase != topup.BatchOpen }) {
		delete(s.since, "settlement")
		return time.Time{}, false
	}
	now := s.parts.Clock()
	if _, known := s.since["settlement"]; !known {
		s.since["settlement"] = now
	}
	since = s.since["settlement"]
	return since, now.Sub(since) >= settleLong
}

// linkDevice is a link as a device: a host that answers and does not let the kiosk
// sign on is of no use.
func linkDevice(name string, st switchlink.State, refused bool) fleetlink.Device {
	d := fleetlink.Device{Name: name, OK: st.Up && !refused, SinceMS: st.Since.UnixMilli()}
	if st.Up && refused {
		d.Code = "sign-on-failed"
	}
	return d
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Devices gives why each device is missing; an empty text is well. For doctor
// and scripts.
func (s *Station) Devices() map[string]string {
	state, _ := s.engine.State()
	out := map[string]string{}
	for name, why := range state.Live.Devices {
		out[name] = why
	}
	if p, ok := s.slips.state(); ok {
		out["printer"] = p.Code
	}
	return out
}

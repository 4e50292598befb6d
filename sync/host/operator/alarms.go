package operator

import (
	"context"
	"errors"
	"fmt"

	"buka/sync/host/fleetside"
	"buka/ui"
)

// alarms lists those of one kiosk, or of all if its name is empty; those of last
// time, if the database does not answer: no answer is no calm.
func (v *View) alarms(ctx context.Context, side *fleetside.Side, kiosk string) (fresh int, shown []ui.FleetAlarm) {
	fresh, list, err := side.Alarms(ctx, kiosk)
	if err != nil {
		v.log.Warn("no news of the alarms", "err", err)
		return v.lastAlarms(kiosk)
	}
	for _, a := range list {
		shown = append(shown, ui.FleetAlarm{ID: a.ID, Kiosk: a.Kiosk, Kind: string(a.Kind), Detail: a.Detail, Claim: a.Claim, CardNumber: a.Card,
			Amount: a.Amount, At: a.At, By: a.Who, Seen: a.Seen})
	}
	return fresh, shown
}

func (v *View) lastAlarms(kiosk string) (int, []ui.FleetAlarm) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.last.Kiosks {
		if k.ID == kiosk {
			return k.NewAlarms, k.Alarms
		}
	}
	if kiosk != "" {
		return 0, nil
	}
	return v.last.NewAlarms, v.last.Alarms
}

// acknowledge notes at the host who has seen alarms. It is durable when it
// returns; nothing about money comes of it.
func (v *View) acknowledge(a ui.FleetAction) error {
	side := v.side()
	if side == nil || a.Who == "" {
		return fmt.Errorf("%q by %q: %w", a.Name, a.Who, errors.ErrUnsupported)
	}
	ctx, cancel := context.WithTimeout(context.Background(), queries)
	defer cancel()
	list, err := side.Acknowledge(ctx, a.From, a.To, a.Who)
	if err != nil {
		return err
	}
	for _, seen := range list {
		v.log.Info("an alarm: acknowledged", "alarm", seen.ID, "kiosk", seen.Kiosk, "kind", string(seen.Kind), "detail", seen.Detail, "sale", string(seen.Sale), "who", a.Who)
	}
	v.tell()
	if len(list) == 0 {
		return ui.ErrStale
	}
	return nil
}

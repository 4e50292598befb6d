package ui

import (
	"fmt"
	"strconv"
	"strings"

	"buka/ui/wire"
)

// alarmList is the alarms of all kiosks or of one, as a page shows them.
type alarmList struct {
	New, Seen []FleetAlarm
}

func listAlarms(all []FleetAlarm) (l alarmList) {
	for _, a := range all {
		if a.By == "" {
			l.New = append(l.New, a)
		} else {
			l.Seen = append(l.Seen, a)
		}
	}
	return l
}

// Range names every new alarm that is listed, and none that is not: those that
// come while a finger is on its way have higher numbers.
func (l alarmList) Range() string {
	if len(l.New) == 0 {
		return ""
	}
	from, to := l.New[0].ID, l.New[0].ID
	for _, a := range l.New {
		from, to = min(from, a.ID), max(to, a.ID)
	}
	return fmt.Sprintf("%d-%d", from, to)
}

// has says whether an alarm of this number is listed.
func (l alarmList) has(id int64) bool {
	for _, a := range append(l.New[:len(l.New):len(l.New)], l.Seen...) {
		if a.ID == id {
			return true
		}
	}
	return false
}

// parseRange reads "12" or "12-40".
func parseRange(value string) (from, to int64, ok bool) {
	first, last, two := strings.Cut(value, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	if to = from; two && err == nil {
		to, err = strconv.ParseInt(last, 10, 64)
	}
	return from, to, err == nil && from > 0 && from <= to
}

// offered gives what a button of the page means; false if the page has no such
// button that may be pressed. An alarm that somebody else has acknowledged since
// is left to the Fleet.
func (v fleetView) offered(in wire.Input) (FleetAction, bool) {
	if in.Do == FleetAcknowledge {
		from, to, ok := parseRange(in.Value)
		list := v.Alarms
		if v.One != nil {
			list, ok = v.One.AlarmList(), ok && from == to // of one kiosk: other kiosks' alarms lie between
		}
		return FleetAction{Name: in.Do, From: from, To: to}, ok && list.has(from) && list.has(to)
	}
	for _, k := range v.Cases {
		if k.Sale == in.Sale && mayDecide(k, in.Do) {
			return FleetAction{Sale: in.Sale, Name: in.Do}, true
		}
	}
	return FleetAction{}, false
}

// AlarmList is the alarms of this kiosk.
func (k fleetKiosk) AlarmList() alarmList { return listAlarms(k.Alarms) }

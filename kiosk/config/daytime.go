package config

import (
	"fmt"
	"time"
)

// DayTime is a moment of each day, in the kiosk's local time, such as "23:30", or
// none.
type DayTime struct {
	at  time.Duration
	set bool
}

// At is a moment of each day.
func At(sinceMidnight time.Duration) DayTime { return DayTime{sinceMidnight, true} }

// UnmarshalText reads HH:MM, or nothing.
func (d *DayTime) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = DayTime{}
		return nil
	}
	at, err := clockTime(string(text))
	if err != nil {
		return fmt.Errorf("%q is no time of day such as \"23:30\"", text)
	}
	*d = DayTime{at, true}
	return nil
}

// Since is the time since midnight; negative: none.
func (d DayTime) Since() time.Duration {
	if !d.set {
		return -1
	}
	return d.at
}

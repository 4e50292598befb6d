package lab

import (
	"math/rand/v2"
	"time"
)

// The kiosk's wall clock can be set to anything; it tells nobody.

// KioskClock sets the kiosk's clock: it stands that far from the true time from
// now on. jumps makes every look at it another one, years away.
func (l *Lab) KioskClock(offset time.Duration, jumps bool) {
	l.kioskOff.Store(int64(offset))
	l.kioskJumps.Store(jumps)
}

func (l *Lab) kioskNow() time.Time {
	off := time.Duration(l.kioskOff.Load())
	if l.kioskJumps.Load() {
		off = time.Duration(rand.Int64N(int64(80*365*24*time.Hour))) - 40*365*24*time.Hour
	}
	return time.Now().Add(off).Round(0) // no monotonic reading: a wall clock has none
}

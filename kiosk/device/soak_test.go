package device_test

import (
	"os"
	"runtime"
	"testing"

	"buka/kiosk/device"
	"buka/kiosk/device/virtualpad"
)

// TestNothingLeaks counts goroutines and descriptors over entries and re-plugging.
func TestNothingLeaks(t *testing.T) {
	r := newRig(t, virtualpad.Config{}, device.Config{})
	count := func() (int, int) {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return runtime.NumGoroutine(), len(fds)
	}
	r.wholeEntry()
	goroutines, fds := count()
	for i := range 200 {
		r.wholeEntry()
		if i%20 == 0 {
			if err := r.pad.Unplug(); err != nil {
				t.Fatal(err)
			}
			r.waitState(false)
			if err := r.pad.Plug(); err != nil {
				t.Fatal(err)
			}
			r.waitState(true)
		}
	}
	waitFor(t, "goroutines and descriptors back to where they were", func() bool {
		g, f := count()
		return g <= goroutines && f <= fds
	})
}

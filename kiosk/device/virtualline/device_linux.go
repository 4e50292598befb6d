package virtualline

import "sync"

// Device is what every virtual device on a line has: a goroutine that owns its
// state and runs what others ask of it, a cable, and somebody who is told of
// changes. Do, Close, Ended and Changed may be called from any goroutine, all else
// by the owner. A zero Device is unplugged.
type Device struct {
	dir   string
	cable *Cable // nil: unplugged
	ops   chan func()
	quit  chan struct{}
	done  chan struct{}
	poke  chan struct{}
	close sync.Once
}

// NewDevice plugs a device in. changed is told of changes, on a goroutine of its
// own; it may be nil.
func NewDevice(dir string, changed func()) (*Device, error) {
	cable, err := Plug(dir)
	if err != nil {
		return nil, err
	}
	d := &Device{dir: dir, cable: cable, ops: make(chan func()), quit: make(chan struct{}), done: make(chan struct{}), poke: make(chan struct{}, 1)}
	go d.notify(changed)
	return d, nil
}

func (d *Device) notify(changed func()) {
	for {
		select {
		case <-d.poke:
			if changed != nil {
				changed()
			}
		case <-d.done:
			return
		}
	}
}

// Changed has changed called, once for several that come together.
func (d *Device) Changed() {
	select {
	case d.poke <- struct{}{}:
	default: // the one that waits there will see this change too
	}
}

// Do runs f on the owner and waits for it; never, once the device has ended.
func (d *Device) Do(f func()) {
	ran := make(chan struct{})
	select {
	case d.ops <- func() { f(); close(ran) }:
		<-ran
	case <-d.done:
	}
}

// Close ends the owner, and waits for it.
func (d *Device) Close() {
	d.close.Do(func() { close(d.quit) })
	<-d.done
}

// Ended is closed when the owner is gone.
func (d *Device) Ended() <-chan struct{} { return d.done }

// Ops is what the owner is to run.
func (d *Device) Ops() <-chan func() { return d.ops }

// Quit is closed when the owner is to end.
func (d *Device) Quit() <-chan struct{} { return d.quit }

// End is the owner's last word: the device is unplugged for good.
func (d *Device) End() {
	_ = d.Unplug() // gone either way
	close(d.done)
}

// Plugged says whether the cable is in the kiosk.
func (d *Device) Plugged() bool { return d.cable != nil }

// Plug puts the cable back: a new line under the same path.
func (d *Device) Plug() (err error) {
	if d.cable == nil {
		d.cable, err = Plug(d.dir)
	}
	return err
}

// Unplug takes the line away.
func (d *Device) Unplug() error {
	if d.cable == nil {
		return nil
	}
	err := d.cable.Unplug(d.dir)
	d.cable = nil
	return err
}

// Received is what the kiosk sends; nothing comes while the device is unplugged.
func (d *Device) Received() <-chan []byte {
	if d.cable == nil {
		return nil
	}
	return d.cable.Received()
}

// Write sends to the kiosk; while the device is unplugged to nobody.
func (d *Device) Write(b []byte) {
	if d.cable != nil {
		d.cable.Write(b)
	}
}

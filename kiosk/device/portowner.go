package device

import (
	"context"
	"log/slog"
	"time"
)

// portOwner is the goroutine that has a port: it opens it, gives the line to the
// rules of the device on it, and opens it anew when they fail. Jobs that come while
// there is no line are refused at once. It ends with life.
type portOwner[J any] struct {
	life  context.Context
	jobs  <-chan J
	port  string
	baud  int
	mode  string
	what  string // "the PIN pad": what to unplug when the port hangs
	away  error  // of a device whose port does not open
	check func() error

	openTimeout, retryMin, retryMax time.Duration

	down    func(why string)                     // it does not answer
	refuse  func(J)                              // no line
	session func(*line) (met bool, failed error) // until the line fails, or nil at the end of life; met: it answered
}

func (o *portOwner[J]) run() {
	pause := o.retryMin
	for o.life.Err() == nil {
		met, err := o.once()
		if met {
			pause = o.retryMin
		}
		if err == nil || o.life.Err() != nil {
			return
		}
		o.down(err.Error())
		o.rest(pause)
		pause = min(2*pause, o.retryMax)
	}
}

func (o *portOwner[J]) once() (met bool, err error) {
	if err := o.check(); err != nil {
		return false, err
	}
	l, err := o.open()
	if err != nil {
		return false, err
	}
	defer l.close()
	return o.session(l)
}

// open opens the port. One that hangs is reported after openTimeout and waited
// for, so that there is never more than one.
func (o *portOwner[J]) open() (*line, error) {
	type opened struct {
		line *line
		err  error
	}
	res := make(chan opened, 1)
	go func() {
		l, err := openLine(o.port, o.baud, o.mode, o.away)
		res <- opened{l, err}
	}()
	t := time.NewTimer(o.openTimeout)
	defer t.Stop()
	for {
		select {
		case r := <-res:
			return r.line, r.err
		case <-t.C:
			o.down(o.port + " does not open: the driver of the port hangs; unplug " + o.what)
		case j := <-o.jobs:
			o.refuse(j)
		case <-o.life.Done():
			go func() {
				if r := <-res; r.line != nil {
					r.line.close()
				}
			}()
			return nil, context.Cause(o.life)
		}
	}
}

// rest refuses jobs for a while.
func (o *portOwner[J]) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case j := <-o.jobs:
			o.refuse(j)
		case <-t.C:
			return
		case <-o.life.Done():
			return
		}
	}
}

// setDefaults fills in what is not given: of a line, and times.
func setDefaults(baud *int, mode *string, log **slog.Logger, times map[*time.Duration]time.Duration) {
	for at, v := range times {
		if *at <= 0 {
			*at = v
		}
	}
	if *baud == 0 {
		*baud = 9600
	}
	if *mode == "" {
		*mode = "8N1"
	}
	if *log == nil {
		*log = slog.Default()
	}
}

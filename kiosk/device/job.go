package device

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// job is one piece of work for the owner of the port: an entry, or a MAC.
type job struct {
	name string
	do   func(context.Context, *link) error

	ctx  context.Context
	err  error
	done chan struct{}
}

func (j *job) reply(err error) {
	j.err = err
	close(j.done)
}

// submit hands a job to the owner and waits for its end, which the owner bounds.
func (p *PinPad) submit(ctx context.Context, j *job) error {
	if ok, what, _ := p.State(); !ok && p.life.Err() == nil {
		return fmt.Errorf("%w (%s)", ErrUnplugged, what)
	}
	j.ctx, j.done = ctx, make(chan struct{})
	select {
	case p.jobs <- j:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.life.Done():
		return ErrClosed
	}
	<-j.done
	return j.err
}

// work runs one job and answers it. What it returns is the state of the line: an
// error when the port should be opened anew.
func (p *PinPad) work(l *link, j *job) error {
	ctx, cancel := context.WithCancelCause(j.ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.life, func() { cancel(ErrClosed) })()
	if ctx.Err() != nil {
		j.reply(context.Cause(ctx))
		return nil
	}
	start := time.Now()
	p.asking = false
	err, lineErr := p.ended(ctx, l, j.do(ctx, l))
	outcome := "done"
	if err != nil {
		outcome = err.Error()
	}
	p.log.Info("pin pad: "+j.name+" ended", "outcome", outcome, "took", time.Since(start).Round(time.Millisecond))
	if lineErr != nil {
		lineErr = p.lost(lineErr) // before the answer, so that State agrees with it
	}
	j.reply(err)
	return lineErr
}

// ended gives the end of a job its name, and leaves the pad at rest.
func (p *PinPad) ended(ctx context.Context, l *link, err error) (said, lineErr error) {
	stop := func() error {
		if !p.asking {
			return nil
		}
		return p.stop(l)
	}
	var refused ErrPadRefused
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)): // first: the cause is the caller's own error, of any kind
		return err, stop()
	case errors.Is(err, errEOT):
		return ErrCancelled, p.makeSure(l)
	case errors.Is(err, errWait): // the customer was too slow
		return ErrTimeout, stop()
	case errors.As(err, &refused), errors.Is(err, ErrAnswer), errors.Is(err, ErrWorkingKey):
		return err, p.makeSure(l)
	}
	return err, err // ErrUnplugged, ErrGarbled, ErrOtherPad
}

// makeSure says 72 to a pad that has ended an entry by itself, as it seems: its
// EOT or its answer may have been a late one of something older, and the pad be
// asking for a PIN.
func (p *PinPad) makeSure(l *link) error {
	if !p.asking {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.CancelTimeout)
	defer cancel()
	return l.send(ctx, msgCancel(), p.cfg.AckTimeout, nil)
}

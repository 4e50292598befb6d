package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"buka/internal/money"
	"buka/internal/pin"
)

// Request is one PIN to be asked for.
type Request struct {
	// PAN goes into the block, so the pad must have it: 8 to 19 digits. It is
	// never logged.
	PAN string
	// Amount is shown on the pad above the prompt; 0 shows none.
	Amount money.Fen
	// Prompt is up to 16 ASCII characters; anything else shows as ENTER PIN.
	Prompt string
}

// String keeps the PAN out of what prints a request.
func (r Request) String() string { return "PIN request for " + r.Amount.String() }

// GoString is String.
func (r Request) GoString() string { return r.String() }

// LogValue keeps the PAN out of logs.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

type entry struct {
	ctx    context.Context
	req    Request
	result Result
	err    error
	done   chan struct{}
}

func (e *entry) reply(r Result, err error) {
	e.result, e.err = r, err
	close(e.done)
}

// EnterPIN asks the customer for a PIN and gives the enciphered block. It waits
// for an entry before it; a pad that is not there is an error at once. When ctx
// ends, the pad is told to stop (packet 72), and EnterPIN returns after the pad
// has obeyed or CancelTimeout has passed. Errors: those of errors.go, and the
// cause of ctx.
func (p *PinPad) EnterPIN(ctx context.Context, req Request) (Result, error) {
	if err := pin.CheckPAN(req.PAN); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrPrompt, err)
	}
	if req.Amount < 0 || req.Amount > money.Max {
		return Result{}, fmt.Errorf("%w: amount %s", ErrPrompt, req.Amount)
	}
	if ok, what, _ := p.State(); !ok && p.life.Err() == nil {
		return Result{}, fmt.Errorf("%w (%s)", ErrUnplugged, what)
	}
	e := &entry{ctx: ctx, req: req, done: make(chan struct{})}
	select {
	case p.requests <- e:
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	case <-p.life.Done():
		return Result{}, ErrClosed
	}
	<-e.done // the owner bounds every wait of an entry that it has taken
	return e.result, e.err
}

// serveEntry runs one entry and answers it. What it returns is the state of the
// line: an error when the port should be opened anew.
func (p *PinPad) serveEntry(l *link, e *entry) error {
	ctx, cancel := context.WithCancelCause(e.ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.life, func() { cancel(ErrClosed) })()

	if ctx.Err() != nil {
		e.reply(Result{}, context.Cause(ctx))
		return nil
	}
	start := time.Now()
	result, err := p.ask(ctx, l, e.req)
	var lineErr error
	var refused ErrPadRefused
	switch {
	case err == nil:
		p.lastKSN = result.KSN
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)): // first: the cause is the caller's own error, of any kind
		lineErr = p.stop(l)
	case errors.Is(err, errEOT):
		err = ErrCancelled
	case errors.Is(err, errWait): // the customer was too slow
		err = ErrTimeout
		lineErr = p.stop(l)
	case errors.As(err, &refused), errors.Is(err, ErrAnswer):
		// The pad is there and has ended the entry by itself.
	default: // ErrUnplugged, ErrGarbled
		lineErr = err
	}
	outcome := "block"
	if err != nil {
		outcome = err.Error()
	}
	p.log.Info("pin pad: entry ended", "outcome", outcome, "took", time.Since(start).Round(time.Millisecond))
	if lineErr != nil {
		lineErr = p.lost(lineErr) // before the answer, so that State agrees with it
	}
	e.reply(result, err)
	return lineErr
}

// ask leads the pad through one entry, without the clean-up after a failure.
func (p *PinPad) ask(ctx context.Context, l *link, req Request) (Result, error) {
	l.forget()
	if p.cfg.KeySlot != "" {
		if err := p.selectKey(ctx, l); err != nil {
			return Result{}, err
		}
	}
	var request Frame
	if p.cfg.PadPrompts {
		request = msgEnterPINAmount(req.PAN, req.Amount)
	} else {
		request = msgEnterPIN(req.PAN)
		if err := l.send(ctx, msgPrompt(displayText(req.Prompt, req.Amount)), p.cfg.AckTimeout, nil); err != nil {
			return Result{}, err
		}
	}
	defer clear(request.Body)
	if err := l.send(ctx, request, p.cfg.AckTimeout, isEntryAnswer); err != nil {
		return Result{}, err
	}
	answer, err := l.receive(ctx, time.Now().Add(p.cfg.EntryTimeout), p.isNewAnswer)
	if err != nil {
		return Result{}, err
	}
	defer clear(answer.Body)
	return parseEntryAnswer(answer)
}

// isNewAnswer refuses a block that was seen before, given out or not: a pad
// repeats its answer when our ACK was lost, and that may reach into the next
// customer's entry.
func (p *PinPad) isNewAnswer(f Frame) bool {
	if !isEntryAnswer(f) {
		return false
	}
	r, err := parseEntryAnswer(f)
	r.Block.Zero()
	return err != nil || r.KSN != p.lastKSN
}

// dropped remembers the key serial number of an answer that nobody gets.
func (p *PinPad) dropped(f Frame) {
	r, err := parseEntryAnswer(f)
	r.Block.Zero()
	if err == nil {
		p.lastKSN = r.KSN
	}
}

// selectKey sends 08. UIC pads answer with a status, VeriFone's with EOT.
func (p *PinPad) selectKey(ctx context.Context, l *link) error {
	isAnswer := func(f Frame) bool { return messageID(f) == "08" }
	if err := l.send(ctx, msgSelectKey(p.cfg.KeySlot), p.cfg.AckTimeout, isAnswer); err != nil {
		return err
	}
	f, err := l.receive(ctx, time.Now().Add(p.cfg.ReplyTimeout), isAnswer)
	switch {
	case errors.Is(err, errEOT):
		return nil
	case errors.Is(err, errWait):
		return fmt.Errorf("packet 08: %w", ErrUnplugged)
	case err != nil:
		return err
	}
	return parseSelectAnswer(f)
}

// stop ends an entry that nobody waits for any more: 72, then EOT from the pad.
// A block that crosses the 72 is acknowledged and dropped. Without EOT it says 72
// once more, for the ACK may have been a late one of the packet before, and the
// pad still be taking a PIN. The error says that the pad has not obeyed.
func (p *PinPad) stop(l *link) error {
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.CancelTimeout)
	defer cancel()
	crossed := false
	answer := func(f Frame) bool {
		crossed = crossed || isEntryAnswer(f)
		return false // not an acknowledgement; send drops it
	}
	for range 2 {
		if err := l.send(ctx, msgCancel(), p.cfg.AckTimeout, answer); err != nil {
			return fmt.Errorf("%w: it was told to stop an entry (%w)", ErrUnplugged, err)
		}
		if crossed || l.ended {
			return nil // it had ended by itself, so no EOT will follow
		}
		f, err := l.receive(ctx, time.Now().Add(p.cfg.CancelTimeout/3), isEntryAnswer)
		if err == nil {
			l.drop(f)
			return nil
		}
		if errors.Is(err, errEOT) {
			return nil
		}
		if !errors.Is(err, errWait) {
			return err
		}
	}
	return fmt.Errorf("%w: it was told to stop an entry and did not say EOT", ErrUnplugged)
}

// greet drops an entry that an earlier life of the kiosk may have left in the
// pad, then asks who is there.
func (p *PinPad) greet(l *link) error {
	if err := l.send(p.life, msgCancel(), p.cfg.ProbeTimeout, nil); err != nil {
		return err
	}
	return p.probe(p.life, l)
}

// probe asks for the serial number. A pad that acknowledges and then answers
// with EOT is there as well, only without a number.
func (p *PinPad) probe(ctx context.Context, l *link) error {
	l.forget()
	isSerial := func(f Frame) bool { return messageID(f) == "06" }
	if err := l.send(ctx, msgReadSerial(), p.cfg.ProbeTimeout, isSerial); err != nil {
		return err
	}
	f, err := l.receive(ctx, time.Now().Add(p.cfg.ProbeTimeout), isSerial)
	if errors.Is(err, errEOT) {
		return nil
	}
	if errors.Is(err, errWait) {
		return ErrUnplugged
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.serial = string(f.Body[2:])
	p.mu.Unlock()
	return nil
}

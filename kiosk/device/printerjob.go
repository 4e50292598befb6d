package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"buka/internal/entry"
	"buka/kiosk/device/escpos"
)

// pieceBytes is how much is sent before the printer is listened to again. With
// start, stop and parity a byte is up to 11 bits on the line, mostly 10.
const pieceBytes, bitsPerByte = 64, 10

// work prints one slip and answers its job. What it returns is the state of the
// line: an error when the port should be opened anew.
func (p *Printer) work(l *paperLink, j *printJob) error {
	ctx, cancel := context.WithCancelCause(j.ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.life, func() { cancel(ErrPrinterClosed) })()
	start := time.Now()
	outcome, err := p.print(ctx, l, escpos.Encode(j.slip, p.cfg.Paper))
	p.log.Info("receipt printer: slip", "outcome", outcome, "err", err, "took", time.Since(start).Round(time.Millisecond))
	var lineErr error
	switch {
	case errors.Is(err, ErrPrinterAway):
		lineErr = err
		p.setState(false, PrinterMissing, err.Error()) // before the answer, so that State agrees with it
	default:
		if outcome == entry.Unknown {
			lineErr = l.write(append(append([]byte(nil), escpos.Clear...), escpos.StatusOn...))
		}
		p.show(l.status)
	}
	j.reply(outcome, err)
	return lineErr
}

// print sends the slip and waits for the printer's word that it is on paper.
func (p *Printer) print(ctx context.Context, l *paperLink, data []byte) (entry.Outcome, error) {
	if ctx.Err() != nil {
		return entry.NotDone, context.Cause(ctx)
	}
	if err := l.ask(ctx); err != nil {
		return entry.NotDone, err
	}
	if l.status.Down() {
		return entry.NotDone, fmt.Errorf("%w: %s", ErrPrinterDown, printerCode(l.status))
	}
	if p.torn { // half a slip may hang in the printer: it gets a cut of its own
		data = append([]byte{'\n', 0x1D, 'V', 66, 0}, data...)
	}
	p.torn = true
	l.printed = false
	if err := l.send(ctx, append(data, escpos.AskPrinted...)); err != nil {
		return entry.Unknown, err
	}
	if err := l.waitPrinted(ctx); err != nil {
		return entry.Unknown, err
	}
	p.torn = false
	return entry.Done, l.write(escpos.StatusOn)
}

// send gives the printer as much as it takes, no faster than the line: what
// lies in the system's buffer could not be held back when the printer says
// wait. It stops when the printer says that it cannot print.
func (l *paperLink) send(ctx context.Context, data []byte) error {
	pace := time.Duration(pieceBytes*bitsPerByte) * time.Second / time.Duration(l.cfg.Baud)
	for at := 0; at < len(data); at += pieceBytes {
		if err := l.write(data[at:min(at+pieceBytes, len(data))]); err != nil {
			return err
		}
		if err := l.until(ctx, pace, func() bool { return false }); !errors.Is(err, errWait) {
			return err
		}
		if l.held {
			err := l.until(ctx, l.cfg.PrintTimeout, func() bool { return !l.held || l.status.Down() })
			if errors.Is(err, errWait) {
				return fmt.Errorf("%w (it takes no more bytes)", ErrPrinterSlow)
			} else if err != nil {
				return err
			}
		}
		if l.status.Down() {
			return fmt.Errorf("%w: %s", ErrPrinterDown, printerCode(l.status))
		}
	}
	return nil
}

// waitPrinted waits for the answer to GS r and asks meanwhile how the printer
// is. A lonely byte on the line does not count: after it the printer must still
// answer.
func (l *paperLink) waitPrinted(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.PrintTimeout, ErrPrinterSlow)
	defer cancel()
	for {
		err := l.until(ctx, l.cfg.AskEvery, func() bool { return l.printed })
		if err != nil && !errors.Is(err, errWait) {
			return err
		}
		said := l.printed
		if err := l.ask(ctx); err != nil {
			return err
		}
		if said {
			return nil
		}
		if s := l.status; s.Cover || s.PaperOut || s.Cutter || s.Error {
			return fmt.Errorf("%w: %s", ErrPrinterDown, printerCode(s))
		}
	}
}

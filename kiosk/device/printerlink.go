package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"buka/kiosk/device/escpos"
)

// paperLink is what the owner knows of an open line to a printer.
type paperLink struct {
	line   *line
	cfg    PrinterConfig
	log    *slog.Logger
	reader escpos.Reader
	status escpos.Status

	answer  *byte // the last of DLE EOT, until it is used
	printed bool  // GS r was answered
	held    bool  // XOFF
	changed bool  // status, by itself
}

func (l *paperLink) write(b []byte) error {
	if err := l.line.write(b, l.cfg.WriteTimeout); err != nil {
		return fmt.Errorf("%w (%w)", ErrPrinterAway, err)
	}
	return nil
}

// take reads what has arrived; true if the printer has said by itself how it is.
func (l *paperLink) take(chunk []byte) bool {
	l.changed = false
	for _, b := range chunk {
		said, ok, dropped := l.reader.Take(b)
		if dropped > 0 {
			l.log.Info("receipt printer: a status came damaged", "bytes", dropped)
		}
		switch {
		case !ok:
		case said.Answer != nil:
			l.answer = said.Answer
		case said.Status != nil:
			l.status, l.changed = *said.Status, true
		case said.Printed != nil:
			l.printed = true
		case said.Hold:
			l.held = true
		case said.Go:
			l.held = false
		case said.Noise != nil:
			l.log.Debug("receipt printer: noise on the line")
		}
	}
	return l.changed
}

// until takes in what arrives until it holds. errWait says that it did not in
// time.
func (l *paperLink) until(ctx context.Context, limit time.Duration, holds func() bool) error {
	t := time.NewTimer(limit)
	defer t.Stop()
	for !holds() {
		select {
		case chunk := <-l.line.rx:
			l.take(chunk)
		case <-l.line.gone:
			return fmt.Errorf("%w (%w)", ErrPrinterAway, l.line.err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
			return errWait
		}
	}
	return nil
}

// settle takes in what has arrived already.
func (l *paperLink) settle() {
	for {
		select {
		case chunk := <-l.line.rx:
			l.take(chunk)
		default:
			return
		}
	}
}

// askTries: a byte of the line may be lost.
const askTries = 2

// ask puts the four questions, one after the other. Only when all are answered
// does the status change.
func (l *paperLink) ask(ctx context.Context) error {
	s := l.status
	for _, q := range []escpos.Question{escpos.AskPrinter, escpos.AskOffline, escpos.AskError, escpos.AskPaper} {
		b, err := l.question(ctx, q)
		if err != nil {
			return err
		}
		s.Take(q, b)
	}
	l.status = s
	return nil
}

func (l *paperLink) question(ctx context.Context, q escpos.Question) (byte, error) {
	for range askTries {
		l.settle()
		l.answer = nil
		if err := l.write(escpos.Ask(q)); err != nil {
			return 0, err
		}
		err := l.until(ctx, l.cfg.AnswerTimeout, func() bool { return l.answer != nil })
		if err == nil {
			return *l.answer, nil
		}
		if !errors.Is(err, errWait) {
			return 0, err
		}
	}
	return 0, fmt.Errorf("%w (no answer to DLE EOT %d)", ErrPrinterAway, q)
}

// greet meets a printer: it must answer, and from then on say how it is.
func (l *paperLink) greet(ctx context.Context) error {
	if err := l.ask(ctx); err != nil {
		return err
	}
	return l.write(append(append([]byte(nil), escpos.Initialise...), escpos.StatusOn...))
}

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"buka/kiosk/config"
	"buka/kiosk/station"
	"buka/ui"
)

// closed is the passenger's side of a kiosk whose journal cannot be opened: out
// of service, with the number to call. What to do about it is in the log.
type closed struct{ cfg config.Config }

func (c closed) Screen() ui.Screen {
	return ui.Screen{Name: ui.ScreenOutOfService, Lang: c.cfg.Language, Reason: ui.ReasonJournalFailed, Hotline: c.cfg.Hotline}
}

func (closed) Subscribe(func()) (cancel func()) { return func() {} }
func (closed) Input(ui.Input) error             { return ui.ErrStale }

// mayHeal says that the journal could not be opened for a reason that may go
// away: a disk that is full, not mounted or cannot be read, another process.
func mayHeal(err error) bool { return errors.As(err, new(*station.JournalError)) }

// closedFor shows that the kiosk is closed until it is time to try again.
func closedFor(ctx context.Context, cfg config.Config, log *slog.Logger, pause time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	server, err := ui.NewServer(ui.Options{Passenger: closed{cfg}, ThemeDir: cfg.Theme, Hosts: cfg.Hosts, Kiosk: cfg.Kiosk, Place: cfg.Place, Logger: log})
	if err != nil {
		log.Error("no page says that the kiosk is closed", "err", err)
		<-ctx.Done()
		return
	}
	defer server.Close()
	ln, err := net.Listen("tcp", cfg.Listen)
	if err == nil {
		err = ui.Serve(ctx, ln, server)
	}
	if err != nil {
		log.Error("no page says that the kiosk is closed", "err", err)
	}
	<-ctx.Done()
}

package doctor

import (
	"errors"
	"log/slog"
	"time"

	"go.bug.st/serial"

	"buka/kiosk/config"
	"buka/kiosk/device"
)

// printer asks the receipt printer how it is. One that the service uses is not
// asked.
func printer(cfg config.Config) Finding {
	const what = "receipt printer"
	c := cfg.Printer
	p, err := serial.Open(c.Port, &serial.Mode{BaudRate: c.Baud})
	var perr *serial.PortError
	if errors.As(err, &perr) && perr.Code() == serial.PortBusy {
		return good(what, "%s is in use, by the running service it is hoped", c.Port)
	}
	if err != nil {
		return bad(what, "plug it in, correct printer.port, or give the service's user the right to use the port", "%s: %v", c.Port, err)
	}
	p.Close()
	told := make(chan device.PrinterState, 1)
	d := device.NewPrinter(device.PrinterConfig{
		Port: c.Port, Baud: c.Baud, Mode: c.Mode, AnswerTimeout: wait / 3, Logger: slog.New(slog.DiscardHandler),
		OnState: func(s device.PrinterState) {
			select {
			case told <- s:
			default:
			}
		},
	})
	defer d.Close()
	var s device.PrinterState
	select {
	case s = <-told:
	case <-time.After(wait):
		s = d.State()
	}
	do := map[string]string{
		device.PrinterCover: "close its cover", device.PrinterPaperOut: "put paper in", device.PrinterJam: "free its cutter",
		device.PrinterMissing: "look at its power, its cable, and printer.baud and printer.mode", device.PrinterPaperLow: "put paper in soon",
	}[s.Code]
	switch {
	case s.OK && s.Code == "":
		return good(what, "it answers on %s and can print", c.Port)
	case s.OK:
		return good(what, "it answers on %s and can print: %s, %s", c.Port, s.Code, do)
	case do == "":
		do = "look at its lamps, switch it off and on"
	}
	return bad(what, do, "%s: %s", c.Port, s.What)
}

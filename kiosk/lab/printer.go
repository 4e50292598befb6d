package lab

import (
	"errors"
	"fmt"

	"buka/kiosk/device/virtualprinter"
	"buka/ui"
)

// printerBaud is the speed of the printer's line.
const printerBaud = 115200

func (l *Lab) openPrinter() error {
	p, err := virtualprinter.Open(virtualprinter.Config{Dir: l.path("printer"), OnChange: l.changed, Logger: l.log})
	if err != nil {
		return fmt.Errorf("virtual receipt printer: %w", err)
	}
	l.printer = p
	return nil
}

// Printer is the virtual receipt printer.
func (l *Lab) Printer() *virtualprinter.Printer { return l.printer }

// Printing does something to the printer: paper, low or out is what is on the
// roll, jam and free the cutter, open and closed the cover, unplug and plug the
// cable.
func (l *Lab) Printing(to string) error {
	p := l.printer
	switch to {
	case "paper":
		p.Paper(false, false)
	case "low":
		p.Paper(true, false)
	case "out":
		p.Paper(true, true)
	case "jam", "free":
		p.Jam(to == "jam")
	case "open", "closed":
		p.Cover(to == "open")
	case "unplug":
		return p.Unplug()
	case "plug":
		return p.Plug()
	default:
		return errors.New("printer: paper, low, out, jam, free, open, closed, unplug or plug")
	}
	return nil
}

const benchSlips = 8 // newest slips that the bench shows

func (b bench) benchPrinter() *ui.BenchPrinter {
	s := b.printer.Snapshot()
	out := &ui.BenchPrinter{Port: b.printer.Path(), Plugged: s.Plugged, PaperLow: s.PaperLow, PaperOut: s.PaperOut, Open: s.Cover, Jam: s.Jam, Lines: s.Lines}
	for _, slip := range s.Slips[:min(len(s.Slips), benchSlips)] {
		out.Slips = append(out.Slips, ui.BenchSlip{Number: slip.Number, At: slip.At, Text: slip.Text})
	}
	return out
}

// SlipPicture is the picture of a slip that came out.
func (b bench) SlipPicture(n uint64) ([]byte, error) { return b.printer.Picture(n) }

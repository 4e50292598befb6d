package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"buka/ui"
)

func init() {
	actions["printer"] = (*runner).printer
	expectations["slip"], expectations["slips"] = (*runner).expectSlip, (*runner).expectSlips
}

// printer does something to the receipt printer, and waits until the kiosk
// knows.
func (r *runner) printer(ctx context.Context, l Line) error {
	code, known := map[string]string{
		"paper": "", "low": "printer-paper-low", "out": "printer-paper-out", "jam": "printer-jam", "free": "",
		"open": "printer-cover-open", "closed": "", "unplug": "printer-missing", "plug": "",
	}[l.word(1)]
	if !known || len(l.Words) != 2 {
		return fmt.Errorf("printer paper|low|out|jam|free|open|closed|unplug|plug: %w", ErrSyntax)
	}
	if err := r.lab.Printing(l.word(1)); err != nil {
		return err
	}
	return poll(ctx, func() error {
		st := r.lab.Station()
		if st == nil {
			return nil
		}
		if got := st.Devices()["printer"]; got != code {
			return fmt.Errorf("the kiosk says %q of its printer", got)
		}
		return nil
	})
}

// expectSlip: the newest slip says so, spaces apart; `none`: the screen says
// that nothing came out.
func (r *runner) expectSlip(_ context.Context, l Line) error {
	want := l.rest(1)
	if want == "" {
		return fmt.Errorf("expect slip WORDS: %w", ErrSyntax)
	}
	if want == "none" || want == "unknown" {
		st := r.lab.Station()
		if st == nil {
			return errors.New("the kiosk has no power")
		}
		if got := st.Passenger().Screen().Slip; !got.Shown() || got.State != ui.SlipState(want) {
			return fmt.Errorf("the screen says of the slip: %+v", got)
		}
		return nil
	}
	slips := r.lab.Printer().Snapshot().Slips
	if len(slips) == 0 {
		return errors.New("no slip has come out")
	}
	text := slips[0].Text + "\n" + strings.Join(slips[0].Codes, "\n")
	if !strings.Contains(bare(text), bare(want)) {
		return fmt.Errorf("the newest slip says:\n%s", text)
	}
	return nil
}

// bare takes out spaces and line ends.
func bare(s string) string {
	return string(slices.DeleteFunc([]rune(s), unicode.IsSpace))
}

// expectSlips counts the slips that have come out.
func (r *runner) expectSlips(_ context.Context, l Line) error {
	return count(l, len(r.lab.Printer().Snapshot().Slips))
}

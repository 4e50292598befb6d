package scenario

import (
	"context"
	"fmt"
	"time"

	"buka/internal/money"
)

// What becomes of a card and of the host's clock between two taps.

func (r *runner) block(_ context.Context, l Line) error {
	return r.lab.Block(l.word(1), l.Words[0] == "block")
}

func (r *runner) limit(_ context.Context, l Line) error {
	most, err := money.Parse(l.word(2))
	if err != nil {
		return fmt.Errorf("limit NAME 100.00: %w: %w", ErrSyntax, err)
	}
	return r.lab.SetLimit(l.word(1), most)
}

// replay makes of the card an emulator: it shows itself as it was when the
// kiosk last heard it.
func (r *runner) replay(_ context.Context, l Line) error { return r.lab.Replay(l.word(1)) }

// hostClock stops the host's clock where one stands that has lost its battery,
// or lets it run.
func (r *runner) hostClock(l Line) error {
	switch l.word(2) {
	case "1970":
		at := time.Unix(0, 0).UTC()
		r.lab.HostClock(&at)
	case "runs":
		r.lab.HostClock(nil)
	default:
		return fmt.Errorf("host clock 1970|runs: %w", ErrSyntax)
	}
	return nil
}

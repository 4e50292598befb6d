package faultmatrix

import (
	"context"
	"fmt"
	"testing"
	"time"

	"buka/kiosk/device/virtualpad"
)

// hitch is what one byte of a sale on the PIN pad's line meets.
type hitch struct {
	dir  virtualpad.Direction
	kind virtualpad.FaultKind
	at   int // so many bytes of a sale pass before it
}

var (
	ways   = map[virtualpad.Direction]string{virtualpad.ToKiosk: "from the pad", virtualpad.FromKiosk: "to the pad"}
	fumble = map[virtualpad.FaultKind]string{virtualpad.Drop: "drop", virtualpad.Double: "double", virtualpad.Garble: "garble", virtualpad.Delay: "delay"}
)

func (h hitch) String() string {
	return fmt.Sprintf("%s byte %d %s", fumble[h.kind], h.at+1, ways[h.dir])
}

// overdue is longer than the kiosk waits for a pad (5 s).
const overdue = 5500 * time.Millisecond

// lineBytes is how many bytes a sale that nothing happens to has on the line,
// each way: the least of several, for the kiosk's own question whether the pad is
// there may fall into one.
func lineBytes(t *testing.T) (fromPad, toPad int) {
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	w, err := open(ctx, t.TempDir(), timer, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.lab.Close()
	if err := w.ready(ctx); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		in, out := passed(w, virtualpad.ToKiosk), passed(w, virtualpad.FromKiosk)
		if _, err := w.sale(ctx); err != nil {
			t.Fatal(err)
		}
		in, out = passed(w, virtualpad.ToKiosk)-in, passed(w, virtualpad.FromKiosk)-out
		if fromPad == 0 || in < fromPad {
			fromPad = in
		}
		if toPad == 0 || out < toPad {
			toPad = out
		}
	}
	return fromPad, toPad
}

// TestEveryPadByte: for every N, the N-th byte on the PIN pad's line in a whole
// sale, either way, is lost, doubled, damaged, or comes too late.
func TestEveryPadByte(t *testing.T) {
	fromPad, toPad := lineBytes(t)
	if fromPad < 50 || toPad < 50 {
		t.Fatalf("a sale has only %d and %d bytes on the line", fromPad, toPad)
	}
	var list []hitch
	for kind := range fumble {
		for at := range fromPad {
			list = append(list, hitch{virtualpad.ToKiosk, kind, at})
		}
		for at := range toPad {
			list = append(list, hitch{virtualpad.FromKiosk, kind, at})
		}
	}
	each(t, list, func(ctx context.Context, w *world, h hitch) error {
		if err := w.ready(ctx); err != nil {
			return err
		}
		defer w.lab.Pad().Disarm()
		var ends []End
		for range maxGoes {
			w.lab.Pad().Disarm()
			w.lab.Pad().Inject(virtualpad.Fault{Dir: h.dir, Kind: h.kind, N: 1, At: h.at, For: overdue})
			before := passed(w, h.dir)
			now, err := w.sale(ctx)
			if err != nil {
				return fmt.Errorf("%s, %v: %w", h, now, err)
			}
			if passed(w, h.dir)-before > h.at {
				return nil
			}
			ends = append(ends, now...)
		}
		return fmt.Errorf("%s: the sale has no such byte: %v", h, ends)
	})
	t.Logf("%d bytes from the pad, %d to it, %d sales", fromPad, toPad, len(list))
}

// passed is how many bytes have gone that way.
func passed(w *world, dir virtualpad.Direction) int {
	toKiosk, fromKiosk := w.lab.Pad().Traffic()
	if dir == virtualpad.ToKiosk {
		return toKiosk
	}
	return fromKiosk
}

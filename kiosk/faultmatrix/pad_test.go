package faultmatrix

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"buka/cardio/virtual"
	"buka/kiosk/device/virtualpad"
	"buka/topup"
)

// hitch is what one byte of a sale on the PIN pad's line meets.
type hitch struct {
	course course
	dir    virtualpad.Direction
	kind   virtualpad.FaultKind
	at     int // so many bytes of a sale pass before it
}

var (
	ways   = map[virtualpad.Direction]string{virtualpad.ToKiosk: "from the pad", virtualpad.FromKiosk: "to the pad"}
	fumble = map[virtualpad.FaultKind]string{virtualpad.Drop: "drop", virtualpad.Double: "double", virtualpad.Garble: "garble", virtualpad.Delay: "delay"}
)

func (h hitch) String() string {
	return fmt.Sprintf("%s: %s byte %d %s", h.course.name, fumble[h.kind], h.at+1, ways[h.dir])
}

// overdue is longer than the kiosk waits for a pad (5 s).
const overdue = 5500 * time.Millisecond

// secondEntry is the sale whose second PIN is asked for while the card waits in
// the slot.
var secondEntry = course{name: "the second PIN in the slot", bank: &virtual.BankOptions{Contact: true, ODA: "none"}, wrong: true}

// stretch is a part of a sale on the line, in bytes from its beginning.
type stretch struct{ from, to int }

// lineBytes is what a sale of a course that nothing happens to has on the line,
// each way, from its n-th entry on: the least of several, for the kiosk's own
// question whether the pad is there may fall into one.
func lineBytes(t *testing.T, c course, entry int) (part map[virtualpad.Direction]stretch) {
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	w, err := open(ctx, t.TempDir(), unhurried, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.ready(ctx); err != nil {
		t.Fatal(err)
	}
	part = map[virtualpad.Direction]stretch{}
	for i := range 3 {
		before, asked := traffic(w), map[int]map[virtualpad.Direction]int{0: traffic(w)}
		w.typing = func(n int) { asked[n] = traffic(w) }
		ends, err := w.sale(ctx, c)
		w.typing = nil
		if err != nil || len(ends) != 1 || ends[0].Phase != topup.Finished || len(asked) != entry+1 {
			t.Fatalf("%s: %v, the pad has asked %d times: %v", c.name, ends, len(asked)-1, err)
		}
		after := traffic(w)
		for dir := range ways {
			// the entries are alike: what one has up to its digits, the other has
			now := stretch{asked[entry][dir] - asked[1][dir], after[dir] - before[dir]}
			if old := part[dir]; i > 0 {
				now = stretch{min(old.from, now.from), min(old.to, now.to)}
			}
			part[dir] = now
		}
	}
	return part
}

// TestEveryPadByte: for every N, the N-th byte on the PIN pad's line in a whole
// sale, either way, is lost, doubled, damaged, or comes too late; and so each
// byte from the second entry on where the first PIN was wrong.
func TestEveryPadByte(t *testing.T) {
	var list []hitch
	for c, entry := range map[*course]int{&plain: 1, &secondEntry: 2} {
		for dir, part := range lineBytes(t, *c, entry) {
			if part.to-part.from < 50 {
				t.Fatalf("%s: only bytes %d to %d are on the line %s", c.name, part.from, part.to, ways[dir])
			}
			t.Logf("%s: bytes %d to %d %s", c.name, part.from+1, part.to, ways[dir])
			for kind := range fumble {
				for at := part.from; at < part.to; at++ {
					list = append(list, hitch{*c, dir, kind, at})
				}
			}
		}
	}
	t.Parallel()                                                                           // what was measured was measured without the others
	slices.SortStableFunc(list, func(a, b hitch) int { return int(b.kind) - int(a.kind) }) // what takes long, Delay, first
	each(t, list, func(ctx context.Context, w *world, h hitch) error {
		if err := w.ready(ctx); err != nil {
			return err
		}
		defer w.lab.Pad().Disarm()
		var ends []End
		for range maxGoes {
			w.lab.Pad().Disarm()
			w.lab.Pad().Inject(virtualpad.Fault{Dir: h.dir, Kind: h.kind, N: 1, At: h.at, For: overdue})
			before := traffic(w)
			now, err := w.sale(ctx, h.course)
			if err != nil {
				return fmt.Errorf("%s, %v: %w", h, now, err)
			}
			if traffic(w)[h.dir]-before[h.dir] > h.at {
				return nil
			}
			ends = append(ends, now...)
		}
		return fmt.Errorf("%s: the sale has no such byte: %v", h, ends)
	})
	t.Logf("%d sales", len(list))
}

// traffic is how many bytes have gone each way.
func traffic(w *world) map[virtualpad.Direction]int {
	toKiosk, fromKiosk := w.lab.Pad().Traffic()
	return map[virtualpad.Direction]int{virtualpad.ToKiosk: toKiosk, virtualpad.FromKiosk: fromKiosk}
}

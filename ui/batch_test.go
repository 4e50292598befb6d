package ui_test

import (
	"strings"
	"testing"

	"buka/ui"
	"buka/ui/sample"
	"buka/ui/wire"
)

// TestTheCashierSettles: the button is there and counts while a batch is open, and
// not otherwise.
func TestTheCashierSettles(t *testing.T) {
	h := newHouse(t, "")
	c, _, _ := h.signIn(t, "cashier", h.first["cashier"].Password)
	ws := open(t, h, c.Jar, "/cashier/ws?lang=en")
	next(t, ws)
	s := sample.DeskShots()["open"]
	for _, x := range []struct {
		batches    []ui.DeskBatch
		recovering bool
		offered    bool
	}{{s.Batches, false, true}, {s.Batches, true, false}, {s.Batches[:1], false, false}, {nil, false, false}} {
		s.Rev++
		s.Batches, s.Recovering = x.batches, x.recovering
		h.desk.Set(s)
		page := text(next(t, ws))
		if got := strings.Contains(page, `id="settle"`); got != x.offered {
			t.Errorf("%+v: the button is there: %v", x, got)
		}
		if x.offered && (!strings.Contains(page, "187 · ¥12345.00") || !strings.Contains(page, "the bank compares")) {
			t.Error("the batches are not shown")
		}
		before := len(h.desk.Actions())
		press(t, ws, wire.Input{Rev: s.Rev, Do: ui.DeskSettle})
		if x.offered {
			eventually(t, "the action arrives", func() bool { return len(h.desk.Actions()) > before })
			if a := h.desk.Actions()[before]; a.Name != ui.DeskSettle || a.Who != "cashier" {
				t.Errorf("%+v", a)
			}
		} else if m := next(t, ws); m.Kind != "told" || len(h.desk.Actions()) != before {
			t.Errorf("%+v: %+v", x, m)
		}
	}
}

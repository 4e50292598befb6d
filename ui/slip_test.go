package ui_test

import (
	"bytes"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"buka/ui"
	"buka/ui/wire"
)

// TestSlipOnTheScreen: the code is that of the slip on the screen and of no
// other, it is a picture, and what became of the paper is said aloud.
func TestSlipOnTheScreen(t *testing.T) {
	h := newHouse(t, "")
	scr := screen("done-slip-none")
	scr.Lang = "en"
	h.passenger.Set(scr)
	_, body := h.get(t, http.DefaultClient, "/")
	if n := strings.Count(body, "No paper receipt. Photograph this code"); n != 2 {
		t.Errorf("shown and said: %d", n)
	}
	fetch := func(path string) (int, []byte) {
		res, err := http.Get(h.web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, data
	}
	path := "/slip.png?v=" + scr.Slip.Mark()
	if !strings.Contains(body, path) {
		t.Error("the page does not show", path)
	}
	status, data := fetch(path)
	if _, err := png.Decode(bytes.NewReader(data)); status != http.StatusOK || err != nil {
		t.Error(status, err)
	}
	other := ui.Slip{State: ui.SlipNone, Code: "another"}
	for _, v := range []string{"", "zz", other.Mark()} {
		if status, _ := fetch("/slip.png?v=" + v); status != http.StatusNotFound {
			t.Errorf("%q: %d", v, status)
		}
	}
	for _, name := range []string{"done-slip-printed", "done-slip-printing", "done"} {
		h.passenger.Set(screen(name))
		if status, _ := fetch(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, v := range []string{"1", "x", ""} { // this bench keeps no pictures
		if status, _ := fetch("/bench/slip.svg?n=" + v); status != http.StatusNotFound {
			t.Errorf("slip %q: %d", v, status)
		}
	}
}

// TestReprint is offered for the last slip alone, and only while the printer
// prints.
func TestReprint(t *testing.T) {
	h := newHouse(t, "")
	c := h.signedIn(t, "cashier")
	last := ui.DeskSlip{Sale: "4Q7ZK1M2N8P3R5T6", Claim: "4Q7Z-K1M2", State: ui.SlipNone, Able: true}
	for i, s := range []struct {
		slip  *ui.DeskSlip
		sale  string
		taken bool
	}{
		{nil, "4Q7ZK1M2N8P3R5T6", false},
		{&ui.DeskSlip{Sale: last.Sale, Claim: last.Claim, State: ui.SlipNone}, last.Sale, false},
		{&ui.DeskSlip{Sale: last.Sale, Claim: last.Claim, State: ui.SlipPrinting, Able: true}, last.Sale, false},
		{&last, "9B3XW5V8Y2H4J6K1", false},
		{&last, last.Sale, true},
	} {
		h.desk.Set(ui.DeskState{Rev: 7, HostUp: true, LastSlip: s.slip})
		ws := open(t, h, c.Jar, "/cashier/ws?lang=en")
		next(t, ws)
		before := len(h.desk.Actions())
		press(t, ws, wire.Input{Sale: s.sale, Rev: 7, Do: ui.DeskReprint})
		if !s.taken {
			if m := next(t, ws); m.Text == "" {
				t.Errorf("%d: nothing was said: %+v", i, m)
			}
		} else {
			eventually(t, "the wish arrives", func() bool { return len(h.desk.Actions()) == before+1 })
			if a := h.desk.Actions()[before]; a.Who == "" || a.Sale != last.Sale || a.Name != ui.DeskReprint {
				t.Errorf("%+v", a)
			}
		}
		if !s.taken && len(h.desk.Actions()) != before {
			t.Errorf("%d was taken", i)
		}
		ws.Close()
	}
}

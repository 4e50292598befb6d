package ui_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"buka/ui"
	"buka/ui/sample"
	"buka/ui/wire"
)

var formField = regexp.MustCompile(`name="form" value="([0-9a-f]+)"`)

// signIn signs in to a page and gives the browser's cookies.
func (h *house) signIn(t *testing.T, page, password string) (*http.Client, int, string) {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	_, body := h.get(t, c, "/"+page+"/login")
	form := url.Values{"name": {h.first[page].Name}, "password": {password}, "form": {formField.FindStringSubmatch(body)[1]}}
	r, _ := http.NewRequest("POST", h.web.URL+"/"+page+"/login?lang=en", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", h.web.URL)
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return c, res.StatusCode, res.Request.URL.Path
}

func TestSignIn(t *testing.T) {
	h := newHouse(t, "")
	if _, status, _ := h.signIn(t, "cashier", "not the password"); status != http.StatusUnauthorized {
		t.Error(status)
	}
	c, status, path := h.signIn(t, "cashier", h.first["cashier"].Password)
	if status != http.StatusOK || path != "/cashier" {
		t.Fatal(status, path)
	}
	if res, err := c.Get(h.web.URL + "/operator"); err != nil || res.Request.URL.Path != "/operator/login" {
		t.Error("a cashier's session opens the operator's page", err)
	}
	if _, form := h.get(t, c, "/cashier/login?lang=zh"); !strings.Contains(form, `action="/cashier/login?lang=zh"`) {
		t.Error("signing in changes the language")
	}
	ws := open(t, h, c.Jar, "/cashier/ws?lang=en")
	next(t, ws)
	_, body := h.get(t, c, "/cashier?lang=en")
	r, _ := http.NewRequest("POST", h.web.URL+"/cashier/logout", strings.NewReader(url.Values{"form": {formField.FindStringSubmatch(body)[1]}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", h.web.URL)
	if res, err := c.Do(r); err != nil || res.Request.URL.Path != "/cashier/login" {
		t.Fatal(res, err)
	}
	press(t, ws, wire.Input{Rev: 3, Sale: "4Q7ZK1M2N8P3R5T6", Do: "prove"})
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			break
		}
	}
	if len(h.desk.Actions()) != 0 {
		t.Error("an action after signing out")
	}
}

func TestDesk(t *testing.T) {
	h := newHouse(t, "")
	c, _, _ := h.signIn(t, "cashier", h.first["cashier"].Password)
	for name, s := range sample.DeskShots() {
		for _, code := range []string{"en", "zh"} {
			h.desk.Set(s)
			_, body := h.get(t, c, "/cashier?lang="+code)
			whole(t, "desk "+name+" "+code, body)
			if pan.MatchString(tags.ReplaceAllString(body, " ")) {
				t.Errorf("desk %s: a long number is shown", name)
			}
		}
	}
	h.desk.Set(sample.DeskShots()["open"])
	_, body := h.get(t, c, "/cashier?lang=en")
	for id, want := range map[string]string{
		"D1D1D1D1D1D1D1D1": "not known: ¥100.00 were asked for, and no sure answer came · 622588******0001", "F3F3F3F3F3F3F3F3": "nothing, the bank says: ¥100.00 were asked for · 622588******0001",
		"C0C0C0C0C0C0C0C0": "¥100.00 · 622588******0001",
	} {
		if !strings.Contains(body, `<dd id="paid-`+id+`">`+want+"</dd>") {
			t.Errorf("%s: the desk does not say %q", id, want)
		}
	}
	s := sample.DeskShots()["card"]
	h.desk.Set(s)
	ws := open(t, h, c.Jar, "/cashier/ws?lang=en")
	m := next(t, ws)
	for _, want := range []string{"4Q7Z-K1M2", "belongs to the card on the reader", "Find out first: it may already be on the card.",
		"¥50.00 go back to bank card 622588******0001", "The customer is not charged again.", "Sent here by a rule today",
		"The machine has sent this passenger to you: ¥1000.00, rule large-sum, claim 2B2B-2B2B", "6D6D-6D6D"} {
		if !strings.Contains(text(m), want) {
			t.Errorf("no %q", want)
		}
	}
	sale := "4Q7ZK1M2N8P3R5T6"
	for _, in := range []wire.Input{{Sale: sale, Rev: s.Rev, Do: "rewrite"}, {Sale: sale, Rev: s.Rev - 1, Do: "prove"}, {Sale: "x", Rev: s.Rev, Do: "prove"}} {
		press(t, ws, in)
		if m := next(t, ws); m.Kind != "told" || m.Text == "" {
			t.Fatalf("%+v: %+v", in, m)
		}
		if in.Rev != s.Rev {
			next(t, ws) // the current state
		}
	}
	press(t, ws, wire.Input{Sale: sale, Rev: s.Rev, Do: "prove"})
	eventually(t, "the action arrives", func() bool { return len(h.desk.Actions()) > 0 })
	if got := h.desk.Actions(); len(got) != 1 || got[0] != (ui.DeskAction{Sale: sale, Rev: s.Rev, Name: "prove", Who: "cashier"}) {
		t.Fatalf("%+v", got)
	}
}

func TestBench(t *testing.T) {
	h := newHouse(t, "")
	for _, code := range []string{"en", "zh"} {
		_, body := h.get(t, http.DefaultClient, "/bench?lang="+code)
		whole(t, "bench "+code, body)
	}
	ws := open(t, h, nil, "/bench/ws?lang=en")
	next(t, ws)
	press(t, ws, wire.Input{Do: "tap", Args: map[string]string{"card": "green", "reader": "transit", "evil": "x"}})
	if m := next(t, ws); !strings.Contains(text(m), "on transit") {
		t.Fatalf("%+v", m)
	}
	press(t, ws, wire.Input{Do: "lay", Args: map[string]string{"card": "nobody"}})
	if m := next(t, ws); m.Kind != "told" || !strings.Contains(m.Text, "nobody") {
		t.Fatalf("%+v", m)
	}
	press(t, ws, wire.Input{Do: "format"})
	if m := next(t, ws); m.Kind != "told" {
		t.Fatalf("%+v", m)
	}
	if a := h.bench.Actions(); len(a) != 2 || len(a[0].Args) != 2 {
		t.Fatalf("%+v", a)
	}
}

func TestFleet(t *testing.T) {
	h := newHouse(t, "")
	c, _, _ := h.signIn(t, "operator", h.first["operator"].Password)
	for _, code := range []string{"en", "zh"} {
		for _, kiosk := range []string{"", "K-0018", "K-9999"} {
			_, body := h.get(t, c, "/operator?lang="+code+"&kiosk="+kiosk)
			whole(t, "operator "+code+" "+kiosk, body)
		}
	}
	for _, name := range append(ui.ScreenNames(), "of-a-later-version") {
		s := sample.FleetState()
		s.Kiosks[1].Screen = name
		h.fleet.Set(s)
		_, body := h.get(t, c, "/operator?lang=zh&kiosk=K-0018")
		if own := strings.Contains(body, "屏幕: "+string(name)); own != (name == "of-a-later-version") {
			t.Errorf("the screen %s has no name in Chinese", name)
		}
	}
	h.fleet.Set(sample.FleetState())
	_, body := h.get(t, c, "/operator?lang=zh&kiosk=K-0018")
	for _, device := range []string{"交通卡读卡器", "密码键盘", "交易链路"} {
		if !strings.Contains(body, "<b>"+device+"</b>") {
			t.Errorf("no device is called %s", device)
		}
	}
	ws := open(t, h, c.Jar, "/operator/ws?lang=en")
	m := next(t, ws)
	all := text(m)
	for _, want := range []string{"Kiosks: 4, connected: 3", "Need attention: 3", "chain broken", "1 not ok", `data-at="`, "Risk alarms today: 2: cross-border-seen", "sent back in vain for long: 1"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Index(all, "kiosk-K-0017") < strings.Index(all, "kiosk-K-0030") {
		t.Error("a kiosk in good health comes before one that is not")
	}
	one := open(t, h, c.Jar, "/operator/ws?lang=en&kiosk=K-0018")
	if m := next(t, one); !strings.Contains(text(m), "4Q7Z-K1M2") || !strings.Contains(text(m), "no answer") {
		t.Fatalf("%+v", m)
	}
	s := sample.FleetState()
	s.Kiosks[1].JournalSeq = 9912
	h.fleet.Set(s)
	if m := next(t, one); !strings.Contains(text(m), "9912") {
		t.Fatalf("%+v", m)
	}
}

func (h *house) signedIn(t *testing.T, page string) *http.Client {
	t.Helper()
	c, status, _ := h.signIn(t, page, h.first[page].Password)
	if status != http.StatusOK {
		t.Fatal(page, status)
	}
	return c
}

// What only people can end is on the operator's page, and so are damage and
// restore; a button that may not be pressed does nothing.
func TestOperatorSeesCasesAndKeeping(t *testing.T) {
	h := newHouse(t, "")
	c := h.signedIn(t, "operator")
	_, body := h.get(t, c, "/operator?lang=en")
	for _, want := range []string{"Cases for people", "C0C0-C0C0", "mei proposes", "Not while a write may have been done", "restored, not confirmed", "Verified backup"} {
		if !strings.Contains(body, want) {
			t.Errorf("the operator's page does not say %q", want)
		}
	}
	_, body = h.get(t, c, "/operator?kiosk=K-0018&lang=en")
	for _, want := range []string{"sells nothing", "Verified as a whole", "set aside", "18 % of its pages free", "2 alarms, 1 sent to the desk, 0 refused", "41.0 MiB", "00aa9ab1e2d34c5f"} {
		if !strings.Contains(body, want) {
			t.Errorf("the kiosk's page does not say %q", want)
		}
	}
	ws := open(t, h, c.Jar, "/operator/ws?lang=en")
	next(t, ws)
	press(t, ws, wire.Input{Sale: "9B3XW5V8Y2H4J6K1", Do: "return"}) // a write of it is in doubt
	press(t, ws, wire.Input{Sale: "7H7H7H7H7H7H7H7H", Do: "return"}) // paid elsewhere
	press(t, ws, wire.Input{Sale: "C0C0C0C0C0C0C0C0", Do: "return"})
	for end := time.Now().Add(30 * time.Second); len(h.fleet.Actions()) == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if a := h.fleet.Actions(); len(a) != 1 || a[0].Sale != "C0C0C0C0C0C0C0C0" || a[0].Who == "" {
		t.Errorf("%+v", a)
	}
}

// An alarm is new until somebody has seen it, and stays readable; only what the page
// lists can be acknowledged, one by one or all of them.
func TestOperatorAcknowledgesAlarms(t *testing.T) {
	h := newHouse(t, "")
	c := h.signedIn(t, "operator")
	_, body := h.get(t, c, "/operator?lang=en")
	for _, want := range []string{"New alarms: 3", "Acknowledge all 3 shown", `data-value="38-41"`, "No money moves by it", "Risk rule cross-border-seen", "Batch 9 was settled with differences",
		"Money has been sent back in vain for long", "The bank contradicts", "The journal cannot be trusted", "seen by mei", "seen by lin", `id="acknowledge-40"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the operator's page does not say %q", want)
		}
	}
	if strings.Contains(body, `id="acknowledge-39"`) || strings.Index(body, "seen by mei") < strings.Index(body, `id="kiosk-K-0017"`) {
		t.Error("what was acknowledged is shown as new")
	}
	_, body = h.get(t, c, "/operator?kiosk=K-0018&lang=en")
	if !strings.Contains(body, `id="acknowledge-38"`) || !strings.Contains(body, "seen by lin") || strings.Contains(body, "acknowledge-41") || strings.Contains(body, "acknowledge-all") {
		t.Error("the kiosk's page has not its own alarms")
	}
	ws, one := open(t, h, c.Jar, "/operator/ws?lang=en"), open(t, h, c.Jar, "/operator/ws?lang=en&kiosk=K-0018")
	next(t, ws)
	next(t, one)
	for _, value := range []string{"", "35", "41-38", "38-42", "0-41", "x", "38-", "9223372036854775808"} {
		press(t, ws, wire.Input{Do: "acknowledge", Value: value})
		if m := next(t, ws); m.Kind != "told" {
			t.Fatalf("%q: %+v", value, m)
		}
	}
	press(t, one, wire.Input{Do: "acknowledge", Value: "38-40"}) // another kiosk's may lie between
	if m := next(t, one); m.Kind != "told" {
		t.Fatalf("%+v", m)
	}
	press(t, one, wire.Input{Do: "acknowledge", Value: "40"})
	eventually(t, "one arrives", func() bool { return len(h.fleet.Actions()) == 1 })
	press(t, ws, wire.Input{Do: "acknowledge", Value: "38-41"})
	eventually(t, "all arrive", func() bool { return len(h.fleet.Actions()) == 2 })
	want := []ui.FleetAction{{Name: "acknowledge", Who: "operator", From: 40, To: 40}, {Name: "acknowledge", Who: "operator", From: 38, To: 41}}
	if got := h.fleet.Actions(); got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
	s := sample.FleetState()
	s.Alarms, s.NewAlarms = s.Alarms[3:], 0
	for i := range s.Kiosks {
		s.Kiosks[i].NewAlarms = 0
	}
	h.fleet.Set(s)
	if m := next(t, ws); strings.Contains(text(m), "New alarms") || !strings.Contains(text(m), "seen by mei") {
		t.Error("still new")
	}
}

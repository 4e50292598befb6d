package ui_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"buka/internal/money"
	"buka/ui"
	"buka/ui/sample"
	"buka/ui/wire"
)

func (h *house) socket(t *testing.T, jar http.CookieJar, path, origin string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	d := websocket.Dialer{Jar: jar, HandshakeTimeout: 10 * time.Second}
	ws, res, err := d.Dial("ws"+strings.TrimPrefix(h.web.URL, "http")+path, http.Header{"Origin": {origin}})
	if err == nil {
		t.Cleanup(func() { ws.Close() })
		_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	return ws, res, err
}

func open(t *testing.T, h *house, jar http.CookieJar, path string) *websocket.Conn {
	t.Helper()
	ws, _, err := h.socket(t, jar, path, h.web.URL)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func next(t *testing.T, ws *websocket.Conn) wire.Message {
	t.Helper()
	var m wire.Message
	if err := ws.ReadJSON(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func press(t *testing.T, ws *websocket.Conn, in wire.Input) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.WriteMessage(websocket.TextMessage, text); err != nil {
		t.Fatal(err)
	}
}

func screen(name string) ui.Screen {
	for _, s := range sample.Screens() {
		if s.Name == name {
			return s.Screen
		}
	}
	panic(name)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestLateTapNeverLandsOnTheNextPassenger(t *testing.T) {
	h := newHouse(t, "")
	s := screen("amount")
	h.passenger.Set(s)
	ws := open(t, h, nil, "/ws")
	m := next(t, ws)
	if m.Sale != s.Sale || m.Rev != s.Rev || len(m.Fragments) != 5 {
		t.Fatalf("%+v", m)
	}
	for _, in := range []wire.Input{
		{Sale: s.Sale, Rev: s.Rev - 1, Do: "choose", Value: "5000"},
		{Sale: "another", Rev: s.Rev, Do: "choose", Value: "5000"},
		{Sale: "another", Rev: s.Rev, Do: "lang", Value: "zh"},
		{Sale: "another", Rev: s.Rev, Do: "contrast"},
	} {
		press(t, ws, in)
		if m := next(t, ws); m.Kind != "frame" || len(m.Fragments) != 5 || m.Root["data-contrast"] != "" {
			t.Fatalf("%+v: %+v", in, m)
		}
	}
	for _, in := range []wire.Input{ // not offered
		{Sale: s.Sale, Rev: s.Rev, Do: "choose", Value: "1"},
		{Sale: s.Sale, Rev: s.Rev, Do: "choose", Value: "-5000"},
		{Sale: s.Sale, Rev: s.Rev, Do: "choose", Value: "5000.0"},
		{Sale: s.Sale, Rev: s.Rev, Do: "more-time"},
		{Sale: s.Sale, Rev: s.Rev, Do: "lang", Value: "../en"},
		{Sale: s.Sale, Rev: s.Rev, Do: "reboot"},
	} {
		press(t, ws, in)
	}
	press(t, ws, wire.Input{Sale: s.Sale, Rev: s.Rev, Do: "choose", Value: "5000"})
	eventually(t, "the right tap arrives", func() bool { return len(h.passenger.Inputs()) > 0 })
	if got := h.passenger.Inputs(); len(got) != 1 || got[0] != (ui.Input{Sale: s.Sale, Rev: s.Rev, Do: "choose", Value: "5000"}) {
		t.Fatalf("%+v", got)
	}
}

func TestComfortLastsForOnePassenger(t *testing.T) {
	h := newHouse(t, "")
	s := screen("amount")
	h.passenger.Set(s)
	ws := open(t, h, nil, "/ws")
	next(t, ws)
	press(t, ws, wire.Input{Sale: s.Sale, Do: "contrast"})
	if m := next(t, ws); m.Root["data-contrast"] != "high" {
		t.Fatalf("%+v", m.Root)
	}
	press(t, ws, wire.Input{Sale: s.Sale, Do: "text-size"})
	if m := next(t, ws); m.Root["data-text"] != "large" {
		t.Fatalf("%+v", m.Root)
	}
	press(t, ws, wire.Input{Sale: s.Sale, Do: "speak"})
	if m := next(t, ws); m.Root["data-speak"] != "on" {
		t.Fatalf("%+v", m.Root)
	}
	press(t, ws, wire.Input{Sale: s.Sale, Do: "help"})
	if m := next(t, ws); len(m.Fragments) == 0 || !strings.Contains(m.Fragments[0].HTML, "help-close") {
		t.Fatalf("%+v", m)
	}
	h.passenger.Set(screen("payment")) // same sale: it stays, help closes
	if m := next(t, ws); m.Root["data-text"] != "large" || !strings.Contains(text(m), `aria-expanded="false"`) {
		t.Fatalf("%+v", m)
	}
	h.passenger.Set(screen("idle"))
	if m := next(t, ws); m.Root["data-text"] != "" || m.Root["data-contrast"] != "" || m.Root["data-speak"] != "" {
		t.Fatalf("%+v", m.Root)
	}
	if len(h.passenger.Inputs()) != 0 {
		t.Error("comfort reached the station")
	}
}

func text(m wire.Message) string {
	var b strings.Builder
	for _, f := range m.Fragments {
		b.WriteString(f.HTML)
	}
	return b.String()
}

func TestSocketsOfOthersAreRefused(t *testing.T) {
	h := newHouse(t, "")
	for _, origin := range []string{"", "null", "http://evil.example", "http://127.0.0.1:1"} {
		if _, res, err := h.socket(t, nil, "/ws", origin); err == nil || res == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	for _, path := range []string{"/cashier/ws", "/operator/ws"} {
		if _, res, err := h.socket(t, nil, path, h.web.URL); err == nil || res == nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %v", path, err)
		}
	}
	r, _ := http.NewRequest("GET", h.web.URL+"/", nil)
	r.Host = "rebound.example"
	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != http.StatusMisdirectedRequest {
		t.Error(res, err)
	}
}

func TestHeaders(t *testing.T) {
	h := newHouse(t, "")
	for _, path := range []string{"/", "/bench", "/cashier/login", "/static/buka.js"} {
		res, err := http.Get(h.web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		csp := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != http.StatusOK || !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %q", path, res.StatusCode, csp)
		}
	}
}

func TestTheme(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lang/en.toml":        "[app]\nname = \"Metro One\"\n",
		"static/theme.css":    ":root { --brand: #123456; }",
		"templates/art.html":  "",
		"templates/none.html": "ignored",
	} {
		if text == "" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := newHouse(t, dir)
	if _, body := h.get(t, http.DefaultClient, "/"); !strings.Contains(body, "Metro One") {
		t.Error("the theme's words are not used")
	}
	if _, body := h.get(t, http.DefaultClient, "/static/theme.css"); !strings.Contains(body, "#123456") {
		t.Error("the theme's colours are not used")
	}
	if status, body := h.get(t, http.DefaultClient, "/static/buka.js"); status != http.StatusOK || !strings.Contains(body, "connect()") {
		t.Error("the built-in files are gone")
	}
	if status, _ := h.get(t, http.DefaultClient, "/static/../lang/en.toml"); status == http.StatusOK {
		t.Error("files outside static are served")
	}
	if err := os.WriteFile(filepath.Join(dir, "templates", "screens.html"), []byte("{{define"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ui.NewServer(ui.Options{Passenger: &sample.Passenger{}, ThemeDir: dir}); err == nil {
		t.Error("a broken template was accepted")
	}
}

func TestStaffPagesNeedALogin(t *testing.T) {
	if _, err := ui.NewServer(ui.Options{Desk: &sample.Desk{}}); err == nil {
		t.Error("a cashier's page without a login")
	}
	if _, err := ui.OperatorHandler(ui.Options{Fleet: &sample.Fleet{}}); err == nil {
		t.Error("an operator's page without a login")
	}
}

func TestChoicesAreExact(t *testing.T) {
	h := newHouse(t, "")
	s := screen("amount")
	s.Choices = []money.Fen{1050}
	h.passenger.Set(s)
	if _, body := h.get(t, http.DefaultClient, "/"); !strings.Contains(body, "¥10.50") || !strings.Contains(body, "then ¥39.00") {
		t.Error("an amount with fen is not shown whole")
	}
}

// TestApplicationsToChoose: the card's name and what it is, once where they are
// the same; a press counts if there is such a button.
func TestApplicationsToChoose(t *testing.T) {
	h := newHouse(t, "")
	s := screen("payment-choose")
	h.passenger.Set(s)
	_, body := h.get(t, http.DefaultClient, "/")
	for text, want := range map[string]int{">UnionPay Debit<": 1, ">UnionPay debit<": 0, `data-value="1"`: 1, "1: UnionPay Debit. 2: UnionPay Credit.": 1} {
		if got := strings.Count(body, text); got != want {
			t.Errorf("%q is there %d times", text, got)
		}
	}
	s.Lang = "zh"
	h.passenger.Set(s)
	if _, body := h.get(t, http.DefaultClient, "/"); !strings.Contains(body, "银联贷记卡") || !strings.Contains(body, "UnionPay Credit") {
		t.Error("what it is is not said in Chinese")
	}
	ws := open(t, h, nil, "/ws")
	next(t, ws)
	for _, value := range []string{"2", "-1", "x", "", "1"} { // only the last is offered
		press(t, ws, wire.Input{Sale: s.Sale, Rev: s.Rev, Do: ui.DoApplication, Value: value})
	}
	eventually(t, "the right press arrives", func() bool { return len(h.passenger.Inputs()) > 0 })
	if got := h.passenger.Inputs(); len(got) != 1 || got[0].Value != "1" {
		t.Errorf("%+v", got)
	}
}

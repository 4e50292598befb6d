package ui_test

import (
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"

	"buka/internal/money"
	"buka/ui"
	"buka/ui/lang"
	"buka/ui/login"
	"buka/ui/sample"
)

// house is a server with every page, on a real listener.
type house struct {
	passenger *sample.Passenger
	bench     *sample.Bench
	desk      *sample.Desk
	fleet     *sample.Fleet
	first     map[string]*login.First
	server    *ui.Server
	web       *httptest.Server
	log       *strings.Builder
}

func newHouse(t *testing.T, theme string) *house {
	t.Helper()
	h := &house{passenger: &sample.Passenger{}, bench: sample.NewBench(), desk: &sample.Desk{}, fleet: &sample.Fleet{}, first: map[string]*login.First{}}
	h.passenger.Set(sample.Screens()[0].Screen)
	h.desk.Set(sample.DeskShots()["card"])
	h.fleet.Set(sample.FleetState())
	cheap := &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	gate := func(name string) *login.Gate {
		g, first, err := login.Open(filepath.Join(t.TempDir(), name), login.Options{Name: name, Params: cheap})
		if err != nil {
			t.Fatal(err)
		}
		h.first[name] = first
		return g
	}
	var err error
	h.server, err = ui.NewServer(ui.Options{Passenger: h.passenger, Bench: h.bench, Desk: h.desk, Fleet: h.fleet, DeskLogin: gate("cashier"),
		FleetLogin: gate("operator"), ThemeDir: theme, Kiosk: "K-0017", Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h.web = httptest.NewServer(h.server)
	t.Cleanup(func() { h.web.CloseClientConnections(); h.server.Close(); h.web.Close() })
	return h
}

// get fetches a page and gives its text.
func (h *house) get(t *testing.T, c *http.Client, path string) (status int, body string) {
	t.Helper()
	res, err := c.Get(h.web.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, html.UnescapeString(string(data))
}

var (
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
	pan    = regexp.MustCompile(`[0-9]{13,19}`)
)

// whole says whether a page was rendered without a gap.
func whole(t *testing.T, name, body string) {
	t.Helper()
	for _, bad := range []string{lang.Missing, "<no value>", "%!", "ZgotmplZ", "{s}", "{amount}", "{n}", "{digits}", "{number}", `<div id="main"></div>`} {
		if strings.Contains(body, bad) {
			t.Errorf("%s: there is %q in the page", name, bad)
		}
	}
	if strings.Contains(body, " style=") || strings.Contains(body, "<script>") || strings.Contains(body, " onclick") {
		t.Errorf("%s: something inline that the content security policy forbids", name)
	}
}

func TestEveryScreenInBothLanguages(t *testing.T) {
	h := newHouse(t, "")
	words, err := lang.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[ui.ScreenName]bool{}
	for _, code := range lang.Codes() {
		c := words[code]
		for _, shot := range sample.Screens() {
			shot.Screen.Lang = code
			seen[shot.Screen.Name] = true
			h.passenger.Set(shot.Screen)
			status, body := h.get(t, http.DefaultClient, "/")
			name := shot.Name + " " + code
			if status != http.StatusOK {
				t.Fatalf("%s: %d", name, status)
			}
			whole(t, name, body)
			for _, want := range []string{`data-screen="` + string(shot.Screen.Name) + `"`, `lang="` + lang.Tag(code) + `"`, `id="lang"`, `id="title"`,
				`id="speak"`, `id="contrast"`, `id="text-size"`, `id="help"`, c.T("app.lang-other"), `id="announce"`} {
				if !strings.Contains(body, want) {
					t.Errorf("%s: no %s", name, want)
				}
			}
			if strings.Contains(body, shot.Screen.CardNumber) && shot.Screen.CardNumber != "" {
				t.Errorf("%s: the whole card number is shown", name)
			}
			if pan.MatchString(tags.ReplaceAllString(body, " ")) {
				t.Errorf("%s: a long number is shown", name)
			}
			if shot.Screen.Name == ui.ScreenDeclined {
				for _, part := range []string{"title", "known", "money", "now"} {
					key := "reason." + string(shot.Screen.Reason) + "." + part
					if !c.Has(key) || !strings.Contains(body, c.T(key)) {
						t.Errorf("%s: does not say %s", name, key)
					}
				}
			}
		}
	}
	for _, name := range ui.ScreenNames() {
		if !seen[name] {
			t.Errorf("no sample of the screen %s", name)
		}
	}
}

func TestKeyTexts(t *testing.T) {
	h := newHouse(t, "")
	for _, row := range []struct {
		shot, code string
		want       []string
	}{
		{"amount", "en", []string{"¥28.50", `data-value="5000"`, "then ¥78.50", "Card ending 7984", "Journey", "11-19 20:01", "+¥50.00", `id="stop"`}},
		{"amount", "zh", []string{"请选择充值金额", "充后 ¥78.50", "卡号末四位 7984", "乘车"}},
		{"payment", "en", []string{"You pay", "¥50.00", "¥28.50", "¥78.50", "Balance now", "New balance"}},
		{"pin-again", "en", []string{"Wrong PIN", "Attempts left: 2", "622588******0001"}},
		{"hold", "en", []string{"Stop, give my money back"}},
		{"hold-moving", "en", []string{"Keep the card still", `data-moving="yes"`}},
		{"hold-moving", "zh", []string{"请保持卡片不动"}},
		{"processing-moving", "en", []string{"Keep the card still", `data-moving="yes"`}},
		{"processing-moving", "zh", []string{"请保持卡片不动"}},
		{"hold-warn", "en", []string{`data-countdown="20000"`, `id="more-time"`, "Money already paid goes back"}},
		{"done", "zh", []string{"充值完成，请取卡", "¥78.50"}},
		{"unfinished", "en", []string{"4Q7Z-K1M2", "/claim.png?c=4Q7Z-K1M2", "400 123 4567", "Your money is safe"}},
		{"offline", "zh", []string{"补登", "现在可以在这里办理"}},
		{"idle-offline", "en", []string{"No bank payments just now", "already paid for"}},
		{"out-of-service", "en", []string{"cannot reach its card reader", "No more money is taken"}},
	} {
		for _, shot := range sample.Screens() {
			if shot.Name != row.shot {
				continue
			}
			shot.Screen.Lang = row.code
			h.passenger.Set(shot.Screen)
			_, body := h.get(t, http.DefaultClient, "/")
			text := spaces.ReplaceAllString(body, " ")
			for _, want := range row.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s %s: no %q", row.shot, row.code, want)
				}
			}
			if row.shot == "hold-moving" && strings.Contains(text, `id="stop"`) {
				t.Error("a stop button while the card is being written")
			}
		}
	}
}

func TestUnknownScreenAndReason(t *testing.T) {
	h := newHouse(t, "")
	h.passenger.Set(ui.Screen{Name: "no-such", Reason: "nor-this", CardNumber: "1", BankCard: "6225880000000001"})
	status, body := h.get(t, http.DefaultClient, "/")
	if status != http.StatusOK || !strings.Contains(body, `data-screen="out-of-service"`) || !strings.Contains(body, "The machine could not go on.") {
		t.Error(status, body)
	}
	whole(t, "unknown", body)
	if strings.Contains(body, "6225880000000001") {
		t.Error("an unmasked bank card")
	}
}

func TestClaimCode(t *testing.T) {
	h := newHouse(t, "")
	if status, body := h.get(t, http.DefaultClient, "/claim.png?c=4Q7Z-K1M2"); status != http.StatusOK || !strings.HasPrefix(body, "\x89PNG") {
		t.Error(status)
	}
	for _, bad := range []string{"", "x", "4q7z", strings.Repeat("A", 99), "http://evil"} {
		if status, _ := h.get(t, http.DefaultClient, "/claim.png?c="+bad); status != http.StatusNotFound {
			t.Errorf("%q: %d", bad, status)
		}
	}
}

// A screen never lacks the claim number while money is taken, and what is
// spoken names it too.
func TestMoneyTakenShowsTheClaim(t *testing.T) {
	h := newHouse(t, "")
	paid := 0
	for _, code := range lang.Codes() {
		for _, shot := range sample.Screens() {
			if !shot.Screen.Paid {
				continue
			}
			paid++
			shot.Screen.Lang = code
			h.passenger.Set(shot.Screen)
			_, body := h.get(t, http.DefaultClient, "/")
			for _, want := range []string{`id="claim">` + shot.Screen.Claim, "/claim.png?c=" + shot.Screen.Claim, "400 123 4567"} {
				if !strings.Contains(body, want) {
					t.Errorf("%s %s: no %s", shot.Name, code, want)
				}
			}
		}
	}
	if paid < 60 {
		t.Error("only so many screens with money taken:", paid)
	}
}

// While the bank is being asked, and when money goes back, no screen says "Paid".
func TestNotPaidWhileTheBankIsAsked(t *testing.T) {
	h := newHouse(t, "")
	amount := money.Fen(5000)
	for phase, want := range map[ui.Phase]string{ui.PhasePaying: "You pay", ui.PhaseMoneyBack: "Top-up", ui.PhaseAuthority: "Paid"} {
		h.passenger.Set(ui.Screen{Name: ui.ScreenProcessing, Rev: 1, Lang: "en", Phase: phase, Paid: true, Claim: "4Q7Z-K1M2", Amount: &amount})
		_, body := h.get(t, http.DefaultClient, "/")
		if !strings.Contains(body, `<div class="sum-pay"><dt>`+want+"</dt>") {
			t.Errorf("%s: the amount is not under %q", phase, want)
		}
	}
}

// oddError is what a careless program would show.
const oddError = `dial tcp 10.0.0.7:5000: connect: connection refused`

// No error's text reaches a page, wherever a station might let one slip in.
func TestNoErrorTextOnAPage(t *testing.T) {
	h := newHouse(t, "")
	for _, name := range ui.ScreenNames() {
		for _, s := range []ui.Screen{
			{Name: name, Rev: 1, Reason: oddError, Notice: oddError, NoPay: oddError},
			{Name: name, Rev: 1, ReasonWords: oddError, NoticeWords: oddError, Phase: oddError},
		} {
			h.passenger.Set(s)
			_, body := h.get(t, http.DefaultClient, "/")
			if strings.Contains(body, "dial tcp") || strings.Contains(body, "refused\"") {
				t.Errorf("%s shows an error", name)
			}
			whole(t, string(name), body)
		}
	}
	desk := h.signedIn(t, "cashier")
	h.desk.Set(ui.DeskState{Rev: 2, Kiosk: "K1", HostUp: true, Reader: ui.DeviceState{Role: "desk", State: "down", Code: oddError},
		Card: &ui.DeskCard{Number: "3105170010170907984", Refused: oddError}})
	_, body := h.get(t, desk, "/cashier")
	if strings.Contains(body, "dial tcp") {
		t.Error("the cashier's page shows an error")
	}
	fleet := h.signedIn(t, "operator")
	h.fleet.Set(ui.FleetState{Kiosks: []ui.Kiosk{{ID: "K1", Devices: []ui.DeviceState{{Role: "pinpad", State: "down", Code: oddError}}}}})
	for _, path := range []string{"/operator", "/operator?kiosk=K1"} {
		if _, body := h.get(t, fleet, path); strings.Contains(body, "dial tcp") || !strings.Contains(body, "K1") {
			t.Error(path, "shows an error")
		}
	}
}

package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/kiosk/demo"
	"buka/kiosk/lab"
	"buka/topup"
	"buka/ui/lang"
)

// world is a demo and the people around it: one with their hands on the
// devices (the bench), one before the screen (the passenger).
type world struct {
	*testing.T
	demo      *demo.Demo
	lab       *lab.Lab
	dir       string
	logFile   string
	words     *lang.Catalogue
	bench     *page
	passenger *page
	profile   context.Context
	frames    *traffic
	wires     *wires
	printed   string // what the demo printed at its start
	first     map[string][2]string
	shots     int
}

// card and bank are what a test brings along.
type (
	card struct {
		name, number string
		balance      money.Fen
	}
	bank struct {
		name, pan, pin string
		funds          money.Fen
	}
)

// begin starts a demo in a fresh directory, with cards of the test beside its
// own, and opens the bench and the passenger's page.
func begin(t *testing.T, code string, cards []card, banks []bank) *world {
	t.Helper()
	words, err := lang.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, dir: t.TempDir(), words: words[code], frames: newTraffic(), wires: &wires{}, first: map[string][2]string{}}
	w.logFile = filepath.Join(t.TempDir(), "log")
	logTo, err := os.Create(w.logFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { logTo.Close() })
	w.start(slog.New(slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, c := range cards {
		if err := w.lab.AddCard(c.name, virtual.PurseOptions{Number: c.number, Balance: c.balance, Counter: 2}); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range banks {
		if err := w.lab.AddBank(t.Context(), b.name, b.pin, b.funds, virtual.BankOptions{PAN: b.pan}, false); err != nil {
			t.Fatal(err)
		}
	}
	w.profile = profile(t)
	w.bench = tab(t, w.profile, "bench", w.demo.URL+"/bench?lang="+code, laptop, w.frames)
	w.passenger = tab(t, w.profile, "passenger", w.demo.URL+"/", upright, w.frames)
	w.ready()
	return w
}

// answerWait is the kiosk's patience with its hosts: as in a station, for a busy
// machine is no reason to give a payment up. A host that is gone is noticed by it and
// the five seconds of the link test, well within the tests' own patience.
const answerWait = 10 * time.Second

// start runs the demo and takes from what it prints what a person would.
func (w *world) start(log *slog.Logger) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var out strings.Builder
	d, err := demo.Start(ctx, &out, "127.0.0.1:0", lab.Options{Dir: w.dir, Reader: "memory", SwitchTimeout: answerWait, Log: log, Version: "dev", Overheard: w.wires.hear})
	if err != nil {
		cancel()
		w.Fatal(err)
	}
	w.demo, w.lab, w.printed = d, d.Lab, out.String()
	for _, m := range regexp.MustCompile(`of the (\w+) page.*name (\S+), password (\S+)`).FindAllStringSubmatch(w.printed, -1) {
		w.first[m[1]] = [2]string{m[2], m[3]}
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx) }()
	var once sync.Once
	w.Cleanup(func() {
		once.Do(func() {
			if w.Failed() {
				w.tellLog()
			}
			cancel()
			if err := errors.Join(<-served, d.Close()); err != nil {
				w.Error(err)
			}
		})
	})
}

// tellLog gives the end of the log of a test that failed.
func (w *world) tellLog() {
	data, err := os.ReadFile(w.logFile)
	if err != nil {
		return
	}
	w.Logf("the end of the log:\n%s", data[max(0, len(data)-6000):])
}

// ready waits until the kiosk has signed on: before, it takes no payment.
func (w *world) ready() {
	w.Helper()
	w.until("the kiosk is ready", func(s topup.State) bool { return s.Live.SignedOn && s.Live.HostUp && s.Live.Devices["pinpad"] == "" })
}

// until waits for a state of the kiosk.
func (w *world) until(what string, ok func(topup.State) bool) {
	w.Helper()
	wait(w.T, func() error {
		st := w.lab.Station()
		if st == nil {
			return fmt.Errorf("waited until %s: the kiosk has no power", what)
		}
		if state, err := st.Engine().State(); err != nil || !ok(state) {
			return errors.Join(fmt.Errorf("waited until %s", what), err)
		}
		return nil
	})
}

// ---- what people do -------------------------------------------------------

// speak chooses the language on the screen, if it is another one.
func (w *world) speak() {
	w.Helper()
	if ask[string](w.passenger, `document.documentElement.dataset.lang`) != w.words.Code {
		w.passenger.press("#lang")
	}
	w.passenger.until("the language "+w.words.Code, `document.documentElement.dataset.lang === "`+w.words.Code+`"`)
}

func (w *world) tap(card string) { w.Helper(); w.bench.press("#tap-" + card) }

func (w *world) choose(f money.Fen) { w.Helper(); w.passenger.press(fmt.Sprintf("#choose-%d", f)) }
func (w *world) pay(bank string)    { w.Helper(); w.bench.press("#pay-" + bank) }

// keys types on the PIN pad, once it asks. The pad shows a dot for each digit.
func (w *world) keys(digits string) {
	w.Helper()
	w.bench.until("the PIN pad to ask", `Boolean(document.querySelector(".pad.active"))`)
	for i, d := range digits {
		w.bench.press("#key-" + string(d))
		w.bench.until("a dot for each digit", fmt.Sprintf(`document.querySelector("#pad-display .dots").textContent.split("●").length > %d`, i+1))
	}
	w.bench.press("#key-enter")
}

func (w *world) cancelAtPad() {
	w.Helper()
	w.bench.until("the PIN pad to ask", `Boolean(document.querySelector(".pad.active"))`)
	w.bench.press("#key-cancel")
}

// home goes back to the first screen.
func (w *world) home() {
	w.Helper()
	w.passenger.press("#ok")
	w.screen("idle")
}

// offer taps a card for a new sale.
func (w *world) offer(card string) {
	w.Helper()
	w.tap(card)
	w.screen("amount")
	w.speak()
}

// paid does everything of a sale up to the screen that asks for the card.
func (w *world) paid(card string, amount money.Fen, b bank) {
	w.Helper()
	w.offer(card)
	w.choose(amount)
	w.screen("payment")
	w.pay(b.name)
	w.screen("pin")
	w.keys(b.pin)
	w.screen("hold")
}

// ---- what people and auditors see -----------------------------------------

// screen waits for a screen.
func (w *world) screen(name string) {
	w.Helper()
	w.passenger.until("screen "+name, `document.documentElement.dataset.screen === "`+name+`"`)
}

// title expects the words of a key as the screen's headline.
func (w *world) title(key string, args ...any) {
	w.Helper()
	w.passenger.reads("#title", w.words.T(key, args...))
}

// reason expects the passage of a reason: what is known, what became of the
// money, what to do.
func (w *world) reason(r string) {
	w.Helper()
	w.passenger.until("reason "+r, `(document.getElementById("reason") || {dataset:{}}).dataset.reason === "`+r+`"`)
	for _, part := range []string{"known", "money", "now"} {
		said := w.words.T("reason." + r + "." + part)
		if head, _, _ := strings.Cut(said, "{"); head != "" {
			w.passenger.reads("#reason", strings.TrimSpace(head))
		}
	}
}

// shown says that these screens were shown, in this order, whatever between: a
// name, or a name and its headline with | between.
func (w *world) shown(names ...string) {
	w.Helper()
	seen := w.passenger.seen()
	i := 0
	for _, s := range seen {
		if i < len(names) && (s == names[i] || strings.HasPrefix(s, names[i]+"|")) {
			i++
		}
	}
	if i < len(names) {
		w.Fatalf("the screens %q should have been shown in this order; shown were %q", names, seen)
	}
}

// balance is what a card's EEPROM holds, and what the bench shows of it.
func (w *world) balance(card string, want money.Fen) {
	w.Helper()
	wait(w.T, func() error {
		p, err := w.lab.Purse(card)
		if err == nil && p.Balance() != want {
			err = fmt.Errorf("card %s holds %s, not %s", card, p.Balance(), want)
		}
		return err
	})
	w.bench.reads("#card-"+card+"-balance", want.String())
}

// charged is what the bank's ledger holds against a bank card.
func (w *world) charged(bank string, want money.Fen) {
	w.Helper()
	wait(w.T, func() error {
		got, err := w.lab.Charged(context.Background(), bank)
		if err == nil && got != want {
			err = fmt.Errorf("bank card %s is charged %s, not %s", bank, got, want)
		}
		return err
	})
}

// settled says that nothing is open, nothing is owed, no money is lost, and
// the journal is sound.
func (w *world) settled() {
	w.Helper()
	w.until("nothing is open or owed", func(s topup.State) bool { return s.Durable.Rewrites() == 0 && s.Durable.Owed() == 0 })
	w.conserved()
	if err := w.lab.Station().Journal().Verify(context.Background(), nil); err != nil {
		w.Error(err)
	}
}

func (w *world) conserved() {
	w.Helper()
	if err := w.lab.Conserved(context.Background(), 0); err != nil {
		w.Error(err)
	}
}

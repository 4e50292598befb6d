package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"buka/internal/money"
	"buka/topup"
)

// TestPassenger: what a passenger can meet, in both languages, on one demo
// each, one after the other as in a station.
func TestPassenger(t *testing.T) {
	for _, code := range []string{"en", "zh"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := begin(t, code, []card{{"ruby", "3105170010170908024", 2850}}, []bank{rich, poor})
			for _, step := range []struct {
				name string
				do   func(*world)
			}{
				{"top-up", fullTopUp},
				{"two applications", twoWays},
				{"torn before", func(w *world) { torn(w, "before") }},
				{"torn after", func(w *world) { torn(w, "after") }},
				{"wrong PIN", wrongPIN},
				{"declined", declined},
				{"cancelled at the pad", cancelled},
				{"stopped while the money waits", stopped},
				{"network gone", networkGone},
				{"power cut on hold", powerCut},
			} {
				if !t.Run(step.name, func(t *testing.T) { step.do(w.as(t)) }) {
					return
				}
			}
		})
	}
}

var (
	rich = bank{"navy", "6225880000000027", "481516", 100000}
	poor = bank{"mouse", "6225880000000035", "234232", 1000}
)

// TestPressOutlivesRedraw: a page that draws a button anew while the finger is
// on it takes the press all the same.
func TestPressOutlivesRedraw(t *testing.T) {
	t.Parallel()
	w := begin(t, "en", []card{{"ruby", "3105170010170908024", 2850}}, nil)
	at := ask[place](w.bench, fmt.Sprintf(spot, quote("#tap-ruby")))
	w.bench.mouse(chromedp.MousePressed, at)
	ask[bool](w.bench, `(() => { window.old = document.querySelector("#tap-ruby"); return true })()`)
	if err := errors.Join(w.lab.Tear("ruby", "after"), w.lab.Network("fleet", true)); err != nil { // any change of the cards will do
		t.Fatal(err)
	}
	w.bench.until("the cards to be drawn anew", `document.querySelector("#tap-ruby") !== window.old`)
	w.bench.mouse(chromedp.MouseReleased, at)
	w.screen("amount")
}

// as gives the same world to a part of a test.
func (w *world) as(t *testing.T) *world {
	v := *w
	b, p := *w.bench, *w.passenger
	b.t, p.t = t, t
	v.T, v.bench, v.passenger = t, &b, &p
	v.passenger.forget()
	return &v
}

// now are a card's balance and a bank card's debits before a part begins.
func (w *world) now(c string, b bank) (balance, debits money.Fen) {
	w.Helper()
	p, err := w.lab.Purse(c)
	if err != nil {
		w.Fatal(err)
	}
	debits, err = w.lab.Charged(w.Context(), b.name)
	if err != nil {
		w.Fatal(err)
	}
	return p.Balance(), debits
}

func fullTopUp(w *world) {
	old, debits := w.now("ruby", rich)
	w.speak() // before the card: it stays
	w.title("screen.idle.title")
	w.shoot("idle")
	w.tap("ruby")
	w.screen("amount")
	w.title("screen.amount.title")
	w.passenger.reads("#balance", old.String())
	w.passenger.reads("#card-number", "8024")
	w.shoot("amount")
	w.choose(5000)
	w.screen("payment")
	w.title("screen.payment.title")
	w.passenger.reads("#amount", "50.00")
	w.passenger.reads("#old-balance", old.String())
	w.passenger.reads("#new-balance", (old + 5000).String())
	w.shoot("payment")
	w.pay(rich.name)
	w.screen("pin")
	w.title("screen.pin.title")
	w.passenger.reads("#bank-card", "622588******0027")
	w.shoot("pin")
	w.bench.shoot("pin-"+w.words.Code, laptop)
	w.keys(rich.pin)
	w.screen("hold")
	w.title("screen.hold.title")
	w.shoot("hold")
	w.tap("ruby")
	w.screen("done")
	w.title("screen.done.title")
	w.passenger.reads("#new-balance", (old + 5000).String())
	w.shoot("done")
	w.shown("idle", "processing", "amount", "payment", "pin", "hold", "processing|"+w.words.T("screen.hold.moving"), "done")
	w.balance("ruby", old+5000)
	w.charged(rich.name, debits+5000)
	w.settled()
	w.offer("ruby") // the card's own log has the load now
	w.passenger.reads("#history li", "50.00")
	w.passenger.press("#stop")
	w.screen("declined")
	w.reason("stopped")
	w.home()
}

// torn: the card is pulled while it is written. The second tap of the same
// card finishes it, whether the card had written or not.
func torn(w *world, when string) {
	old, debits := w.now("ruby", rich)
	w.paid("ruby", 2000, rich)
	w.bench.press("#tear-" + when + "-ruby")
	w.bench.until("the tear to be armed", `document.querySelector("#tear-`+when+`-ruby").getAttribute("aria-pressed") === "true"`)
	w.tap("ruby")
	w.screen("unfinished")
	w.reason("write-unknown")
	claim := w.passenger.text("#claim")
	w.until("one write is unknown", func(s topup.State) bool { return s.Durable.Rewrites() == 1 })
	w.open(claim)
	w.shoot("unfinished-" + when)
	w.conserved()
	if p, _ := w.lab.Purse("ruby"); p.Balance() != old+map[string]money.Fen{"before": 0, "after": 2000}[when] {
		w.Fatalf("torn %s: the card holds %s", when, p.Balance())
	}
	w.passenger.forget()
	w.tap("ruby")
	w.screen("done")
	w.passenger.reads("#new-balance", (old + 2000).String())
	w.shoot("done-torn-" + when)
	w.balance("ruby", old+2000)
	w.charged(rich.name, debits+2000)
	w.settled()
}

// open says that the claim number on the screen is that of the open sale.
func (w *world) open(claim string) {
	w.Helper()
	st, err := w.lab.Station().Engine().State()
	if err != nil {
		w.Fatal(err)
	}
	for _, s := range st.Durable.InOrder() {
		if s.ID.Claim() == strings.TrimSpace(claim) && claim != "" {
			return
		}
	}
	w.Fatalf("the screen says claim %q, which no open sale has", claim)
}

func wrongPIN(w *world) {
	old, debits := w.now("ruby", rich)
	w.offer("ruby")
	w.choose(1000)
	w.screen("payment")
	w.pay(rich.name)
	w.screen("pin")
	w.keys("909090")
	w.passenger.reads("#notice", w.words.T("reason.wrong-pin.title"))
	w.passenger.reads("#tries", w.words.T("screen.pin.tries", "n", 2))
	w.shoot("wrong-pin")
	w.keys(rich.pin)
	w.screen("hold")
	w.charged(rich.name, debits+1000)
	w.tap("ruby")
	w.screen("done")
	w.balance("ruby", old+1000)
	w.charged(rich.name, debits+1000)
	w.settled()
}

func declined(w *world) {
	old, debits := w.now("ruby", poor)
	w.offer("ruby")
	w.choose(5000)
	w.screen("payment")
	w.pay(poor.name)
	w.screen("pin")
	w.keys(poor.pin)
	w.screen("declined")
	w.title("reason.insufficient-funds.title")
	w.reason("insufficient-funds")
	w.shoot("declined")
	w.balance("ruby", old)
	w.charged(poor.name, debits)
	w.settled()
	w.home()
}

func cancelled(w *world) {
	old, debits := w.now("ruby", rich)
	w.offer("ruby")
	w.choose(5000)
	w.screen("payment")
	w.pay(rich.name)
	w.screen("pin")
	w.cancelAtPad()
	w.screen("declined")
	w.reason("pin-cancelled")
	w.shoot("cancelled")
	w.balance("ruby", old)
	w.charged(rich.name, debits)
	w.settled()
	w.home()
}

func stopped(w *world) {
	old, debits := w.now("ruby", rich)
	w.paid("ruby", 5000, rich)
	w.charged(rich.name, debits+5000)
	w.passenger.press("#stop")
	w.screen("declined")
	w.reason("stopped-money-back")
	w.shoot("stopped")
	w.charged(rich.name, debits)
	w.balance("ruby", old)
	w.settled()
	w.home()
}

func networkGone(w *world) {
	old, debits := w.now("ruby", rich)
	w.bench.press("#both-down")
	w.bench.until("the network to be gone", `document.querySelector("#switch-state").classList.contains("bad")`)
	w.offer("ruby") // balance and history need no network
	w.passenger.reads("#balance", old.String())
	w.passenger.until("no amount to be offered in vain", `document.getElementById("title").textContent === `+quote(w.words.T("screen.offline.title"))+
		` && !document.querySelector(".choice")`)
	w.passenger.reads("#main", w.words.T("screen.offline.can-balance"))
	w.shoot("offline")
	w.charged(rich.name, debits)
	w.balance("ruby", old)
	w.passenger.press("#stop")
	w.home()
	w.bench.press("#both-up")
	w.ready()
	w.settled()
}

func powerCut(w *world) {
	old, debits := w.now("ruby", rich)
	w.paid("ruby", 1000, rich)
	w.bench.press("#power-cut")
	w.bench.until("the power to be gone", `document.querySelector("#power-state").classList.contains("bad")`)
	w.screen("out-of-service")
	w.shoot("power-cut")
	w.bench.shoot("power-cut-"+w.words.Code, laptop)
	w.bench.press("#power-on")
	w.screen("hold")
	w.passenger.reads("#amount", "10.00")
	w.charged(rich.name, debits+1000)
	w.conserved()
	w.speak() // a power cut forgets the language
	w.title("screen.hold.title")
	w.passenger.reads("#text", "8024")
	w.passenger.reads("#bank-card", "622588******0027")
	w.shoot("hold-again")
	w.tap("ruby")
	w.screen("done")
	w.balance("ruby", old+1000)
	w.charged(rich.name, debits+1000)
	w.settled()
	w.offer("ruby")
	w.shoot("history")
}

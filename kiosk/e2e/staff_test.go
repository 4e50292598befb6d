package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"buka/internal/money"
	"buka/topup"
)

// signIn opens a page for staff and signs in with the password that the demo
// printed at its first start.
func (w *world) signIn(name string) *page {
	w.Helper()
	who, ok := w.first[name]
	if !ok {
		w.Fatalf("no first password of %s was printed:\n%s", name, w.printed)
	}
	p := tab(w.T, w.profile, name, w.demo.URL+"/"+name+"?lang="+w.words.Code, laptop, w.frames)
	p.until("the login", `location.pathname === "/`+name+`/login" && Boolean(document.getElementById("sign-in"))`)
	p.shoot("login-"+w.words.Code, laptop)
	p.write("#name", who[0])
	p.write("#password", who[1])
	p.press("#sign-in")
	p.until("the page behind the login", `location.pathname === "/`+name+`" && document.documentElement.dataset.link === "up"`)
	return p
}

// TestDrain: ten sales with the fleet link down, the host killed twice while
// the journal drains. Every entry is at the host once and in order, and the
// operator's page says so.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := begin(t, "en", []card{{"ruby", "3105170010170908024", 2850}, {"jade", "3105170010170908032", 700}}, []bank{rich})
	operator := w.signIn("operator")
	const row = "#kiosk-K0001"
	operator.reads(row, w.words.T("fleet.up"))
	before := w.atHost()
	w.bench.press("#fleet-down")
	for i := range 10 {
		name := []string{"ruby", "jade"}[i%2]
		w.paid(name, 1000, rich)
		w.tap(name)
		w.screen("done")
	}
	w.balance("ruby", 7850)
	w.balance("jade", 5700)
	w.settled()
	if got := w.atHost(); got != before {
		t.Fatalf("the cable is out and the host has grown from %d to %d entries", before, got)
	}
	operator.reads(row, w.words.T("fleet.down"))
	operator.shoot("down", laptop)

	// The host dies the first time while a batch waits to be written, the second
	// time as soon as something was, whether the kiosk has heard of it or not.
	w.killInBatch()
	w.startHost()
	wait(t, func() error {
		if w.atHost() > before {
			return nil
		}
		return errors.New("nothing arrives at the host")
	})
	w.killHost()
	operator.reads(row, w.words.T("fleet.down"))
	w.startHost()

	w.settled()
	var tail uint64
	wait(t, func() error { // the switch link comes back too, and its news are entries
		err := w.lab.Synced(context.Background())
		tail, _ = w.lab.Station().Journal().Tail()
		if got := w.atHost(); err == nil && got != tail {
			err = fmt.Errorf("the host has %d entries, the kiosk %d", got, tail)
		}
		return err
	})
	w.charged(rich.name, 10000)
	operator.reads(row, w.words.T("fleet.up"))
	operator.reads("#fleet-sum", w.words.T("fleet.calm"))
	for column, want := range map[string]string{"owed": "0", "unshipped": "0", "rewrites": "0", "unresolved": "0", "journal": fmt.Sprint(tail) + " " + w.words.T("fleet.chain-ok")} {
		operator.cell(row, w.words.T("fleet."+column), want)
	}
	operator.shoot("synced", laptop)
	operator.press(row + " a")
	operator.reads("#journal-seq", fmt.Sprint(tail))
	operator.shoot("kiosk", laptop)
	operator.until("the last entry", fmt.Sprintf(`document.querySelector(".journal .num").textContent === "%d"`, tail))
}

// cell waits until the column with this head says this in this row.
func (p *page) cell(row, head, want string) {
	p.t.Helper()
	expression := fmt.Sprintf(`(() => {
		const at = [...document.querySelectorAll("table.fleet th")].findIndex((e) => e.textContent === %s);
		const cell = document.querySelector(%s)?.children[at];
		return cell ? cell.innerText.trim().replace(/\s+/g, " ") : "there is no such cell";
	})()`, quote(head), quote(row))
	wait(p.t, func() error {
		if got := ask[string](p, expression); got != want && !strings.HasPrefix(got, want+" ") { // more may stand below
			return fmt.Errorf("%s: %s of %s is %q, not %q", p.name, head, row, got, want)
		}
		return nil
	})
}

// atHost verifies the journal at the host and says how many entries it holds.
func (w *world) atHost() uint64 {
	w.Helper()
	side := w.lab.Side()
	if side == nil {
		return 0
	}
	n, err := side.Verify(context.Background(), "K0001")
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// batchBytes are fewer than the journal of ten sales has, and more than
// heartbeats and greetings.
const batchBytes = 8 << 10

// killInBatch puts the cable back and kills the host with a batch before the
// database: the write lock is held until the host is dying.
func (w *world) killInBatch() {
	w.Helper()
	held, dying, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	host := w.lab.Host()
	go func() {
		ended <- host.Write(context.Background(), func(*sql.Tx) error {
			close(held)
			<-dying
			return errors.New("the host dies")
		})
	}()
	<-held
	before := w.wires.sent("fleet")
	w.bench.press("#fleet-up")
	wait(w.T, func() error {
		if got := w.wires.sent("fleet") - before; got < batchBytes {
			return fmt.Errorf("no batch of the journal on the wire: %d bytes", got)
		}
		return nil
	})
	killed := make(chan error, 1)
	go func() { killed <- w.lab.KillHost() }()
	wait(w.T, func() error {
		if w.lab.Host() != nil {
			return errors.New("the host lives")
		}
		return nil
	})
	close(dying)
	<-ended
	if err := <-killed; err != nil {
		w.Fatal(err)
	}
}

func (w *world) killHost() {
	w.Helper()
	if err := w.lab.KillHost(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) startHost() {
	w.Helper()
	if err := w.lab.StartHost(context.Background()); err != nil {
		w.Fatal(err)
	}
}

// TestDesk: a write torn on the passenger's reader is finished by the cashier
// at the desk reader, whether the card had written or not.
func TestDesk(t *testing.T) {
	for _, c := range []struct{ code, when string }{{"en", "before"}, {"zh", "after"}} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			w := begin(t, c.code, []card{{"ruby", "3105170010170908024", 2850}}, []bank{rich})
			w.paid("ruby", 2000, rich)
			w.bench.press("#tear-" + c.when + "-ruby")
			w.bench.until("the tear to be armed", `document.querySelector("#tear-`+c.when+`-ruby").getAttribute("aria-pressed") === "true"`)
			w.tap("ruby")
			w.screen("unfinished")
			claim := strings.TrimSpace(w.passenger.text("#claim"))
			w.open(claim)
			w.finishAtDesk(claim, c.when)
			w.balance("ruby", 4850)
			w.charged(rich.name, 2000)
			w.settled()
			w.bench.press("#remove-ruby")
			w.screen("idle") // what the cashier took over has left the passenger's screen
		})
	}
}

// finishAtDesk is the cashier with the card in hand.
func (w *world) finishAtDesk(claim, torn string) {
	w.Helper()
	cashier := w.signIn("cashier")
	cashier.reads("#desk-open .claim", claim)
	cashier.reads("#desk-open .amount", "20.00")
	cashier.reads("#desk-open .facts", "622588******0027")
	cashier.reads("#desk-open", w.words.T("desk.why-not.no-card"))
	w.bench.press("#desk-ruby")
	cashier.reads("#desk-balance", map[string]money.Fen{"before": 2850, "after": 4850}[torn].String())
	cashier.shoot("card-"+w.words.Code, laptop)
	cashier.press(`#desk-open button[data-do="prove"]`)
	if torn == "before" { // not on the card, says the authority: now it may be written
		cashier.reads("#result-title", w.words.T("desk.result.not-there.title"))
		cashier.reads("#desk-open .stated", w.words.T("desk.state.offered"))
		cashier.shoot("not-there-"+w.words.Code, laptop)
		cashier.press(`#desk-open button[data-do="rewrite"]`)
		cashier.reads("#result-title", w.words.T("desk.result.written.title"))
		cashier.reads("#slip", "28.50")
	} else {
		cashier.reads("#result-title", w.words.T("desk.result.already-there.title"))
	}
	cashier.shoot("slip-"+w.words.Code, laptop)
	for _, line := range []string{claim, "8024", "20.00", "622588******0027", "cashier", "K0001"} {
		cashier.reads("#slip", line)
	}
	w.until("nothing is open", func(s topup.State) bool { return s.Durable.Rewrites() == 0 })
	cashier.reads("#desk-open", w.words.T("desk.open-none"))
	cashier.press("#clear")
	cashier.until("the slip to go", `!document.querySelector("#slip")`)
}

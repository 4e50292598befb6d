package scenario

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"buka/cardio/reader"
	"buka/cardio/reader/pcscd"
	"buka/kiosk/foreign"
)

func TestMain(m *testing.M) {
	foreign.Main() // this binary again, as a card
	os.Exit(m.Run())
}

const lockWait = 10 * time.Minute // another package may play all its cards first

// TestPCSC is everything behind a real pcscd and vpcd. One service serves all of
// it: vpcd's ports are fixed, and to start it for each script would take longer
// than the scripts. Readers and lock are given back before the scripts in memory
// run, which need neither.
func TestPCSC(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), lockWait)
	defer cancel()
	unlock, err := pcscd.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	end, err := pcscd.Ensure(ctx, pcscd.Options{Desk: true})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	t.Run("own", ownCards)
	t.Run("foreign", foreignCards)
	t.Run("foreign not written", foreignCardNotWritten)
	t.Run("foreign swapped", foreignCardSwapped)
	t.Run("foreign flickers", foreignCardFlickers)
	t.Run("foreign comes and goes", foreignCardComesAndGoes)
}

func pcscOptions() Options {
	o := Options{Reader: "pcsc", Slack: 6}
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	return o
}

// ownCards runs scripts of the house's own cards behind a real pcscd and vpcd.
func ownCards(t *testing.T) {
	for _, name := range []string{
		"first-topup", "torn-before", "torn-after", "cut-torn-after", "desk-before", "strict-keep-same-after", "declined", "cut-at-write-started",
		"bank-contact", "bank-torn-after-genac2", "one-reader", "settle",
	} {
		t.Run(name, func(t *testing.T) {
			if err := RunFile(t.Context(), filepath.Join("testdata", name+".txt"), pcscOptions()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

const lenient = ""

// foreignCards tops up a card that is not of this house: another program in
// another process, on the first reader, which knows the field's facts and
// nothing of ours. The bank card is the house's, on the second reader.
func foreignCards(t *testing.T) {
	for i, c := range []struct {
		name, script, habits, fate string
		balance                    string
	}{
		{"lenient", "whole", lenient, "", "78.50"},
		{"strict", "whole", foreign.Strict, "", "78.50"},
		{"lenient torn before", "torn", lenient, "tear=before", "78.50"},
		{"lenient torn after", "torn", lenient, "tear=after", "78.50"},
		{"strict torn before", "torn", foreign.Strict, "tear=before", "78.50"},
		{"strict torn after", "torn", foreign.Strict, "tear=after", "78.50"},
		{"mixed torn before", "torn", mixed, "tear=before", "78.50"},
		{"mixed torn after", "torn", mixed, "tear=after", "78.50"},
		{"strict ride before", "torn-ride", foreign.Strict, "tear=before away=ride:2.00", "76.50"},
		{"strict ride after", "torn-ride", foreign.Strict, "tear=after away=ride:2.00", "76.50"},
		{"poor torn before", "torn", poor, "tear=before", "78.50"},
		{"poor torn after", "torn", poor, "tear=after", "78.50"},
		{"log only torn after", "torn", "noprove 6985 wipe", "tear=after", "78.50"},
		{"proof only torn after", "torn", "nolog noppse noslot once 6985 wipe", "tear=after", "78.50"},
		{"strict power", "power", foreign.Strict, "", "78.50"},
		{"loaded elsewhere after", "torn-moved", foreign.Strict, "tear=after away=load:20.00", "98.50"},
		{"replayed", "torn-people", "replay", "tear=after", "78.50"},
		{"replayed, strict", "torn-people", foreign.Strict + " replay", "tear=after", "78.50"},
		{"back at once before", "torn", lenient, "tear=before return=0s", "78.50"},
		{"back at once after", "torn", foreign.Strict, "tear=after return=0s", "78.50"},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := startForeign(t, fmt.Sprintf("number=31051700101709%05d balance=28.50 counter=2 return=600ms %s %s", 70000+i, c.habits, c.fate))
			if err := RunFile(t.Context(), filepath.Join("testdata", "pcsc", c.script+".txt"), pcscOptions()); err != nil {
				t.Error(err)
			}
			card.has(c.balance, "1 50.00")
			if torn := card.do("torn"); torn == "0" != (c.fate == "") {
				t.Errorf("it was torn %s times", torn)
			}
		})
	}
}

const poor = "noppse nolog noprove noslot bare" // can hardly be asked anything

const mixed = "same once 61xx pin=123456"

// foreignCardNotWritten: the write was torn before the card's commit, and
// then something happened that leaves nobody but people to decide. The card was
// never written, and the money is still held for it.
func foreignCardNotWritten(t *testing.T) {
	for i, c := range []struct{ name, habits, fate, balance string }{
		{"loaded elsewhere", foreign.Strict, "tear=before away=load:20.00", "48.50"},
		{"loaded elsewhere, lenient", lenient, "tear=before away=load:20.00", "48.50"},
		{"replayed", "replay", "tear=before", "28.50"},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := startForeign(t, fmt.Sprintf("number=31051700101709%05d balance=28.50 counter=2 return=600ms %s %s", 71000+i, c.habits, c.fate))
			if err := RunFile(t.Context(), filepath.Join("testdata", "pcsc", "torn-people.txt"), pcscOptions()); err != nil {
				t.Error(err)
			}
			card.has(c.balance, "0 0.00")
		})
	}
}

// foreignCardSwapped: another card with the same answer to reset takes the
// place of the first in the middle, and no part of the reader stack can notice.
func foreignCardSwapped(t *testing.T) {
	for _, c := range []struct{ at, script, more string }{
		{"8", "flickers", ""}, {"initialize", "flickers", ""}, {"credit", "flickers", ""},
		{"prove", "torn", "tear=before"}, {"prove", "torn", "tear=after"},
	} {
		t.Run(c.at+" "+c.more, func(t *testing.T) {
			card := startForeign(t, fmt.Sprintf("balance=28.50 counter=2 return=600ms swap=%s %s", c.at, c.more))
			if err := RunFile(t.Context(), filepath.Join("testdata", "pcsc", c.script+".txt"), pcscOptions()); err != nil {
				t.Error(err)
			}
			card.has("78.50", "1 50.00")
			if got := card.do("other"); got != "0.00" {
				t.Errorf("the other card has gained %s", got)
			}
		})
	}
}

// foreignCardFlickers: contact is lost at some command, anywhere in the
// sale, for less than pcscd takes to notice it.
func foreignCardFlickers(t *testing.T) {
	for _, drop := range flickers {
		t.Run(fmt.Sprint(drop), func(t *testing.T) {
			card := startForeign(t, fmt.Sprintf("balance=28.50 counter=2 %s drop=%d return=0s", foreign.Strict, drop))
			if err := RunFile(t.Context(), filepath.Join("testdata", "pcsc", "flickers.txt"), pcscOptions()); err != nil {
				t.Error(err)
			}
			card.has("78.50", "1 50.00")
		})
	}
}

var flickers = []int{6, 16, 20} // reading, eligibility, the load

// foreignCardComesAndGoes: the card is not there when the kiosk starts, is
// taken away after its sale, comes back for another, and is torn at that one.
func foreignCardComesAndGoes(t *testing.T) {
	card := startForeign(t, "absent balance=28.50 counter=7 return=600ms "+foreign.Strict)
	person := make(chan struct{})
	defer func() { <-person }()
	done := make(chan error, 1)
	go func() { done <- RunFile(t.Context(), filepath.Join("testdata", "pcsc", "twice.txt"), pcscOptions()) }()
	go func() {
		defer close(person)
		card.do("return")
		for deadline := time.Now().Add(time.Minute); card.do("loads") == "0 0.00" && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		card.do("tear after")
		time.Sleep(time.Second) // what a person takes to see it
		card.do("leave")
		awaitEmpty(t)
		card.do("return")
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	card.has("128.50", "2 100.00")
}

// foreignCard is the other program, asked for its own truth.
type foreignCard struct {
	*foreign.Process
	t *testing.T
}

func startForeign(t *testing.T, options string) foreignCard {
	t.Helper()
	p, err := foreign.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		awaitEmpty(t)
	})
	return foreignCard{p, t}
}

func (c foreignCard) do(line string) string {
	answer, err := c.Do(line)
	if err != nil {
		c.t.Error(err)
	}
	return answer
}

func (c foreignCard) has(balance, loads string) {
	c.t.Helper()
	if got := c.do("balance"); got != balance {
		c.t.Errorf("the card itself has %s, not %s", got, balance)
	}
	if got := c.do("loads"); got != loads {
		c.t.Errorf("the card itself was loaded %s (times, sum), not %s", got, loads)
	}
}

// awaitEmpty waits until the service has noticed that the card is gone: what
// comes then is another presence, and the next test's kiosk begins with an empty
// reader. It may be called while a kiosk watches the reader.
func awaitEmpty(t *testing.T) {
	t.Helper()
	src := reader.NewPCSC(reader.Limits{})
	defer src.Close()
	for deadline := time.Now().Add(time.Minute); ; {
		card, err := src.Open(context.Background(), pcscd.Reader0)
		if errors.Is(err, reader.ErrNoCard) {
			return
		}
		if err == nil {
			card.Close()
		}
		if time.Now().After(deadline) {
			t.Error("the reader still shows a card: ", err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

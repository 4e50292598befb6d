package virtual

import (
	"errors"
	"testing"
	"time"

	"buka/internal/pboc"
)

func TestTear(t *testing.T) {
	for _, when := range []When{Before, After} {
		store, err := NewDirStore(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		o := PurseOptions{Number: testNumber, Balance: 2850, Counter: 2}
		p, err := NewPurse(o, store)
		if err != nil {
			t.Fatal(err)
		}
		torn := 0
		p.Tear(Tear{When: when, Match: IsCredit, OnTorn: func() { torn++ }})
		say(t, p, selectPurse, "*9000")
		init := say(t, p, initLoad, "*9000")
		if !p.Armed() {
			t.Fatal("it must wait for its command")
		}
		if got := p.Process(unhex(t, credit(t, init, 5000))); got != nil || torn != 1 || p.Armed() {
			t.Fatalf("%X %d", got, torn)
		}
		if got := p.Process(unhex(t, balance)); got != nil {
			t.Fatalf("a dark card answered %X", got)
		}
		// The same card in another process.
		again, err := NewPurse(PurseOptions{Number: testNumber, Balance: 1}, store)
		if err != nil {
			t.Fatal(err)
		}
		online, _ := again.Counters()
		if when == Before && (again.Balance() != 2850 || online != 2 || len(again.Log()) != 0) ||
			when == After && (again.Balance() != 7850 || online != 3 || len(again.Log()) != 1) {
			t.Error(when, again.Balance(), online, again.Log())
		}
		p.Reset()
		say(t, p, selectPurse, "*9000")
	}
}

func TestTearAtTheNth(t *testing.T) {
	p := newPurse(t, nil)
	p.Tear(Tear{When: Before, N: 3})
	say(t, p, selectPurse, "*9000")
	say(t, p, balance, "*9000")
	if p.Process(unhex(t, balance)) != nil {
		t.Error("the third command")
	}
}

// failing is a store whose commits fail.
type failing struct{ *MemoryStore }

func (failing) Save(string, []byte) error { return errors.New("worn out") }

func TestCommitFails(t *testing.T) {
	p := newPurse(t, nil)
	p.store = failing{}
	say(t, p, selectPurse, "*9000")
	say(t, p, credit(t, say(t, p, initLoad, "*9000"), 5000), "6581")
	if n, _ := p.Counters(); p.Balance() != 2850 || n != 2 {
		t.Error(p.Balance(), n)
	}
}

func TestElsewhere(t *testing.T) {
	p := newPurse(t, func(o *PurseOptions) { o.PIN, o.Use61xx = "1234", true })
	p.Tear(Tear{When: Before})
	at := time.Date(2026, 1, 15, 18, 15, 0, 0, time.UTC)
	if err := p.Ride(200, testTerminal, at); err != nil {
		t.Fatal(err)
	}
	if err := p.LoadElsewhere(1000, testTerminal, at); err != nil {
		t.Fatal(err)
	}
	if err := p.Ride(1_000_000, testTerminal, at); !errors.Is(err, ErrElsewhere) {
		t.Error(err)
	}
	online, offline := p.Counters()
	log := p.Log()
	if p.Balance() != 3650 || online != 3 || offline != 11 || len(log) != 2 || log[0].Type != pboc.PurseLoad || !p.Armed() {
		t.Error(p.Balance(), online, offline, log)
	}
}

func TestLogIsCyclic(t *testing.T) {
	p := newPurse(t, func(o *PurseOptions) { o.LogAfter = true })
	for range 12 {
		if err := p.Ride(1, testTerminal, time.Unix(0, 0).UTC()); err != nil {
			t.Fatal(err)
		}
	}
	log := p.Log()
	if len(log) != 10 || log[0].Number != 22 || log[9].Number != 13 {
		t.Error(log)
	}
}

package station

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"buka/cardio/emv"
	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/topup"
	"buka/ui"
)

const creditPAN = "6225880000000035"

// twoWays is a card in a slot that has debit and credit.
func (c *counter) twoWays() *virtual.Bank {
	return c.card(virtual.BankOptions{Contact: true, Second: &virtual.BankOptions{PAN: creditPAN}})
}

// question waits until the passenger is asked.
func (c *counter) question() []emv.Choice {
	c.t.Helper()
	for end := time.Now().Add(hostWait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if list := c.tender.asked("SALE"); list != nil {
			return list
		}
	}
	c.t.Fatal("nobody asks how to pay")
	return nil
}

// collecting is Collect on its way.
func (c *counter) collecting(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.tender.Collect(ctx, takes, func(string, bool) {}) }()
	return done
}

func TestThePassengerChoosesHowToPay(t *testing.T) {
	c := newCounter(t)
	told := make(chan int, 8)
	c.tender.changed = func() { told <- len(c.tender.asked("SALE")) }
	c.insert(c.twoWays())
	done := c.collecting(t.Context())
	list := c.question()
	if len(list) != 2 || list[0].Name != "UnionPay Debit" || list[1].Name != "UnionPay Credit" {
		t.Fatalf("%+v", list)
	}
	if c.tender.asked("ANOTHER") != nil {
		t.Error("another sale is asked")
	}
	for _, x := range []struct {
		sale  entry.SaleID
		i, of int
	}{{"ANOTHER", 0, 0}, {"SALE", 2, 1}, {"SALE", -1, 0}, {"SALE", 0, 1}} {
		if c.tender.chosen(x.sale, x.i, list[x.of].Name, list[x.of].Kind) {
			t.Errorf("%+v was chosen", x)
		}
	}
	c.number = creditPAN
	if !c.tender.chosen("SALE", 1, list[1].Name, list[1].Kind) {
		t.Error("nobody takes the answer")
	}
	c.tender.chosen("SALE", 0, list[0].Name, list[0].Kind) // a second press
	if err := <-done; err != nil || c.asked != 1 || c.tender.asked("SALE") != nil {
		t.Fatal(err, c.asked)
	}
	if first, last := <-told, <-told; first != 2 || last != 0 {
		t.Errorf("the pages were told of %d and %d applications", first, last)
	}
	c.answer = func(icc []byte) (topup.Paid, []byte) { return c.says("55", icc) }
	c.pays(7)
	// Another PIN is no other choice, and nobody is asked again.
	if why := c.reason(c.tender.Again(t.Context(), topup.RetryPIN{Sale: "SALE", Amount: 5000})); why != "" || c.asked != 2 {
		t.Fatal(why, c.asked)
	}
	c.answer = c.approves
	paid := c.pays(8)
	if paid.Outcome != entry.Done || paid.Refused || len(c.sent) != 2 {
		t.Fatalf("%+v", paid)
	}
	for _, s := range c.sent {
		if !bytes.Equal(c.tag(s.icc, 0x84), []byte{0xA0, 0, 0, 3, 0x33, 1, 1, 2}) {
			t.Errorf("DE55 names %X", c.tag(s.icc, 0x84))
		}
	}
}

// TestAChoiceThatIsNotMade: the stop button, the card leaving and the time being
// up each end it; no cryptogram was made, nothing was sent, the card is let go.
func TestAChoiceThatIsNotMade(t *testing.T) {
	for name, x := range map[string]struct {
		do   func(c *counter, stop func())
		want string // key of the pages; "": nobody waits for one
	}{
		"stopped":     {func(_ *counter, stop func()) { stop() }, ""},
		"card leaves": {func(c *counter, _ func()) { c.remove() }, "card-gone"},
		"time is up":  {func(*counter, func()) {}, "timeout"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCounter(t)
			card := c.twoWays()
			c.insert(card)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			done := c.collecting(ctx)
			c.question()
			began := time.Now()
			x.do(c, stop)
			err := <-done
			if took := time.Since(began); took > 2*time.Minute {
				t.Errorf("%s: after %v", name, took)
			}
			if x.want == "" {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", name, err)
				}
			} else if why := c.reason(err); why != x.want {
				t.Errorf("%s: %q", name, why)
			}
			if card.ATC() != 0 || card.Second().ATC() != 0 || c.asked != 0 || c.tender.held != nil || c.tender.asked("SALE") != nil {
				t.Errorf("%s: counters %d and %d, PIN asked %d times", name, card.ATC(), card.Second().ATC(), c.asked)
			}
			if paid := c.pays(7); paid.Code != "not-sent" || len(c.sent) != 0 {
				t.Errorf("%s: %+v", name, paid)
			}
			if x.want != "card-gone" { // the reader is free again
				again, err := c.memory.Open(t.Context(), "One 00")
				if err != nil {
					t.Fatal(err)
				}
				again.Close()
			}
		})
	}
}

// TestTimeToChooseIsNotTheCards: the time that a dialogue may take stands still
// while somebody reads the page. No time passes but that which the test sleeps.
func TestTimeToChooseIsNotTheCards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		c.insert(c.twoWays())
		done := c.collecting(t.Context())
		first := c.question()[0]
		time.Sleep(10 * cardReadWait)
		c.tender.chosen("SALE", 0, first.Name, first.Kind)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		c.tender.Drop()
	})
}

// TestThePageAsks: what the payment screen shows, that a press is of that screen,
// and that the answer reaches the tender.
func TestThePageAsks(t *testing.T) {
	b := &bankCard{}
	q := &question{sale: "SALE", list: []emv.Choice{{Name: "A", Kind: "visa"}, {Kind: "mastercard"}}, answer: make(chan int, 1)}
	s := &Station{till: newTill(b, func(topup.Event) {})}
	scr := ui.Screen{Name: ui.ScreenPayment, Notice: ui.ReasonTransitCard, NoticeWords: ui.ReasonTakeTransitCard}
	front := topup.Console{Phase: topup.Paying, Sale: "SALE"}
	if s.question(front, &scr); scr.Applications != nil || scr.Notice == "" {
		t.Errorf("asked of nobody: %+v", scr)
	}
	b.put(q)
	if s.question(topup.Console{Phase: topup.PINEntry, Sale: "SALE"}, &scr); scr.Applications != nil {
		t.Errorf("asked at another time: %+v", scr)
	}
	before := meaning(scr)
	s.question(front, &scr)
	if len(scr.Applications) != 2 || scr.Applications[0] != (ui.Application{Name: "A", Kind: "visa"}) || scr.Notice != "" || scr.NoticeWords != "" {
		t.Errorf("%+v", scr)
	}
	if after := meaning(scr); len(after.Applications) == len(before.Applications) {
		t.Error("a press means the same before and after")
	}
	p := &passenger{station: s}
	other := &question{sale: "SALE", list: []emv.Choice{{Kind: "mastercard"}, {Name: "A", Kind: "visa"}}, answer: make(chan int, 1)}
	b.put(other) // since the press: another card lies there
	if err := p.choose("SALE", scr.Applications, "0"); !errors.Is(err, ui.ErrStale) || len(other.answer) != 0 {
		t.Errorf("a press on another question: %v, %d answers", err, len(other.answer))
	}
	b.put(q)
	for _, value := range []string{"", "2", "-1", "A"} {
		if err := p.choose("SALE", scr.Applications, value); err == nil || errors.Is(err, ui.ErrStale) {
			t.Errorf("%q: %v", value, err)
		}
	}
	if err := p.choose("SALE", scr.Applications, "1"); err != nil || <-q.answer != 1 {
		t.Error(err)
	}
}

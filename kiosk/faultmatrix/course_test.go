package faultmatrix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"buka/cardio/virtual"
	"buka/kiosk/lab"
	"buka/topup"
)

// tap and slot are bank cards without and with contacts. One with contacts has
// the last word: issuer authentication, scripts, second GENERATE AC.
var (
	tap     = &virtual.BankOptions{}
	slot    = &virtual.BankOptions{Contact: true}
	regrets = &virtual.BankOptions{Contact: true, Regrets: true}
)

// courses are sales that go otherwise than most.
var courses = []course{
	{name: "stopped after the payment", bank: tap, stops: topup.Holding,
		messages: "0100 0110 0200 0210 *0400 *0410"},
	{name: "refused by the transit card", bank: tap, refuse: 0x9302,
		messages: "0100 0110 0200 0210 0100 0110 *0220 *0230 *0400 *0410"},
	{name: "paid without an answer", bank: tap, silent: "0210",
		messages: "0100 0110 0200 *0400 *0410"},
	{name: "refused by the bank card", bank: regrets, script: true,
		messages: "0100 0110 *0200 *0210 *0400 *0410"},
	{name: "in the slot, with a script", bank: slot, script: true,
		messages: "*0100 *0110 *0200 *0210 *0620 *0630 *0100 *0110 *0220 *0230"},
	{name: "the second PIN", bank: tap, wrong: true,
		messages: "0100 0110 *0200 *0210 *0200 *0210 0100 0110 0220 0230"},
	{name: "the second PIN in the slot", bank: slot, wrong: true,
		messages: "0100 0110 *0200 *0210 *0200 *0210 0100 0110 0220 0230"},
}

// TestCourses: each course has the messages that it is said to have. It has the
// processors for itself, as others have not: what is late would be said again.
func TestCourses(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, errors.New("it never ended"))
	defer cancel()
	w, err := open(ctx, t.TempDir(), unhurried, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, c := range courses {
		if c.silent != "" {
			continue // its answer is late by the timer: it has no other sales than struck ones
		}
		var mu sync.Mutex
		var seen []string
		w.post(func(out bool, frame []byte) []lab.Delivery {
			mu.Lock()
			defer mu.Unlock()
			if ofSale(frame) {
				seen = append(seen, mtiOf(frame))
			}
			return []lab.Delivery{{Frame: frame}}
		})
		if _, err := w.sale(ctx, c); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		want := strings.Fields(strings.ReplaceAll(c.messages, "*", ""))
		so := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Sorted(slices.Values(seen))
		}
		for limit := time.Now().Add(unhurried); len(so()) < len(want) && time.Now().Before(limit); { // what the issuer is told hurries nobody
			time.Sleep(5 * time.Millisecond)
		}
		w.post(nil)
		if slices.Sort(want); !slices.Equal(so(), want) {
			t.Errorf("%s: %v, want %v", c.name, so(), c.messages)
		}
		if list, err := w.lab.Ordered(ctx, w.bank); c.script && (err != nil || !slices.Equal(list, []string{"pin done"})) {
			t.Errorf("%s: the issuer's script is %v, %v", c.name, list, err)
		}
	}
}

// turn is one message of a course and what it meets.
type turn struct {
	course
	fate
}

// TestEveryMessageOfOtherCourses: the same for the messages that a sale has when
// it goes back, when the bank card lies in the slot and has the last word, and
// when a second PIN is wanted.
func TestEveryMessageOfOtherCourses(t *testing.T) {
	t.Parallel()
	var list []turn
	for _, c := range courses {
		for _, l := range c.letters(true) {
			for _, f := range fates(l.mti, l.n) {
				list = append(list, turn{c, f})
			}
		}
	}
	each(t, list, func(ctx context.Context, w *world, o turn) error {
		var err error
		if o.word() { // first what is left of the task before
			_, err = w.sale(ctx, plain)
		}
		if err == nil {
			err = w.struck(ctx, o.fate, o.course)
		}
		if err == nil && o.word() {
			err = w.told(ctx, w.bank)
		}
		if err != nil {
			return fmt.Errorf("%s, %s: %w", o.course.name, o.fate, err)
		}
		return nil
	})
	t.Logf("%d sales", len(list))
}

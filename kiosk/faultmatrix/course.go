package faultmatrix

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"buka/cardio/virtual"
	"buka/topup"
)

// course is a way that a sale goes when nothing else happens to it.
type course struct {
	name   string
	bank   *virtual.BankOptions // a card of its own for each sale; nil: the world's
	wrong  bool                 // the first PIN is
	script bool                 // the issuer has a script for the card
	refuse uint16               // what the transit card answers to its write, once
	stops  topup.Phase          // where the passenger stops
	silent string               // answers with this MTI are lost after the host's commit

	// messages of it, with the answers, in no order that counts; * before those
	// that the matrix strikes.
	messages string
}

// plain is the course that most sales take: contactless, the right PIN, written.
var plain = course{name: "plain"}

// letter is one message of a course: the n-th with that MTI.
type letter struct {
	mti string
	n   int
}

// letters lists the messages; struck: those that the matrix strikes.
func (c course) letters(struck bool) (list []letter) {
	count := map[string]int{}
	for _, word := range strings.Fields(c.messages) {
		mti, marked := strings.CutPrefix(word, "*")
		count[mti]++
		if marked || !struck {
			list = append(list, letter{mti, count[mti]})
		}
	}
	return list
}

// means is the bank card of one sale.
func (w *world) means(ctx context.Context, c course) (name, pan string, err error) {
	if c.bank == nil {
		return "blue", bankPAN, nil
	}
	name, pan, err = w.newBank(ctx, *c.bank)
	if err == nil && c.script {
		err = w.lab.Order(ctx, name, "pin")
	}
	return name, pan, err
}

// sale is one top-up to its very end, with whatever happens to it. It gives how
// each go of the passenger ended.
func (w *world) sale(ctx context.Context, c course) (ends []End, err error) {
	if err := w.ready(ctx); err != nil {
		return nil, err
	}
	bank, pan, err := w.means(ctx, c)
	if err != nil {
		return nil, err
	}
	before, err := w.ledger(ctx, pan)
	if err != nil {
		return nil, err
	}
	card, err := w.newCard()
	if err != nil {
		return nil, err
	}
	p := &Passenger{Lab: w.lab, Card: card, Bank: bank, Amount: amount, PIN: func(asked int) string {
		if w.typing != nil {
			w.typing(asked)
		}
		return c.pin(asked)
	}}
	if c.stops != "" {
		p.Stops = func(now topup.Phase) bool { return now == c.stops }
	}
	if c.refuse != 0 {
		if err := w.lab.Refuse(card, c.refuse); err != nil {
			return nil, err
		}
	}
	if c.silent != "" {
		w.lab.Faults.Drops(c.silent)
		defer w.lab.Faults.Answers()
	}
	for {
		end, err := p.TopUp(ctx)
		if err != nil {
			return ends, err
		}
		ends = append(ends, end)
		err = w.settled(ctx)
		if err == nil {
			w.bank = bank
			return ends, w.judge(ctx, card, pan, before, amount)
		}
		if !errors.Is(err, errOpenWrite) {
			return ends, err
		} // the passenger comes again with the card
	}
}

// pin is what the passenger types when the pad asks for the n-th time.
func (c course) pin(asked int) string {
	if c.wrong && asked == 1 {
		return wrongPIN
	}
	return bankPIN
}

// told waits until the issuer knows what became of the script that the last sale's
// card took in. A result that was not delivered is told with a later payment.
func (w *world) told(ctx context.Context, bank string) error {
	for {
		list, err := w.lab.Ordered(ctx, bank)
		switch {
		case err != nil:
			return err
		case len(list) != 1 || list[0] != "pin sent" && list[0] != "pin done":
			return fmt.Errorf("the issuer's script is %v", list)
		case list[0] == "pin done":
			return nil
		case ctx.Err() != nil:
			return errors.New("the issuer is not told what became of its script")
		}
		if _, err := w.sale(ctx, plain); err != nil {
			return err
		}
	}
}

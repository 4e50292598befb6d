package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

// A card that another program simulates comes and goes as that program likes,
// perhaps several times within one sale, perhaps never. `await card NAME`
// therefore is no deed of the script: it waits until the card lies on the
// passenger's reader and has been read, at once if it already does, and the
// screens since the last deed still count for `expect screen`. Only when the
// script has seen how a sale ended (endings) does await begin a new one: then
// the card must have been presented again.
//
// The first await of a name binds it to the card number that is read.

// awaited is such a card: it is known by what the kiosk has read of it.
type awaited struct {
	number  string
	first   money.Fen // when it was first read
	last    money.Fen // as the kiosk last read or wrote it
	debits  money.Fen // net, at other machines, by the card's log
	records []entry.LogRecord
	sale    entry.SaleID // whose writing is in last
}

// endings are the screens after which a sale is over for a passenger who has
// the card in hand.
var endings = []string{"done", "declined", "offline", "contact"}

func (r *runner) waits(l Line) bool {
	_, named := r.awaited(l.word(1))
	return l.Words[0] == "await" || l.Words[0] == "tap" && named
}

func (r *runner) awaited(name string) (awaited, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.foreign[name]; f != nil {
		return *f, true
	}
	return awaited{}, false
}

// await waits for a card that another program simulates.
func (r *runner) await(ctx context.Context, l Line) error {
	if l.word(1) != "card" || len(l.Words) != 3 {
		return fmt.Errorf("await card NAME: %w", ErrSyntax)
	}
	if r.opts.Reader != "pcsc" {
		return errors.New("a card of another program needs --reader pcsc")
	}
	if _, err := r.lab.Purse(l.word(2)); err == nil {
		return fmt.Errorf("%s is a card of this script: tap it: %w", l.word(2), ErrSyntax)
	}
	return r.awaitCard(ctx, l.word(2))
}

func (r *runner) awaitCard(ctx context.Context, name string) error {
	return poll(ctx, func() error {
		_, state, err := r.state()
		if err != nil {
			return err
		}
		c := state.Live.Front
		switch {
		case c.Session == 0:
			return errors.New("no card is on the passenger's reader")
		case c.Card == nil || c.Phase == topup.Reading:
			return fmt.Errorf("the card on the passenger's reader was not read (%s)", c.Notice)
		case r.over && c.Last():
			return errors.New("the card was not presented again since its last sale ended")
		}
		return r.bind(name, *c.Card, state)
	})
}

// bind gives a name to the card that was read, or compares.
func (r *runner) bind(name string, facts topup.CardFacts, state topup.State) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	number := facts.Card.Number
	for other, f := range r.foreign {
		if f.number == number && other != name {
			return fmt.Errorf("the card on the reader is %s", other)
		}
	}
	switch f := r.foreign[name]; {
	case f == nil:
		f = &awaited{number: number, first: facts.Balance, last: facts.Balance, records: facts.History}
		r.foreign[name] = f
		f.observe(state.Live.Front, r.terminal())
	case f.number != number:
		return fmt.Errorf("the card on the reader has the number %s, not %s", number, f.number)
	}
	return nil
}

func (r *runner) terminal() string { return r.lab.Config().Purse.Terminal }

// observe takes over what the kiosk now knows of the cards, after each step.
func (r *runner) observe(state topup.State) {
	terminal := r.terminal()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.foreign {
		f.observe(state.Live.Front, terminal)
		f.observe(state.Live.Desk, terminal)
	}
}

func (f *awaited) observe(c topup.Console, terminal string) {
	if c.Card == nil || c.Card.Card.Number != f.number {
		return
	}
	written := c.Phase == topup.Finished && c.Reason != "already-there"
	switch {
	case written && f.sale != c.Sale:
		f.last, f.sale = c.Old+c.Amount, c.Sale
	case !written:
		f.last = c.Card.Balance
	}
	for _, rec := range c.Card.History {
		if !slices.ContainsFunc(f.records, rec.Same) {
			f.records = append(f.records, rec)
			f.debits += debit(rec, terminal)
		}
	}
}

// debit is what a record of another machine has taken from the purse. A load by
// this kiosk is none of them.
func debit(rec entry.LogRecord, terminal string) money.Fen {
	switch rec.Type {
	case 0x05, 0x06, 0x09: // purchases
		return rec.Amount
	case 0x01, 0x02: // loads
		if fmt.Sprintf("%x", []byte(rec.Terminal)) != terminal {
			return -rec.Amount
		}
	}
	return 0
}

// creditedElsewhere is what this kiosk has put on the cards of other programs,
// as far as it has read or written them: what they have gained, and what they
// have spent elsewhere in between.
func (r *runner) creditedElsewhere() (sum money.Fen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.foreign {
		sum += f.last - f.first + f.debits
	}
	return sum
}

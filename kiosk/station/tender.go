package station

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"buka/cardio/emv"
	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/topup"
)

// Tender is a means of payment: it is collected, it pays, and it can be taken
// back later. The built-in one is a bank card with a PIN; a
// QR code or a semi-integrated terminal would be another.
type Tender interface {
	// Collect asks the passenger for the means; seen is told when the PIN (or
	// the like) is next. It ends with ctx.
	Collect(ctx context.Context, amount money.Fen, seen func(masked string)) error
	// Again asks for the secret again, for the same means.
	Again(ctx context.Context, amount money.Fen) error
	// Pay sends one request with what was collected.
	Pay(ctx context.Context, p topup.Pay) topup.Paid
	// Reverse takes a payment back: the host's code, or an error that says
	// nothing about it. A payment of which nothing is known is reversed too, and
	// never asked about: an answer now says nothing about a request that is still
	// under way.
	Reverse(ctx context.Context, s topup.Sale, reason string, repeat bool) (code string, err error)
	// Refund gives back what can no longer be reversed, under a key of its own.
	Refund(ctx context.Context, s topup.Sale, repeat bool) (code string, err error)
	// Drop forgets what was collected.
	Drop()
}

// pinEntry is the PIN pad as the tender needs it.
type pinEntry interface {
	EnterPIN(ctx context.Context, r device.Request) (device.Result, error)
}

// bankCard is the tender "PC/SC and PIN pad".
type bankCard struct {
	source   reader.Source
	readerOf func() (string, error)
	present  <-chan struct{} // poked when a card may have come
	pad      pinEntry
	link     payLink
	prompt   func() string
	pinKey   func() pin.WrappedKey // of master/session keys, from the sign-on; nil: none
	now      func() time.Time
	log      *slog.Logger

	card  *emv.Card
	block pin.Block
	ksn   pin.KSN
}

// errTender carries a key of the pages.
type errTender struct{ reason string }

func (e errTender) Error() string { return "no payment: " + e.reason }

func (b *bankCard) Collect(ctx context.Context, amount money.Fen, seen func(string)) error {
	b.Drop()
	for b.card == nil {
		err := b.readCard(ctx, amount)
		switch {
		case err == nil:
		case errors.Is(err, reader.ErrNoCard), errors.Is(err, reader.ErrCardRemoved):
			select {
			case <-b.present:
			case <-time.After(300 * time.Millisecond): // events are hints
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		default:
			b.log.Info("bank card not read", "err", err)
			return errTender{bankReasonOf(err)}
		}
	}
	seen(b.card.Masked())
	return b.Again(ctx, amount)
}

func (b *bankCard) readCard(ctx context.Context, amount money.Fen) error {
	name, err := b.readerOf()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cardReadWait)
	defer cancel()
	card, err := b.source.Open(ctx, name)
	if err != nil {
		return err
	}
	defer card.Close()
	b.card, err = emv.Read(ctx, card, emv.Terminal{Amount: amount, Now: b.now()})
	return err
}

func (b *bankCard) Again(ctx context.Context, amount money.Fen) error {
	if b.card == nil {
		return errTender{"bank-card-unread"}
	}
	b.block.Zero()
	req := device.Request{PAN: b.card.PAN.Reveal(), Amount: amount, Prompt: b.prompt()}
	if b.pinKey != nil {
		req.Key = b.pinKey()
	}
	r, err := b.pad.EnterPIN(ctx, req)
	switch {
	case err == nil:
		b.block, b.ksn = r.PIN.Block(), r.PIN.KSN
		r.PIN.Wipe()
		return nil
	case errors.Is(err, device.ErrCancelled):
		return errTender{"pin-cancelled"}
	case errors.Is(err, device.ErrTimeout):
		return errTender{"timeout"}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	b.log.Warn("no PIN from the pad", "err", err)
	return errTender{"pinpad-missing"}
}

func (b *bankCard) Pay(ctx context.Context, p topup.Pay) topup.Paid {
	if b.card == nil {
		return topup.Paid{Sale: p.Sale, STAN: p.STAN, Outcome: entry.NotDone, Code: "not-sent", Why: "the card data is gone"}
	}
	answer := b.link.pay(ctx, p, b.card, b.block, b.ksn)
	b.block.Zero()
	return answer
}

func (b *bankCard) Refund(ctx context.Context, s topup.Sale, repeat bool) (string, error) {
	return b.link.refund(ctx, s, repeat)
}

func (b *bankCard) Reverse(ctx context.Context, s topup.Sale, reason string, repeat bool) (string, error) {
	return b.link.reverse(ctx, s, reason, repeat)
}

func (b *bankCard) Drop() {
	b.block.Zero()
	if b.card != nil {
		b.card.Zero()
		b.card = nil
	}
}

// till owns the tender: one goroutine, one payment at a time.
type till struct {
	tender Tender
	queue  chan topup.Command
	post   func(topup.Event)
	drop   chan struct{} // cancels what is being collected
}

func (t *till) do(cmd topup.Command) {
	if _, ok := cmd.(topup.DropTender); ok {
		select {
		case t.drop <- struct{}{}:
		default:
		}
	}
	select {
	case t.queue <- cmd:
	default:
		go t.answerFull(cmd)
	}
}

func (t *till) answerFull(cmd topup.Command) {
	switch c := cmd.(type) {
	case topup.TakeTender:
		t.post(topup.TenderFailed{Sale: c.Sale, Reason: "pinpad-missing"})
	case topup.RetryPIN:
		t.post(topup.TenderFailed{Sale: c.Sale, Reason: "pinpad-missing"})
	case topup.Pay:
		t.post(topup.Paid{Sale: c.Sale, STAN: c.STAN, Outcome: entry.NotDone, Code: "not-sent"})
	}
}

func (t *till) run(ctx context.Context) {
	defer t.tender.Drop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.drop: // nothing is being collected
		case cmd := <-t.queue:
			t.perform(ctx, cmd)
		}
	}
}

func (t *till) perform(ctx context.Context, cmd topup.Command) {
	switch c := cmd.(type) {
	case topup.TakeTender:
		t.collect(ctx, c.Sale, func(ctx context.Context) error {
			return t.tender.Collect(ctx, c.Amount, func(masked string) { t.post(topup.TenderSeen{Sale: c.Sale, PAN: masked}) })
		})
	case topup.RetryPIN:
		t.collect(ctx, c.Sale, func(ctx context.Context) error { return t.tender.Again(ctx, c.Amount) })
	case topup.Pay:
		t.post(t.tender.Pay(ctx, c))
	case topup.DropTender:
		t.tender.Drop()
	}
}

func (t *till) collect(ctx context.Context, sale entry.SaleID, ask func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- ask(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-t.drop:
		cancel()
		<-done
		t.tender.Drop()
		return
	}
	var no errTender
	switch {
	case err == nil:
		t.post(topup.TenderReady{Sale: sale})
	case errors.As(err, &no):
		t.post(topup.TenderFailed{Sale: sale, Reason: no.reason})
	case ctx.Err() == nil:
		t.post(topup.TenderFailed{Sale: sale, Reason: "bank-card-unread"})
	}
}

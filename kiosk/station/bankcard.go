package station

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"buka/cardio/emv"
	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/topup"
)

// pinEntry is the PIN pad as the tender needs it.
type pinEntry interface {
	EnterPIN(ctx context.Context, r device.Request) (device.Result, error)
}

// bankCard is the tender "PC/SC and PIN pad": an EMV dialogue up to the request
// to be authorised, the PIN at the pad if the card and the amount want one, the
// request, and the card's last word.
//
// A contact card stays in one exclusive transaction from its first command to
// its second GENERATE AC. A contactless one is read in one tap and has nothing
// to say afterwards. Each request has a cryptogram of its own: for another PIN a
// contact card is started anew in its slot, a contactless one is tapped again.
type bankCard struct {
	slot     *bankSlot
	pad      pinEntry
	link     payLink
	terminal func(topup.TakeTender) emv.Terminal
	judge    func(ctx context.Context, sale entry.SaleID, p *emv.Payment, amount int64) string // a key of the pages, "" to go on; nil: no rules
	pinKey   func() pin.WrappedKey                                                             // of master/session keys; nil: none
	wantKeys func()                                                                            // has the host asked for other working keys; nil: no such keys
	changed  func()                                                                            // tells the pages; nil: there are none
	log      *slog.Logger

	payment     *emv.Payment
	held        reader.Card // with contacts, until its last word; nil: the card is not needed any more
	serial      uint64      // the presence that was read
	sealed      *pin.Sealed
	asking      topup.TakeTender
	application entry.Hex    // that the passenger has chosen; nil: there was no choice
	unasked     entry.SaleID // whose payment without a PIN the host has refused for that

	telling  sync.Mutex // one at a time tells the issuer
	mu       sync.Mutex
	question *question           // that the passenger is to answer now
	wanted   entry.SaleID        // whose last payment had no PIN, and the host wants one
	chips    map[payKey]chipSaid // for reversals, newest last in order
	order    []payKey
	results  []scriptResult // to be told to the issuer
}

// payKey names a payment at the host.
type payKey struct{ batch, stan uint32 }

const prompt = "ENTER PIN"

var errCardLeft = errors.New("the bank card has left its slot")

func (b *bankCard) Collect(ctx context.Context, c topup.TakeTender, seen func(string, bool)) error {
	b.Drop()
	b.asking, b.application = c, nil
	st, err := b.slot.await(ctx)
	if err != nil {
		return err
	}
	if err := b.read(ctx, st, b.ask); err != nil {
		return err
	}
	if reason := b.risk(ctx, c); reason != "" {
		b.abandon(ctx)
		b.slot.pass(st.Serial, false)
		return errTender{reason}
	}
	seen(b.payment.Card.Masked(), b.payment.PIN)
	return b.enterPIN(ctx)
}

func (b *bankCard) risk(ctx context.Context, c topup.TakeTender) string {
	if b.judge == nil {
		return ""
	}
	return b.judge(ctx, c.Sale, b.payment, int64(c.Amount))
}

// read opens the card and goes up to its cryptogram. A card whose last word is
// wanted stays open. What the passenger needs to choose is not the card's time.
func (b *bankCard) read(ctx context.Context, st reader.State, choose func(context.Context, []emv.Choice) (int, error)) error {
	wait, end := context.WithCancelCause(ctx)
	defer end(nil)
	clock := time.AfterFunc(cardReadWait, func() { end(context.DeadlineExceeded) })
	defer clock.Stop()
	card, err := b.slot.source.Open(wait, st.Reader)
	if err != nil {
		return b.unread(ctx, st.Serial, err)
	}
	b.serial = st.Serial
	terminal := b.terminal(b.asking)
	terminal.AskPIN = b.unasked != "" && b.unasked == b.asking.Sale
	terminal.Choose = func(ctx context.Context, list []emv.Choice) (int, error) {
		clock.Stop()
		defer clock.Reset(cardReadWait)
		return choose(ctx, list)
	}
	b.payment, err = emv.Start(wait, card, terminal)
	if err != nil {
		b.payment = nil
		card.Close()
		return b.unread(ctx, st.Serial, err)
	}
	if b.payment.More {
		b.held = card
		return nil
	}
	card.Close()
	return nil
}

// unread says what is told about a card that was not taken, and when it is to be
// looked at again.
func (b *bankCard) unread(ctx context.Context, serial uint64, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.log.Info("bank card not read", "err", err)
	reason := bankReasonOf(err)
	var no errTender
	if errors.As(err, &no) {
		reason = no.reason
	}
	b.slot.pass(serial, reason == "card-gone" || errors.Is(err, reader.ErrTransport))
	return errTender{reason}
}

// Again asks for another PIN. The cryptogram has been used, so there must be a
// new one: from the card that has stayed, or at another tap. Where none was asked
// for, because card and amount agreed on that, the bank wants one all the same.
func (b *bankCard) Again(ctx context.Context, c topup.RetryPIN) error {
	b.want("")
	if b.payment != nil && !b.payment.PIN {
		b.unasked = c.Sale
		b.want(c.Sale)
	}
	b.Drop()
	b.asking = topup.TakeTender{Sale: c.Sale, Amount: c.Amount}
	st, err := b.slot.find()
	if err != nil || st.Serial != b.serial || b.read(ctx, st, b.same) != nil {
		b.slot.pass(b.serial, true)
		return errTender{"wrong-pin"} // and the pages say: present it again
	}
	return b.enterPIN(ctx)
}

func (b *bankCard) want(sale entry.SaleID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted = sale
}

// wantsPIN says that the host's "wrong PIN" is about a payment that had none.
func (b *bankCard) wantsPIN(sale entry.SaleID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return sale != "" && b.wanted == sale
}

// enterPIN asks at the pad, if the card wants it. Who pulls a card out of its
// slot has stopped the payment: nothing was sent.
func (b *bankCard) enterPIN(ctx context.Context) error {
	if !b.payment.PIN {
		return nil
	}
	req := device.Request{PAN: b.payment.Card.PAN.Reveal(), Amount: b.asking.Amount, Prompt: prompt}
	if b.pinKey != nil {
		req.Key = b.pinKey()
	}
	ask, end := context.WithCancelCause(ctx)
	defer end(nil)
	if b.held != nil {
		go b.slot.leaves(ask, b.serial, func() { end(errCardLeft) })
	}
	r, err := b.pad.EnterPIN(ask, req)
	if ctx.Err() != nil {
		r.PIN.Wipe()
		return context.Cause(ctx)
	}
	if errors.Is(context.Cause(ask), errCardLeft) {
		r.PIN.Wipe()
		b.Drop()
		return errTender{"card-gone"}
	}
	if err != nil {
		b.log.Warn("no PIN from the pad", "err", err)
		b.abandon(ctx)
		reason := padReasonOf(err)
		if reason == "pinpad-no-key" && b.wantKeys != nil {
			b.wantKeys()
		}
		return errTender{reason}
	}
	b.sealed = r.PIN
	return nil
}

func (b *bankCard) Refund(ctx context.Context, s topup.Sale, repeat bool) (string, error) {
	return b.link.refund(ctx, s, repeat)
}

func (b *bankCard) Reverse(ctx context.Context, s topup.Sale, reason string, repeat bool) (string, error) {
	return b.link.reverse(ctx, s, reason, b.chipOf(s), repeat)
}

// Drop forgets card and PIN, and lets go of a card in its slot.
func (b *bankCard) Drop() {
	b.wipePIN()
	b.forget()
	if b.held != nil {
		b.held.Close()
		b.held = nil
	}
}

func (b *bankCard) wipePIN() {
	b.sealed.Wipe()
	b.sealed = nil
}

func (b *bankCard) forget() {
	if b.payment != nil {
		b.payment.Zero()
		b.payment = nil
	}
}

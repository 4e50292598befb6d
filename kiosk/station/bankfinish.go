package station

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"buka/cardio/emv"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/switchlink"
	"buka/topup"
)

// scriptResult is what became of an issuer's script, to be told to the issuer.
type scriptResult struct {
	batch, stan uint32
	sale        entry.SaleID
	amount      money.Fen
	rrn         string
	tries       int // sent, and not taken
	icc         []byte
}

// Bounds of what is kept for later messages, in memory only: a reversal after a
// restart has no DE55, and a script's result is then not told.
const (
	maxChips   = 64
	maxResults = 8
)

// Bounds of telling an issuer what became of its script. It is a courtesy beside
// the payment: nobody's money hangs on it, and no passenger waits long for it.
const (
	scriptWait  = 3 * time.Second // for all that is told at one time
	scriptTries = 3               // and not taken; then it is let go
)

// Pay sends the request with a cryptogram that no other request has, and gives a
// contact card the host's answer.
func (b *bankCard) Pay(ctx context.Context, p topup.Pay) topup.Paid {
	refused := topup.Paid{Sale: p.Sale, STAN: p.STAN, Outcome: entry.NotDone, Code: "not-sent"}
	switch {
	case b.payment == nil:
		refused.Why = "the card data is gone"
		return refused
	case b.asking.Sale != p.Sale || b.asking.Amount != p.Amount: // what the card and its holder agreed to
		refused.Why = fmt.Sprintf("the card was asked for %v of sale %s", b.asking.Amount, b.asking.Sale)
		b.log.Error("a payment is not what the card was asked for: not sent", "sale", p.Sale, "amount", p.Amount, "asked_sale", b.asking.Sale, "asked", b.asking.Amount)
		b.abandon(ctx)
		return refused
	case b.payment.PIN && b.sealed.Wiped():
		refused.Why = "the PIN is gone"
		return refused
	}
	icc, err := b.payment.DE55()
	if err != nil {
		refused.Why = err.Error()
		return refused
	}
	if b.telling.TryLock() { // else somebody is telling already
		b.tellAll(ctx)
		b.telling.Unlock()
	}
	key := payKey{p.Batch, p.STAN}
	b.keepChip(key)
	answer, chip := b.link.pay(ctx, p, b.payment, icc, b.sealed)
	b.wipePIN()
	approved := answer.Outcome == entry.Done && answer.Amount == p.Amount // any other amount goes back
	err = b.end(ctx, emv.ParseAnswer(approved, arcOf(answer), chip), key, scriptResult{batch: p.Batch, stan: p.STAN, sale: p.Sale, amount: p.Amount, rrn: answer.RRN})
	if approved {
		chip := b.payment.Receipt()
		chip.Mode = entryMode(b.payment) + enteredPIN(b.payment)
		answer.Chip = &chip
	}
	if approved && err != nil {
		answer.Refused, answer.Why = true, err.Error()
	}
	return answer
}

// arcOf is the host's code as the card is told it: none if there was no answer.
func arcOf(a topup.Paid) string {
	if a.Outcome == entry.Unknown || len(a.Code) != 2 {
		return ""
	}
	return a.Code
}

// end gives a contact card the last command, if it waits for one, and lets go of
// it. An error after an approval says that the card does not agree, or is gone.
func (b *bankCard) end(ctx context.Context, a emv.Answer, key payKey, told scriptResult) error {
	card := b.held
	if card == nil {
		return nil
	}
	b.held = nil
	defer card.Close()
	ctx, cancel := context.WithTimeout(ctx, cardReadWait)
	defer cancel()
	results, err := b.payment.Finish(ctx, card, a)
	if err != nil {
		b.log.Info("the bank card had the last word", "approved", a.Approved, "err", err)
	}
	if len(results) > 0 {
		b.note(told, a.Approved && err != nil)
	}
	b.keepChip(key)
	return err
}

// abandon ends a transaction before anything was sent.
func (b *bankCard) abandon(ctx context.Context) {
	if err := b.end(ctx, emv.Answer{}, payKey{}, scriptResult{}); err != nil {
		b.log.Debug("bank card abandoned", "err", err)
	}
	b.Drop()
}

// note keeps a script's result for the issuer, unless the reversal tells it.
func (b *bankCard) note(r scriptResult, reversed bool) {
	icc, err := b.payment.ScriptDE55()
	if err != nil || reversed || r.stan == 0 {
		return
	}
	r.icc = icc
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.results = append(b.results, r); len(b.results) > maxResults {
		b.log.Warn("results of issuer scripts are lost: the host does not take them")
		b.results = slices.Delete(b.results, 0, 1)
	}
}

// tellIssuer sends what became of scripts: after the payment, and before the next
// online transaction. What is not taken now is tried again before the one after.
func (b *bankCard) tellIssuer(ctx context.Context) {
	b.telling.Lock() // a settlement may ask while a payment does
	defer b.telling.Unlock()
	b.tellAll(ctx)
}

// tellAll sends them one by one, until one is not taken.
func (b *bankCard) tellAll(ctx context.Context) {
	b.mu.Lock()
	open := slices.Clone(b.results)
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, scriptWait)
	defer cancel()
	for _, r := range open {
		err := b.link.script(ctx, r)
		b.told(r, err)
		if err != nil {
			b.log.Info("result of an issuer script not delivered", "err", err)
			return
		}
	}
}

// told takes a result out that the host has, or that was sent in vain too often.
func (b *bankCard) told(r scriptResult, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.results, func(o scriptResult) bool { return o.batch == r.batch && o.stan == r.stan })
	if i < 0 {
		return
	}
	o := &b.results[i]
	if err != nil && !errors.Is(err, switchlink.ErrNotSent) {
		o.tries++
	}
	if err == nil || o.tries >= scriptTries {
		if err != nil {
			b.log.Warn("result of an issuer script given up: the host never takes it", "stan", r.stan, "batch", r.batch, "tries", o.tries)
		}
		b.results = slices.Delete(b.results, i, i+1)
	}
}

// chipSaid is what a reversal repeats of the payment's card; empty after a restart.
type chipSaid struct {
	icc  []byte // DE55
	mode string // DE22
}

// keepChip remembers what a reversal of a payment says about the chip.
func (b *bankCard) keepChip(key payKey) {
	icc, err := b.payment.ReversalDE55()
	if err != nil || key.stan == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chips == nil {
		b.chips = map[payKey]chipSaid{}
	}
	if _, known := b.chips[key]; !known {
		b.order = append(b.order, key)
	}
	b.chips[key] = chipSaid{icc, entryMode(b.payment) + enteredPIN(b.payment)}
	for len(b.order) > maxChips {
		delete(b.chips, b.order[0])
		b.order = slices.Delete(b.order, 0, 1)
	}
}

func (b *bankCard) chipOf(s topup.Sale) chipSaid {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.chips[payKey{s.PayBatch, s.PaySTAN}]
}

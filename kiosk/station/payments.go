package station

import (
	"context"
	"errors"

	"buka/cardio/emv"
	"buka/internal/entry"
	"buka/internal/pin"
	"buka/sync/switchlink"
	"buka/topup"
)

func (h *hosts) pay(ctx context.Context, p topup.Pay, card *emv.Payment, icc []byte, sealed *pin.Sealed) (topup.Paid, []byte) {
	answer := topup.Paid{Sale: p.Sale, STAN: p.STAN}
	c := card.Card
	r, err := h.links.payments.Pay(ctx, switchlink.Payment{
		STAN: p.STAN, Batch: p.Batch, Sale: p.Sale, Card: p.Card, Slot: p.Slot, Amount: p.Amount,
		PAN: c.PAN.Reveal(), Expiry: c.Expiry.Reveal(), Track2: c.Track2.Reveal(), PSN: c.PSN.Reveal(),
		EntryMode: entryMode(card), PIN: sealed, ICC: icc,
	})
	answer.Code, answer.Amount, answer.RRN, answer.Auth = r.Code, r.Amount, r.RRN, r.Auth
	switch {
	case errors.Is(err, switchlink.ErrNotSent):
		answer.Outcome, answer.Code, answer.Why = entry.NotDone, "not-sent", err.Error()
	case err != nil:
		answer.Outcome, answer.Why, answer.BadMAC = entry.Unknown, err.Error(), errors.Is(err, switchlink.ErrBadMAC)
	default:
		answer.Outcome = h.answers.Of(r.Code).Outcome
		if answer.Outcome == entry.Unknown { // the host itself does not know
			answer.Why = "the host answered " + r.Code
		}
	}
	return answer, r.ICC
}

// entryMode is how the card was read, the first two digits of DE22.
func entryMode(card *emv.Payment) string {
	if card.Interface == emv.Contact {
		return "05"
	}
	return "07"
}

// enteredPIN is the third digit of DE22.
func enteredPIN(card *emv.Payment) string {
	if card.PIN {
		return "1"
	}
	return "2"
}

func (h *hosts) refund(ctx context.Context, s topup.Sale, repeat bool) (string, error) {
	amount := s.Amount
	if s.Paid > 0 { // what was approved, where that is another amount
		amount = s.Paid
	}
	a, err := h.links.payments.Refund(ctx, switchlink.Refund{
		STAN: s.RefundSTAN, Batch: s.RefundBatch, OrigSTAN: s.PaySTAN, OrigBatch: s.PayBatch, Sale: s.ID, Amount: amount, RRN: s.RRN, Repeat: repeat,
	})
	return a.Code, err
}

func (h *hosts) reverse(ctx context.Context, s topup.Sale, reason string, chip chipSaid, repeat bool) (string, error) {
	a, err := h.links.payments.Reverse(ctx, switchlink.Reversal{
		STAN: s.PaySTAN, Batch: s.PayBatch, Sale: s.ID, Amount: s.Amount, Reason: reason, RRN: s.RRN, Auth: s.Auth, EntryMode: chip.mode, ICC: chip.icc, Repeat: repeat,
	})
	return a.Code, err
}

// script tells the issuer what became of its scripts, once a payment: the STAN is
// the payment's, in a message class of its own. What the host refuses it has not
// stored: that is an error, *switchlink.Refused, and not told; 94 says that it has
// something under this key.
func (h *hosts) script(ctx context.Context, r scriptResult) error {
	a, err := h.links.payments.ScriptResult(ctx, switchlink.Script{STAN: r.stan, Batch: r.batch, OrigSTAN: r.stan, Sale: r.sale, Amount: r.amount, RRN: r.rrn, ICC: r.icc, Repeat: r.tries > 0})
	if err == nil && !switchlink.Approved(a.Code) {
		h.log.Warn("the host does not take the result of an issuer script", "code", a.Code)
		if a.Code != switchlink.CodeDuplicate {
			return &switchlink.Refused{Code: a.Code}
		}
	}
	return err
}

package station

import (
	"context"
	"errors"

	"buka/cardio/emv"
	"buka/cardio/purse"
	"buka/cardio/reader"
)

// refusalKeys turns a card's refusal into a key of the pages.
var refusalKeys = map[purse.Reason]string{
	purse.UnknownKind: "unknown-kind", purse.UnknownIssuer: "unknown-issuer", purse.Expired: "expired",
	purse.NotYetValid: "not-yet-valid", purse.Blocked: "blocked", purse.AtLimit: "at-limit",
	purse.NeedsPIN: "card-pin", purse.PINLocked: "card-pin", purse.KeyUnknown: "not-eligible", purse.CounterFull: "not-eligible",
}

// reasonOf says what a passenger is told about a failed card dialogue.
func reasonOf(err error) string {
	var refusal *purse.Refusal
	switch {
	case errors.As(err, &refusal):
		return refusalKeys[refusal.Reason]
	case errors.Is(err, errOtherCard):
		return "other-card"
	case errors.Is(err, reader.ErrTwoCards):
		return "two-cards"
	case errors.Is(err, reader.ErrNoCard), errors.Is(err, reader.ErrCardRemoved), errors.Is(err, reader.ErrClosed), errors.Is(err, reader.ErrReset):
		return "card-gone"
	case errors.Is(err, reader.ErrBusy), errors.Is(err, reader.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return "reader-busy"
	case errors.Is(err, reader.ErrNoService), errors.Is(err, reader.ErrReaderGone):
		return "reader-missing"
	}
	return "card-unread"
}

var bankKeys = map[emv.Reason]string{
	emv.Expired: "card-expired", emv.Blocked: "bank-card-blocked", emv.NoApp: "bank-card-unread", emv.TransitCard: "bank-card-unread",
}

// bankReasonOf says what a passenger is told about a bank card.
func bankReasonOf(err error) string {
	var refusal *emv.Refusal
	if errors.As(err, &refusal) {
		return bankKeys[refusal.Reason]
	}
	if r := reasonOf(err); r == "card-gone" || r == "two-cards" || r == "reader-missing" {
		return r
	}
	return "bank-card-unread"
}

package station

import (
	"context"
	"errors"
	"strings"

	"buka/cardio/emv"
	"buka/cardio/purse"
	"buka/cardio/reader"
	"buka/kiosk/device"
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
	case errors.Is(err, errBankCard):
		return "bank-card-first"
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
	emv.Expired: "card-expired", emv.Blocked: "bank-card-blocked", emv.NoApp: "bank-card-unread", emv.TransitCard: "transit-card",
	emv.Declined: "bank-card-declines", emv.UseChip: "use-chip", emv.NoPIN: "bank-card-no-pin",
}

// bankReasonOf says what a passenger is told about a bank card.
func bankReasonOf(err error) string {
	var refusal *emv.Refusal
	if errors.As(err, &refusal) {
		return bankKeys[refusal.Reason]
	}
	switch r := reasonOf(err); r {
	case "card-gone", "two-cards":
		return r
	case "reader-missing":
		return "bank-reader-missing"
	}
	return "bank-card-unread"
}

// padReasonOf says what a passenger is told when there is no PIN.
func padReasonOf(err error) string {
	var refused device.ErrPadRefused
	switch {
	case errors.Is(err, device.ErrCancelled):
		return "pin-cancelled"
	case errors.Is(err, device.ErrTimeout):
		return "timeout"
	case errors.Is(err, device.ErrThrottled):
		return "pinpad-throttled"
	case errors.Is(err, device.ErrOtherPad):
		return "pinpad-other"
	case errors.Is(err, device.ErrNoWorkingKey), errors.Is(err, device.ErrWorkingKey), errors.Is(err, device.ErrNoMasterKey):
		return "pinpad-no-key"
	case errors.As(err, &refused) && refused.Code == "F":
		return "pinpad-keys-used-up"
	case errors.As(err, &refused) && len(refused.Code) == 1 && strings.Contains("159A", refused.Code):
		return "pinpad-no-key"
	}
	return "pinpad-missing"
}

// padStateOf is why a pad that says this of itself takes no PIN.
func padStateOf(what string) string {
	switch {
	case strings.Contains(what, device.ErrOtherPad.Error()):
		return "pinpad-other"
	case strings.Contains(what, device.ErrNoMasterKey.Error()), strings.Contains(what, device.ErrWorkingKey.Error()):
		return "pinpad-no-key"
	}
	return "pinpad-missing"
}

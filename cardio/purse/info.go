package purse

import (
	"time"

	"buka/internal/entry"
	"buka/internal/money"
)

// Date is a civil date, YYYYMMDD, that compares as a string; empty if the card
// names none. It has no zone: it is the issuer's calendar.
type Date string

// DateOf is the civil date of an instant in its own zone.
func DateOf(t time.Time) Date { return Date(t.Format("20060102")) }

// Info is what a card says of itself without being changed.
type Info struct {
	Card        entry.Card
	AID         entry.Hex // the application that was selected
	Issuer      entry.Hex // 8 bytes, as on the card
	City        string    // issuing city's code, four digits on T-Union cards
	Type        uint8     // PBOC: 1 passbook, 2 purse, 3 both
	Class       uint8     // T-Union: 1 normal, 2 student, …; 0 unknown
	Start       Date
	Expiry      Date
	Blocked     bool      // the application says that it is blocked
	KnownIssuer bool      // the issuer is one that this kiosk serves
	Limit       money.Fen // most that the purse may hold, fen; 0: not known here
}

// Check refuses a card that is not to be loaded, before anyone is asked for
// money: nil, or a *Refusal. Reading it stays allowed, and so does finishing
// what was paid before.
func Check(i Info, today Date) error {
	switch {
	case i.Blocked:
		return &Refusal{Reason: Blocked}
	case !i.KnownIssuer:
		return &Refusal{Reason: UnknownIssuer}
	case i.Start != "" && today < i.Start:
		return &Refusal{Reason: NotYetValid}
	case i.Expiry != "" && today > i.Expiry:
		return &Refusal{Reason: Expired}
	}
	return nil
}

// CheckAmount refuses an amount that would take the balance over the limit.
// Both are fen.
func CheckAmount(i Info, balance, amount money.Fen) error {
	if i.Limit > 0 && amount > i.Limit-balance {
		return &Refusal{Reason: AtLimit}
	}
	return nil
}

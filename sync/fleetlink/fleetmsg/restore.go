package fleetmsg

import (
	"fmt"

	"buka/internal/entry"
)

// Bounds of what a restored kiosk and its host say to each other.
const (
	MaxOpen     = 4096 // open sales in one question, rewrites in one list
	maxTerminal = 40   // bytes of merchant and terminal, with their slash
	maxSaleID   = 16
)

// RestoreSubject is where a kiosk whose journal was restored asks, as a request.
func RestoreSubject(kiosk string) string { return "fleet.restore." + kiosk }

// RewritesSubject is where a kiosk asks for the open rewrites of the host.
func RewritesSubject(kiosk string) string { return "fleet.rewrites." + kiosk }

// RestoreQuery asks what the host knows of everything that a restored journal
// leaves open. The host answers when it has the journal of the new epoch up to
// Tail.
type RestoreQuery struct {
	Version  uint8          `cbor:"1,keyasint"`
	Kiosk    string         `cbor:"2,keyasint"`
	Epoch    entry.Hex      `cbor:"3,keyasint"` // since the restore; 16 bytes
	TailSeq  uint64         `cbor:"4,keyasint"` // last entry of the journal now
	TailHash entry.Hash     `cbor:"5,keyasint"`
	Terminal string         `cbor:"6,keyasint"` // merchant and terminal at payment host and authority, with a slash
	Open     []entry.SaleID `cbor:"7,keyasint"`
}

// RestoreAnswer is what the host knows, read and written in one transaction: a
// new batch is open at the terminal, so nothing that was asked for before can be
// approved or authorised any more.
type RestoreAnswer struct {
	Version uint8                  `cbor:"1,keyasint"`
	Code    Code                   `cbor:"2,keyasint"` // ok, retry or refused
	Facts   entry.RestoreConfirmed `cbor:"3,keyasint"`
	Detail  string                 `cbor:"4,keyasint,omitempty"`
}

// Rewrite is one that the host owns and any kiosk may finish.
type Rewrite struct {
	Sale    entry.SaleID   `cbor:"1,keyasint"`
	Card    entry.Card     `cbor:"2,keyasint"`
	Amount  int64          `cbor:"3,keyasint"` // fen
	Slot    entry.Slot     `cbor:"4,keyasint"` // as far as the host knows
	Origin  string         `cbor:"5,keyasint"`
	Attempt *entry.Attempt `cbor:"6,keyasint,omitempty"` // a write in doubt
}

// RewriteList is the answer to a request on RewritesSubject, whose data is
// empty.
type RewriteList struct {
	Version uint8     `cbor:"1,keyasint"`
	Code    Code      `cbor:"2,keyasint"` // ok or retry
	List    uint64    `cbor:"3,keyasint"` // version of the list
	Open    []Rewrite `cbor:"4,keyasint"`
}

// Encode gives the bytes of the question.
func (q RestoreQuery) Encode() ([]byte, error) {
	q.Version = Version
	return entry.Marshal(q)
}

// DecodeRestoreQuery reads a question and checks its bounds.
func DecodeRestoreQuery(data []byte) (RestoreQuery, error) {
	var q RestoreQuery
	if err := decode(data, MaxBeat*2, &q); err != nil {
		return q, err
	}
	switch {
	case q.Version != Version:
		return q, malformed("version %d, this end speaks %d", q.Version, Version)
	case len(q.Epoch) != EpochBytes || q.TailSeq == 0 || q.TailSeq > 1<<62:
		return q, malformed("an epoch of %d bytes, entry %d", len(q.Epoch), q.TailSeq)
	case len(q.Terminal) > maxTerminal || len(q.Open) > MaxOpen:
		return q, malformed("%d open sales", len(q.Open))
	}
	for _, id := range q.Open {
		if id == "" || len(id) > maxSaleID {
			return q, malformed("a sale id of %d bytes", len(id))
		}
	}
	return q, CheckKiosk(q.Kiosk)
}

// Encode gives the bytes of the answer.
func (a RestoreAnswer) Encode() ([]byte, error) {
	a.Version, a.Detail = Version, Clip(a.Detail)
	return entry.Marshal(a)
}

// DecodeRestoreAnswer reads an answer and checks its bounds.
func DecodeRestoreAnswer(data []byte) (RestoreAnswer, error) {
	var a RestoreAnswer
	if err := decode(data, MaxPayload, &a); err != nil {
		return a, err
	}
	switch {
	case a.Version != Version:
		return a, malformed("version %d, this end speaks %d", a.Version, Version)
	case a.Code != CodeOK && a.Code != CodeRetry && a.Code != CodeRefused:
		return a, malformed("an answer with code %q", Clip(string(a.Code)))
	case len(a.Facts.Sales) > MaxOpen || a.Facts.LastSTAN > 999_999:
		return a, malformed("%d facts, STAN %d", len(a.Facts.Sales), a.Facts.LastSTAN)
	}
	return a, checkText("detail", a.Detail)
}

// Encode gives the bytes of the list.
func (l RewriteList) Encode() ([]byte, error) {
	l.Version = Version
	if len(l.Open) > MaxOpen {
		l.Open = l.Open[:MaxOpen]
	}
	return entry.Marshal(l)
}

// DecodeRewriteList reads a list and checks its bounds.
func DecodeRewriteList(data []byte) (RewriteList, error) {
	var l RewriteList
	if err := decode(data, MaxPayload, &l); err != nil {
		return l, err
	}
	switch {
	case l.Version != Version:
		return l, malformed("version %d, this end speaks %d", l.Version, Version)
	case l.Code != CodeOK && l.Code != CodeRetry:
		return l, malformed("a list with code %q", Clip(string(l.Code)))
	case len(l.Open) > MaxOpen:
		return l, malformed("%d rewrites", len(l.Open))
	}
	for _, r := range l.Open {
		if err := r.check(); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (r Rewrite) check() error {
	switch {
	case r.Sale == "" || len(r.Sale) > maxSaleID || r.Amount <= 0 || r.Amount > 1<<40:
		return malformed("a rewrite of %d fen", r.Amount)
	case len(r.Card.Number) > 32 || len(r.Card.Family) > 16 || len(r.Origin) > 16:
		return malformed("a rewrite of a card number of %d digits", len(r.Card.Number))
	case r.Attempt != nil && (r.Attempt.Card != r.Card || int64(r.Attempt.Amount) != r.Amount):
		return malformed("a rewrite whose attempt is about something else")
	}
	return nil
}

func decode(data []byte, limit int, v any) error {
	if len(data) > limit {
		return malformed("%d bytes", len(data))
	}
	if err := entry.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

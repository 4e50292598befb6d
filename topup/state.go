package topup

import (
	"maps"

	"buka/internal/entry"
	"buka/internal/money"
)

// State is everything the core knows. Durable survives a crash; Live does not.
type State struct {
	Durable Durable `cbor:"1,keyasint"`
	Live    Live    `cbor:"2,keyasint"`
}

// New is the state before the first entry.
func New() State {
	return State{Durable: Durable{Sales: map[entry.SaleID]Sale{}}, Live: newLive()}
}

// Replayed is the state after a restart: what the journal said, nothing live.
func Replayed(d Durable) State {
	l := newLive()
	l.STAN = d.STANUntil
	return State{Durable: d, Live: l}
}

// Clone gives a state that can be changed without the other noticing.
func (s State) Clone() State {
	return State{Durable: s.Durable.Clone(), Live: s.Live.Clone()}
}

// Clone gives what can be changed without the other noticing.
func (l Live) Clone() Live {
	l.Devices, l.Sending, l.Tries, l.Timers = clone(l.Devices), clone(l.Sending), clone(l.Tries), clone(l.Timers)
	l.InVain, l.Waits = clone(l.InVain), clone(l.Waits)
	return l
}

// clone is maps.Clone, and costs nearly nothing for an empty map.
func clone[K comparable, V any](m map[K]V) map[K]V {
	if len(m) == 0 {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// Live is what a crash forgets.
type Live struct {
	Rev      uint64            `cbor:"1,keyasint"` // of what is shown
	STAN     uint32            `cbor:"2,keyasint"` // last count taken
	HostUp   bool              `cbor:"3,keyasint"` // payment host and load authority
	SignedOn bool              `cbor:"4,keyasint"` // in this run
	Devices  map[string]string `cbor:"5,keyasint"` // name → why it is missing; "" is well
	Front    Console           `cbor:"6,keyasint"`
	Desk     Console           `cbor:"7,keyasint"`
	Sending  map[Duty]bool     `cbor:"-"` // in flight
	Tries    map[Duty]int      `cbor:"-"` // answers that did not end it, and silences
	InVain   map[DutyKind]Duty `cbor:"-"` // the last one of its kind that was not ended
	Timers   map[string]uint64 `cbor:"8,keyasint"`
	Gen      uint64            `cbor:"9,keyasint"`
	Remote   []Remote          `cbor:"10,keyasint,omitempty"` // never changed in place

	Settling     Settlement `cbor:"11,keyasint"`
	OutOfService bool       `cbor:"12,keyasint"` // the host takes no payments from this terminal, until a sign-on succeeds

	Waits map[Duty]bool `cbor:"13,keyasint"` // sent in vain, and not yet to be sent again
	PayUp bool          `cbor:"14,keyasint"` // the payment host alone
}

// Remote is a rewrite that the host owns and any kiosk may finish.
type Remote struct {
	Sale    entry.SaleID   `cbor:"1,keyasint"`
	Card    entry.Card     `cbor:"2,keyasint"`
	Amount  money.Fen      `cbor:"3,keyasint"`
	Slot    entry.Slot     `cbor:"4,keyasint"` // as far as the host knows
	Origin  string         `cbor:"5,keyasint"`
	Attempt *entry.Attempt `cbor:"6,keyasint,omitempty"` // a write in doubt; nil: none
}

func newLive() Live {
	return Live{
		Devices: map[string]string{}, Sending: map[Duty]bool{}, Waits: map[Duty]bool{}, Tries: map[Duty]int{}, InVain: map[DutyKind]Duty{}, Timers: map[string]uint64{},
		Front: Console{Place: Front}, Desk: Console{Place: Desk},
	}
}

// Phase of a console.
type Phase string

const (
	Idle      Phase = "idle"
	Reading   Phase = "reading"
	Choosing  Phase = "choosing"  // the card was read; which amount?
	CardBack  Phase = "card-back" // the amount is chosen and the card has left
	Probing   Phase = "probing"   // INITIALIZE, and the authority says whether it will load
	Paying    Phase = "paying"    // waits for the bank card
	PINEntry  Phase = "pin"
	Sending   Phase = "sending" // the payment is under way, or a reversal before it
	Holding   Phase = "holding" // paid; waits for the card
	Loading   Phase = "loading" // INITIALIZE, authorisation
	Writing   Phase = "writing" // the write may be under way
	Resolving Phase = "resolving"
	Finished  Phase = "done"
	Declined  Phase = "declined"
	Open      Phase = "unfinished"
	Contact   Phase = "contact"
	NoNetwork Phase = "offline"
)

// Console is one place where a card is handled: what it does now and shows.
type Console struct {
	Place   Place          `cbor:"1,keyasint"`
	Phase   Phase          `cbor:"2,keyasint"`
	Session uint64         `cbor:"3,keyasint"` // the card that is there; 0: none
	Sale    entry.SaleID   `cbor:"4,keyasint"`
	Card    *CardFacts     `cbor:"5,keyasint"`
	Seen    entry.Evidence `cbor:"6,keyasint"` // about the write that is being resolved
	Probe   entry.Attempt  `cbor:"7,keyasint"` // the eligibility probe
	PAN     string         `cbor:"8,keyasint"`
	PINs    int            `cbor:"9,keyasint"` // wrong ones so far
	Stop    bool           `cbor:"10,keyasint"`
	Notice  string         `cbor:"11,keyasint"` // message key beside what is asked
	Reason  string         `cbor:"12,keyasint"` // message key of a last screen
	Warn    bool           `cbor:"13,keyasint"` // are you still there?
	Lang    string         `cbor:"14,keyasint"`
	Amount  money.Fen      `cbor:"15,keyasint"` // of the last screen, when the sale is closed
	Old     money.Fen      `cbor:"16,keyasint"`
	Act     string         `cbor:"17,keyasint"` // what the cashier asked for
	Later   bool           `cbor:"18,keyasint"` // it finishes what an earlier tap left open
}

// Active says that the console works on a sale now: nobody else may.
func (c Console) Active() bool {
	switch c.Phase {
	case Loading, Writing, Resolving:
		return true
	}
	return false
}

// Last says that the console shows how something ended.
func (c Console) Last() bool {
	switch c.Phase {
	case Finished, Declined, Open, Contact, NoNetwork:
		return true
	}
	return false
}

func (c Console) idle() bool { return c.Phase == Idle || c.Phase == "" }

func (l *Live) console(p Place) *Console {
	if p == Desk {
		return &l.Desk
	}
	return &l.Front
}

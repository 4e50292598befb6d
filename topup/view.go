package topup

import (
	"buka/internal/entry"
	"buka/internal/money"
)

// View is what the passenger is shown: a pure function of the state.
type View struct {
	Screen  string // a name of DESIGN §5.1
	Rev     uint64
	Sale    entry.SaleID
	Lang    string
	Card    *CardFacts
	Choices []money.Fen // those that this card can take
	Amount  money.Fen
	Old     money.Fen // balance before
	New     money.Fen // and after
	Notice  string
	Reason  string
	Claim   string
	PAN     string // masked
	PINs    int    // wrong ones so far
	PINsMax int
	Warn    bool // are you still there?
	CanStop bool
	Moving  bool // keep the card still
	Wanted  bool // the card should stay in the field
}

// Look gives the passenger's view.
func (c *Core) Look(s State) View {
	f := s.Live.Front
	v := View{
		Screen: screens[f.Phase], Rev: s.Live.Rev, Sale: f.Sale, Lang: f.Lang, Card: f.Card, Amount: f.Amount, Old: f.Old,
		New: f.Old + f.Amount, Notice: f.Notice, Reason: f.Reason, PAN: f.PAN, PINs: f.PINs, PINsMax: c.Rules.PINs, Warn: f.Warn,
		Moving: f.Phase == Loading || f.Phase == Writing || f.Phase == Resolving,
		Wanted: f.Wants(),
	}
	if f.Phase == "" {
		v.Screen = "idle"
	}
	if f.Phase == Choosing && f.Card != nil {
		for _, a := range c.Rules.Choices {
			if f.Card.Balance+a <= c.Rules.MaxBalance {
				v.Choices = append(v.Choices, a)
			}
		}
	}
	switch f.Phase {
	case Choosing, CardBack, Probing, Paying, PINEntry, Holding, Sending, Loading:
		v.CanStop = !f.Stop
	}
	switch f.Phase {
	case Open, Contact, Holding, Finished, Loading, Declined:
		if f.Sale != "" {
			v.Claim = f.Sale.Claim()
		}
	}
	if v.Screen == "idle" && s.Durable.Unconfirmed {
		v.Screen, v.Reason = "out-of-service", "recovering"
	}
	if v.Screen == "idle" {
		for _, name := range []string{"journal", "transit"} {
			if why := s.Live.Devices[name]; why != "" {
				v.Screen, v.Reason = "out-of-service", why
			}
		}
	}
	return v
}

// NoPayment says why no payment can begin now; "" if one can. An amount that
// is chosen against it is refused, so none should be offered.
func (s State) NoPayment() string {
	switch {
	case s.Live.OutOfService:
		return "payment-not-set-up"
	case s.Durable.Batch != 0 && !s.Durable.Sells():
		return reasonClosing
	case !s.Live.HostUp, !s.Live.SignedOn, s.Durable.Batch == 0:
		return "network-down"
	case s.Live.Devices["pinpad"] != "":
		return s.Live.Devices["pinpad"]
	case s.Live.Devices["bank"] != "":
		return "bank-reader-missing"
	}
	return ""
}

var screens = map[Phase]string{
	Idle: "idle", Reading: "processing", Choosing: "amount", CardBack: "card", Probing: "processing", Paying: "payment",
	PINEntry: "pin", Sending: "processing", Holding: "hold", Loading: "processing", Writing: "processing",
	Resolving: "processing", Finished: "done", Declined: "declined", Open: "unfinished", Contact: "contact", NoNetwork: "offline",
}

// Wants says that the card should stay where it is.
func (c Console) Wants() bool {
	switch c.Phase {
	case Reading, Choosing, Probing, Holding, Loading, Writing, Resolving:
		return true
	}
	return false
}

package ui

import (
	"errors"
	"fmt"
	"log/slog"

	"buka/ui/hub"
	"buka/ui/wire"
)

// deskPage shows a Desk to a cashier.
type deskPage struct {
	src   Desk
	theme *theme
	log   *slog.Logger
}

// deskSale is an open sale with what the page works out about it.
type deskSale struct {
	OpenSale
	Here   bool // it belongs to the card on the reader
	Expand bool // its actions are shown
}

type deskView struct {
	DeskState
	Sales []deskSale // that of the card on the reader first
	Slip  bool       // the result ends something: there is a slip to give
}

func (p *deskPage) Frame(view string) hub.Frame {
	code, _ := splitView(view)
	s := p.src.State()
	v := deskView{DeskState: s}
	for _, open := range s.Open {
		open.BankCard = maskPAN(open.BankCard)
		d := deskSale{OpenSale: open, Here: s.Card != nil && s.Card.Sale != "" && s.Card.Sale == open.Sale}
		for _, a := range open.Actions {
			d.Expand = d.Expand || d.Here || a.WhyNot == ""
		}
		if d.Here {
			v.Sales = append([]deskSale{d}, v.Sales...)
		} else {
			v.Sales = append(v.Sales, d)
		}
	}
	if s.Result != nil {
		r := *s.Result // the station's own stays as it is
		r.BankCard = maskPAN(r.BankCard)
		v.Result = &r
		switch r.Result {
		case ResultWritten, ResultAlreadyThere, ResultMoneyBack, ResultHandedOver, ResultDecided:
			v.Slip = true
		}
	}
	f := hub.Frame{Rev: s.Rev, Root: map[string]string{}}
	for _, id := range []string{"desk-state", "desk-result", "desk-open", "desk-card", "desk-slip", "desk-batch"} {
		f.Fragments = append(f.Fragments, p.theme.fragment(code, id, id, v, p.log.Error))
	}
	return f
}

func (p *deskPage) Subscribe(changed func()) (cancel func()) { return p.src.Subscribe(changed) }

// Input takes an action, if it is offered for that sale in the state that the
// cashier saw.
func (p *deskPage) Input(view, who string, in wire.Input) (string, error) {
	code, _ := splitView(view)
	c := p.theme.words[code]
	s := p.src.State()
	if in.Rev != s.Rev {
		return c.T("told.stale"), fmt.Errorf("%w: for revision %d, now %d", hub.ErrStale, in.Rev, s.Rev)
	}
	ok := in.Do == DeskClear && s.Result != nil || in.Do == DeskReprint && s.LastSlip.may(in.Sale) || in.Do == DeskSettle && in.Sale == "" && s.maySettle()
	for _, open := range s.Open {
		for _, a := range open.Actions {
			ok = ok || (open.Sale == in.Sale && a.Name == in.Do && a.WhyNot == "" && s.Busy == "")
		}
	}
	if !ok {
		return c.T("told.not-allowed"), fmt.Errorf("%s for sale %q: %w", in.Do, in.Sale, errNotOffered)
	}
	err := p.src.Do(DeskAction{Sale: in.Sale, Rev: in.Rev, Name: in.Do, Who: who})
	if say, err := told(c, err); err == nil || errors.Is(err, hub.ErrStale) || hasWords(c, err) {
		return say, err
	}
	return c.T("told.not-now"), err // the log has the reason

}

package station

import (
	"reflect"
	"strings"
	"sync"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
	"buka/ui"
)

// Desk is the station as the cashier's page sees it.
func (s *Station) Desk() ui.Desk { return &desk{station: s} }

type desk struct {
	station *Station

	mu    sync.Mutex
	shown ui.DeskState
	rev   uint64
	who   string
	about ui.OpenSale // what the last action was about: its sale may be closed before the slip is printed
}

func (d *desk) Subscribe(changed func()) func() { return d.station.faces.watch(changed) }

func (d *desk) State() ui.DeskState {
	state, failed := d.station.engine.State()
	now := d.station.deskState(state)
	if failed != nil {
		now.Reader = ui.DeviceState{Role: "desk", Name: "desk", State: "down", Code: "journal-failed"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Result != nil {
		now.Result.Who = d.who
		if a := d.about; a.Sale == now.Result.Sale {
			now.Result.BankCard, now.Result.RRN, now.Result.CardNumber = a.BankCard, a.RRN, a.CardNumber
		}
	}
	if !reflect.DeepEqual(now, d.shown) {
		d.shown = now
		d.rev++
	}
	now.Rev = d.rev
	if now.Result != nil {
		r := *now.Result
		r.At = d.station.parts.Clock()
		now.Result = &r
	}
	return now
}

func (d *desk) Do(a ui.DeskAction) error {
	now := d.State()
	if a.Rev != now.Rev {
		return ui.ErrStale
	}
	d.mu.Lock()
	d.who = a.Who
	for _, o := range now.Open {
		if o.Sale == a.Sale {
			d.about = o
		}
	}
	d.mu.Unlock()
	if a.Name == ui.DeskSettle {
		d.station.post(topup.SettleAsked{Who: a.Who})
		return nil
	}
	d.station.post(topup.DeskActed{Sale: entry.SaleID(a.Sale), Do: a.Name, Who: a.Who})
	return nil
}

func (s *Station) deskState(state topup.State) ui.DeskState {
	c := state.Live.Desk
	st := ui.DeskState{Kiosk: s.cfg.Kiosk, Place: s.cfg.Place, Hotline: s.cfg.Hotline, Recovering: state.Durable.Unconfirmed, HostUp: state.Live.HostUp, Reader: s.deskReader(state)}
	for _, sale := range state.Durable.InOrder() {
		if sale.Pay == topup.PayNone || sale.Pay == topup.PayStarted || sale.Pay == topup.PayDeclined {
			continue
		}
		st.Open = append(st.Open, s.openSale(state, sale))
	}
	if c.Active() || c.Phase == topup.Reading {
		st.Busy = c.Act
	}
	onReader := ""
	if c.Card != nil && c.Session != 0 {
		st.Card, onReader = deskCard(state, c), c.Card.Card.Number
	}
	st.Sent = s.risk.sentToDesk(onReader)
	st.Result = deskResult(state, c)
	st.LastSlip, st.Batches = s.slips.lastSlip(), deskBatches(state.Durable)
	return st
}

func (s *Station) deskReader(state topup.State) ui.DeviceState {
	r := ui.DeviceState{Role: "desk", Name: s.cfg.Readers.Desk, State: "ok"}
	s.mu.Lock()
	r.Since = s.since["desk"]
	s.mu.Unlock()
	if s.cfg.Readers.Desk == "" {
		r.State = "absent"
	} else if why := state.Live.Devices["desk"]; why != "" {
		r.State, r.Code = "down", why
	}
	return r
}

func (s *Station) openSale(state topup.State, sale topup.Sale) ui.OpenSale {
	o := ui.OpenSale{
		Sale: string(sale.ID), Claim: sale.ID.Claim(), CardNumber: sale.Card.Number, Amount: sale.Amount, Since: s.journal.since(sale.ID),
		State: standing(sale), Origin: "torn", BankCard: sale.PAN, RRN: sale.RRN,
	}
	o.Payment, o.Paid = paid(sale)
	if f := state.Live.Front; f.Sale == sale.ID && f.Active() {
		o.LockedBy = "front"
	}
	if sale.Remote {
		o.Origin = "remote"
	}
	o.Actions = deskOffers(state, sale, o.LockedBy)
	o.Proposal, o.ProposedBy = sale.Proposal, sale.ProposedBy
	return o
}

// paid is what is known about the payment of a sale, and the amount that was
// taken, where one surely was.
func paid(s topup.Sale) (known string, amount *money.Fen) {
	taken := s.Paid
	if taken == 0 && s.Pay == topup.PayApproved { // by a journal of an earlier version
		taken = s.Amount
	}
	switch {
	case s.Remote:
		return ui.PaidElsewhere, nil
	case s.PaidBack > 0:
		return ui.PaidBack, nil
	case s.Pay == topup.PayReversed && s.ExpectAbsent:
		return ui.PaidDenied, nil
	case s.Pay == topup.PayReversed:
		return ui.PaidReversed, nil
	case taken > 0:
		return ui.PaidTaken, &taken
	}
	return ui.PaidUnknown, nil
}

// deskOffers lists what a cashier may do about a sale.
func deskOffers(state topup.State, sale topup.Sale, by string) (list []ui.DeskOffer) {
	open := state.Durable.Batch != 0 && sale.PayBatch == state.Durable.Batch
	switch {
	case state.Durable.Unconfirmed:
		return nil
	case sale.Unresolved():
		list = append(list, ui.DeskOffer{Name: ui.DeskProve, WhyNot: whyNot(state, sale, by)})
	case sale.Offered():
		list = append(list, ui.DeskOffer{Name: ui.DeskRewrite, WhyNot: whyNot(state, sale, by)})
		if open && !sale.Remote {
			list = append(list, ui.DeskOffer{Name: ui.DeskWithdraw, WhyNot: locked(by)})
		}
	}
	if sale.MayRefund() && !open || sale.MayRefund() && sale.Conflict {
		list = append(list, ui.DeskOffer{Name: ui.DeskRefund, WhyNot: locked(by)})
	}
	if sale.MayHandOver() && !sale.Remote && !(sale.Offered() && open) {
		list = append(list, ui.DeskOffer{Name: ui.DeskHandOver, WhyNot: locked(by)})
	}
	if sale.MayDecide() && (sale.Conflict || sale.Unresolved()) {
		for _, d := range topup.Decisions() {
			if sale.MayDecideFor(d) {
				list = append(list, ui.DeskOffer{Name: "decide-" + d, WhyNot: locked(by)})
			}
		}
	}
	return list
}

func locked(by string) string {
	if by != "" {
		return ui.WhyLocked
	}
	return ""
}

// whyNot says what is missing before a card can be worked on.
func whyNot(state topup.State, sale topup.Sale, by string) string {
	c := state.Live.Desk
	switch {
	case by != "":
		return ui.WhyLocked
	case c.Session == 0 || c.Card == nil:
		return ui.WhyNoCard
	case c.Card.Card != sale.Card:
		return ui.WhyOtherCard
	case !state.Live.HostUp:
		return ui.WhyHostDown
	}
	return ""
}

// standing is where a sale stands, in the words of the page.
func standing(s topup.Sale) string {
	_, held := s.Held()
	switch {
	case s.HandedOver:
		return ui.OpenHandedOver
	case s.Long:
		return ui.OpenBackLong
	case s.OweRefund:
		return ui.OpenRefundOwed
	case s.Conflict:
		return ui.OpenConflict
	case s.Unresolved() && held:
		return ui.OpenEvidenceHeld
	case s.Unresolved():
		return ui.OpenUnknown
	case s.OweReversal:
		return ui.OpenReversalOwed
	case s.Offered():
		return ui.OpenOffered
	case s.OweConfirm:
		return ui.OpenConfirmOwed
	case s.ExpectAbsent:
		return ui.OpenExpectedAbsent
	}
	return ui.OpenInProgress
}

func deskCard(state topup.State, c topup.Console) *ui.DeskCard {
	card := &ui.DeskCard{
		Number: c.Card.Card.Number, Family: c.Card.Card.Family, Balance: c.Card.Balance, Expiry: c.Card.Expiry,
		Log: history(c.Card.History), Refused: ui.Reason(c.Card.Refused),
	}
	for _, s := range state.Durable.InOrder() {
		if s.Card == c.Card.Card && (s.Unresolved() || s.Offered()) {
			card.Sale = string(s.ID)
			v := ui.DeskVerdict{Outcome: entry.Unknown}
			if s.Offered() {
				v.Outcome = entry.NotDone
			}
			card.Verdict = &v
			break
		}
	}
	if c.Phase == topup.Finished && card.Balance == c.Old { // not read again yet
		card.Balance = c.Old + c.Amount
	}
	return card
}

// deskResult says what came of the cashier's last action.
func deskResult(state topup.State, c topup.Console) *ui.DeskResult {
	if c.Act == "" || c.Active() || c.Phase == topup.Reading {
		return nil
	}
	r := &ui.DeskResult{Name: c.Act, Sale: string(c.Sale), Claim: c.Sale.Claim(), Amount: c.Amount}
	if s, ok := state.Durable.Sales[c.Sale]; ok {
		r.BankCard, r.RRN, r.CardNumber = s.PAN, s.RRN, s.Card.Number
	} else if c.Card != nil {
		r.CardNumber = c.Card.Card.Number
	}
	switch {
	case c.Notice == "second-person":
		r.Result = ui.ResultProposed
	case strings.HasPrefix(c.Act, "decide-"):
		r.Result = ui.ResultDecided
	case c.Act == ui.DeskHandOver && c.Reason == "with-staff":
		r.Result = ui.ResultHandedOver
	case c.Phase == topup.Finished:
		before, after := c.Old, c.Old+c.Amount
		r.OldBalance, r.NewBalance = &before, &after
		r.Result = ui.ResultWritten
		if c.Reason == "already-there" {
			r.Result = ui.ResultAlreadyThere
		}
	case c.Phase == topup.Declined:
		r.Result = ui.ResultMoneyBack
	case c.Notice == "not-written":
		r.Result = ui.ResultNotThere
	case c.Reason == "card-gone" || c.Notice == "card-gone":
		r.Result = ui.ResultCardGone
	case c.Reason == "authority-wait" || c.Notice == "authority-wait":
		r.Result = ui.ResultNoAnswer
	case c.Phase == topup.Open || c.Phase == topup.Contact:
		r.Result = ui.ResultStillUnknown
	case c.Notice != "":
		r.Result = ui.ResultCardRefused
	default:
		r.Result = ui.ResultStale
	}
	return r
}

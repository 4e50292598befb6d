package topup

import "buka/internal/entry"

// Reprint is the cashier's wish for the last slip once more. The entry of it is
// what has the slip printed.
const Reprint = "reprint"

// deskActed: a cashier decides about a rewrite whose card is on the desk. One
// console works on a rewrite at a time.
func (st *step) deskActed(e DeskActed) {
	c := &st.Live.Desk
	st.touched = true
	s, ok := st.Durable.Sales[e.Sale]
	switch {
	case e.Do == Reprint: // it moves no money: all it needs is a name
		if e.Who != "" {
			st.record(entry.StaffActed{Who: e.Who, Did: e.Do, Sale: e.Sale})
		}
		return
	case e.Do == "clear" && !c.Active() && c.Phase != Reading:
		c.Phase, c.Act, c.Reason, c.Notice = Idle, "", "", ""
		return
	case !ok || c.Active() || c.Phase == Reading || st.Durable.Unconfirmed:
		return
	case st.busyElsewhere(s.ID):
		c.Notice = "busy-elsewhere"
		return
	}
	if do := st.givenUp(c, s, e.Do, e.Who); do != nil {
		st.takeOver(s.ID)
		st.record(entry.StaffActed{Who: e.Who, Did: e.Do, Sale: s.ID})
		c.Sale, c.Act, c.Reason, c.Notice, c.Amount = s.ID, e.Do, "", "", s.Amount
		do()
		return
	}
	switch {
	case e.Do != "withdraw" && (c.Session == 0 || c.Card == nil):
		c.Notice = "put-card-on-desk"
		return
	case e.Do != "withdraw" && c.Card.Card != s.Card:
		c.Notice = "other-card"
		return
	}
	do := map[string]func(){
		"prove":    func() { st.resolve(c) },
		"rewrite":  func() { c.Phase = Loading; st.do(ReadCard{Place: Desk, Session: c.Session}) },
		"withdraw": func() { st.moneyBack(c, "cashier", "money-back-pending") },
	}[e.Do]
	if do == nil || e.Do == "prove" && s.Write != WriteUnknown || e.Do != "prove" && !s.Offered() || e.Do == "withdraw" && s.Remote {
		c.Notice = "not-possible-now"
		return
	}
	st.takeOver(s.ID)
	st.record(entry.StaffActed{Who: e.Who, Did: e.Do, Sale: s.ID})
	c.Sale, c.Act, c.Reason, c.Notice, c.Amount = s.ID, e.Do, "", "", s.Amount
	do()
}

// takeOver: what a cashier works on leaves the passenger's screen.
func (st *step) takeOver(id entry.SaleID) {
	f := &st.Live.Front
	if f.Sale == id && !f.Active() {
		st.clear(f)
	}
}

package sim

import (
	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
)

// Authority is the model host by itself, so that it can be held against the real
// one: sync/host TestTheModelHost. Kiosks are numbered from 0; codes are those of
// ISO 8583 DE39.
type Authority struct{ w *World }

// NewAuthority makes a host that knows so many kiosks, each with batch 1 open.
func NewAuthority(kiosks int) *Authority {
	return &Authority{New(&Options{Kiosks: kiosks})}
}

// Pay is a payment for a slot of a card.
func (a *Authority) Pay(kiosk int, p topup.Pay) (money.Fen, string) {
	return a.w.host.pay(kiosk, p, false)
}

// Eligible asks whether a load would be authorised, Authorise for the load.
func (a *Authority) Eligible(kiosk int, sale entry.SaleID, at entry.Attempt) string {
	at.MAC1 = mac1(at)
	return a.w.host.eligible(kiosk, sale, at)
}

// Authorise gives the code only: the MAC2 is the card's affair.
func (a *Authority) Authorise(kiosk int, sale entry.SaleID, at entry.Attempt) string {
	at.MAC1 = mac1(at)
	return a.w.host.authorise(kiosk, sale, at)
}

// Send is a reversal, a confirmation or a void.
func (a *Authority) Send(kiosk int, c topup.Send) string {
	a.w.turn(kiosk)
	defer func() { a.w.failed = nil }() // what is true of cards is not known here
	return a.w.owed(c)
}

// Ledger says what was authorised for an attempt's slot, Void whether this
// attempt's authorisation is void.
func (a *Authority) Ledger(at entry.Attempt) entry.Ledger { return a.w.host.ledgerSays(at) }

// Void says that an authorisation was given and not used.
func (a *Authority) Void(at entry.Attempt) bool { return a.w.host.void(at) }

// Fresh takes a probing INITIALIZE that the card made, and says whether it is new.
func (a *Authority) Fresh(of, probe entry.Attempt) entry.Counter {
	probe.MAC1 = mac1(probe)
	return a.w.host.counter(of, probe)
}

// CloseBatch ends a kiosk's batch.
func (a *Authority) CloseBatch(kiosk int) {
	a.w.host.terminals[kiosk].next()
	a.w.host.terminals[kiosk].lastSTAN = 0
}

// Settle compares the totals of a batch and closes it if they are the same.
func (a *Authority) Settle(kiosk int, batch uint32, t entry.Totals) (balanced bool) {
	return a.w.host.settle(kiosk, batch, t)
}

// Uploaded is a payment or a refund as a kiosk uploads it, STAN and amount its own.
type Uploaded struct {
	Sale   entry.SaleID
	STAN   uint32
	Amount money.Fen
	Credit bool
}

// Upload compares a batch payment by payment and closes it. Of a refund that the
// host alone has the STAN is 0.
func (a *Authority) Upload(kiosk int, batch uint32, list []Uploaded) []entry.Difference {
	return a.w.host.upload(kiosk, batch, func(yield func(item) bool) {
		for _, u := range list {
			i := item{sale: u.Sale, stan: u.STAN, batch: batch, paid: u.Amount}
			if u.Credit {
				i = item{sale: u.Sale, refund: u.STAN, backIn: batch, back: u.Amount}
			}
			if !yield(i) {
				return
			}
		}
	})
}

// Paid is what stands for a sale.
func (a *Authority) Paid(sale entry.SaleID) money.Fen {
	if p := a.w.host.standing(sale); p != nil {
		return p.amount
	}
	return 0
}

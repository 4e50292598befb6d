package station

import (
	"testing"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
)

// struckSale is a sale at which a rule strikes.
func (b *book) struckSale(id entry.SaleID, amount money.Fen, rule, outcome string) []entry.Body {
	of := entry.Of{Sale: id}
	return []entry.Body{
		entry.SaleOpened{Of: of, Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Place: "front"},
		entry.AmountChosen{Of: of, Amount: amount},
		entry.RiskStruck{Of: of, Rule: rule, Outcome: outcome},
		entry.SaleClosed{Of: of, Why: "risk"},
	}
}

// TestStrikesOfTheDay: an operator hears of the rules that struck today, before and
// after a restart, and of nothing from the day before.
func TestStrikesOfTheDay(t *testing.T) {
	b := newBook(t)
	b.write(b.struckSale("OLD0000000000000", 10_00, "at-night", "alarm")...)
	b.flush()
	b.at = b.at.Add(24 * time.Hour)
	b.write(b.struckSale("A000000000000000", 20_00, "cross-border-seen", "alarm")...)
	b.write(b.struckSale("B000000000000000", 30_00, "large", "refuse")...)
	b.flush()
	now := b.at.Add(time.Hour)
	r := &riskJudge{journal: b.j, now: func() time.Time { return now }, filled: make(chan struct{}), open: map[entry.SaleID]payer{}}
	if r.told() != nil {
		t.Error("told of nothing")
	}
	for _, body := range b.struckSale("C000000000000000", 40_00, "frequent", "cashier") { // before the past is counted
		r.wrote(body)
	}
	to, _ := b.j.Tail()
	if _, err := r.fill(t.Context(), to, 0); err != nil {
		t.Fatal(err)
	}
	got := r.told()
	if got == nil || got.Alarms != 1 || got.Cashier != 1 || got.Refused != 1 || got.Rule != "frequent" || got.Outcome != "cashier" || got.AtMS != now.UnixMilli() {
		t.Errorf("%+v", got)
	}
	_, list := r.struck.today(now)
	if len(list) != 3 || list[0].amount != 40_00 || list[0].card != "3105170010170907984" || list[2].amount != 20_00 {
		t.Errorf("%+v", list)
	}
	if sent := r.sentToDesk("3105170010170907984"); len(sent) != 1 || !sent[0].Here || sent[0].Claim != entry.SaleID("C000000000000000").Claim() {
		t.Errorf("the cashier sees %+v", sent)
	}
	of := entry.Of{Sale: "D000000000000000"}
	for _, body := range []entry.Body{entry.SaleOpened{Of: of, Card: entry.Card{Number: "3105170010170907984"}}, entry.PaymentStarted{Of: of, PAN: "622588******0001", Amount: 1}} {
		r.wrote(body)
	}
	if sent := r.sentToDesk("another"); len(sent) != 1 || sent[0].Here {
		t.Errorf("before it is paid: %+v", sent)
	}
	if r.wrote(entry.PaymentApproved{Of: of, Amount: 1}); len(r.sentToDesk("")) != 0 {
		t.Error("who has paid is still waited for")
	}
	if now = now.Add(24 * time.Hour); r.told() != nil {
		t.Error("the next day still has them")
	}
	for range 2 * maxStruck {
		r.struck.add(strike{outcome: "alarm", at: now})
	}
	if count, list := r.struck.today(now); len(list) != maxStruck || r.told().Alarms != 2*maxStruck {
		t.Errorf("%v, and %d one by one", count, len(list))
	}
}

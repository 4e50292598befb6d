package station

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"buka/cardio/emv"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/risk"
	"buka/topup"
)

// riskJudge asks the operator's rules about a payment, once the bank card was read
// and before a PIN is asked for. What they count comes from the journal.
type riskJudge struct {
	rules   *risk.Set
	ledger  risk.Ledger
	struck  struck
	journal *journal
	now     func() time.Time // in the kiosk's zone
	post    func(topup.Event)
	sale    func(entry.SaleID) topup.Sale
	log     *slog.Logger

	filled chan struct{} // closed when the day so far is counted

	mu     sync.Mutex
	open   map[entry.SaleID]payer
	judged struct { // last, so that a card that is tapped again is not told again
		sale entry.SaleID
		card string
	}
}

// payer is what an approval has to be counted under.
type payer struct {
	bank, purse string
	amount      int64
}

const (
	maxPayers  = 4096            // open sales that are followed
	lookBack   = 5_000           // entries that are looked at after a start, at least,
	maxLooked  = 200_000         // and at most
	fillWait   = 5 * time.Second // that a payment waits for the day to be counted
	seekProbes = 40
)

// judge says what a passenger is told if a rule stops the payment.
func (r *riskJudge) judge(ctx context.Context, id entry.SaleID, card *emv.Payment, amount int64) string {
	select {
	case <-r.filled:
	case <-ctx.Done():
	case <-time.After(fillWait):
	}
	p := risk.Payment{Amount: amount, Country: card.Country(), Scheme: card.Card.Scheme, Entry: "contactless"}
	p.CrossesOut = p.Country != "" && p.Country != "156"
	if card.Interface == emv.Contact {
		p.Entry = "contact"
	}
	r.ledger.Fill(&p, r.now(), card.Card.Masked(), r.sale(id).Card.Number)
	v := r.rules.Judge(p)
	r.tell(id, card.Card.Masked(), v)
	switch v.Outcome {
	case risk.Refuse:
		return "risk-refused"
	case risk.Cashier:
		return "risk-cashier"
	}
	return ""
}

// tell has each rule that struck written down, the mildest first: the strictest
// ends the sale.
func (r *riskJudge) tell(id entry.SaleID, card string, v risk.Verdict) {
	r.mu.Lock()
	again := r.judged.sale == id && r.judged.card == card
	r.judged.sale, r.judged.card = id, card
	r.mu.Unlock()
	for o := risk.Alarm; o <= v.Outcome; o++ {
		for _, name := range v.Rules {
			if r.rules.OutcomeOf(name) == o && !(again && o == risk.Alarm) {
				r.log.Warn("a risk rule struck", "rule", name, "outcome", o.String(), "claim", id.Claim(), "bank_card", card)
				r.post(topup.RiskJudged{Sale: id, Rule: name, Outcome: o.String()})
			}
		}
	}
}

// wrote follows the journal as it grows.
func (r *riskJudge) wrote(body entry.Body) { r.count(body, r.now) }

func (r *riskJudge) count(body entry.Body, at func() time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch b := body.(type) {
	case entry.SaleOpened:
		if len(r.open) < maxPayers {
			r.open[b.Sale] = payer{purse: b.Card.Number}
		}
	case entry.AmountChosen:
		if p, ok := r.open[b.Sale]; ok {
			p.amount = int64(b.Amount)
			r.open[b.Sale] = p
		}
	case entry.RiskStruck:
		p := r.open[b.Sale]
		r.struck.add(strike{sale: b.Sale, card: p.purse, amount: money.Fen(p.amount), rule: b.Rule, outcome: b.Outcome, at: at()})
	case entry.PaymentStarted:
		if p, ok := r.open[b.Sale]; ok {
			p.bank, p.amount = b.PAN, int64(b.Amount)
			r.open[b.Sale] = p
		}
	case entry.PaymentApproved:
		if p, ok := r.open[b.Sale]; ok {
			r.ledger.Add(at(), p.bank, p.purse, p.amount)
			r.struck.paid(p.purse)
		}
	case entry.SaleClosed:
		delete(r.open, b.Sale)
	}
}

// fill counts the day so far out of the journal, up to entry to. offset is the
// host's clock minus ours, as it was last. It gives the time of the newest payment
// whose batch has not been closed; zero if there is none.
func (r *riskJudge) fill(ctx context.Context, to uint64, offset time.Duration) (paid time.Time, err error) {
	defer close(r.filled)
	today := r.now().Format(time.DateOnly)
	day := func(e entry.Entry) time.Time { return e.Time().Add(offset).In(r.now().Location()) }
	from := r.journal.firstSince(to, func(e entry.Entry) bool { return day(e).Format(time.DateOnly) >= today })
	if to > lookBack {
		from = min(from, to-lookBack)
	} else {
		from = 1
	}
	if to > maxLooked {
		from = max(from, to-maxLooked)
	}
	err = r.journal.Each(from, func(e entry.Entry, _ []byte) error {
		if e.Seq > to || ctx.Err() != nil {
			return errEnough
		}
		switch e.Kind {
		case entry.KPaymentApproved:
			paid = day(e)
			if paid.Format(time.DateOnly) != today {
				return nil
			}
		case entry.KBatchClosing:
			paid = time.Time{}
			return nil
		case entry.KRiskStruck:
			if day(e).Format(time.DateOnly) != today {
				return nil
			}
		case entry.KSaleOpened, entry.KAmountChosen, entry.KPaymentStarted, entry.KSaleClosed:
		default:
			return nil
		}
		body, err := e.Body()
		if err != nil {
			return err
		}
		r.count(body, func() time.Time { return day(e) })
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return paid, err
}

// firstSince finds about the first entry for which later holds, if it holds for those
// behind it too. Where clocks jumped it finds some other place.
func (j *journal) firstSince(to uint64, later func(entry.Entry) bool) uint64 {
	low, high := uint64(1), to
	for range seekProbes {
		if low >= high {
			break
		}
		mid := low + (high-low)/2
		e, _, _, err := j.Entry(mid)
		if err != nil {
			return max(1, to) // what cannot be read is not counted
		}
		if later(e) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

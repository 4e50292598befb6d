package station

import (
	"slices"
	"sync"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/risk"
	"buka/sync/fleetlink/fleetmsg"
	"buka/ui"
)

// struck is which rules of risk have struck today, out of the journal: an operator
// sees it, and a cashier to whom a passenger was sent. A day is one of the kiosk's
// zone, as in the rules.
type struck struct {
	mu    sync.Mutex
	day   string
	count map[string]int // by outcome
	list  []strike
}

type strike struct {
	sale          entry.SaleID
	card          string // transit card's number
	amount        money.Fen
	rule, outcome string
	at            time.Time
	paid          bool // the card was paid for since
}

// maxStruck bounds the strikes of a day that are kept one by one.
const maxStruck = 200

func (s *struck) add(x strike) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if day := x.at.Format(time.DateOnly); day != s.day {
		s.day, s.count, s.list = day, map[string]int{}, nil
	}
	s.count[x.outcome]++
	if s.list = append(s.list, x); len(s.list) > maxStruck {
		s.list = slices.Delete(s.list, 0, 1)
	}
}

// paid notes that a payment for a card was approved: nobody waits at the desk.
func (s *struck) paid(card string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.list {
		s.list[i].paid = s.list[i].paid || s.list[i].card == card
	}
}

// today gives how often each outcome came, and the strikes, newest first.
func (s *struck) today(now time.Time) (count map[risk.Outcome]int, list []strike) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count = map[risk.Outcome]int{}
	if now.Format(time.DateOnly) != s.day {
		return count, nil
	}
	for _, o := range []risk.Outcome{risk.Alarm, risk.Cashier, risk.Refuse} {
		count[o] = s.count[o.String()]
	}
	list = slices.Clone(s.list)
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b strike) int { return b.at.Compare(a.at) })
	return count, list
}

// told is what the fleet host is told about today's strikes; nil if there is none.
func (r *riskJudge) told() *fleetmsg.Risk {
	count, list := r.struck.today(r.now())
	if len(list) == 0 {
		return nil
	}
	last := list[0]
	return &fleetmsg.Risk{
		Alarms: count[risk.Alarm], Cashier: count[risk.Cashier], Refused: count[risk.Refuse],
		Rule: last.rule, Outcome: last.outcome, AtMS: last.at.UnixMilli(),
	}
}

// deskSent bounds the list of passengers whom a rule has sent to the desk.
const deskSent = 10

// sentToDesk lists who was told today to pay at the desk, and has not paid since.
func (r *riskJudge) sentToDesk(onReader string) (sent []ui.SentHere) {
	_, list := r.struck.today(r.now())
	for _, x := range list {
		if x.outcome == risk.Cashier.String() && !x.paid && len(sent) < deskSent {
			sent = append(sent, ui.SentHere{
				Claim: x.sale.Claim(), CardNumber: x.card, Amount: x.amount, Rule: x.rule, At: x.at, Here: x.card != "" && x.card == onReader,
			})
		}
	}
	return sent
}

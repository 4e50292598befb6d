package risk

import (
	"sync"
	"time"
)

// maxSeen bounds how many cards of a day are counted one by one.
const maxSeen = 100_000

// Ledger counts the approved payments of a day, by masked bank card number and
// by transit card number. It is filled from the journal at the start and from
// each approval after that. A day is one of the kiosk's zone; a clock that jumps
// begins a new count and can only forget.
type Ledger struct {
	mu    sync.Mutex
	day   string
	bank  map[string]tally
	purse map[string]tally
}

type tally struct{ count, sum int64 }

// Add takes one approved payment.
func (l *Ledger) Add(at time.Time, bankCard, transitCard string, fen int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if day := at.Format(time.DateOnly); day != l.day {
		l.day, l.bank, l.purse = day, map[string]tally{}, map[string]tally{}
	}
	add(l.bank, bankCard, fen)
	add(l.purse, transitCard, fen)
}

func add(m map[string]tally, card string, fen int64) {
	t, known := m[card]
	if card == "" || !known && len(m) >= maxSeen {
		return
	}
	m[card] = tally{t.count + 1, t.sum + fen}
}

// Fill sets the counts of a payment.
func (l *Ledger) Fill(p *Payment, at time.Time, bankCard, transitCard string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.Hour, p.Weekday = int64(at.Hour()), int64(at.Weekday())
	if at.Format(time.DateOnly) != l.day {
		return
	}
	b, t := l.bank[bankCard], l.purse[transitCard]
	p.Count, p.Sum, p.LoadCount, p.LoadSum = b.count, b.sum, t.count, t.sum
}

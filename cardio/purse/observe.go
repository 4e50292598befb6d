package purse

import (
	"context"
	"errors"
	"fmt"

	"buka/internal/entry"
)

// TypeLoad is the type of a load record in entry.LogRecord.
const TypeLoad = 0x02

// Loads picks the loads of a log, in order.
func Loads(log []entry.LogRecord) []entry.LogRecord {
	var loads []entry.LogRecord
	for _, r := range log {
		if r.Type == TypeLoad {
			loads = append(loads, r)
		}
	}
	return loads
}

// AskNewest gives the numbers under which the newest load of a log may have
// left its proof. Cards differ twice: the record's number n may be the counter
// before or after the increment, and PROVE may answer to either.
func AskNewest(log []entry.LogRecord) []entry.Slot {
	loads := Loads(log)
	if len(loads) == 0 {
		return nil
	}
	n := loads[0].Number
	if n == 0 {
		return []entry.Slot{1, 0}
	}
	return []entry.Slot{n + 1, n, n - 1}
}

// AskFor asks for what an attempt may have left, n+1 and then n, without the
// numbers in not, and after these for what the log suggests.
func AskFor(n entry.Slot, not ...entry.Slot) func([]entry.LogRecord) []entry.Slot {
	return func(log []entry.LogRecord) []entry.Slot {
		seen := map[entry.Slot]bool{}
		for _, s := range not {
			seen[s] = true
		}
		var ask []entry.Slot
		for _, s := range append([]entry.Slot{n + 1, n}, AskNewest(log)...) {
			if !seen[s] {
				seen[s] = true
				ask = append(ask, s)
			}
		}
		return ask
	}
}

// maxAsked bounds the PROVE commands of one Observe.
const maxAsked = 8

// Observe reads what an INITIALIZE might wipe: balance, log, and the proof for
// the numbers that ask (nil: AskNewest) takes from the log. PROVE comes last,
// and the first proof that answers ends the call, because it must be durable
// before the next command goes to the card.
//
// With an error the observation holds what was read until then.
func Observe(ctx context.Context, p Purse, ask func(log []entry.LogRecord) []entry.Slot) (entry.Observation, error) {
	var o entry.Observation
	var err error
	if o.Balance, err = p.Balance(ctx); err != nil {
		return o, fmt.Errorf("balance: %w", err)
	}
	log, err := p.Log(ctx)
	if err != nil {
		return o, fmt.Errorf("log: %w", err)
	}
	o.Log = Loads(log)
	if ask == nil {
		ask = AskNewest
	}
	numbers := ask(log)
	for _, n := range numbers[:min(len(numbers), maxAsked)] {
		proof, err := p.Prove(ctx, n)
		if errors.Is(err, ErrNoProof) {
			o.NoProof = append(o.NoProof, n)
			continue
		}
		if err != nil {
			return o, fmt.Errorf("prove %d: %w", n, err)
		}
		o.Proofs = append(o.Proofs, proof)
		return o, nil
	}
	return o, nil
}

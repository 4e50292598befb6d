package purse

import (
	"context"
	"crypto/rand"
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

// maxAsked bounds the PROVE commands of one call.
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
	proof, none, err := ProveAny(ctx, p, ask(log))
	o.NoProof = none
	if proof != nil {
		o.Proofs = []entry.Proof{*proof}
	}
	return o, err
}

// ProveAny asks for the numbers in order until a proof answers, which must be
// durable before the next command goes to the card; nil if none does. It also
// gives the numbers that had none.
func ProveAny(ctx context.Context, p Purse, numbers []entry.Slot) (*entry.Proof, []entry.Slot, error) {
	var none []entry.Slot
	for _, n := range numbers[:min(len(numbers), maxAsked)] {
		proof, err := p.Prove(ctx, n)
		switch {
		case errors.Is(err, ErrNoProof):
			none = append(none, n)
		case err != nil:
			return nil, none, fmt.Errorf("prove %d: %w", n, err)
		default:
			return &proof, none, nil
		}
	}
	return nil, none, nil
}

// Probe is the probing INITIALIZE of DESIGN §4.3: a random terminal id makes its
// MAC1 an answer that cannot be replayed. Its amount is the least there is, so
// that a card close to its limit answers too.
func Probe(ctx context.Context, p Purse) (entry.Attempt, error) {
	terminal := make(entry.Hex, 6)
	rand.Read(terminal) // never fails
	a, err := p.Challenge(ctx, LoadRequest{Amount: 1, Terminal: terminal})
	if errors.Is(err, &Refusal{Reason: AtLimit}) {
		a, err = p.Challenge(ctx, LoadRequest{Amount: 0, Terminal: terminal})
	}
	return a, err
}

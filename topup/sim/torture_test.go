package sim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"buka/cardio/apdu"
	"buka/cardio/pboc"
	"buka/internal/entry"
	"buka/topup/sim"
)

// real is the real family's part.
func real(o sim.Options) sim.Options {
	o.Judge = pboc.Judge
	o.Outcome = func(sw uint16) entry.Outcome { return pboc.WriteOutcome(apdu.SW(sw)) }
	return o
}

func TestTorture(t *testing.T) {
	for seed := range uint64(3) {
		r := sim.Torture(sim.Plan{Options: real(sim.Options{Cards: 3}), Seed: seed, Sales: 3000})
		if r.Err != nil {
			t.Fatalf("seed %d, %d sales: %v\n%s", seed, r.Sales, r.Err, strings.Join(r.History, "\n"))
		}
		again := sim.Torture(sim.Plan{Options: real(sim.Options{Cards: 3}), Seed: seed, Sales: 3000})
		a, _ := json.Marshal(r)
		b, _ := json.Marshal(again)
		if string(a) != string(b) {
			t.Fatalf("the same seed gives\n%s\nand then\n%s", a, b)
		}
		t.Logf("%s", a)
	}
}

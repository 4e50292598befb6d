package sim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"buka/topup/sim"
)

func TestExplore(t *testing.T) {
	for _, o := range []sim.Options{
		{Cards: 1, Sales: 1, Faults: 1},
		{Cards: 1, Sales: 1, Faults: 2},
		{Cards: 1, Sales: 2, Faults: 1},
	} {
		start := time.Now()
		v := sim.Explore(sim.Bound{Options: real(o), States: 300000})
		if v.Err != nil {
			t.Fatalf("%v\n%s", v.Err, strings.Join(v.History, "\n"))
		}
		line, _ := json.Marshal(v)
		t.Logf("%d cards %d sales %d faults: %s %s", o.Cards, o.Sales, o.Faults, line, time.Since(start))
	}
}

package station

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"buka/sync/switchlink"
)

// TestAHostThatAlwaysWantsASignOn gets few: at once, half a second later, and then
// less and less often; one that was content since, at once again.
func TestAHostThatAlwaysWantsASignOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		d := &demands{}
		d.act = func() { at = append(at, time.Since(began)); d.met() }
		for time.Since(began) < 10*time.Minute {
			d.want()
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if n := len(at); n < 14 || n > 17 || at[0] != 0 || at[1] < demandAgain || at[1] > 2*demandAgain || at[n-1]-at[n-2] < demandSeldom {
			t.Errorf("%d sign-ons, at %v", n, at)
		}
		n := len(at)
		time.Sleep(2 * demandSeldom)
		synctest.Wait()
		if n = len(at); n > 18 {
			t.Errorf("%d", n)
		}
		d.content()
		d.want()
		synctest.Wait()
		if len(at) != n+1 {
			t.Error("a host that was content waits")
		}
		d.want()
		d.met()
		d.want()
		d.end()
		time.Sleep(2 * demandSeldom)
		synctest.Wait()
		if len(at) != n+1 {
			t.Error("what was met is passed on, or what came after the end")
		}
	})
}

// TestAnAuthorityThatAlwaysWantsASignOn: with its own answers too, and with none to
// anything else.
func TestAnAuthorityThatAlwaysWantsASignOn(t *testing.T) {
	host := &noHost{probes: "A0"}
	s := &Station{links: &links{up: map[string]bool{}}, log: slog.New(slog.DiscardHandler)}
	s.links.signOn = newLoadSignOn(s.links.signedOn.ring, s.log)
	s.links.signOn.client = clientOf(t, host, func(c *switchlink.Config) {
		c.OnRequirement, c.OnInStep = func(n byte) { s.required(loadLink, n) }, s.links.demandsOf(loadLink).content
	})
	ended := make(chan struct{})
	go func() { defer close(ended); s.links.signOn.run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	t.Cleanup(s.links.signOn.asked.end)
	<-s.links.signOn.ask(1)
	probe, attempt := aProbe()
	began := time.Now()
	for i := range uint32(400) {
		s.links.signOn.client.Eligible(t.Context(), query(probe.STAN+i, 1, probe.Sale, attempt))
		time.Sleep(time.Millisecond)
	}
	most := int32(2) // the first, and the one at once
	for wait, at := demandAgain, demandAgain; at < time.Since(began); wait, at = 2*wait, at+2*wait {
		most++
	}
	if n := host.signed.Load(); n < 2 || n > most {
		t.Errorf("%d sign-ons of at most %d in %v", n, most, time.Since(began))
	}
}

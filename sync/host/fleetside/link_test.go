package fleetside

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/sync/fleetlink"
	"buka/sync/fleetlink/fleetmsg"
)

func shipped(l *fleetlink.Link) func() bool {
	return func() bool { st := l.State(); return st.Up && st.Unshipped == 0 && st.Tail > 0 && st.Mark == st.Tail }
}

func TestLinkShipsWhatIsAppended(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 100)
	var news atomic.Int64
	l, stop := startLink(t, s.Addr(), "K1", j, func(c *fleetlink.Config) {
		c.OnState = func(fleetlink.State) { news.Add(1) }
	})
	eventually(t, "all is shipped", shipped(l))
	for n := range 20 {
		j.append(t, wholeSale(1000+n)...)
		l.Poke()
	}
	eventually(t, "all is shipped", shipped(l))
	if st := l.State(); st.Mark != 300 || st.LastSync.IsZero() || st.Conflict != nil || news.Load() == 0 {
		t.Fatalf("%+v", st)
	}
	stop()
	if l.State().Up {
		t.Fatal("the link says that it is up after its end")
	}
	// A new link over the same journal has nothing to do but says so.
	l, _ = startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "it knows that all is shipped", func() bool { return !l.State().LastSync.IsZero() })
	if st := l.State(); st.Batches != 0 {
		t.Fatalf("shipped again: %+v", st)
	}
}

func TestALostMarkIsFoundAgain(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 300)
	j.page = 20
	l, stop := startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "all is shipped", shipped(l))
	stop()
	for _, mark := range []struct {
		seq  uint64
		hash entry.Hash
	}{{0, entry.Hash{}}, {40, j.hashes[39]}, {40, entry.Hash{1}}, {300, entry.Hash{2}}, {999, entry.Hash{3}}} {
		if err := j.SetMark(mark.seq, mark.hash); err != nil {
			t.Fatal(err)
		}
		l, stop := startLink(t, s.Addr(), "K1", j, nil)
		eventually(t, "the mark is right again", func() bool {
			seq, hash, _ := j.Mark()
			return seq == 300 && hash == j.hashes[299] && l.State().Conflict == nil
		})
		stop()
	}
	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != 300 {
		t.Fatal(n, err)
	}
}

func TestAHostRestoredFromABackupGetsTheRestAgain(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 60)
	l, _ := startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "all is shipped", shipped(l))
	s.forget(t, "K1")
	eventually(t, "all is shipped again", func() bool { return one(t, s, "K1").Committed == 60 })
	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != 60 {
		t.Fatal(n, err)
	}
	eventually(t, "the link is at peace", shipped(l))
}

func TestConflictIsSaidAndNothingOverwritten(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 60)
	l, stop := startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "all is shipped", shipped(l))
	stop()

	fork := j.cut(50) // a disk image put back without a new epoch, and then used
	fork.append(t, wholeSale(777)...)
	fork.append(t, wholeSale(778)...)
	l, stop = startLink(t, s.Addr(), "K1", fork, nil)
	eventually(t, "the conflict is said", func() bool { return l.State().Conflict != nil })
	if st := l.State(); !strings.Contains(st.Err, "differs from ours at entry") || st.Mark > 50 {
		t.Fatalf("%+v", st)
	}
	eventually(t, "the operator sees it", func() bool { return one(t, s, "K1").Conflict != "" })
	stop()

	short := j.cut(30) // fewer entries than the host has
	l, stop = startLink(t, s.Addr(), "K1", short, nil)
	eventually(t, "the conflict is said", func() bool { c := l.State().Conflict; return c != nil && c.Seq == 60 })
	short.append(t, entry.Started{Version: "x"}) // still a conflict
	l.Poke()
	stop()

	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != 60 {
		t.Fatal(n, err)
	}
	l, _ = startLink(t, s.Addr(), "K1", j, nil) // the true journal comes back
	eventually(t, "the link is at peace", shipped(l))
	if l.State().Conflict != nil {
		t.Fatal(l.State().Conflict)
	}
}

func TestANewEpochBeginsFromTheFirstEntry(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 41)
	j.append(t, paidSale(500)...) // torn, and known to the host only
	l, stop := startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "all is shipped", shipped(l))
	stop()

	restored := j.cut(31)
	restored.append(t, begun("K1", epochB))
	_ = restored.SetMark(31, restored.hashes[30])
	l, _ = startLink(t, s.Addr(), "K1", restored, func(c *fleetlink.Config) { c.Epoch = epochB })
	eventually(t, "the new epoch is shipped", shipped(l))
	restored.append(t, wholeSale(600)...)
	l.Poke()
	eventually(t, "the new epoch is shipped", shipped(l))
	k := one(t, s, "K1")
	if k.Epoch != epochB.String() || k.Committed != 42 || k.Conflict != "" {
		t.Fatalf("%+v", k)
	}
	if len(k.Open) != 1 || !k.Open[0].OldEpoch || k.Open[0].Sale != saleID(500) {
		t.Fatalf("what the earlier epoch left open: %+v", k.Open)
	}
	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != 48+42 {
		t.Fatal(n, err)
	}
}

func TestLargeEntries(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 10)
	j.append(t, entry.Checkpoint{State: make([]byte, 3<<20)}, entry.Started{Version: "after"})
	l, _ := startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "a large checkpoint is shipped", shipped(l))

	big := filled(t, "K2", 10)
	big.append(t, entry.Checkpoint{State: make([]byte, entry.MaxBytes-200)})
	l, _ = startLink(t, s.Addr(), "K2", big, nil)
	eventually(t, "the entry that cannot be shipped is named", func() bool {
		st := l.State()
		return st.Mark == 10 && strings.Contains(st.Err, "entry 11 has") && st.Up
	})
}

func TestSilenceIsTheAlarm(t *testing.T) {
	s := startSide(t, func(c *Config) { c.Absent = 500 * time.Millisecond })
	var told atomic.Int64
	cancel := s.Subscribe(func() { told.Add(1) })
	if k := one(t, s, "K2"); k.Up || !k.LastSeen.IsZero() {
		t.Fatalf("a kiosk that was never heard: %+v", k)
	}
	j := filled(t, "K1", 10)
	ok := atomic.Bool{}
	l, stop := startLink(t, s.Addr(), "K1", j, func(c *fleetlink.Config) {
		c.Status = func() fleetlink.Heartbeat {
			return fleetlink.Heartbeat{Version: "v1", Owed: 2, Unknown: 1, Long: 6, Screen: "idle", Sales: 7, Risk: &fleetmsg.Risk{Alarms: 4, Rule: "large", Outcome: "alarm"},
				Devices: []fleetlink.Device{{Name: "reader", OK: ok.Load(), Code: "gone", SinceMS: 5}}}
		}
	})
	eventually(t, "the kiosk is seen", func() bool {
		k := one(t, s, "K1")
		return k.Up && k.Committed == 10 && k.Version == "v1" && !k.LastSync.IsZero()
	})
	k := one(t, s, "K1")
	if k.Risk == nil || k.Risk.Alarms != 4 || k.Risk.Rule != "large" {
		t.Errorf("risk %+v", k.Risk)
	}
	if k.SaysOwed != 2 || k.SaysUnknown != 1 || k.SaysLong != 6 || k.SaysSales != 7 || len(k.Devices) != 1 || k.Devices[0].OK {
		t.Fatalf("%+v", k)
	}
	ok.Store(true)
	l.Changed()
	eventually(t, "a change of a device is seen", func() bool { return one(t, s, "K1").Devices[0].OK })
	before := told.Load()
	stop()
	eventually(t, "silence is noticed", func() bool { return !one(t, s, "K1").Up })
	eventually(t, "silence is told", func() bool { return told.Load() > before })
	cancel()
	cancel()
}

func TestWhatIsKnownSurvivesTheHost(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 10)
	j.append(t, paidSale(1)...)
	l, stop := startLink(t, s.Addr(), "K1", j, func(c *fleetlink.Config) {
		c.Status = func() fleetlink.Heartbeat { return fleetlink.Heartbeat{Version: "v1", Owed: 3} }
	})
	eventually(t, "all is shipped", shipped(l))
	eventually(t, "it is seen", func() bool { k := one(t, s, "K1"); return k.SaysOwed == 3 && k.SaysTail == 17 })
	stop()
	was := one(t, s, "K1")
	s.Close()
	again := startSide(t, func(c *Config) { c.DB = s.db })
	k := one(t, again, "K1")
	if k.Version != "v1" || k.SaysOwed != 3 || k.Committed != 17 || len(k.Open) != 1 || k.LastSeen.IsZero() {
		t.Fatalf("was %+v\nis %+v", was, k)
	}
}

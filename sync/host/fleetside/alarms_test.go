package fleetside

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/sync/fleetlink/fleetmsg"
)

// alarming is a journal with everything that is an alarm, and what looks like one.
func alarming(t *testing.T) *memJournal {
	t.Helper()
	j := filled(t, "K1", 11)
	of := entry.Of{Sale: saleID(70)}
	j.append(t, paidSale(70)[:2]...)
	j.append(t,
		entry.RiskStruck{Of: of, Rule: "large", Outcome: "alarm"},
		entry.RiskStruck{Of: of, Rule: "frequent", Outcome: "cashier"},
		entry.RiskStruck{Of: of, Rule: "stolen", Outcome: "refuse"},
		entry.ReversalPendingLong{Of: of},
		entry.ReversalConflict{Of: of, Code: "12"},
		entry.BatchSettled{Batch: 7, Code: "00"},
		entry.BatchSettled{Batch: 8, Code: "00", Differs: []entry.Difference{{Sale: of.Sale, STAN: 1, Host: 5000}}})
	return j
}

// listed gives kind and detail of each alarm, and who has seen it.
func listed(t *testing.T, s *Side, kiosk string) (fresh int, list []string, alarms []Alarm) {
	t.Helper()
	fresh, alarms, err := s.Alarms(t.Context(), kiosk)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alarms {
		list = append(list, string(a.Kind)+" "+a.Detail+" "+a.Who)
	}
	return fresh, list, alarms
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: %q, want %q", what, got, want)
		}
	}
}

// TestAnAlarmIsAcknowledgedOnce: it is new until a person has seen it, once and for
// all: a restart of the host, a fold anew and a restored journal change nothing.
func TestAnAlarmIsAcknowledgedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	db, err := openDB(path)
	if err != nil {
		t.Fatal(err)
	}
	s := startSide(t, func(c *Config) { c.DB = db })
	j := alarming(t)
	nc := login(t, s, "K1")
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 15)), fleetmsg.CodeOK, 15)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 10, len(j.stored))), fleetmsg.CodeOK, uint64(len(j.stored))) // some of it again
	fresh, list, alarms := listed(t, s, "")
	same(t, "raised", list, "batch 8 ", "conflict  ", "long  ", "risk large ")
	if risk := alarms[3]; fresh != 4 || risk.Claim != saleID(70).Claim() || risk.Amount != 5000 || risk.Card != "310517*********7984" || risk.At.IsZero() {
		t.Fatalf("%d new, %+v", fresh, alarms)
	}
	before := owedAndOpen(t, s)
	if _, err := s.Acknowledge(t.Context(), alarms[3].ID, alarms[3].ID, ""); err == nil {
		t.Error("nobody has acknowledged it")
	}
	if got, err := s.Acknowledge(t.Context(), alarms[3].ID, alarms[2].ID, "mei"); err != nil || len(got) != 2 || got[0].Kiosk != "K1" {
		t.Fatal(got, err)
	}
	if got, err := s.Acknowledge(t.Context(), alarms[3].ID, alarms[3].ID, "lin"); err != nil || len(got) != 0 {
		t.Fatal("acknowledged twice", got, err)
	}
	want := []string{"batch 8 ", "conflict  ", "long  mei", "risk large mei"}
	seen := func(what string) {
		t.Helper()
		fresh, list, alarms := listed(t, s, "K1")
		same(t, what, list, want...)
		if fresh != 2 || alarms[3].Seen.IsZero() || !alarms[1].Seen.IsZero() {
			t.Fatalf("%s: %d new, %+v", what, fresh, alarms)
		}
	}
	seen("two of them")
	if after := owedAndOpen(t, s); after != before {
		t.Errorf("money: %v became %v", before, after)
	}
	s.Close()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = openDB(path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s = startSide(t, func(c *Config) { c.DB = db })
	seen("after a restart of the host")
	if _, err := db.Exec(`UPDATE fleet_epoch SET fold_version = 0; DELETE FROM fleet_alarm WHERE kind = 'batch'`); err != nil {
		t.Fatal(err)
	}
	if err := s.refoldOld(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen("after a fold anew")
	j.append(t, entry.Restored{Epoch: epochB, Was: epochA, LastSeq: uint64(len(j.stored))})
	nc = login(t, s, "K1")
	wantReply(t, send(t, nc, j.batch("K1", epochB, 1, len(j.stored))), fleetmsg.CodeOK, uint64(len(j.stored)))
	seen("after a restore of the journal")
	if fresh, _, _ := listed(t, s, "K2"); fresh != 0 {
		t.Error("another kiosk has it too")
	}
}

type counts struct {
	owed, open int
	total      money.Fen
}

func owedAndOpen(t *testing.T, s *Side) counts {
	k := one(t, s, "K1")
	return counts{k.Owed, len(k.Open), k.Total()}
}

// TestAJournalThatForksIsOneAlarm, however often the kiosk sends it.
func TestAJournalThatForksIsOneAlarm(t *testing.T) {
	s := startSide(t, nil)
	nc, j, other := login(t, s, "K1"), filled(t, "K1", 11), &memJournal{}
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 11)), fleetmsg.CodeOK, 11)
	other.append(t, begun("K1", epochA))
	other.append(t, wholeSale(9)...)
	for range 3 {
		if r := send(t, nc, other.batch("K1", epochA, 1, 11)); r.Code != fleetmsg.CodeFork {
			t.Fatalf("%+v", r)
		}
	}
	fresh, _, alarms := listed(t, s, "")
	if fresh != 1 || len(alarms) != 1 || alarms[0].Kind != AlarmJournal || alarms[0].Detail == "" || alarms[0].Kiosk != "K1" {
		t.Fatalf("%d: %+v", fresh, alarms)
	}
	if got, err := s.Acknowledge(t.Context(), alarms[0].ID, alarms[0].ID, "mei"); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if one(t, s, "K1").Conflict == "" {
		t.Error("an acknowledgement has made the journal whole")
	}
}

// TestAnAcknowledgementIsAnsweredByItsCommit: without the commit nobody has seen it.
func TestAnAcknowledgementIsAnsweredByItsCommit(t *testing.T) {
	fails := false
	broken := errors.New("the disk is full")
	db := testDB(t)
	s := startSide(t, func(c *Config) {
		c.DB = db
		c.Write = func(ctx context.Context, fn func(tx *sql.Tx) error) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if err := fn(tx); err != nil {
				return err
			}
			if fails {
				return broken
			}
			return tx.Commit()
		}
	})
	j := alarming(t)
	wantReply(t, send(t, login(t, s, "K1"), j.batch("K1", epochA, 1, len(j.stored))), fleetmsg.CodeOK, uint64(len(j.stored)))
	_, _, alarms := listed(t, s, "")
	fails = true
	if _, err := s.Acknowledge(t.Context(), 1, alarms[0].ID, "mei"); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if fresh, _, _ := listed(t, s, ""); fresh != 4 {
		t.Errorf("%d are new", fresh)
	}
}

// TestManyAlarmsAreCountedAndBounded: a list is bounded, the count is not.
func TestManyAlarmsAreCountedAndBounded(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 1)
	for n := range 3 * AlarmsShown {
		j.append(t, entry.ReversalPendingLong{Of: entry.Of{Sale: saleID(n)}})
	}
	wantReply(t, send(t, login(t, s, "K1"), j.batch("K1", epochA, 1, len(j.stored))), fleetmsg.CodeOK, uint64(len(j.stored)))
	fresh, _, alarms := listed(t, s, "K1")
	if fresh != 3*AlarmsShown || len(alarms) != AlarmsShown || alarms[0].ID < alarms[1].ID {
		t.Fatalf("%d new, %d listed", fresh, len(alarms))
	}
	got, err := s.Acknowledge(t.Context(), alarms[AlarmsShown-1].ID, alarms[0].ID, "mei")
	if fresh, _, alarms = listed(t, s, "K1"); err != nil || len(got) != AlarmsShown || fresh != 2*AlarmsShown || len(alarms) != 2*AlarmsShown {
		t.Fatalf("%d acknowledged, %v; %d new, %d listed", len(got), err, fresh, len(alarms))
	}
}

package operator

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
	"buka/sync/host"
	"buka/sync/host/fleetside"
	"buka/ui"
)

// book is a ledger of one case that remembers how it was settled.
type book struct {
	open    []host.Rewrite
	batches []host.Batch
	settled []string
	err     error
}

func (b *book) Rewrites(context.Context) ([]host.Rewrite, error) { return b.open, nil }

func (b *book) Batches(context.Context, int) ([]host.Batch, error) { return b.batches, b.err }

func (b *book) Settle(_ context.Context, sale entry.SaleID, state, _ string, people [2]string) error {
	if b.err != nil {
		return b.err
	}
	b.settled = append(b.settled, string(sale)+" "+state+" "+people[0]+" "+people[1])
	return nil
}

// One person proposes, another agrees; nobody decides alone, and another wish
// begins anew.
func TestTwoPeopleDecide(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const sale = "4Q7ZK1M2N8P3R5T6"
	b := &book{open: []host.Rewrite{{Sale: sale, Amount: 5000, Origin: "handed-over", State: "disputed", Attempt: &entry.Attempt{}}}}
	v := New(ctx, func() *fleetside.Side { return nil }, slog.New(slog.DiscardHandler)).WithHost(func() Ledger { return b })
	say := func(who, what, want string) {
		t.Helper()
		var told *ui.Told
		if err := v.Do(ui.FleetAction{Sale: sale, Name: what, Who: who}); !errors.As(err, &told) || told.Key != want {
			t.Errorf("%s wants %s: %v, want %s", who, what, err, want)
		}
	}
	say("mei", ui.FleetDecide, "told.proposed")
	say("mei", ui.FleetDecide, "told.same-person")
	say("lin", ui.FleetReturn, "told.proposed")
	say("mei", ui.FleetDecide, "told.proposed")
	if c := v.cases(ctx); len(c) != 1 || !c[0].InDoubt || !c[0].Disputed || c[0].Proposal != ui.FleetDecide || c[0].ProposedBy != "mei" {
		t.Errorf("%+v", c)
	}
	if len(b.settled) != 0 {
		t.Fatal("one person alone has settled it:", b.settled)
	}
	if err := v.Do(ui.FleetAction{Sale: sale, Name: ui.FleetDecide, Who: "lin"}); err != nil || len(b.settled) != 1 || b.settled[0] != sale+" decided mei lin" {
		t.Fatal(err, b.settled)
	}
	b.err = host.ErrInDoubt
	say("mei", ui.FleetReturn, "told.proposed")
	say("lin", ui.FleetReturn, "told.in-doubt")
	for _, a := range []ui.FleetAction{{Sale: sale, Name: "explode", Who: "mei"}, {Sale: sale, Name: ui.FleetReturn}} {
		if v.Do(a) == nil {
			t.Errorf("%+v was taken", a)
		}
	}
}

// What a kiosk says about its journal reaches the page without an error's text.
func TestKept(t *testing.T) {
	if kept(nil) != nil {
		t.Error("a kiosk that says nothing keeps nothing")
	}
	k := kept(&fleetmsg.Kept{VerifiedMS: 1000, VerifiedSeq: 7, VerifyErr: "page 4: checksum", BackupMS: 2000, Bytes: 1 << 20, FreePercent: 9, Restored: "3 of 4"})
	if !k.VerifyFailed || k.BackupFailed || !k.RestoredStart || k.Verified.UnixMilli() != 1000 || k.FreePercent != 9 || k.VerifiedSeq != 7 {
		t.Errorf("%+v", k)
	}
	if k := kiosk(fleetside.Kiosk{Name: "K1", Recovering: "restored: page 4", SaysLong: 3}); !k.Recovering || k.LongBack != 3 || k.Kept != nil {
		t.Errorf("%+v", k)
	}
}

// Which rules of risk struck reaches the page; an outcome that it has no words for is
// left out.
func TestRiskStruck(t *testing.T) {
	k := kiosk(fleetside.Kiosk{Name: "K1", Risk: &fleetmsg.Risk{Alarms: 3, Refused: 1, Rule: "large", Outcome: "alarm", AtMS: 1000}})
	if r := k.Risk; r == nil || r.Alarms != 3 || r.Refused != 1 || r.Rule != "large" || r.Outcome != "alarm" || r.At.UnixMilli() != 1000 {
		t.Errorf("%+v", k.Risk)
	}
	if k := kiosk(fleetside.Kiosk{Name: "K1", Risk: &fleetmsg.Risk{Outcome: "ring a bell"}}); k.Risk.Outcome != "" {
		t.Errorf("%+v", k.Risk)
	}
	if k := kiosk(fleetside.Kiosk{Name: "K1"}); k.Risk != nil {
		t.Errorf("%+v", k.Risk)
	}
}

// Both sides' totals and what differs reach the page; without the database
// nothing does.
func TestBatches(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b := &book{batches: []host.Batch{{Terminal: "00000001", Number: 7, State: host.BatchDiffers, Kiosk: entry.Totals{Debit: 100, Debits: 1},
		Host: entry.Totals{Debit: 300, Debits: 2, Credit: 5, Credits: 1}, Differs: []entry.Difference{{Sale: "4Q7ZK1M2N8P3R5T6", STAN: 9, Host: 200}}}}}
	v := New(ctx, func() *fleetside.Side { return nil }, slog.New(slog.DiscardHandler)).WithHost(func() Ledger { return b })
	got := v.batches(ctx)
	want := ui.BatchDifference{Claim: entry.SaleID("4Q7ZK1M2N8P3R5T6").Claim(), STAN: 9, Host: 200}
	if len(got) != 1 || got[0].Kiosk.Debit != 100 || got[0].Host != (ui.BatchTotals{Debit: 300, Debits: 2, Credit: 5, Credits: 1}) || len(got[0].Differs) != 1 || got[0].Differs[0] != want {
		t.Errorf("%+v", got)
	}
	if b.err = errors.ErrUnsupported; v.batches(ctx) != nil {
		t.Error("batches out of nothing")
	}
}

// Package operator shows the fleet half of the host as the operator's page
// wants it. It reads; the only things that it changes are what two people decide
// about a rewrite that the host owns, and who has acknowledged an alarm. A proposal is kept in memory: after a
// restart of the host it is made again. A page that is asked often does not
// ask the database as often.
package operator

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
	"buka/sync/host/fleetside"
	"buka/ui"
)

// View fulfils ui.Fleet over whatever host is running.
type View struct {
	side func() *fleetside.Side // nil while the host is down
	log  *slog.Logger

	mu   sync.Mutex
	last ui.FleetState
	subs map[int]func()
	next int

	host      func() Ledger // nil: the host's own rewrites are not shown
	proposals map[entry.SaleID]proposal
}

var _ ui.Fleet = (*View)(nil)

// queries bounds how long a page waits for the database.
const queries = 3 * time.Second

// New watches the side that the function gives, until ctx ends.
func New(ctx context.Context, side func() *fleetside.Side, log *slog.Logger) *View {
	v := &View{side: side, log: log, subs: map[int]func(){}, proposals: map[entry.SaleID]proposal{}}
	go v.watch(ctx)
	return v
}

// watch subscribes again when the host was restarted, and looks every second:
// an absence is an event that nobody sends.
func (v *View) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	poke := make(chan struct{}, 1)
	var on *fleetside.Side
	cancel := func() {}
	defer func() { cancel() }()
	for {
		if now := v.side(); now != on {
			cancel()
			cancel = func() {}
			if on = now; on != nil {
				cancel = on.Subscribe(func() {
					select {
					case poke <- struct{}{}:
					default:
					}
				})
			}
		}
		v.tell()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-poke:
		}
	}
}

func (v *View) tell() {
	v.mu.Lock()
	list := make([]func(), 0, len(v.subs))
	for _, f := range v.subs {
		list = append(list, f)
	}
	v.mu.Unlock()
	for _, f := range list {
		f()
	}
}

// Subscribe has changed called when something may have changed.
func (v *View) Subscribe(changed func()) (cancel func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	id := v.next
	v.next++
	v.subs[id] = changed
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.subs, id)
	}
}

// State gives every kiosk; if the database does not answer, what it last said
// with every link down.
func (v *View) State() ui.FleetState {
	side := v.side()
	if side == nil {
		return v.stale()
	}
	ctx, cancel := context.WithTimeout(context.Background(), queries)
	defer cancel()
	kiosks, err := side.Snapshot(ctx)
	if err != nil {
		v.log.Warn("no news of the fleet", "err", err)
		return v.stale()
	}
	st := ui.FleetState{Now: time.Now(), Cases: v.cases(ctx), Batches: v.batches(ctx)}
	st.NewAlarms, st.Alarms = v.alarms(ctx, side, "")
	for _, k := range kiosks {
		shown := kiosk(k)
		shown.NewAlarms, shown.Alarms = v.alarms(ctx, side, k.Name)
		if d, err := side.KioskDetail(ctx, k.Name); err == nil {
			shown.Recent = recent(d)
		}
		st.Kiosks = append(st.Kiosks, shown)
	}
	v.mu.Lock()
	v.last = st
	v.mu.Unlock()
	return st
}

func (v *View) stale() ui.FleetState {
	v.mu.Lock()
	defer v.mu.Unlock()
	st := ui.FleetState{Now: time.Now(), Alarms: v.last.Alarms, NewAlarms: v.last.NewAlarms}
	for _, k := range v.last.Kiosks {
		k.LinkUp = false
		st.Kiosks = append(st.Kiosks, k)
	}
	return st
}

func kiosk(k fleetside.Kiosk) ui.Kiosk {
	out := ui.Kiosk{
		ID: k.Name, Place: k.Place, Version: k.Version, LinkUp: k.Up, LastSeen: k.LastSeen, LastSync: k.LastSync, Owed: k.SaysOwed, OldestOwed: k.OldestOwed,
		Unshipped: k.Unshipped, OpenRewrites: len(k.Open), Unresolved: k.SaysUnknown, LongBack: k.SaysLong, JournalSeq: k.Committed, Epoch: k.Epoch,
		ChainOK: k.Conflict == "", ChainNote: k.Conflict, Screen: ui.ScreenName(k.Screen),
	}
	out.Recovering, out.Kept = k.Recovering != "", kept(k.Kept)
	if r := k.Risk; r != nil {
		out.Risk = &ui.RiskStruck{Alarms: r.Alarms, Cashier: r.Cashier, Refused: r.Refused, Rule: r.Rule, At: moment(r.AtMS)}
		if slices.Contains([]string{"alarm", "cashier", "refuse"}, r.Outcome) { // those that the page has words for
			out.Risk.Outcome = r.Outcome
		}
	}
	for _, d := range k.Devices {
		state := "ok"
		switch {
		case !d.OK:
			state = "down"
		case d.Code != "": // it works, and will not for long
			state = "degraded"
		}
		var since time.Time // unknown: nothing has happened to it yet
		if d.SinceMS > 0 {
			since = time.UnixMilli(d.SinceMS)
		}
		out.Devices = append(out.Devices, ui.DeviceState{Role: d.Name, State: state, Code: d.Code, Since: since})
	}
	for _, r := range k.Open {
		out.Rewrites = append(out.Rewrites, ui.Rewrite{
			Sale: string(r.Sale), Claim: r.Claim, CardNumber: r.Card, Amount: r.Amount, Since: r.Since, State: stages[r.Stage], Origin: "torn", Owner: r.Kiosk,
		})
	}
	return out
}

// kept says how a kiosk keeps its journal. Errors' texts stay in the log.
func kept(k *fleetmsg.Kept) *ui.Kept {
	if k == nil {
		return nil
	}
	return &ui.Kept{
		Verified: moment(k.VerifiedMS), VerifiedSeq: k.VerifiedSeq, VerifyFailed: k.VerifyErr != "", Backup: moment(k.BackupMS), BackupSeq: k.BackupSeq,
		BackupFailed: k.BackupErr != "", ArchivedSeq: k.Archived, Bytes: k.Bytes, FreePercent: k.FreePercent, TidyFailed: k.TidyErr != "",
		RestoredStart: k.Restored != "",
	}
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// stages turns the host's words into those of the page.
var stages = map[fleetside.Stage]string{
	fleetside.StageOffered: ui.OpenOffered, fleetside.StageWriting: ui.OpenInProgress, fleetside.StageUnknown: ui.OpenUnknown,
	fleetside.StageHeld: ui.OpenEvidenceHeld, fleetside.StageConflict: ui.OpenConflict, fleetside.StageHanded: ui.OpenHandedOver,
	fleetside.StageWithdrawn: ui.OpenReversalOwed, fleetside.StagePayment: ui.OpenReversalOwed, fleetside.StagePaying: ui.OpenInProgress,
}

func recent(d fleetside.Detail) []ui.JournalLine {
	var lines []ui.JournalLine
	for _, e := range d.Lines {
		lines = append(lines, ui.JournalLine{Seq: e.Seq, At: e.At, Kind: string(e.Kind), Sale: string(e.Sale), Text: e.Claim})
	}
	return lines
}

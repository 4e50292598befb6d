package operator

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	_ "modernc.org/sqlite"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
	"buka/sync/host/fleetside"
	"buka/ui"
)

// A person acknowledges what a kiosk's journal has raised: the page has the name,
// the log the act, and who comes later is told that it has changed.
func TestAnOperatorAcknowledges(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "host.db")+"?_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	side, err := fleetside.Start(t.Context(), fleetside.Config{DB: db, Kiosks: map[string]string{"K1": "secret"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer side.Close()
	ship(t, side, entry.EpochBegun{Epoch: epoch, Kiosk: "K1"},
		entry.RiskStruck{Of: entry.Of{Sale: "4Q7ZK1M2N8P3R5T6"}, Rule: "large", Outcome: "alarm"},
		entry.ReversalPendingLong{Of: entry.Of{Sale: "4Q7ZK1M2N8P3R5T6"}})
	var log bytes.Buffer
	down := false
	v := &View{side: func() *fleetside.Side {
		if down {
			return nil
		}
		return side
	}, log: slog.New(slog.NewTextHandler(&log, nil)), subs: map[int]func(){}}
	st := v.State()
	if st.NewAlarms != 2 || len(st.Alarms) != 2 || st.Alarms[1].Kind != "risk" || st.Alarms[1].Detail != "large" || st.Kiosks[0].NewAlarms != 2 || len(st.Kiosks[0].Alarms) != 2 {
		t.Fatalf("%+v", st)
	}
	id := st.Alarms[1].ID
	press := ui.FleetAction{Name: ui.FleetAcknowledge, From: id, To: id, Who: "mei"}
	if err := v.Do(press); err != nil {
		t.Fatal(err)
	}
	st = v.State()
	if st.NewAlarms != 1 || st.Alarms[1].By != "mei" || st.Alarms[1].Seen.IsZero() || st.Kiosks[0].NewAlarms != 1 {
		t.Errorf("%+v", st)
	}
	if line := log.String(); !strings.Contains(line, "an alarm: acknowledged") || !strings.Contains(line, "who=mei") || !strings.Contains(line, "detail=large") {
		t.Errorf("the log says %q", line)
	}
	press.Who = "lin"
	if err := v.Do(press); !errors.Is(err, ui.ErrStale) {
		t.Errorf("%v", err)
	}
	press.Who, press.To = "", id+1
	if v.Do(press) == nil {
		t.Error("nobody has acknowledged it")
	}
	if down = true; v.Do(ui.FleetAction{Name: ui.FleetAcknowledge, From: id, To: id + 1, Who: "mei"}) == nil {
		t.Error("acknowledged while the host is down")
	}
	if st = v.State(); st.NewAlarms != 1 || len(st.Alarms) != 2 {
		t.Errorf("while the host is down the page is calm: %+v", st)
	}
	gone, end := context.WithCancel(t.Context())
	end()
	for _, kiosk := range []string{"", "K1"} {
		if fresh, list := v.alarms(gone, side, kiosk); fresh != 1 || len(list) != 2 {
			t.Errorf("without an answer of the database the page is calm: %d, %+v", fresh, list)
		}
	}
	if down = false; v.State().NewAlarms != 1 {
		t.Errorf("%+v", v.State())
	}
}

var epoch = entry.Hex("epoch-A-16-bytes")

// ship has a kiosk's journal stored.
func ship(t *testing.T, side *fleetside.Side, bodies ...entry.Body) {
	t.Helper()
	b := fleetmsg.Batch{Kiosk: "K1", Epoch: epoch, First: 1}
	var prev entry.Hash
	for i, body := range bodies {
		_, stored, hash, err := entry.Seal(uint64(i+1), prev, time.UnixMilli(1_700_000_000_000), body)
		if err != nil {
			t.Fatal(err)
		}
		b.Entries, prev = append(b.Entries, stored), hash
	}
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("nats://"+side.Addr(), nats.UserInfo("K1", "secret"), nats.CustomInboxPrefix(fleetmsg.InboxPrefix("K1")))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	m, err := nc.Request(fleetmsg.JournalSubject("K1"), data, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := fleetmsg.DecodeReply(m.Data); err != nil || r.Code != fleetmsg.CodeOK {
		t.Fatalf("%+v, %v", r, err)
	}
}

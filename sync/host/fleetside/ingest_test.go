package fleetside

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"buka/internal/entry"
	"buka/sync/fleetlink/fleetmsg"
)

func wantReply(t *testing.T, r fleetmsg.Reply, code fleetmsg.Code, seq uint64) {
	t.Helper()
	if r.Code != code || r.Seq != seq {
		t.Fatalf("answer %q at entry %d (%s), want %q at %d", r.Code, r.Seq, r.Detail, code, seq)
	}
}

func TestBatchesDuplicatesAndGaps(t *testing.T) {
	s := startSide(t, nil)
	nc, j := login(t, s, "K1"), filled(t, "K1", 40)
	wantReply(t, send(t, nc, fleetmsg.Batch{Kiosk: "K1", Epoch: epochA, First: 1}), fleetmsg.CodeOK, 0)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 2, 5)), fleetmsg.CodeGap, 0)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 10)), fleetmsg.CodeOK, 10)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 10)), fleetmsg.CodeOK, 10)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 3, 7)), fleetmsg.CodeOK, 10)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 12, 20)), fleetmsg.CodeGap, 10)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 6, 20)), fleetmsg.CodeOK, 20) // half old, half new
	wantReply(t, send(t, nc, j.batch("K1", epochA, 21, 40)), fleetmsg.CodeOK, 40)
	r := send(t, nc, fleetmsg.Batch{Kiosk: "K1", Epoch: epochA, First: 1})
	if r.Hash != j.hashes[39] {
		t.Fatal("the host's hash is not the journal's")
	}
	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != 40 {
		t.Fatalf("%d entries hold: %v", n, err)
	}
}

func TestForkIsRefusedAndMarked(t *testing.T) {
	s := startSide(t, nil)
	nc, j := login(t, s, "K1"), filled(t, "K1", 30)
	other := j.cut(20)
	other.append(t, entry.Started{Version: "the other machine"})
	other.append(t, wholeSale(99)...)
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 25)), fleetmsg.CodeOK, 25)
	for _, c := range []struct {
		first, last int
		at          uint64
	}{{21, 24, 21}, {15, 31, 21}, {26, 31, 25}, {22, 22, 22}} {
		r := send(t, nc, other.batch("K1", epochA, c.first, c.last))
		wantReply(t, r, fleetmsg.CodeFork, 25)
		if r.ForkSeq != c.at || r.ForkHash != j.hashes[c.at-1] {
			t.Errorf("%d to %d: fork at %d", c.first, c.last, r.ForkSeq)
		}
	}
	if k := one(t, s, "K1"); !strings.Contains(k.Conflict, "entry 21") || k.Committed != 25 || k.ConflictSince.IsZero() {
		t.Fatalf("%+v", k)
	}
	// The right machine goes on; the mark stays until a person takes it back.
	wantReply(t, send(t, nc, j.batch("K1", epochA, 26, 30)), fleetmsg.CodeOK, 30)
	if k := one(t, s, "K1"); k.Conflict == "" {
		t.Fatal("the conflict was forgotten")
	}
	if err := s.ClearConflict(context.Background(), "K1"); err != nil {
		t.Fatal(err)
	}
	if k := one(t, s, "K1"); k.Conflict != "" {
		t.Fatal(k.Conflict)
	}
	if n, err := s.Verify(context.Background(), "K1"); err != nil || n != 30 {
		t.Fatalf("%d entries hold: %v", n, err)
	}
}

func TestGarbageIsAnsweredClearly(t *testing.T) {
	s := startSide(t, nil)
	nc, j := login(t, s, "K1"), filled(t, "K1", 12)
	good, err := j.batch("K1", epochA, 1, 12).Encode()
	if err != nil {
		t.Fatal(err)
	}
	refused := func(subject string, data []byte) {
		t.Helper()
		if r := request(t, nc, subject, data); r.Code != fleetmsg.CodeRefused || r.Detail == "" {
			t.Fatalf("%x…: %+v", data[:min(8, len(data))], r)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		bad := bytes.Clone(good)
		switch n % 3 {
		case 0:
			bad = bad[:rng.IntN(len(bad))]
		case 1:
			bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
			if r := request(t, nc, fleetmsg.JournalSubject("K1"), bad); r.Code == fleetmsg.CodeRetry {
				t.Fatalf("%+v", r) // any other answer may be right: the last entry's body is the kiosk's own affair
			}
			s.forget(t, "K1")
			continue
		case 2:
			bad = make([]byte, rng.IntN(200))
			for i := range bad {
				bad[i] = byte(rng.Uint32())
			}
		}
		refused(fleetmsg.JournalSubject("K1"), bad)
		refused(fleetmsg.HeartbeatSubject("K1"), bad)
	}
	refused("fleet.journal.K1", nil)
	other, err := j.batch("K2", epochA, 1, 12).Encode()
	if err != nil {
		t.Fatal(err)
	}
	refused("fleet.journal.K1", other)
	refused("fleet.journal.K1", mustEncode(t, filled(t, "K2", 5).batch("K1", epochA, 1, 5))) // K2's journal under K1's name
	wantReply(t, send(t, nc, j.batch("K1", epochA, 1, 12)), fleetmsg.CodeOK, 12)
}

func mustEncode(t *testing.T, b fleetmsg.Batch) []byte {
	t.Helper()
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// forget empties the tables between two probes of one test.
func (s *Side) forget(t *testing.T, kiosk string) {
	t.Helper()
	for _, q := range []string{"DELETE FROM fleet_sale", "DELETE FROM fleet_entry", "DELETE FROM fleet_epoch", "UPDATE fleet_kiosk SET conflict = ''"} {
		if _, err := s.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNobodyEntersWithoutAName(t *testing.T) {
	s := startSide(t, nil)
	for name, option := range map[string]nats.Option{
		"nobody":         nats.Name("nobody"),
		"wrong password": nats.UserInfo("K1", "x"),
		"unknown kiosk":  nats.UserInfo("K9", secret),
		"our own name":   nats.UserInfo(hostUser, ""),
		"a token":        nats.Token(secret),
	} {
		nc, err := nats.Connect("nats://"+s.Addr(), option, nats.MaxReconnects(0))
		if err == nil {
			nc.Close()
			t.Errorf("%s came in", name)
		}
	}
}

func TestAKioskSpeaksOnlyForItself(t *testing.T) {
	s := startSide(t, nil)
	violations := make(chan error, 8)
	nc, err := nats.Connect("nats://"+s.Addr(), nats.UserInfo("K1", secret), nats.CustomInboxPrefix("_INBOX.K1"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	violation := func(what string) {
		t.Helper()
		select {
		case err := <-violations:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Fatalf("%s: %v", what, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s was allowed", what)
		}
	}
	stolen, err := filled(t, "K2", 5).batch("K2", epochA, 1, 5).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"fleet.journal.K2", "fleet.heartbeat.K2", "_INBOX.K2.x", "_INBOX.K1.x", "other", "$SYS.REQ.SERVER.PING"} {
		if err := nc.Publish(subject, stolen); err != nil {
			t.Fatal(err)
		}
		violation("publish to " + subject)
	}
	for _, subject := range []string{"fleet.journal.*", "fleet.>", "_INBOX.>", "_INBOX.K2.>", ">"} {
		sub, err := nc.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		violation("listen to " + subject)
		_ = sub.Unsubscribe()
	}
	if k := one(t, s, "K2"); k.Committed != 0 || !k.LastSeen.IsZero() {
		t.Fatalf("K1 spoke as K2: %+v", k)
	}
}

func TestADatabaseThatFailsIsSaidAndHeals(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 50)
	if _, err := s.db.Exec(`CREATE TRIGGER full BEFORE INSERT ON fleet_entry WHEN new.seq = 30 BEGIN SELECT raise(ABORT, 'disk full'); END`); err != nil {
		t.Fatal(err)
	}
	l, _ := startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "the failure is said", func() bool { return strings.Contains(l.State().Err, "database did not take it") })
	if st := l.State(); st.Mark != 0 || !st.Up {
		t.Fatalf("%+v", st)
	}
	if k := one(t, s, "K1"); k.Committed != 0 {
		t.Fatal("half a batch was committed")
	}
	if _, err := s.db.Exec(`DROP TRIGGER full`); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is shipped", func() bool { st := l.State(); return st.Mark == 50 && st.Err == "" })
}

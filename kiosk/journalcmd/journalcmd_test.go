package journalcmd

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"buka/internal/entry"
	"buka/store"
)

var update = flag.Bool("update", false, "write testdata/journal.txt from what the commands say now")

// journal makes a small one whose hashes are always the same.
func journal(t *testing.T, dir string) {
	t.Helper()
	at := time.Date(2025, 10, 1, 8, 0, 0, 0, time.UTC)
	s, _, err := store.Open(store.Path(dir), store.Options{Kiosk: "K1", Epoch: [16]byte{0xB0, 0x6A, 15: 1},
		Clock: func() time.Time { at = at.Add(1250 * time.Millisecond); return at }})
	if err != nil {
		t.Fatal(err)
	}
	red := entry.Card{Family: "tunion", Number: "3105170010170907984"}
	first, second := entry.Of{Sale: "7Q4M2K9XABCDEFGH"}, entry.Of{Sale: "Z0Y1X2W3VBCDEFGH"}
	attempt := entry.Attempt{Card: red, Slot: 2, OldBalance: 2850, Amount: 5000, Terminal: entry.Hex{1, 2, 3, 4, 5, 6},
		Random: entry.Hex{1, 2, 3, 4}, MAC1: entry.Hex{5, 6, 7, 8}, STAN: 102}
	for _, commit := range [][]entry.Body{
		{entry.Started{Version: "test"}},
		{entry.SignedOn{Batch: 7, HostAtMS: 1, OffsetMS: -1500}, entry.STANsReserved{Until: 200}},
		{entry.SaleOpened{Of: first, Card: red, Observed: entry.Observation{Balance: 2850}, Place: "hall\n1"}},
		{entry.AmountChosen{Of: first, Amount: 5000}},
		{entry.PaymentStarted{Of: first, Tender: "bank-card", Amount: 5000, STAN: 101, Batch: 7, PAN: "622588******0001", Slot: 2}},
		{entry.PaymentApproved{Of: first, Amount: 5000, RRN: "000000000101", Code: "00"}},
		{entry.LoadRequested{Of: first, Attempt: attempt}, entry.LoadAuthorised{Of: first, At: "20251001080010"},
			entry.WriteStarted{Of: first, ConfirmSTAN: 103, VoidSTAN: 104}},
		{entry.WriteUnknown{Of: first, Why: "the card was taken away"}},
		{entry.SaleOpened{Of: second, Card: red, Place: "hall 1"}},
		{entry.StaffActed{Who: "cashier", Did: "proved the write", Sale: first.Sale}, entry.EvidenceHeld{Of: first, Proof: entry.Proof{Asked: 3, TAC: entry.Hex{9, 9, 9, 9}}}},
		{entry.WriteProven{Of: first, By: "tac", TAC: entry.Hex{9, 9, 9, 9}}, entry.ConfirmationAcknowledged{Of: first, Code: "00"}},
		{entry.SaleClosed{Of: first, Why: "done"}, entry.SaleClosed{Of: second, Why: "nothing was paid"}, entry.Checkpoint{State: []byte("state")}},
	} {
		if _, err := s.Append(commit...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// run gives what a person sees, with the directory called DIR.
func run(t *testing.T, dir string, args ...string) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	cmd := New()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	if err = cmd.ExecuteContext(context.Background()); err != nil {
		out.WriteString("error: " + err.Error() + "\n")
	}
	return strings.ReplaceAll(out.String(), dir, "DIR"), err
}

// testdata/journal.txt holds commands ("$ journal …") and what they say.
func TestWhatTheCommandsSay(t *testing.T) {
	dir := t.TempDir()
	journal(t, dir)
	b, err := os.ReadFile(filepath.Join("testdata", "journal.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var now strings.Builder
	for i, block := range strings.Split(string(b), "$ ") {
		command, want, _ := strings.Cut(block, "\n")
		if i == 0 {
			now.WriteString(block)
			continue
		}
		args := strings.Fields(strings.ReplaceAll(command, "DIR", dir))
		got, _ := run(t, dir, args[1:]...)
		now.WriteString("$ " + command + "\n" + got)
		if got != want && !*update {
			t.Errorf("%s says\n%s\ninstead of\n%s", command, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "journal.txt"), []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnExportHoldsTheWholeJournal(t *testing.T) {
	dir := t.TempDir()
	journal(t, dir)
	out := filepath.Join(dir, "out.jsonl")
	if said, err := run(t, dir, "export", "--data", dir, "--out", out); err != nil || !strings.Contains(said, "20 entries") {
		t.Fatal(said, err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var seq uint64
	var prev entry.Hash
	for _, text := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		var l struct{ Prev, Hash, Raw string }
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(l.Raw)
		if err != nil {
			t.Fatal(err)
		}
		e, hash, err := entry.Open(raw)
		if err != nil || e.Follows(seq, prev) != nil || l.Hash != hash.String() || l.Prev != prev.String() {
			t.Fatalf("%s: %v", text, err)
		}
		seq, prev = e.Seq, hash
	}
	if seq != 20 {
		t.Errorf("the export ends at entry %d", seq)
	}
	if said, err := run(t, dir, "export", "--data", dir, "--out", out); err == nil {
		t.Errorf("an export wrote over a file: %s", said)
	}
}

func TestALiveJournalAndADamagedOne(t *testing.T) {
	dir, err := os.MkdirTemp("", "jc") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	journal(t, dir)
	s, _, err := store.Open(store.Path(dir), store.Options{Kiosk: "K1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.ServeSnapshots(ctx, store.SocketPath(store.Path(dir))) }()
	if _, err := s.Append(entry.Started{Version: "live"}); err != nil {
		t.Fatal(err)
	}
	if said, err := run(t, dir, "list", "--data", dir, "--last", "1"); err != nil || !strings.Contains(said, "version live") {
		t.Errorf("%s %v", said, err)
	}
	if said, err := run(t, dir, "verify", "--data", dir); err != nil || !strings.HasPrefix(said, "journal ok: 21 entries, epoch b06a") {
		t.Errorf("%s %v", said, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	b, err := os.ReadFile(store.Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte("622588******0001")) {
		t.Fatal("nothing to change")
	}
	if err := os.WriteFile(store.Path(dir), bytes.ReplaceAll(b, []byte("622588******0001"), []byte("622588******0002")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify"}, {"verify", "--json"}, {"list"}, {"export"}, {"show", "7"}, {"show", "8"}} {
		said, err := run(t, dir, append(args, "--data", dir)...)
		if err == nil || !strings.Contains(said, "journal DIR/journal.db is damaged at entry 8") || !strings.Contains(said, "copy the whole data directory aside") {
			t.Errorf("%v: %s %v", args, said, err)
		}
	}
	if said, _ := run(t, dir, "list", "--data", dir); strings.Count(said, "\n") != 8 {
		t.Errorf("not everything before the damage, and then the error: %s", said)
	}
	if said, err := run(t, dir, "verify", "--json", "--data", dir); err == nil || !strings.HasPrefix(said, `{"ok":false,`) {
		t.Errorf("%s %v", said, err)
	}
}

func TestEveryKindHasFacts(t *testing.T) {
	for _, kind := range entry.Kinds() {
		body, err := entry.Entry{Kind: kind, Raw: []byte{0xA0}}.Body() // an empty map
		if err != nil {
			t.Fatal(kind, err)
		}
		_ = facts(body) // must not panic on what is missing
		if l := newLine(entry.Entry{Kind: kind, Raw: []byte{0xA0}}, entry.Hash{}); l.Body == nil {
			t.Error(kind)
		}
	}
	if s := facts(nil); !strings.Contains(s, "does not know") {
		t.Error(s)
	}
	if said, err := run(t, "-", "list", "--kind", "write-forgotten", "--data", t.TempDir()); err == nil {
		t.Error(said)
	}
	p := pick{kinds: []string{"write-forgotten"}}
	if err := p.check(); err == nil || !strings.Contains(err.Error(), "write-done write-proven") {
		t.Error(err)
	}
}

package station

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/kiosk/config"
	"buka/store"
	"buka/topup"
)

// keptConfig is of a kiosk with nothing at the other end of its links.
func keptConfig(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	dir, err := os.MkdirTemp("", "jk") // short: the journal's socket is in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c.Kiosk, c.Data, c.Purse.Terminal, c.PINPad.Port = "K1", filepath.Join(dir, "data"), "112233445566", filepath.Join(dir, "no-pad")
	c.Readers.Transit, c.Readers.Bank = "transit", "bank"
	c.Switch.Address, c.Switch.Terminal, c.Switch.Merchant = "127.0.0.1:1", "00000001", "000000000000001"
	c.Journal.Backups = []string{filepath.Join(dir, "first"), filepath.Join(dir, "second")}
	return c
}

func keptParts() Parts {
	return Parts{Readers: reader.NewMemory(reader.Limits{}, "transit", "bank"), Version: "test", Log: slog.New(slog.DiscardHandler)}
}

// lived makes a journal of n sales that came to nothing, with a checkpoint and
// a mark near its end, and gives the bytes of one of its first entries.
func lived(t *testing.T, c config.Config, n int) (early []byte) {
	t.Helper()
	s, _, err := store.Open(store.Path(c.Data), store.Options{Kiosk: c.Kiosk})
	if err != nil {
		t.Fatal(err)
	}
	begun, err := s.Begun()
	if err != nil {
		t.Fatal(err)
	}
	d := topup.New().Durable
	if err := d.Apply(begun); err != nil {
		t.Fatal(err)
	}
	add := func(bodies ...entry.Body) {
		for _, b := range bodies {
			if err := d.Apply(b); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Append(bodies...); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < n; i += 100 {
		var bodies []entry.Body
		for j := i; j < min(i+100, n); j++ {
			of := entry.Of{Sale: entry.SaleID(fmt.Sprintf("SALE%012d", j))}
			bodies = append(bodies, entry.SaleOpened{Of: of, Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Place: strings.Repeat("p", 40)}, entry.SaleClosed{Of: of, Why: "not paid"})
		}
		add(bodies...)
	}
	state, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	add(entry.Checkpoint{State: state})
	seq, hash := s.Tail()
	if err := s.SetMark(seq, hash); err != nil {
		t.Fatal(err)
	}
	_, early, _, err = s.Entry(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range c.Journal.Backups {
		if _, err := s.Backup(t.Context(), dir, 2); err != nil {
			t.Fatal(err)
		}
	}
	add(entry.Started{Version: "after the backup"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return early
}

func damage(t *testing.T, c config.Config, what []byte) {
	t.Helper()
	path := store.Path(c.Data)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if what == nil {
		clear(b[:8192])
	} else if !bytes.Contains(b, what) {
		t.Fatal("the entry is not found")
	} else {
		bad := bytes.Clone(what)
		bad[len(bad)/2] ^= 1
		b = bytes.ReplaceAll(b, what, bad)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// restoredAt checks a station that has restored its journal.
func restoredAt(t *testing.T, c config.Config, st *Station) {
	t.Helper()
	rep := st.Kept().Restored
	if rep == nil || rep.LastSeq == 0 || rep.Aside == "" {
		t.Fatalf("%+v", rep)
	}
	if state, _ := st.Engine().State(); !state.Durable.Unconfirmed || state.Durable.Batch != 0 {
		t.Error("what is open may be acted on before the host has confirmed it")
	}
	begun, err := st.Journal().Begun()
	if err != nil || !bytes.Equal(begun.Epoch, rep.Epoch[:]) || begun.Kiosk != c.Kiosk {
		t.Errorf("%+v, %v", begun, err)
	}
	if beat := st.heartbeat(); beat.Kept == nil || !strings.Contains(beat.Kept.Restored, rep.Aside) {
		t.Errorf("%+v", beat.Kept)
	}
	if _, err := os.Stat(filepath.Join(c.Data, store.AsideName, rep.Aside, store.FileName)); err != nil {
		t.Error(err)
	}
}

func TestADamagedJournalIsRestoredAtTheStart(t *testing.T) {
	c := keptConfig(t)
	lived(t, c, 300)
	damage(t, c, nil)
	off := c
	off.Journal.Restore = false
	if _, err := Open(off, keptParts()); err == nil || !strings.Contains(err.Error(), "run kiosk journal restore") || !store.Restorable(err) {
		t.Errorf("with journal.restore off: %v", err)
	}
	st, err := Open(c, keptParts())
	if err != nil {
		t.Fatal(err)
	}
	restoredAt(t, c, st)
	if rep := st.Kept().Restored; !rep.Lost || rep.FromSeq+1 != rep.LastSeq {
		t.Errorf("%+v", rep) // both meta pages were gone: nobody can say what the last entry was
	}
	live(t, st, func() bool { return !st.Kept().Verified.At.IsZero() })
	if v := st.Kept().Verified; v.Err != "" || v.Entries == 0 {
		t.Errorf("%+v", v)
	}
}

// live runs a station until something holds, or it ends by itself.
func live(t *testing.T, st *Station, until func() bool) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- st.Run(ctx) }()
	for deadline := time.Now().Add(time.Minute); len(ended) == 0 && !until(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("it does not come: %+v", st.Kept())
			break
		}
	}
	if len(ended) == 0 {
		cancel()
	}
	return <-ended
}

// Damage in what is long past does not show at the start. It is found in the
// background, sales end, and the next start restores without losing anything.
func TestDamageInHistoryIsRestoredAtTheNextStart(t *testing.T) {
	c := keptConfig(t)
	early := lived(t, c, 300)
	damage(t, c, early)
	st, err := Open(c, keptParts())
	if err != nil {
		t.Fatal(err)
	}
	if err := live(t, st, func() bool { return false }); !errors.Is(err, errDamaged) {
		t.Fatalf("it ended with %v", err)
	}
	if v := st.Kept().Verified; v.Err == "" {
		t.Error("the operator is not told")
	}
	if why := st.Devices()["journal"]; why != "journal-failed" {
		t.Errorf("the journal is %q", why)
	}
	if st, err = Open(c, keptParts()); err != nil {
		t.Fatal(err)
	}
	restoredAt(t, c, st)
	if rep := st.Kept().Restored; rep.Lost || rep.LastSeq <= rep.FromSeq {
		t.Errorf("%+v", rep)
	}
	if err := live(t, st, func() bool { return !st.Kept().Verified.At.IsZero() }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAnEmptyDataDirectoryIsNotANewKiosk(t *testing.T) {
	c := keptConfig(t)
	lived(t, c, 10)
	if err := os.RemoveAll(c.Data); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c, keptParts()); !errors.Is(err, errNoJournal) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(store.Path(c.Data)); err == nil {
		t.Error("a new journal was begun")
	}
	other := c
	other.Kiosk = "K2" // the backups are another kiosk's
	st, err := Open(other, keptParts())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Journal().Close(); err != nil {
		t.Error(err)
	}
}

func TestTheJournalIsKept(t *testing.T) {
	c := keptConfig(t)
	lived(t, c, 4000)
	c.Journal.ArchiveKeep, c.Journal.ArchiveAfter = 1000, 1
	c.Journal.Quiet = config.Window{From: 0, To: 24 * time.Hour}
	c.Journal.Backups[0] = "" // a directory that cannot be made
	st, err := Open(c, keptParts())
	if err != nil {
		t.Fatal(err)
	}
	st.keeper.backupAt, st.keeper.tidyAt = 0, 0
	if err := os.RemoveAll(c.Journal.Backups[1]); err != nil {
		t.Fatal(err)
	}
	if err := live(t, st, func() bool { k := st.Kept(); return len(k.Backups) == 2 && !k.Tidied.At.IsZero() }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	k := st.Kept()
	if k.Backups[0].Err == "" || k.Backups[1].Err != "" || k.Backups[1].Seq == 0 || k.Tidied.Err != "" || k.Tidied.Archived < 6000 {
		t.Errorf("%+v", k)
	}
	// Its archives are read at the next start; one that went bad comes back.
	archives, err := filepath.Glob(filepath.Join(c.Data, store.ArchiveName, "*"))
	if err != nil || len(archives) == 0 {
		t.Fatal(archives, err)
	}
	s, _, err := store.Open(store.Path(c.Data), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(t.Context(), c.Journal.Backups[1], 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, backup := range []bool{true, false} {
		if err := os.WriteFile(archives[0], []byte("bad"), 0o600); err != nil {
			t.Fatal(err)
		}
		if !backup {
			c.Journal.Backups = nil
		}
		if st, err = Open(c, keptParts()); err != nil {
			t.Fatal(err)
		}
		if err := live(t, st, func() bool { return !st.Kept().Verified.At.IsZero() }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if v := st.Kept().Verified; (v.Err == "") != backup {
			t.Errorf("with a backup %v: %+v", backup, v)
		}
		if why := st.Devices()["journal"]; why != "" {
			t.Errorf("sales ended because of an archive: %q", why)
		}
	}
}

func TestRoomIsTakenBeforeASaleOpens(t *testing.T) {
	c := keptConfig(t)
	lived(t, c, 10)
	st, err := Open(c, keptParts())
	if err != nil {
		t.Fatal(err)
	}
	defer st.journal.Close()
	for i := range 3 {
		of := entry.Of{Sale: entry.SaleID(fmt.Sprintf("OPEN%012d", i))}
		if err := st.journal.Append(entry.SaleOpened{Of: of, Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}}); err != nil {
			t.Fatal(err)
		}
		stats, err := st.journal.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if free := stats.FileBytes - stats.UsedBytes; free < int64(i+1)*store.WorstSale-(64<<10) {
			t.Errorf("%d sales are open and %d bytes are there for them", i+1, free)
		}
	}
}

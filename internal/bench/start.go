package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/kiosk/config"
	"buka/kiosk/station"
	"buka/store"
	"buka/topup"
)

// startEnv has this program be a kiosk over the journal in that directory: it
// says when it is ready, and again when the whole journal was verified.
const startEnv = "BUKA_BENCH_START"

// million entries of DESIGN §7.
const million = 1_000_000

// starts measures from the start of a process to a passenger's screen, over a
// journal of a million entries and over an empty one.
func starts(dir string) error {
	full, empty := filepath.Join(dir, "full"), filepath.Join(dir, "empty")
	if err := history(full, million); err != nil {
		return err
	}
	if err := history(empty, 20); err != nil {
		return err
	}
	floor, _, err := start(empty)
	if err != nil {
		return err
	}
	took, kib, err := start(full)
	if err != nil {
		return err
	}
	fmt.Printf("%-34s %-12s bound 1s: %v; an empty journal: %s\n", "start to ready, 1,000,000 entries", took[0].Round(time.Millisecond), took[0] <= time.Second, floor[0].Round(time.Millisecond))
	fmt.Printf("%-34s %-12s bound 150 MB: %v; %d MB when all was verified, after %s\n", "  and in memory", fmt.Sprintf("%d MB", kib[0]/1000), kib[0] <= 150_000 && kib[1] <= 150_000, kib[1]/1000, took[1].Round(100*time.Millisecond))
	return nil
}

// start gives when the child was ready and when it had verified everything, and
// the most memory (KiB, resident) that it had used until then.
func start(dir string) (took [2]time.Duration, kib [2]int64, err error) {
	exe, err := os.Executable()
	if err != nil {
		return took, kib, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), startEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return took, kib, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return took, kib, err
	}
	lines := bufio.NewReader(out)
	for i := range took {
		line, err := lines.ReadString('\n')
		took[i] = time.Since(began)
		if err == nil {
			_, err = fmt.Sscan(line, &kib[i])
		}
		if err != nil {
			return took, kib, errors.Join(fmt.Errorf("the kiosk said %q: %w", line, err), in.Close(), cmd.Wait())
		}
	}
	return took, kib, errors.Join(in.Close(), cmd.Wait())
}

// kiosk is the child: the service as `kiosk run` puts it together, with readers
// in memory and nothing at the other end of its links.
func kiosk(dir string) error {
	c := config.Default()
	c.Kiosk, c.Data, c.Purse.Terminal, c.PINPad.Port = "BENCH", dir, "112233445566", filepath.Join(dir, "no-pad")
	c.Readers.Transit, c.Readers.Bank = "transit", "bank"
	c.Switch.Address, c.Switch.Terminal, c.Switch.Merchant = "127.0.0.1:1", "00000001", "000000000000001"
	st, err := station.Open(c, station.Parts{Readers: reader.NewMemory(reader.Limits{}, "transit", "bank"),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), Version: "bench"})
	if err != nil {
		return err
	}
	was, _ := st.Journal().Tail()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- st.Run(ctx) }()
	for until(ended, func() bool { now, _ := st.Journal().Tail(); return now > was && st.Passenger().Screen().Name != "" }) {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(peak())
	for until(ended, func() bool { return !st.Kept().Verified.At.IsZero() }) {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println(peak())
	if v := st.Kept().Verified; v.Err != "" {
		return errors.New(v.Err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func until(ended <-chan error, ready func() bool) (wait bool) {
	return len(ended) == 0 && !ready()
}

// peak gives the most memory that this process has used, KiB resident.
func peak() (kib int64) {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib
		}
	}
	return 0
}

// history writes a journal of n entries: top-ups from the first to the last
// entry, with a checkpoint as often as a kiosk makes one.
func history(dir string, n int) error {
	st, _, err := store.Open(store.Path(dir), store.Options{Kiosk: "BENCH"})
	if err != nil {
		return err
	}
	begun, err := st.Begun()
	if err != nil {
		return errors.Join(err, st.Close())
	}
	d := topup.New().Durable
	err = d.Apply(begun)
	bodies := []entry.Body{entry.Started{Version: "bench"}, entry.SignedOn{Batch: 1}, entry.STANsReserved{Until: uint32(n)}}
	written, since := 1, 0
	for i := 0; err == nil && written < n; i++ {
		if i > 0 {
			bodies = append(bodies, sold(i)...)
		}
		for ; since < len(bodies) && err == nil; since++ {
			err = d.Apply(bodies[since])
		}
		if len(bodies) < 60 || err != nil {
			continue
		}
		state, e := d.Encode()
		if e == nil {
			_, e = st.Append(append(bodies, entry.Checkpoint{State: state})...)
		}
		err = e
		written += len(bodies) + 1
		bodies, since = bodies[:0], 0
	}
	if err == nil && len(bodies) > 0 {
		_, err = st.Append(bodies...)
	}
	if seq, hash := st.Tail(); err == nil {
		err = st.SetMark(seq, hash)
	}
	return errors.Join(err, st.Close())
}

// sold is the i-th top-up.
func sold(i int) []entry.Body {
	of := entry.Of{Sale: entry.SaleID(fmt.Sprintf("BENCH%011d", i))}
	card := entry.Card{Family: "tunion", Number: "3105170010170907984"}
	terminal := entry.Hex{0x11, 0x22, 0x33, 0x44, 0x55, 0x66}
	stan, slot := uint32(3*i), entry.Slot(i%60000)
	log := make([]entry.LogRecord, 4)
	for j := range log {
		log[j] = entry.LogRecord{Number: slot, Type: 2, Amount: 5000, Terminal: terminal, At: "20251001080010"}
	}
	return []entry.Body{
		entry.SaleOpened{Of: of, Card: card, Observed: entry.Observation{Balance: 2850, Log: log}, Place: "front"},
		entry.AmountChosen{Of: of, Amount: 5000},
		entry.PaymentStarted{Of: of, Tender: "bank-card", Amount: 5000, STAN: stan, Batch: 1, PAN: "622588******0001", Slot: slot},
		entry.PaymentApproved{Of: of, Amount: 5000, RRN: "000000000101", Code: "00", Auth: "123456"},
		entry.LoadRequested{Of: of, Attempt: entry.Attempt{Card: card, Slot: slot, OldBalance: 2850, Amount: 5000, Terminal: terminal,
			Random: entry.Hex{1, 2, 3, 4}, MAC1: entry.Hex{5, 6, 7, 8}, STAN: stan + 1}},
		entry.LoadAuthorised{Of: of, At: "20251001080010"},
		entry.WriteStarted{Of: of, ConfirmSTAN: stan + 2, VoidSTAN: stan + 3},
		entry.WriteDone{Of: of, TAC: entry.Hex{9, 9, 9, 9}, SW: 0x9000},
		entry.ConfirmationAcknowledged{Of: of, Code: "00"},
		entry.SaleClosed{Of: of, Why: "credited"},
	}
}

// The command bench prints the figures of DESIGN §7, each as a ratio to a floor
// that is measured in the same run. It asserts nothing: a figure out of its
// bound is marked, and the exit status is 0.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"buka/cardio/reader"
	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/kiosk/lab"
	"buka/store/storebench"
	"buka/topup"
	"buka/ui"
)

func main() {
	if dir := os.Getenv(startEnv); dir != "" {
		if err := kiosk(dir); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "buka-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if len(os.Args) > 1 && os.Args[1] == "journal" { // only the rows of a long journal
		return errors.Join(starts(dir), keeping(dir))
	}
	if len(os.Args) > 1 && os.Args[1] == "page" { // only the page's row
		return page(ctx, dir)
	}
	if len(os.Args) > 1 && os.Args[1] == "host" { // only the host's rows
		return authorisations(ctx, dir)
	}
	if len(os.Args) > 1 && os.Args[1] == "link" { // only the switch link's rows
		return messages()
	}
	ours, bare, err := storebench.AppendRatio(dir, appends)
	if err != nil {
		return err
	}
	ours, bare = ours/appends, bare/appends
	if err := topups(ctx, dir, bare); err != nil {
		return err
	}
	row("a journal append", ours.Round(time.Microsecond).String(), float64(ours)/float64(bare), 1.3, "a bare bbolt commit of the same bytes, "+bare.Round(time.Microsecond).String())
	if err := messages(); err != nil {
		return err
	}
	if err := authorisations(ctx, dir); err != nil {
		return err
	}
	if err := page(ctx, dir); err != nil {
		return err
	}
	if err := starts(dir); err != nil {
		return err
	}
	return keeping(dir)
}

func row(what, figure string, ratio, bound float64, floor string) {
	mark := "within"
	if ratio > bound {
		mark = "OVER"
	}
	fmt.Printf("%-34s %-12s %.2f × floor (%s), bound %.2f: %s\n", what, figure, ratio, floor, bound, mark)
}

// appends measured for the journal's ratio.
const appends = 400

// meter times what the floor is made of.
type meter struct {
	apdus   atomic.Int64 // nanoseconds inside Transmit
	count   atomic.Int64
	commits atomic.Int64
	between atomic.Int64 // commits with a load or a write in them
}

type source struct {
	reader.Source
	m *meter
}

func (s source) Open(ctx context.Context, name string) (reader.Card, error) {
	c, err := s.Source.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return card{c, s.m}, nil
}

type card struct {
	reader.Card
	m *meter
}

func (c card) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	start := time.Now()
	defer func() { c.m.apdus.Add(int64(time.Since(start))); c.m.count.Add(1) }()
	return c.Card.Transmit(ctx, cmd)
}

const sales = 120

// topups measures whole sales: the time during which the passenger waits for
// the machine, from the first tap to "take your card".
func topups(ctx context.Context, dir string, bareCommit time.Duration) error {
	var m meter
	w, err := lab.Open(ctx, lab.Options{
		Dir: dir + "/lab", Reader: "memory", Version: "bench",
		WrapReaders: func(s reader.Source) reader.Source { return source{s, &m} },
		Appended: func(bodies []entry.Body) {
			m.commits.Add(1)
			for _, b := range bodies {
				if k := b.Kind(); k == entry.KWriteStarted || k == entry.KWriteDone {
					m.between.Add(1)
				}
			}
		},
	})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.AddCard("red", virtual.PurseOptions{Number: "3105170010170907984", Balance: 0, Counter: 2}); err != nil {
		return err
	}
	if err := w.AddBank(ctx, "blue", "123456", 100_000_000, virtual.BankOptions{PAN: "6225880000000001"}, false); err != nil {
		return err
	}
	if err := w.PowerOn(); err != nil {
		return err
	}
	var times, floors []time.Duration
	for i := range sales {
		purse, _ := w.Purse("red")
		if purse.Balance() > 90000 {
			if err := w.AddCard("red", virtual.PurseOptions{Number: fmt.Sprintf("31051700101709%05d", i), Balance: 0, Counter: 2}); err != nil {
				return err
			}
		}
		apdus, host, commits := m.apdus.Load(), w.HostTime(), m.commits.Load()
		took, err := sale(ctx, w)
		if err != nil {
			return fmt.Errorf("sale %d: %w", i, err)
		}
		if i < 10 {
			continue // warm
		}
		times = append(times, took)
		floors = append(floors, time.Duration(m.apdus.Load()-apdus)+(w.HostTime()-host)+time.Duration(m.commits.Load()-commits)*bareCommit)
	}
	p95, floor := at(times, 95), at(floors, 95)
	row("a top-up, tap to take your card, p95", p95.Round(100*time.Microsecond).String(), float64(p95)/float64(floor), 1.25,
		fmt.Sprintf("the same APDUs, commits and host round trips, %s", floor.Round(100*time.Microsecond)))
	fmt.Printf("%-34s %-12s bound 1s: %v; %d APDUs a sale\n", "  and in seconds", p95.Round(time.Millisecond), p95 <= time.Second, m.count.Load()/sales)
	fmt.Printf("%-34s %-12.2f bound 2\n", "journal commits from hold to done", float64(m.between.Load())/sales)
	return nil
}

func at(d []time.Duration, percent int) time.Duration {
	s := slices.Clone(d)
	slices.Sort(s)
	return s[min(len(s)-1, len(s)*percent/100)]
}

// sale plays one passenger, whose own time does not count.
func sale(ctx context.Context, w *lab.Lab) (waited time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	st := w.Station()
	turn := func(act func() error, phase topup.Phase) error {
		start := time.Now()
		if err := act(); err != nil {
			return err
		}
		err := w.Until(ctx, func() bool { s, _ := st.Engine().State(); return s.Live.Front.Phase == phase })
		waited += time.Since(start)
		if err != nil {
			s, _ := st.Engine().State()
			return fmt.Errorf("waiting for %s, the sale is %s %s: %w", phase, s.Live.Front.Phase, s.Live.Front.Reason, err)
		}
		return nil
	}
	press := func(do, value string) error {
		p := st.Passenger()
		scr := p.Screen()
		return p.Input(ui.Input{Sale: scr.Sale, Rev: scr.Rev, Do: do, Value: value})
	}
	if err := w.Until(ctx, func() bool {
		s, _ := st.Engine().State()
		why, known := s.Live.Devices["pinpad"]
		return s.Live.SignedOn && s.Live.HostUp && known && why == ""
	}); err != nil {
		return 0, err
	}
	if err := turn(func() error { return w.Lay("red", topup.Front) }, topup.Choosing); err != nil {
		return 0, err
	}
	if err := turn(func() error { return press(ui.DoChoose, "1000") }, topup.Paying); err != nil {
		return 0, err
	}
	if err := w.Remove("red"); err != nil {
		return 0, err
	}
	if err := turn(func() error { return w.PresentBank(ctx, "blue") }, topup.PINEntry); err != nil {
		return 0, err
	}
	if err := w.Pad().WaitPrompt(ctx); err != nil {
		return 0, err
	}
	for _, k := range []string{"1", "2", "3", "4", "5", "6"} {
		if err := w.Pad().Key(k); err != nil {
			return 0, err
		}
	}
	if err := turn(func() error { return w.Pad().Key("enter") }, topup.Holding); err != nil {
		return 0, err
	}
	if err := turn(func() error { return w.Lay("red", topup.Front) }, topup.Finished); err != nil {
		return 0, err
	}
	if err := w.Remove("red"); err != nil {
		return 0, err
	}
	return waited, w.Until(ctx, func() bool { s, _ := st.Engine().State(); return s.Durable.Owed() == 0 && s.Live.Front.Session == 0 })
}

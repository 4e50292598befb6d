package killtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/kiosk/lab"
	"buka/store/disktest"
	"buka/topup"
	"buka/ui"
)

func TestMain(m *testing.M) {
	disktest.Main() // this binary again, as the disks
	os.Exit(m.Run())
}

// TestSaleOnADiskThatFillsUp: somebody else takes the last page of the disk while
// a sale is open. The sale goes on to its end; the next is refused, with words;
// and when there is room again, so are sales.
func TestSaleOnADiskThatFillsUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disks, err := disktest.Start(dir)
	must(t, err)
	t.Cleanup(func() { must(t, disks.Close()) })
	d, err := disks.New()
	must(t, err)
	const size = 512 << 20
	must(t, d.Size(size, 0))
	s := openSpace(t, dir, d)
	s.topUp(func() {}, 5000)
	release := s.hold()
	s.topUp(func() { // the sale is open
		st, err := d.Look()
		must(t, err)
		must(t, d.Size(st.Used, 0))
	}, 5000)
	release()
	s.until("no sale while the disk is full", func(scr ui.Screen) bool {
		return scr.Name == ui.ScreenOutOfService && scr.Reason == ui.ReasonDiskFull
	})
	sales := s.opened()
	if err := s.Lay("red", topup.Front); err != nil {
		t.Fatal(err)
	}
	s.until("the card is told so", func(scr ui.Screen) bool { return scr.Name == ui.ScreenOutOfService })
	must(t, s.Remove("red"))
	if s.opened() != sales {
		t.Error("a sale was opened on a disk that is full")
	}
	must(t, d.Size(size, 0))
	s.until("sales again", func(scr ui.Screen) bool { return scr.Name == ui.ScreenIdle })
	s.topUp(func() {}, 5000)
	must(t, s.Conserved(t.Context(), 0))
}

// space is a lab in memory whose kiosk has its data on a disk of disktest.
type space struct {
	*lab.Lab
	t    *testing.T
	page ui.Passenger
}

func openSpace(t *testing.T, dir string, d *disktest.Disk) *space {
	t.Helper()
	data := filepath.Join(d.Path, "kiosk")
	must(t, os.Mkdir(data, 0o700))
	must(t, os.Mkdir(filepath.Join(dir, "lab"), 0o700))
	must(t, os.Symlink(data, filepath.Join(dir, "lab", "kiosk")))
	l, err := lab.Open(t.Context(), lab.Options{Dir: filepath.Join(dir, "lab"), Reader: "memory", Log: logger(), SwitchTimeout: 30 * time.Second})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	must(t, l.AddCard("red", virtual.PurseOptions{Number: "3105170010170907984", Balance: 2850, Counter: 2}))
	must(t, l.AddBank(t.Context(), "blue", digits, funds, virtual.BankOptions{PAN: pan}, false))
	must(t, l.PowerOn())
	return &space{l, t, l.Passenger()}
}

// hold reads the journal until release: as long as somebody does, no page of the
// file is free to be written again, and each commit needs fresh ones.
func (s *space) hold() (release func()) {
	s.t.Helper()
	holds, free, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	first := true
	go func() {
		ended <- s.Station().Journal().Verify(context.Background(), func(done, total uint64) {
			if first {
				first = false
				close(holds)
				<-free
			}
		})
	}()
	select {
	case <-holds:
	case err := <-ended:
		s.t.Fatal("the journal is not read: ", err)
	}
	var once sync.Once
	release = func() {
		once.Do(func() {
			close(free)
			if err := <-ended; err != nil {
				s.t.Error(err)
			}
		})
	}
	s.t.Cleanup(release) // a test that fails must not wait for itself
	return release
}

func (s *space) opened() uint64 {
	d, err := s.Durable()
	must(s.t, err)
	return d.Opened
}

const spaceWait = 2 * time.Minute // the kiosk looks at its disk every ten seconds

func (s *space) until(what string, ok func(ui.Screen) bool) ui.Screen {
	s.t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		scr := s.page.Screen()
		if ok(scr) {
			return scr
		}
		if time.Since(began) > spaceWait {
			s.t.Fatalf("never: %s; the screen is %s, %s", what, scr.Name, scr.Reason)
		}
	}
}

func named(n ui.ScreenName) func(ui.Screen) bool {
	return func(scr ui.Screen) bool { return scr.Name == n }
}

// topUp is a whole sale; chosen is called when it is open.
func (s *space) topUp(chosen func(), amount money.Fen) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), spaceWait)
	defer cancel()
	p, err := s.Purse("red")
	must(s.t, err)
	before := p.Balance()
	s.until("idle", named(ui.ScreenIdle))
	must(s.t, s.Lay("red", topup.Front))
	scr := s.until("the amounts", func(scr ui.Screen) bool { return scr.Name == ui.ScreenAmount && scr.NoPay == "" })
	chosen()
	must(s.t, s.page.Input(ui.Input{Sale: scr.Sale, Rev: scr.Rev, Do: ui.DoChoose, Value: fmt.Sprint(int64(amount))}))
	s.until("the payment", named(ui.ScreenPayment))
	must(s.t, s.PresentBank(ctx, "blue"))
	must(s.t, s.Pad().Type(ctx, digits))
	s.until("the end of the sale", named(ui.ScreenDone))
	must(s.t, s.Remove("red"))
	if got := p.Balance() - before; got != amount {
		s.t.Errorf("the card has gained %s, not %s", got, amount)
	}
}

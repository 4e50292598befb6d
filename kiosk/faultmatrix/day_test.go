package faultmatrix

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buka/cardio/virtual"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/lab"
	"buka/topup"
)

var (
	daySales = flag.Int("sales", 300, "sales of the day")
	dayCuts  = flag.Int("cuts", 12, "how often the switch link is cut in it")
	daySeed  = flag.Uint64("seed", 1, "of the day's chances")
	dayLog   = flag.String("log", "", "file for what everybody says, and where everybody stands if the day does not end")
)

// dayTimer is the kiosk's: a day has many answers that never come.
const dayTimer = 600 * time.Millisecond

// TestDay is a day of one kiosk: sales with random outcomes, the network cut again
// and again, batches closed in between. In the end each batch has one total at
// both ends, and what the bank took is on the cards.
func TestDay(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	d := &day{rng: rand.New(rand.NewPCG(*daySeed, 2)), ends: map[string]int{}}
	log, stacks := said(t)
	w, err := openWith(ctx, lab.Options{Dir: t.TempDir(), SwitchTimeout: dayTimer, Appended: d.appended, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	d.world = w
	start := time.Now()
	if err := d.run(ctx); err != nil {
		stacks()
		t.Fatalf("seed %d, sale %d, %v: %v", *daySeed, d.n, d.ends, err)
	}
	t.Logf("%d sales and %d cuts of the switch link, %d of the fleet link alone, in %s: %v; %d batches; entries %v", *daySales, d.cuts.Load(), d.fleetCuts.Load(), time.Since(start).Round(time.Second), d.ends, d.settled.Load(), d.kindsOf())
}

// said is the log of a day, if one is wanted, and what adds all goroutines to it.
func said(t *testing.T) (*slog.Logger, func()) {
	if *dayLog == "" {
		return nil, func() {}
	}
	f, err := os.Create(*dayLog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})), func() {
		if err := pprof.Lookup("goroutine").WriteTo(f, 2); err != nil {
			t.Error(err)
		}
	}
}

// day is what happens in a world, by chance.
type day struct {
	*world
	rng     *rand.Rand
	n       int
	purses  []string
	banks   []string
	ends    map[string]int
	pulled  sync.WaitGroup
	settled atomic.Int64
	kinds   [64]atomic.Int64

	cuts, fleetCuts atomic.Int64 // of the switch's cable; of the fleet's alone
}

// counted are the kinds of entries that a day must have seen.
var counted = []entry.Kind{
	entry.KPaymentDeclined, entry.KPaymentUnknown, entry.KOfferWithdrawn, entry.KReversalAcknowledged, entry.KWriteUnknown,
	entry.KWriteProven, entry.KWriteDisproven, entry.KWriteDone, entry.KBatchSettled,
}

func (d *day) appended(bodies []entry.Body) {
	for _, b := range bodies {
		for i, k := range counted {
			if b.Kind() == k {
				d.kinds[i].Add(1)
			}
		}
		if b, ok := b.(entry.BatchSettled); ok {
			d.settled.Add(1)
			if len(b.Differs) > 0 {
				d.kinds[len(d.kinds)-1].Add(1)
			}
		}
	}
}

func (d *day) kindsOf() map[entry.Kind]int64 {
	m := map[entry.Kind]int64{}
	for i, k := range counted {
		m[k] = d.kinds[i].Load()
	}
	return m
}

// bankCards are those that pass by. Each has its own account.
var bankCards = []struct {
	name    string
	funds   money.Fen
	blocked bool
	card    virtual.BankOptions
}{
	{"blue", funds, false, virtual.BankOptions{PAN: bankPAN}},
	{"cyan", funds, false, virtual.BankOptions{PAN: "6225880000000002", Contact: true}},
	{"grey", funds, false, virtual.BankOptions{PAN: "6225880000000003", Credit: true, Contact: true, ODA: "dda"}},
	{"visa", funds, false, virtual.BankOptions{PAN: "4111110000000004", AID: []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}}},
	{"poor", 5_00, false, virtual.BankOptions{PAN: "6225880000000005"}},
	{"regrets", funds, false, virtual.BankOptions{PAN: "6225880000000006", Contact: true, Regrets: true}},
	{"refuses", funds, false, virtual.BankOptions{PAN: "6225880000000007", Refuses: true}},
	{"blocked", funds, true, virtual.BankOptions{PAN: "6225880000000008"}},
	{"expired", funds, false, virtual.BankOptions{PAN: "6225880000000009", Expired: true}},
}

const dayPurses = 20

func (d *day) declare(ctx context.Context) error {
	for _, b := range bankCards {
		if err := d.lab.AddBank(ctx, b.name, bankPIN, b.funds, b.card, b.blocked); err != nil {
			return err
		}
		d.banks = append(d.banks, b.name)
	}
	for range dayPurses {
		name, err := d.newCard()
		if err != nil {
			return err
		}
		d.purses = append(d.purses, name)
	}
	return nil
}

func (d *day) run(ctx context.Context) error {
	if err := d.declare(ctx); err != nil {
		return err
	}
	cutEvery := max(1, *daySales/max(1, *dayCuts))
	settleEvery := max(50, *daySales/10)
	for d.n = 1; d.n <= *daySales; d.n++ {
		switch d.n % cutEvery {
		case 0:
			if d.n/cutEvery <= *dayCuts {
				d.cut()
			}
		case cutEvery / 2:
			if d.rng.IntN(3) == 0 {
				d.cutFleet()
			}
		}
		if d.n%settleEvery == 0 {
			if err := d.lab.Settle(ctx, "schedule"); err != nil {
				return err
			}
		}
		if err := d.one(ctx); err != nil {
			return err
		}
	}
	return d.evening(ctx)
}

// cut pulls the switch's cable in a while, for a while, and at times the fleet's
// with it. Only a cable that was in is cut, so that each cut is one.
func (d *day) cut() {
	d.pull([]string{"switch", "switch", "both"}[d.rng.IntN(3)], "switch", &d.cuts)
}

// cutFleet pulls the other cable alone.
func (d *day) cutFleet() { d.pull("fleet", "fleet", &d.fleetCuts) }

// pull counts a cut of one cable by whether it was in and is out.
func (d *day) pull(link, cable string, count *atomic.Int64) {
	after := time.Duration(d.rng.IntN(80)) * time.Millisecond
	long := time.Duration(20+d.rng.IntN(300)) * time.Millisecond
	if d.rng.IntN(5) == 0 {
		long = dayTimer + dayTimer/2
	}
	d.pulled.Wait() // the one before is in again
	d.pulled.Go(func() {
		time.Sleep(after)
		was := d.lab.Reachable(cable)
		_ = d.lab.Network(link, false) // it has these links
		if was && !d.lab.Reachable(cable) {
			count.Add(1)
		}
		time.Sleep(long)
		_ = d.lab.Network(link, true)
	})
}

// one is a passenger with a card, a bank card, and what befalls them.
func (d *day) one(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patient, errors.New("it never ended"))
	defer cancel()
	p := &Passenger{Lab: d.lab, Card: d.purses[d.rng.IntN(len(d.purses))], Bank: d.banks[0], Amount: amount, PIN: func(int) string { return bankPIN }}
	if d.rng.IntN(3) == 0 {
		p.Bank = d.banks[d.rng.IntN(len(d.banks))]
	}
	if err := d.unload(p.Card); err != nil {
		return err
	}
	if err := d.befall(p); err != nil {
		return err
	}
	defer d.lab.Faults.Answers()
	defer d.post(nil)
	for try := range 3 { // one that is told that it is not finished comes again
		last, err := p.TopUp(ctx)
		if err != nil {
			return err
		}
		if try == 0 {
			d.ends[string(last.Phase)]++
		}
		if last.Phase != topup.Open || d.rng.IntN(4) == 0 {
			return nil
		}
		p.Stops = nil
	}
	return nil
}

// unload makes room on a card by a ride elsewhere.
func (d *day) unload(card string) error {
	p, err := d.lab.Purse(card)
	if err != nil || p.Balance() < 900_00 {
		return err
	}
	return d.lab.Ride(card, 800_00)
}

// befall lets something happen to one in two.
func (d *day) befall(p *Passenger) error {
	when := []string{"before", "after"}[d.rng.IntN(2)]
	switch d.rng.IntN(24) {
	case 0: // the wrong PIN, then the right one
		p.PIN = func(asked int) string {
			if asked == 1 {
				return "111111"
			}
			return bankPIN
		}
	case 1:
		p.PIN = func(int) string { return "" }
	case 2, 3, 4:
		at := []topup.Phase{topup.Choosing, topup.CardBack, topup.Paying, topup.PINEntry, topup.Holding, topup.Sending}[d.rng.IntN(6)]
		p.Stops = func(now topup.Phase) bool { return now == at }
	case 5, 6:
		return d.lab.Tear(p.Card, when)
	case 7:
		return d.lab.Refuse(p.Card, 0x6985)
	case 8:
		moments := []string{"gpo", "record", "genac1", "auth", "genac2"}
		return d.lab.TearBank(p.Bank, when, moments[d.rng.IntN(len(moments))])
	case 9:
		d.lab.Faults.Declines([]string{"51", "05", "91"}[d.rng.IntN(3)])
	case 10:
		d.lab.Faults.Drops([]string{"0210", "0410", "0230", "0110"}[d.rng.IntN(4)])
	case 11:
		d.lab.Faults.Late(dayTimer + dayTimer/4)
	case 12:
		d.lab.Faults.Silent()
	case 13, 14, 15: // one message of the sale, mostly after eligibility
		var struck atomic.Value
		f := fate{kind: []string{"drop", "delay", "duplicate", "garble"}[d.rng.IntN(4)], n: 1 + d.rng.IntN(saleMessages), at: d.rng.IntN(9)}
		d.post(f.striking(&struck))
	}
	return nil
}

// evening brings everything to its end: cards whose write nobody knows about come
// again, the batch is closed, and the books are compared.
func (d *day) evening(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("the day does not end"))
	defer cancel()
	d.pulled.Wait()
	if n := d.cuts.Load(); n != int64(*dayCuts) {
		return fmt.Errorf("the switch link was cut %d times, not %d", n, *dayCuts)
	}
	if err := errors.Join(d.lab.Network("both", true), d.disarm()); err != nil {
		return err
	}
	if err := d.finish(ctx); err != nil {
		return err
	}
	if err := d.until(ctx, calm); err != nil {
		return err
	}
	if err := d.ready(ctx); err != nil {
		return err
	}
	if err := d.lab.Settle(ctx, "schedule"); err != nil {
		return err
	}
	if err := d.until(ctx, func(s topup.State) error {
		if n := len(s.Durable.Sales); n > 0 {
			return fmt.Errorf("%d sales are open after the settlement", n)
		}
		return d.lab.Settled(ctx)
	}); err != nil {
		return err
	}
	return d.books(ctx)
}

func (d *day) disarm() error {
	var errs []error
	for _, name := range d.purses {
		errs = append(errs, d.lab.Tear(name, "off"))
	}
	return errors.Join(errs...)
}

// finish has the passengers of open writes come back.
func (d *day) finish(ctx context.Context) error {
	numbers := map[string]string{}
	for _, name := range d.purses {
		p, err := d.lab.Purse(name)
		if err != nil {
			return err
		}
		numbers[p.Number()] = name
	}
	for {
		card := ""
		if err := d.until(ctx, func(s topup.State) error {
			card = ""
			for _, o := range s.Durable.InOrder() {
				if o.Offered() || o.Unresolved() {
					card = numbers[o.Card.Number]
				}
			}
			if card != "" || calm(s) == nil {
				return nil
			}
			return calm(s)
		}); err != nil {
			return err
		}
		if card == "" {
			return nil
		}
		p := &Passenger{Lab: d.lab, Card: card, Bank: "blue", Amount: amount, PIN: func(int) string { return bankPIN },
			Stops: func(now topup.Phase) bool { return now == topup.Choosing }}
		if _, err := p.TopUp(ctx); err != nil {
			return err
		}
	}
}

// books compares what the bank took, by funds and by payments, with what the
// batches say and what is on the cards.
func (d *day) books(ctx context.Context) error {
	if err := d.lab.Settled(ctx); err != nil {
		return err
	}
	if n := d.kinds[len(d.kinds)-1].Load(); n > 0 {
		return fmt.Errorf("%d batches had differences", n)
	}
	batches, err := d.lab.Batches(ctx)
	if err != nil {
		return err
	}
	var told, taken, net, gained money.Fen
	for _, b := range batches {
		told += b.Kiosk.Debit - b.Kiosk.Credit
	}
	h := d.lab.Host()
	for _, b := range bankCards {
		left, err := h.Funds(ctx, b.card.PAN)
		if err != nil {
			return err
		}
		debits, err := h.NetDebits(ctx, b.card.PAN)
		if err != nil {
			return err
		}
		taken, net = taken+b.funds-left, net+debits
	}
	gained = d.lab.Gained()
	if told != taken || taken != net || net != gained {
		return fmt.Errorf("the batches say %s, the accounts have lost %s, the payments that stand are %s, the cards have gained %s", told, taken, net, gained)
	}
	if gained == 0 {
		return errors.New("nothing was sold all day")
	}
	return d.lab.Conserved(ctx, 0)
}

package faultmatrix

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/kiosk/config"
	"buka/kiosk/lab"
	"buka/topup"
)

const (
	bankPAN  = "6225880000000001"
	bankPIN  = "123456"
	wrongPIN = "111111"
	funds    = 10_000_000_00
	amount   = 10_00 // of a sale
)

// world is a lab for many sales, with a bank card that serves where a sale does
// not bring its own.
type world struct {
	lab    *lab.Lab
	cards  int
	banks  int
	bank   string          // of the last sale
	typing func(asked int) // told before the passenger types; nil: nobody
	base   int             // of the card numbers

	mu    sync.Mutex
	carry lab.Postman // nil: the post is honest
}

// open makes a world with one bank card whose kiosk is ready.
func open(ctx context.Context, dir string, timeout time.Duration, base int) (*world, error) {
	w, err := openWith(ctx, lab.Options{Dir: dir, SwitchTimeout: timeout})
	if err != nil {
		return nil, err
	}
	w.base = base
	err = w.lab.AddBank(ctx, "blue", bankPIN, funds, virtual.BankOptions{PAN: bankPAN}, false)
	if err == nil {
		ready, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("a kiosk does not start"))
		defer cancel()
		err = w.ready(ready)
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// atOnce is how many worlds there may be side by side. They wait for timers,
// mostly, so it is not the processors that limit them: a world has about 27 open
// files, and the library of the serial ports waits with select, which knows only
// the numbers below 1024.
const atOnce = 33

// room has something for each world that is open.
var room = make(chan struct{}, atOnce)

// openWith makes a world, when there is room for it, and switches its kiosk on.
func openWith(ctx context.Context, o lab.Options) (*world, error) {
	select {
	case room <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("no room for another world: %w", context.Cause(ctx))
	}
	w := &world{}
	o.Reader, o.Postman, o.Configure = "memory", w.deliver, impatient
	var err error
	if w.lab, err = lab.Open(ctx, o); err != nil {
		<-room
		return nil, err
	}
	if err := w.lab.PowerOn(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) close() error {
	defer func() { <-room }()
	return w.lab.Close()
}

// impatient is a kiosk that waits no longer than it must, and does not mind a
// card that pays all day.
func impatient(c *config.Config) {
	c.Risk.Rules = nil
	c.PINPad.EntryTimeout = config.Duration(5 * time.Second)
	c.Sale.Offer = config.Duration(20 * time.Second)
}

func (w *world) post(carry lab.Postman) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.carry = carry
}

func (w *world) deliver(out bool, frame []byte) []lab.Delivery {
	w.mu.Lock()
	carry := w.carry
	w.mu.Unlock()
	if carry == nil {
		return []lab.Delivery{{Frame: frame}}
	}
	return carry(out, frame)
}

// ready waits until payments are possible.
func (w *world) ready(ctx context.Context) error {
	return w.until(ctx, func(s topup.State) error {
		if why := s.NoPayment(); why != "" {
			return errors.New("no payment is possible: " + why)
		}
		return nil
	})
}

// until waits for a state of the kiosk, and says what was missing.
func (w *world) until(ctx context.Context, ok func(topup.State) error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := errGone
		if st := w.lab.Station(); st != nil {
			var state topup.State
			if state, err = st.Engine().State(); err == nil {
				err = ok(state)
			}
		}
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

// calm says that nothing is owed, and nothing open but payments that a settlement
// will decide about.
func calm(s topup.State) error {
	if n := s.Durable.Owed(); n > 0 {
		return fmt.Errorf("%d obligations are owed", n)
	}
	for _, o := range s.Durable.InOrder() {
		if !o.ExpectAbsent {
			return fmt.Errorf("sale %s is open: payment %d, write %d, conflict %v", o.ID, o.Pay, o.Write, o.Conflict)
		}
	}
	return nil
}

// newCard declares a transit card that nobody has used.
func (w *world) newCard() (string, error) {
	w.cards++
	name := fmt.Sprintf("red%d", w.cards)
	return name, w.lab.AddCard(name, virtual.PurseOptions{Number: fmt.Sprintf("31051700101%08d", w.base+w.cards), Balance: 2850, Counter: 2})
}

// newBank declares a bank card with an account that nobody has used.
func (w *world) newBank(ctx context.Context, o virtual.BankOptions) (name, pan string, err error) {
	w.banks++
	name, o.PAN = fmt.Sprintf("bank%d", w.banks), fmt.Sprintf("62258811%08d", w.base+w.banks)
	return name, o.PAN, w.lab.AddBank(ctx, name, bankPIN, funds, o, false)
}

// ledger is what the bank says, in two ways: by an account's funds, and by the
// payments of it that stand.
type ledger struct {
	funds, debits money.Fen
	standing      int // payments, of any account
	torn          int // payments that went back otherwise than by one reversal
}

func (w *world) ledger(ctx context.Context, pan string) (l ledger, err error) {
	h := w.lab.Host()
	if h == nil {
		return l, errors.New("the host is down")
	}
	if l.funds, err = h.Funds(ctx, pan); err != nil {
		return l, err
	}
	if l.debits, err = h.NetDebits(ctx, pan); err != nil {
		return l, err
	}
	err = h.DB().QueryRowContext(ctx, `SELECT (SELECT count(*) FROM payments WHERE code = '00' AND reversed = 0),
		(SELECT count(*) FROM payments p WHERE refunded = 0 AND reversed <> (SELECT count(*) FROM reversals r WHERE r.merchant = p.merchant
			AND r.terminal = p.terminal AND r.batch = p.batch AND r.stan = p.stan AND p.code = '00' AND r.code = '00'))`).Scan(&l.standing, &l.torn)
	return l, err
}

// judge compares bank and card after a sale.
func (w *world) judge(ctx context.Context, card, pan string, before ledger, amount money.Fen) error {
	now, err := w.ledger(ctx, pan)
	if err != nil {
		return err
	}
	p, err := w.lab.Purse(card)
	if err != nil {
		return err
	}
	gained := p.Balance() - 2850
	taken, net := before.funds-now.funds, now.debits-before.debits
	switch {
	case taken != gained || net != gained:
		return fmt.Errorf("the card has gained %s; the account has lost %s, the payments that stand are %s", gained, taken, net)
	case gained != 0 && gained != amount:
		return fmt.Errorf("the card has gained %s, not %s", gained, amount)
	case now.standing-before.standing != int(gained/amount):
		return fmt.Errorf("%d payments stand for %s", now.standing-before.standing, gained)
	case now.torn != 0:
		return fmt.Errorf("%d payments did not go back by one reversal each", now.torn)
	}
	return w.lab.Conserved(ctx, 0)
}

// errOpenWrite says that a sale waits for its card.
var errOpenWrite = errors.New("a sale waits for its card")

// settled waits until nothing is owed and nothing open. errOpenWrite: the
// passenger must come again.
func (w *world) settled(ctx context.Context) (err error) {
	waits := false
	err = w.until(ctx, func(s topup.State) error {
		err := calm(s)
		waits = false
		for _, o := range s.Durable.InOrder() {
			waits = waits || (o.Offered() || o.Unresolved()) && (s.Live.Front.Phase == topup.Idle || s.Live.Front.Phase == "")
		}
		if waits {
			return nil
		}
		return err
	})
	if err == nil && waits {
		return errOpenWrite
	}
	return err
}

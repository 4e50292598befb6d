package lab

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/kiosk/station"
	"buka/sync/host"
	"buka/topup"
)

// Account is what the bank knows about a card.
type Account struct {
	PIN     string
	Funds   money.Fen
	Blocked bool
	None    bool // the card is of a bank that the host does not reach
}

type bankCard struct {
	*virtual.Bank
	name, pin string
	note      string
	contact   bool
	inField   bool
	times     atomic.Int64 // that it was presented: who takes it away must mean this one
}

// strangerKey is the master key of another issuer than the host's.
var strangerKey = [16]byte{0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F}

// AddBank declares a bank card and its account.
func (l *Lab) AddBank(ctx context.Context, name, pinDigits string, funds money.Fen, o virtual.BankOptions, blocked bool) error {
	return l.PutBank(ctx, name, Account{PIN: pinDigits, Funds: funds, Blocked: blocked}, o)
}

// Stranger has a card sign with another issuer's key than the host's.
func Stranger(o *virtual.BankOptions) { o.IssuerKey = strangerKey }

// PutBank is AddBank with all that can be said about the account. The card's
// transaction counter lies in the data directory, and goes on as it was.
func (l *Lab) PutBank(ctx context.Context, name string, a Account, o virtual.BankOptions) error {
	store, err := virtual.NewDirStore(l.path("cards"))
	if err != nil {
		return err
	}
	o.Store, o.Name = store, "bank-"+name
	b, err := virtual.NewBank(o)
	if err != nil {
		return err
	}
	if err := l.account(ctx, a, o); err != nil {
		return err
	}
	if o.Second != nil {
		second := *o.Second
		second.Credit = second.Credit || !o.Credit && len(second.AID) == 0
		if err := l.account(ctx, a, second); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.banks[name] = &bankCard{Bank: b, name: name, pin: a.PIN, note: noteOf(a, o), contact: o.Contact}
	l.order = append(l.order, name)
	if second := b.Second(); second != nil {
		l.banks[name+SecondAccount] = &bankCard{Bank: second, name: name + SecondAccount, pin: a.PIN, contact: o.Contact}
	}
	return nil
}

// SecondAccount follows the name of a card with two applications in that of the
// second one's account, which has the same PIN and funds of its own.
const SecondAccount = "-2"

// account opens one at the host.
func (l *Lab) account(ctx context.Context, a Account, o virtual.BankOptions) error {
	if a.None {
		return nil
	}
	expiry := o.Expiry
	if expiry == "" {
		expiry = "9912"
	}
	if o.Expired {
		expiry = "2012"
	}
	return l.Host().PutAccount(ctx, host.Account{PAN: o.PAN, PIN: a.PIN, Expiry: expiry, Funds: a.Funds, Credit: o.Credit, Blocked: a.Blocked})
}

// noteOf is what the bench says of a bank card.
func noteOf(a Account, o virtual.BankOptions) string {
	switch {
	case o.Expired:
		return "expired"
	case o.Blocked || a.Blocked:
		return "blocked"
	case o.Second != nil:
		return "contact, debit and credit"
	case o.Contact:
		return "contact"
	}
	return ""
}

func (l *Lab) bank(name string) (*bankCard, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.banks[name]
	if !ok {
		return nil, fmt.Errorf("%q: %w", name, ErrNoCard)
	}
	return c, nil
}

// PresentBank presents a bank card when it is asked for. It returns when the
// card was read, or when somebody has to choose how to pay with it. One without
// contacts is taken away then; one with contacts is left in its slot until the
// payment is over.
func (l *Lab) PresentBank(ctx context.Context, name string) error {
	st, err := l.running()
	if err != nil {
		return err
	}
	c, err := l.bank(name)
	if err != nil {
		return err
	}
	console := func() topup.Console { s, _ := st.Engine().State(); return s.Live.Front }
	if err := l.until(ctx, st, func() bool { return console().Phase == topup.Paying }); err != nil {
		return fmt.Errorf("no bank card is asked for: %w", err)
	}
	mine, err := l.insertBank(c)
	if err != nil {
		return err
	}
	torn := func() bool { // it has left by itself
		l.mu.Lock()
		defer l.mu.Unlock()
		return !c.inField
	}
	asked := func() bool { return len(st.Passenger().Screen().Applications) > 0 }
	err = l.until(ctx, st, func() bool { return console().Phase != topup.Paying || torn() || asked() })
	if err != nil || !c.contact || console().Phase == topup.Paying && !asked() {
		removed := l.withdrawBank(c, mine)
		if err != nil {
			return fmt.Errorf("the bank card was not taken in: %w", err)
		}
		if removed == nil && !c.contact {
			go l.tapAgain(st, c, console)
		}
		return removed
	}
	go func() {
		sale := console().Sale
		_ = l.until(context.Background(), st, func() bool {
			now := console()
			return now.Sale != sale || now.Phase != topup.Paying && now.Phase != topup.PINEntry && now.Phase != topup.Sending
		})
		if err := l.withdrawBank(c, mine); err != nil {
			l.log.Warn("a card stays in a slot", "err", err)
		}
	}()
	return nil
}

// tapAgain presents a card without contacts again whenever this sale wants it for
// another PIN: each try has a cryptogram of its own.
func (l *Lab) tapAgain(st *station.Station, c *bankCard, console func() topup.Console) {
	sale := console().Sale
	asked := func(now topup.Console) bool { return now.Phase == topup.Paying && now.Notice == "wrong-pin" }
	paying := func(now topup.Console) bool {
		return now.Sale == sale && (now.Phase == topup.Paying || now.Phase == topup.PINEntry || now.Phase == topup.Sending)
	}
	for {
		err := l.until(context.Background(), st, func() bool { now := console(); return asked(now) || !paying(now) })
		if err != nil || !asked(console()) || !paying(console()) {
			return
		}
		mine, err := l.insertBank(c)
		if err != nil {
			l.log.Warn("a card cannot be presented again", "err", err)
			return
		}
		err = l.until(context.Background(), st, func() bool { return !asked(console()) })
		if errors.Join(err, l.withdrawBank(c, mine)) != nil {
			return
		}
	}
}

// insertBank puts the card into the field and says which time this is.
func (l *Lab) insertBank(c *bankCard) (int64, error) {
	defer l.changed()
	l.mu.Lock()
	slot := l.fields["bank"]
	again := c.inField && slot != nil && slot.Present()
	l.mu.Unlock()
	if slot == nil {
		return 0, errors.New("the kiosk has no power: switch it on")
	}
	if !again {
		if err := l.vacant("bank"); err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	c.inField = true // before the kiosk can tear it
	mine := c.times.Add(1)
	l.mu.Unlock()
	if again {
		return mine, nil
	}
	if err := slot.Insert(c.Bank); err != nil {
		l.mu.Lock()
		c.inField = false
		l.mu.Unlock()
		return 0, err
	}
	return mine, nil
}

// withdrawBank takes a bank card away, if it has not been presented again since.
func (l *Lab) withdrawBank(c *bankCard, presented int64) error {
	defer l.changed()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.inField || c.times.Load() != presented {
		return nil
	}
	return l.outOfBankField(c)
}

// outOfBankField wants the lab's lock.
func (l *Lab) outOfBankField(c *bankCard) error {
	c.inField = false
	if slot := l.fields["bank"]; slot != nil {
		return slot.Remove()
	}
	return nil
}

// TearBank arms a bank card: at the moment (virtual.BankMoments) of its next
// dialogue it is pulled, before or after it has done what it was told.
func (l *Lab) TearBank(name, when, moment string) error {
	c, err := l.bank(name)
	if err != nil {
		return err
	}
	w := map[string]virtual.When{"before": virtual.Before, "after": virtual.After}[when]
	match := virtual.BankMoments[moment]
	if w == 0 || match == nil {
		return fmt.Errorf("tear %s %s: before or after gpo, record, genac1, auth, genac2 or script", when, moment)
	}
	c.Bank.Tear(virtual.Tear{When: w, Match: match(), OnTorn: l.torn(&c.times, func() { c.inField = false })})
	return nil
}

// Charged is what a bank card has paid and not got back.
func (l *Lab) Charged(ctx context.Context, name string) (money.Fen, error) {
	c, err := l.bank(name)
	if err != nil {
		return 0, err
	}
	h := l.Host()
	if h == nil {
		return 0, errors.New("the host is down: its ledger cannot be asked")
	}
	return h.NetDebits(ctx, c.PAN())
}

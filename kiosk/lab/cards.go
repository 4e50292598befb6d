package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"buka/cardio/reader"
	"buka/cardio/reader/pcscd"
	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/kiosk/station"
	"buka/topup"
)

// Names of the readers in memory.
const (
	memoryTransit = "Lab Transit 00"
	memoryBank    = "Lab Bank 00"
	memoryDesk    = "Lab Desk 00"
)

// ErrNoCard says that nobody has declared a card of that name.
var ErrNoCard = errors.New("no card of that name")

// purseCard is a virtual transit card and what it was before anything
// happened here.
type purseCard struct {
	*virtual.Purse
	fraud   *virtual.Replayer // stands between the card and the reader
	name    string
	options virtual.PurseOptions
	before  money.Fen
	field   topup.Place // "" if in nobody's field
	laid    bool
	armed   string        // how it was armed last: "before" or "after"
	refuse  atomic.Uint32 // status word of the next write, once
	times   atomic.Int64  // that it was laid: who takes it away must mean this one
}

// Process answers as the card does, but for a write that is to be refused.
func (c *purseCard) Process(cmd []byte) []byte {
	if virtual.IsCredit(cmd) {
		if sw := c.refuse.Swap(0); sw != 0 {
			return []byte{byte(sw >> 8), byte(sw)}
		}
	}
	return c.fraud.Process(cmd)
}

// fields are the places where a card can be put, made anew at each power on.
type fields map[string]virtual.Slot

// AddCard declares a transit card. Its EEPROM lies in the data directory: one
// that is there goes on as it was.
func (l *Lab) AddCard(name string, o virtual.PurseOptions) error {
	store, err := virtual.NewDirStore(l.path("cards"))
	if err != nil {
		return err
	}
	k := l.keys()
	o.LoadMaster, o.TACMaster, o.PurchaseMaster = k.Load, k.TAC, k.Purchase
	p, err := virtual.NewPurse(o, store)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.purses[name] = &purseCard{Purse: p, fraud: virtual.NewReplayer(p), name: name, options: o, before: p.Balance()}
	l.order = append(l.order, name)
	return nil
}

// Purse is a transit card by name.
func (l *Lab) Purse(name string) (*virtual.Purse, error) {
	c, err := l.purse(name)
	if err != nil {
		return nil, err
	}
	return c.Purse, nil
}

func (l *Lab) purse(name string) (*purseCard, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.purses[name]
	if !ok {
		return nil, fmt.Errorf("%q: %w", name, ErrNoCard)
	}
	return c, nil
}

// newSource makes the readers of one life of the kiosk.
func (l *Lab) newSource() reader.Source {
	src := l.makeSource()
	if l.opts.WrapReaders != nil {
		return l.opts.WrapReaders(src)
	}
	return src
}

// makeSource makes readers, and the places in their fields.
func (l *Lab) makeSource() reader.Source {
	if l.opts.Reader != "pcsc" {
		m := reader.NewMemory(reader.Limits{}, memoryTransit, memoryBank, memoryDesk)
		bank := memoryBank
		if l.opts.OneReader {
			bank = memoryTransit
		}
		l.fields = fields{
			string(topup.Front): virtual.NewMemorySlot(m, memoryTransit),
			string(topup.Desk):  virtual.NewMemorySlot(m, memoryDesk),
			"bank":              virtual.NewMemorySlot(m, bank),
		}
		return m
	}
	at := func(port int) virtual.Slot { return virtual.NewVPCD(net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) }
	bank := at(pcscd.Port1)
	desk := bank
	if l.deskPort != pcscd.Port1 {
		desk = at(l.deskPort)
	}
	front := at(pcscd.Port0)
	if l.opts.OneReader {
		bank = front
	}
	l.fields = fields{string(topup.Front): front, string(topup.Desk): desk, "bank": bank}
	l.readers = reader.NewPCSC(reader.Limits{})
	return l.readers
}

// Lay puts a transit card into a field; it stays until Remove.
func (l *Lab) Lay(name string, place topup.Place) error {
	c, err := l.purse(name)
	if err != nil {
		return err
	}
	l.mu.Lock()
	slot := l.fields[string(place)]
	l.mu.Unlock()
	if slot == nil {
		return errors.New("the kiosk has no power: switch it on")
	}
	if err := l.leave(name, place); err != nil {
		return err
	}
	if err := l.vacant(string(place)); err != nil {
		return err
	}
	l.mu.Lock()
	c.field, c.laid = place, true // before the kiosk can tear it
	c.times.Add(1)
	l.mu.Unlock()
	defer l.changed()
	if err := slot.Insert(c); err != nil {
		l.mu.Lock()
		c.field, c.laid = "", false
		l.mu.Unlock()
		return err
	}
	return nil
}

// leave takes the card out of where it is, and from that place any card that
// is leaving by itself.
func (l *Lab) leave(name string, place topup.Place) error {
	l.mu.Lock()
	going := []string{name}
	for other, c := range l.purses {
		if c.field == place && !c.laid {
			going = append(going, other)
		}
	}
	l.mu.Unlock()
	var errs []error
	for _, n := range going {
		errs = append(errs, l.Remove(n))
	}
	return errors.Join(errs...)
}

// Remove takes a card out of whatever field it is in.
func (l *Lab) Remove(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.purses[name]; ok && c.field != "" {
		slot := l.fields[string(c.field)]
		c.field, c.laid = "", false
		if slot != nil && slot.Present() {
			return slot.Remove()
		}
		return nil
	}
	if c, ok := l.banks[name]; ok && c.inField {
		return l.outOfBankField(c)
	}
	return nil
}

// Tap presents a transit card until the kiosk has taken it in, wants it no
// longer and works on it no more. It returns when the card was taken in; the
// card leaves later by itself, never by a timer.
func (l *Lab) Tap(ctx context.Context, name string, place topup.Place) error {
	st, err := l.running()
	if err != nil {
		return err
	}
	console := func() topup.Console {
		state, _ := st.Engine().State()
		if place == topup.Desk {
			return state.Live.Desk
		}
		return state.Live.Front
	}
	seen := func() uint64 {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.seen[place]
	}
	before := seen()
	if err := l.Lay(name, place); err != nil {
		return err
	}
	c, _ := l.purse(name)
	l.mu.Lock()
	c.laid = false
	mine := c.times.Load()
	l.mu.Unlock()
	if err := l.until(ctx, st, func() bool { return seen() > before }); err != nil {
		return fmt.Errorf("the kiosk did not see %s: %w", name, err)
	}
	session := seen()
	go func() {
		defer l.changed()
		_ = l.until(context.Background(), st, func() bool {
			now := console()
			wanted := now.Wants() && place == topup.Front || place == topup.Desk
			return now.Session != session || !wanted
		})
		if place == topup.Front {
			l.leaveAfter(c, mine)
		}
	}()
	return nil
}

// until waits for a state of the station. It looks after each step; the ticker
// is for states that change without one.
func (l *Lab) until(ctx context.Context, st *station.Station, ok func() bool) error {
	stepped := make(chan struct{}, 1)
	defer st.Engine().Watch(func() {
		select {
		case stepped <- struct{}{}:
		default:
		}
	})()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-stepped:
		case <-tick.C:
		case <-st.Done():
			if ok() {
				return nil
			}
			return errors.New("the kiosk has lost its power")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// fieldOf is the field that a card is in; "": none.
func (l *Lab) fieldOf(c *purseCard) topup.Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	return c.field
}

// RemoveAll takes every card out of every field.
func (l *Lab) RemoveAll() error {
	l.mu.Lock()
	names := slices.Clone(l.order)
	l.mu.Unlock()
	var errs []error
	for _, n := range names {
		errs = append(errs, l.Remove(n))
	}
	return errors.Join(errs...)
}

// Until waits for a state of the running station.
func (l *Lab) Until(ctx context.Context, ok func() bool) error {
	st, err := l.running()
	if err != nil {
		return err
	}
	return l.until(ctx, st, ok)
}

// leaveAfter takes a tapped card away, if it has not been laid again since.
func (l *Lab) leaveAfter(c *purseCard, lays int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.field != topup.Front || c.laid || c.times.Load() != lays {
		return
	}
	slot := l.fields[string(c.field)]
	c.field = ""
	if slot != nil && slot.Present() {
		if err := slot.Remove(); err != nil {
			l.log.Warn("a card stays in a field", "err", err)
		}
	}
}

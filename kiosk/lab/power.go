package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/station"
	"buka/store"
	"buka/topup"
)

// ErrNoPower says that the kiosk is off.
var ErrNoPower = errors.New("the kiosk has no power: switch it on")

// PowerOn starts the kiosk over whatever its disk holds.
func (l *Lab) PowerOn() error {
	l.mu.Lock()
	if l.station != nil {
		select {
		case <-l.off:
		default:
			l.mu.Unlock()
			return nil // it is on
		}
	}
	l.mu.Unlock()
	l.pad.PowerOn()
	cfg := l.Config()
	l.mu.Lock()
	defer l.mu.Unlock()
	st, err := station.Open(cfg, station.Parts{
		Readers: l.newSource(), DialSwitch: l.dialSwitch, DialFleet: l.toFleet.dial,
		Log: l.log, Version: l.opts.Version, Appended: l.appended, Clock: l.kioskNow,
	})
	if err != nil {
		return fmt.Errorf("the kiosk does not start: %w", err)
	}
	ctx, cut := context.WithCancel(context.Background())
	off := make(chan struct{})
	l.station, l.power, l.off, l.seen = st, cut, off, map[topup.Place]uint64{}
	st.Engine().Watch(func() { l.shown(st) })
	go func() {
		defer close(off)
		if err := st.Run(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, topup.ErrStopped) {
			l.log.Error("the kiosk has stopped", "err", err)
		}
		l.powerless()
	}()
	go l.changed()
	return nil
}

// shown tells a script each screen, in order, none left out.
func (l *Lab) shown(st *station.Station) {
	state, failed := st.Engine().State()
	l.mu.Lock()
	f := l.onShown
	for _, c := range []topup.Console{state.Live.Front, state.Live.Desk} {
		l.seen[c.Place] = max(l.seen[c.Place], c.Session)
	}
	l.mu.Unlock()
	if failed == nil && f != nil {
		f(st.Core().Look(state).Screen)
	}
}

// OnShown has f told the screen after each step of the sale.
func (l *Lab) OnShown(f func(screen string)) {
	l.mu.Lock()
	l.onShown = f
	l.mu.Unlock()
}

// PowerCut takes the power of the kiosk and the PIN pad, and waits until it is
// gone. A card in a field leaves.
func (l *Lab) PowerCut() {
	l.mu.Lock()
	cut, off := l.power, l.off
	l.mu.Unlock()
	if cut == nil {
		return
	}
	l.pad.PowerOff()
	cut()
	<-off
}

// powerless is what the power takes along.
func (l *Lab) powerless() {
	l.pad.PowerOff()
	l.mu.Lock()
	for _, slot := range l.fields {
		if err := slot.Remove(); err != nil {
			l.log.Warn("a card stays in a field", "err", err)
		}
	}
	for _, c := range l.purses {
		c.field, c.laid = "", false
	}
	for _, c := range l.banks {
		c.inField = false
	}
	l.fields = fields{}
	l.mu.Unlock()
	l.settle()
	l.changed()
}

// CutAt cuts the power right after an entry of that kind is durable, once.
// "" disarms.
func (l *Lab) CutAt(kind string) error {
	if kind != "" && !slices.Contains(entry.Kinds(), entry.Kind(kind)) {
		return fmt.Errorf("%q is no entry of the journal: see docs/scenarios.md", kind)
	}
	l.mu.Lock()
	l.cutAt = kind
	l.mu.Unlock()
	return nil
}

// Cutting gives the kind at which the power will go, "" if none is armed.
func (l *Lab) Cutting() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cutAt
}

func (l *Lab) appended(bodies []entry.Body) bool {
	if l.opts.Appended != nil {
		l.opts.Appended(bodies)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range bodies {
		if l.cutAt != "" && string(b.Kind()) == l.cutAt {
			l.cutAt = ""
			return true
		}
	}
	return false
}

// Station is the running kiosk, nil while the power is off.
func (l *Lab) Station() *station.Station {
	st, err := l.running()
	if err != nil {
		return nil
	}
	return st
}

func (l *Lab) running() (*station.Station, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.station == nil {
		return nil, ErrNoPower
	}
	select {
	case <-l.off:
		return nil, ErrNoPower
	default:
		return l.station, nil
	}
}

// Off is closed when the kiosk has lost its power; nil before the first start.
func (l *Lab) Off() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.off
}

// Durable is what the kiosk's journal says: of the running kiosk, or, while the
// power is off, of the disk.
func (l *Lab) Durable() (topup.Durable, error) {
	if st := l.Station(); st != nil {
		state, _ := st.Engine().State()
		return state.Durable, nil
	}
	d := topup.New().Durable
	s, err := store.OpenSnapshot(store.Path(l.path("kiosk")))
	if err != nil {
		return d, err
	}
	defer s.Close()
	err = s.Each(1, func(e entry.Entry, _ []byte) error {
		body, err := e.Body()
		if err != nil {
			return err
		}
		return d.Apply(body)
	})
	return d, err
}

// Conserved compares the bank's ledger with the cards' EEPROM: what was taken
// must be on cards, or be owned by a sale that is still open. credited adds
// what cards that this lab does not simulate have gained.
func (l *Lab) Conserved(ctx context.Context, credited money.Fen) error {
	h := l.Host()
	if h == nil {
		return errors.New("the host is down: its ledger cannot be asked")
	}
	var debits money.Fen
	l.mu.Lock()
	banks, purses := l.banks, l.purses
	l.mu.Unlock()
	accounts := map[string]bool{} // two cards may be of one account
	for _, b := range banks {
		if accounts[b.PAN()] {
			continue
		}
		accounts[b.PAN()] = true
		d, err := h.NetDebits(ctx, b.PAN())
		if err != nil {
			return err
		}
		debits += d
	}
	for _, p := range purses {
		credited += p.Balance() - p.before
	}
	remote, err := h.RemoteAccepted(ctx)
	if err != nil {
		return err
	}
	missing := debits + remote - credited
	var open []money.Fen
	owned, err := h.Rewrites(ctx)
	if err != nil {
		return err
	}
	here := map[entry.SaleID]bool{}
	d, err := l.Durable()
	if err != nil {
		return err
	}
	for _, s := range d.InOrder() {
		if s.Pay != topup.PayNone && s.Pay != topup.PayDeclined && s.Pay != topup.PayReversed {
			open = append(open, s.Amount)
			here[s.ID] = true
		}
	}
	for _, r := range owned {
		if !here[r.Sale] { // else the kiosk has taken it
			open = append(open, r.Amount)
		}
	}
	if !sumsTo(open, missing) {
		return fmt.Errorf("money is not conserved: the bank has taken %s, the cards have got %s, open are %v", debits, credited, open)
	}
	return nil
}

// Gained is what the cards of this lab have got here, rides and loads elsewhere
// left out.
func (l *Lab) Gained() (sum money.Fen) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.purses {
		sum += p.Balance() - p.before
	}
	return sum
}

// sumsTo says whether some of the amounts make up the sum.
func sumsTo(amounts []money.Fen, sum money.Fen) bool {
	reach := map[money.Fen]bool{0: true}
	for _, a := range amounts {
		for s := range maps.Clone(reach) {
			reach[s+a] = true
		}
	}
	return reach[sum]
}

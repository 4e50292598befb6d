package purtest_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"buka/cardio/pboc"
	"buka/cardio/purse"
	"buka/cardio/purse/purtest"
	"buka/cardio/reader"
	"buka/cardio/reader/pcscd"
	"buka/cardio/virtual"
)

// patience bounds what the rig waits for; nothing is measured by it.
const patience = 60 * time.Second

// rig is a real reader: pcscd, vpcd and the reader stack of the product, with
// one place for one card at a time.
type rig struct {
	t      *testing.T
	source *reader.PCSC
	slot   *virtual.VPCD
	place  *place
	stop   func() // ends the service
	open   reader.Card
}

// place is what lies on the reader. The card in it can be changed without the
// reader noticing, as all have one ATR.
type place struct {
	mu      sync.Mutex
	card    virtual.Program
	strike  func(card virtual.Program, cmd []byte) []byte // once, at the next command
	release chan struct{}                                 // closed: a command that hangs goes on
}

func (p *place) ATR() []byte { return p.now().ATR() }
func (p *place) Reset()      { p.now().Reset() }

func (p *place) now() virtual.Program {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.card
}

func (p *place) put(c virtual.Program) {
	c.Reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.card = c
}

func (p *place) Process(cmd []byte) []byte {
	p.mu.Lock()
	card, strike := p.card, p.strike
	p.strike = nil
	p.mu.Unlock()
	if strike != nil {
		return strike(card, cmd)
	}
	return card.Process(cmd)
}

func newRig(t *testing.T) *rig {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // others may play all their cards first
	defer cancel()
	unlock, err := pcscd.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	r := &rig{
		t: t, slot: virtual.NewVPCD(net.JoinHostPort("127.0.0.1", strconv.Itoa(pcscd.Port0))),
		place: &place{release: make(chan struct{})},
	}
	r.serve()
	t.Cleanup(func() { r.stop() })
	// A command that is not meant to hang has a minute; one that is, see below.
	r.source = reader.NewPCSC(reader.Limits{Transmit: patience})
	t.Cleanup(func() {
		r.end()
		r.slot.Remove()
		if err := r.source.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) serve() {
	stop, err := pcscd.Ensure(r.t.Context(), pcscd.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.stop = stop
}

// end ends the transaction, and lets a command go on that hangs.
func (r *rig) end() {
	close(r.place.release)
	r.place.release = make(chan struct{})
	if r.open != nil {
		_ = r.open.Close() // one that was left behind says so
		r.open = nil
	}
}

// present lays a card there and begins a transaction with it.
func (r *rig) present(card virtual.Program) purse.Channel {
	r.end()
	r.place.put(card)
	limit := time.Now().Add(patience)
	if !r.slot.Present() { // it was torn: the reader must have noticed
		for err := r.try(); !errors.Is(err, reader.ErrNoCard) || r.shown(); err = r.try() {
			if err == nil {
				r.open.Close()
			}
			r.wait(limit, "the reader still shows a card that has left")
		}
		if err := r.slot.Insert(r.place); err != nil {
			r.t.Fatal(err)
		}
		for !r.shown() {
			r.wait(limit, "the reader does not notice the card")
		}
	}
	for err := r.try(); err != nil; err = r.try() {
		r.wait(limit, "the card is not seen: "+err.Error())
	}
	return r.open
}

// shown says whether the service tells its listeners of a card. It looks a few
// times a second: a card that goes and comes within one look is powered up
// under the transaction that has begun with it.
func (r *rig) shown() bool {
	for _, s := range r.source.Readers() {
		if s.Reader == pcscd.Reader0 {
			return s.Present
		}
	}
	return false
}

// try opens the card. A service that has gone is started again.
func (r *rig) try() (err error) {
	r.open, err = r.source.Open(r.t.Context(), pcscd.Reader0)
	if errors.Is(err, reader.ErrNoService) && !pcscd.Answers() {
		r.serve()
	}
	return err
}

func (r *rig) wait(limit time.Time, what string) {
	if time.Now().After(limit) {
		r.t.Fatal(what)
	}
	time.Sleep(5 * time.Millisecond)
}

// behind is a card behind the rig.
type behind struct {
	inMemory
	rig *rig
}

var _ purtest.Faulty = behind{}

func (b behind) Present() purse.Channel { return b.rig.present(b.Purse) }

// Strike brings a fault about where it belongs: at the card, in the reader's
// field, in the service.
func (b behind) Strike(ctx context.Context, f purtest.Fault, cmd, before []byte) ([]byte, error) {
	r := b.rig
	hang := false
	switch f {
	case purtest.NotSentAtAll:
		r.open.Close()
	case purtest.OtherCard, purtest.OtherSelected:
		other := b.copy(r.t)
		other = another(r.t, other)
		r.place.put(other)
		if f == purtest.OtherSelected {
			if _, err := family(r.t).Open(ctx, wire{other}); err != nil {
				r.t.Fatal(err)
			}
		}
		start := other.Balance()
		r.t.Cleanup(func() {
			if other.Balance() != start {
				r.t.Error("another card was changed")
			}
		})
	default:
		hang = f == purtest.TimedOutBefore || f == purtest.TimedOutAfter
		r.place.arm(f, before, r.stop) // the service of now: another may run when it ends
	}
	if hang {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond) // it would hang for ever
		defer cancel()
	}
	answer, err := r.open.Transmit(ctx, cmd)
	if f <= purtest.TornAfter || f == purtest.ReaderBefore || f == purtest.ReaderAfter {
		for limit := time.Now().Add(patience); r.slot.Present(); {
			r.wait(limit, "the card does not leave")
		}
	}
	return answer, err
}

// another is a card of the same make with another number.
func another(t testing.TB, c inMemory) inMemory {
	o := c.options
	o.Number, o.Balance, o.Counter = "3105170010170907992", 7850, 3
	o.LoadKey, o.PurchaseKey, o.TACKey = o.TACKey, o.LoadKey, o.PurchaseKey
	return cardIn(t, o, virtual.NewMemoryStore())
}

// arm prepares a fault for the next command.
func (p *place) arm(f purtest.Fault, before []byte, stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	release := p.release
	p.strike = func(card virtual.Program, cmd []byte) []byte {
		var truth []byte
		if f.CarriedOut() {
			truth = card.Process(cmd)
		}
		if answer, ok := f.Answer(truth, before); ok {
			return answer
		}
		switch f {
		case purtest.TimedOutBefore, purtest.TimedOutAfter:
			<-release
			return []byte{0x6F, 0x00}
		case purtest.ReaderBefore, purtest.ReaderAfter:
			go stop() // it waits for this command
		}
		return nil
	}
}

// TestOnPCSC is the suite's matrix around INITIALIZE, the write and PROVE, with
// a card behind a real pcscd and vpcd.
func TestOnPCSC(t *testing.T) {
	r := newRig(t)
	f, err := pboc.New(pboc.Config{Issuers: []string{"1000"}, NotSent: reader.NotSent})
	if err != nil {
		t.Fatal(err)
	}
	isProve := func(cmd []byte) bool { return len(cmd) > 1 && cmd[0] == 0x80 && cmd[1] == 0x5A }
	// What takes the card out of the field costs a second each.
	var service, leaves, stays []purtest.Fault
	for _, fault := range purtest.Faults() {
		switch fault {
		case purtest.ReaderBefore, purtest.ReaderAfter:
			service = append(service, fault)
		case purtest.TornBefore, purtest.TornAfter:
			leaves = append(leaves, fault)
		default:
			stays = append(stays, fault)
		}
	}
	for name, o := range map[string]virtual.PurseOptions{
		"proof wiped": {}, "proof kept": {Proof: virtual.KeepProof, Prove: virtual.ProveSame, LogAfter: true},
	} {
		t.Run(name, func(t *testing.T) {
			first := used(t, o, family(t))
			h := purtest.Harness{
				Family: f, Judge: pboc.Judge, Unasked: pboc.Unasked, IsWrite: virtual.IsCredit,
				New: func(t testing.TB) (purtest.Card, purtest.Host) { return behind{first.copy(t), r}, newHSM() },
				Copy: func(t testing.TB, c purtest.Card, h purtest.Host) (purtest.Card, purtest.Host) {
					return behind{c.(behind).copy(t), r}, h.(*hsm).copy()
				},
			}
			moves := func(cmd []byte) bool { return virtual.IsInitialize(cmd) || virtual.IsCredit(cmd) }
			near := func(cmd []byte) bool { return isProve(cmd) || moves(cmd) }
			cases := purtest.RunNear(t, h, stays, near)
			if name == "proof wiped" {
				cases += purtest.RunNear(t, h, leaves, near) + purtest.RunNear(t, h, service, virtual.IsCredit)
			} else {
				cases += purtest.RunNear(t, h, leaves, moves)
			}
			t.Logf("%d cases", cases)
		})
	}
}

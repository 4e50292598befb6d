package station

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"buka/internal/answers"
	"buka/internal/entry"
	"buka/sync/switchlink"
	"buka/topup"
)

// The two hosts are signed on at apart: the payment host first, because what is
// owed and what is settled needs it alone, and then a load authority of its own.
// The core knows one sign-on, which is the payment host's. The authority's is
// repeated here until it is answered. What makes one necessary at the authority
// alone is kept from the core: a sign-on at the payment host would draw another PIN
// key, and whoever types a PIN under the old one would start over.

// newest takes the last of the sign-ons that wait: each draws other keys, and one
// answer is enough for all that asked.
func (h *hosts) newest(c topup.SignOn) topup.SignOn {
	for {
		select {
		case cmd := <-h.queues["sign-on"]:
			if later, ok := cmd.(topup.SignOn); ok {
				c = later
			}
		default:
			return c
		}
	}
}

// signOn signs on at the payment host, and has the load authority signed on at.
func (h *hosts) signOn(ctx context.Context, c topup.SignOn) {
	r, err := h.links.payments.SignOn(ctx, c.STAN)
	failed := err != nil || !switchlink.Approved(r.Code)
	if !failed {
		h.batch.Store(r.Batch)
		h.signed.Store(c.STAN)
		h.links.asked.met()
	}
	var tried <-chan struct{}
	if !h.failed.Load() || !h.links.signOn.stands() { // the repeat of one that failed is no reason for other keys there
		tried = h.links.signOn.ask(c.STAN)
	}
	if h.failed.Store(failed); failed {
		h.log.Warn("sign-on failed", "link", paymentLink, "code", r.Code, "err", err)
		h.post(topup.SignOnFailed{})
		h.post(topup.SignOnAsked{}) // the host may have taken it, and work under other keys now
		return
	}
	if key, ok := switchlink.WrappedPINKey(r.Keys); ok && h.links.payRing == nil {
		h.pik.Store(&key)
	}
	now := h.clock()
	signedOn := topup.SignedOn{
		Batch: r.Batch, LastSTAN: r.LastSTAN,
		HostAtMS: r.HostTime.UnixMilli(), OffsetMS: r.HostTime.Sub(now).Milliseconds(),
	}
	if tried != nil { // mostly it is there, too: then nobody is asked for an amount that it cannot look at yet
		wait := time.NewTimer(authorityWait)
		defer wait.Stop()
		select {
		case <-tried:
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	h.newest(c) // who has asked meanwhile has an answer too, and other keys would cost the messages under these
	h.post(signedOn)
	if h.links.signOn == nil {
		h.links.signedOn.ring()
	}
}

// bell tells who waits for the next sign-on at the load authority that it is there.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// next is closed by the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// probeAgain says that a probe was not looked at: the authority wants a sign-on.
func (h *hosts) probeAgain(code string, err error) bool {
	if err != nil {
		return errors.Is(err, switchlink.ErrBadMAC)
	}
	return h.answers.Of(code).Action == answers.SignOn
}

// Eligible asks whether the authority would load (DESIGN §4.2). It moves nothing: an
// authority that wants a sign-on first is asked once more after it, in the time that
// a probe has, and the passenger is not sent away for it.
func (h *hosts) Eligible(ctx context.Context, c topup.ProbeCard, a entry.Attempt) (string, error) {
	signedOn, last := h.links.signedOn.next(), h.signed.Load()
	q := query(c.STAN, c.Batch, c.Sale, a)
	r, err := h.links.loads.Eligible(ctx, q)
	if !h.probeAgain(r.Code, err) {
		return r.Code, err
	}
	alone := err == nil && h.loadsAlone(r.Code)
	differs := err == nil && !alone && h.links.signOn != nil              // the batch, or its like: the payment host tells it
	if differs || err == nil && !alone && !switchlink.OutOfStep(r.Code) { // else the link has asked for it
		h.post(topup.SignOnAsked{})
	}
	for wait := true; wait; wait = differs && h.signed.Load() == last {
		select {
		case <-signedOn:
		case <-ctx.Done():
			return h.probed(r.Code, err)
		}
		signedOn = h.links.signedOn.next()
	}
	if batch := h.batch.Load(); batch != 0 { // it may be another one now
		q.Batch = batch
	}
	h.log.Info("probed again after a sign-on", "code", r.Code, "err", err)
	r, err = h.links.loads.Eligible(ctx, q)
	return h.probed(r.Code, err)
}

// probed is what the core is told of a probe: that nobody could look at it, if it is
// the authority's keys.
func (h *hosts) probed(code string, err error) (string, error) {
	if err == nil && h.loadsAlone(code) {
		return "", fmt.Errorf("%w: code %s", errLoadsOutOfStep, code)
	}
	return code, err
}

var errLoadsOutOfStep = errors.New("the load authority wants a sign-on of its own")

// loadsAlone says that a code of a load authority of its own wants a sign-on there,
// and not at the payment host. A batch that differs (77) is a matter of both: the
// payment host tells which one is open.
func (h *hosts) loadsAlone(code string) bool {
	if h.links.signOn == nil || code == switchlink.CodeBatch || h.answers.Of(code).Action != answers.SignOn {
		return false
	}
	if !switchlink.OutOfStep(code) { // else the link has asked for it
		h.links.signOn.renew()
	}
	return true
}

const (
	authorityWait   = 3 * time.Second // that the payment host's sign-on waits for the authority's first try
	authorityAgain  = 500 * time.Millisecond
	authoritySeldom = 15 * time.Second
)

// loadSignOn signs on at a load authority of its own, again and again until it is
// answered. Nil where the payment host is the authority.
type loadSignOn struct {
	client *switchlink.Client
	done   func() // it is signed on at
	log    *slog.Logger
	wanted chan loadAsk  // the newest counts
	asked  demands       // what the authority itself says
	again  chan struct{} // poked when it wants another
	up     chan struct{} // poked when the link comes up

	mu     sync.Mutex
	stood  bool // it stands since it was wanted last
	failed bool // the last try came to nothing
}

type loadAsk struct {
	stan  uint32
	tried chan struct{} // closed when it was tried once
}

func newLoadSignOn(done func(), log *slog.Logger) *loadSignOn {
	l := &loadSignOn{done: done, log: log, wanted: make(chan loadAsk, 1), again: make(chan struct{}, 1), up: make(chan struct{}, 1)}
	l.asked.act = func() {
		select {
		case l.again <- struct{}{}:
		default:
		}
	}
	return l
}

// ask has it done under this STAN; tried is closed after the first try.
func (l *loadSignOn) ask(stan uint32) (tried <-chan struct{}) {
	if l == nil {
		return nil
	}
	l.stale()
	ask := loadAsk{stan, make(chan struct{})}
	select {
	case old := <-l.wanted: // nobody has begun it
		close(old.tried)
	default:
	}
	l.wanted <- ask // the one queue of sign-ons fills it
	return ask.tried
}

// renew has it done once more, because the authority itself wants it: nobody else is
// asked for anything.
func (l *loadSignOn) renew() {
	l.stale()
	l.asked.want()
}

// stale says that the keys of the authority are of no use any more.
func (l *loadSignOn) stale() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stood = false
}

// stands says whether the authority's last sign-on does.
func (l *loadSignOn) stands() bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stood
}

// fails says whether the last try came to nothing.
func (l *loadSignOn) fails() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// poke cuts the wait for the next try short.
func (l *loadSignOn) poke() {
	if l == nil {
		return
	}
	select {
	case l.up <- struct{}{}:
	default:
	}
}

func (l *loadSignOn) run(ctx context.Context) {
	var ask loadAsk
	var again <-chan time.Time
	var wait time.Duration
	var last uint32 // STAN
	for {
		select {
		case <-ctx.Done():
			return
		case ask = <-l.wanted:
			wait, last = authorityAgain, ask.stan
		case <-l.again:
			if ask.stan != 0 || last == 0 { // it is being done, or the first one is still to come
				continue
			}
			last = last%switchlink.MaxSTAN + 1 // another one: else the host may repeat its answer
			wait, ask.stan = authorityAgain, last
		case <-l.up:
			if ask.stan == 0 {
				continue
			}
		case <-again:
		}
		stands := l.try(ctx, ask.stan)
		if ask.tried != nil {
			close(ask.tried)
			ask.tried = nil
		}
		if again = nil; stands {
			ask = loadAsk{}
			l.asked.met()
			select {
			case <-l.again: // was about what was sent before
			default:
			}
			continue
		}
		again = time.After(wait)
		wait = min(2*wait, authoritySeldom)
	}
}

func (l *loadSignOn) try(ctx context.Context, stan uint32) bool {
	r, err := l.client.SignOn(ctx, stan)
	if err != nil || !switchlink.Approved(r.Code) {
		l.log.Warn("sign-on failed", "link", loadLink, "code", r.Code, "err", err)
		l.mu.Lock()
		l.failed = true
		l.mu.Unlock()
		return false
	}
	l.mu.Lock()
	l.stood, l.failed = true, false
	l.mu.Unlock()
	l.done()
	return true
}

package station

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"buka/cardio/emv"
	"buka/cardio/purse"
	"buka/internal/answers"
	"buka/internal/entry"
	"buka/internal/pin"
	"buka/sync/switchlink"
	"buka/topup"
)

// payLink is the payment host as the tender needs it.
type payLink interface {
	// pay sends the request once, with the chip's part (DE55) and the PIN, nil for
	// none; chip is the issuer's part of the answer.
	pay(ctx context.Context, p topup.Pay, card *emv.Payment, icc []byte, sealed *pin.Sealed) (paid topup.Paid, chip []byte)
	refund(ctx context.Context, s topup.Sale, repeat bool) (string, error)
	reverse(ctx context.Context, s topup.Sale, reason string, chip chipSaid, repeat bool) (string, error)
	script(ctx context.Context, r scriptResult) error
}

// hosts carries the core's messages over the switch link and brings back what
// the three outcomes are. Each kind of message has a queue and an owner, so
// that a reversal never waits for a confirmation.
type hosts struct {
	links    *links
	tender   Tender // takes its own payments back
	answers  *answers.Table
	journal  *journal
	pik      atomic.Pointer[pin.WrappedKey] // on a link without MACs
	told     uploadMark                     // of the settlement's owner alone
	batch    atomic.Uint32                  // open at the payment host, as it said last; 0: not yet
	signed   atomic.Uint32                  // STAN of the last sign-on there that was approved; each has another
	failed   atomic.Bool                    // the last sign-on at the payment host came to nothing
	keeper   restoreKeeper
	terminal string // merchant and terminal, with a slash
	post     func(topup.Event)
	clock    func() time.Time
	log      *slog.Logger
	queues   map[string]chan topup.Command
}

const hostQueue = 32

func newHosts(l *links, post func(topup.Event), clock func() time.Time, log *slog.Logger) *hosts {
	h := &hosts{links: l, answers: answers.Default(), post: post, clock: clock, log: log, queues: map[string]chan topup.Command{}}
	for _, q := range []string{"reversal", "confirmation", "void", "refund", "verify", "sign-on", "restore", "settlement"} {
		h.queues[q] = make(chan topup.Command, hostQueue)
	}
	return h
}

func (h *hosts) run(ctx context.Context, q string) {
	for {
		select {
		case <-ctx.Done():
			return
		case cmd := <-h.queues[q]:
			h.perform(ctx, cmd)
		}
	}
}

func (h *hosts) do(cmd topup.Command) {
	q := "sign-on"
	switch c := cmd.(type) {
	case topup.Send:
		q = string(c.Duty.Kind)
	case topup.VerifyTAC:
		q = "verify"
	case topup.ConfirmRestore:
		q = "restore"
	case topup.Settle, topup.Upload:
		q = "settlement"
	}
	select {
	case h.queues[q] <- cmd:
	default: // the core keeps one of a kind in flight: this cannot fill up
		h.log.Error("host queue is full", "queue", q)
	}
}

func (h *hosts) perform(ctx context.Context, cmd topup.Command) {
	switch c := cmd.(type) {
	case topup.SignOn:
		h.signOn(ctx, h.newest(c))
	case topup.ConfirmRestore:
		h.confirmRestore(ctx, c)
	case topup.Settle:
		h.settle(ctx, c)
	case topup.Upload:
		h.upload(ctx, c)
	case topup.VerifyTAC:
		opinion, err := h.links.loads.VerifyTAC(ctx, query(c.STAN, c.Batch, c.Sale, c.Attempt), c.Proof)
		if err != nil {
			h.log.Info("TAC not verified", "err", err)
			opinion = entry.NoOpinion
		}
		h.post(topup.TACJudged{Sale: c.Sale, Proof: c.Proof, Opinion: opinion})
	case topup.Send:
		code, err := h.send(ctx, c)
		if err != nil {
			h.log.Info("not delivered", "duty", c.Duty.Kind, "stan", c.Duty.STAN, "err", err)
		}
		h.post(topup.Sent{Duty: c.Duty, Answered: err == nil, Code: code})
	}
}

// pinKey is the PIN key of the last sign-on, as it came: what the link has opened
// with the master key, or, on a link that has none, what it looks like. The pad
// compares the check value.
func (h *hosts) pinKey() pin.WrappedKey {
	if h.links.payRing != nil {
		return h.links.payRing.PINKey()
	}
	if key := h.pik.Load(); key != nil {
		return *key
	}
	return pin.WrappedKey{}
}

func (h *hosts) send(ctx context.Context, c topup.Send) (string, error) {
	s := c.Sale
	var a switchlink.Answer
	var err error
	switch c.Duty.Kind {
	case topup.Reversal:
		return h.tender.Reverse(ctx, s, c.Why, c.Repeat)
	case topup.Refund:
		return h.tender.Refund(ctx, s, c.Repeat)
	case topup.Confirmation:
		a, err = h.links.loads.ConfirmLoad(ctx, switchlink.Confirmation{
			STAN: c.Duty.STAN, Batch: s.PayBatch, Sale: s.ID, Attempt: s.Attempt, TAC: s.TAC, By: s.DoneBy, Repeat: c.Repeat,
		})
	case topup.Void:
		for _, v := range s.OweVoids {
			if v.STAN == c.Duty.STAN {
				a, err = h.links.loads.VoidLoad(ctx, switchlink.Void{STAN: v.STAN, Batch: s.PayBatch, Sale: s.ID, Attempt: v.Attempt, Repeat: c.Repeat})
			}
		}
	}
	if err == nil && h.loadsAlone(a.Code) {
		err = fmt.Errorf("%w: code %s", errLoadsOutOfStep, a.Code) // not taken; sent again
	}
	return a.Code, err
}

// restoreKeeper is the fleet host, as a restored kiosk needs it.
type restoreKeeper interface {
	ConfirmRestore(ctx context.Context, terminal string, open []entry.SaleID) (entry.RestoreConfirmed, error)
}

// confirmRestore asks the fleet host what it knows of a restored journal.
func (h *hosts) confirmRestore(ctx context.Context, c topup.ConfirmRestore) {
	if h.keeper == nil {
		h.log.Error("the journal was restored, and no fleet host is configured that could confirm it: nothing is sold")
		h.post(topup.RestoreAnswered{})
		return
	}
	facts, err := h.keeper.ConfirmRestore(ctx, h.terminal, c.Open)
	if err != nil {
		h.log.Warn("the restored journal is not confirmed yet", "open", len(c.Open), "err", err)
	}
	h.post(topup.RestoreAnswered{OK: err == nil, Facts: facts})
}

// Authorise asks for MAC2, date and time.
func (h *hosts) Authorise(ctx context.Context, c topup.Load, a entry.Attempt) (purse.Grant, error) {
	r, err := h.links.loads.AuthoriseLoad(ctx, query(c.STAN, c.Batch, c.Sale, a))
	switch {
	case errors.Is(err, switchlink.ErrNotSent):
		return purse.Grant{}, errors.Join(refused{"not-sent"}, err)
	case err != nil:
		return purse.Grant{}, err
	case h.loadsAlone(r.Code): // not looked at, as if not sent
		return purse.Grant{}, errors.Join(refused{"not-sent"}, fmt.Errorf("%w: code %s", errLoadsOutOfStep, r.Code))
	case !switchlink.Approved(r.Code):
		return purse.Grant{}, refused{r.Code}
	}
	return purse.Grant{At: r.At, MAC2: r.MAC2}, nil
}

// Counter has the authority verify a probing INITIALIZE.
func (h *hosts) Counter(ctx context.Context, c topup.ProbeSlot, probe entry.Attempt) (entry.Counter, error) {
	return h.links.loads.VerifyCounter(ctx, query(c.STAN, c.Batch, c.Sale, c.Attempt), probe)
}

func query(stan, batch uint32, sale entry.SaleID, a entry.Attempt) switchlink.LoadQuery {
	return switchlink.LoadQuery{STAN: stan, Batch: batch, Sale: sale, Attempt: a}
}

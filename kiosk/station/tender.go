package station

import (
	"context"
	"errors"
	"sync/atomic"

	"buka/internal/entry"
	"buka/topup"
)

// Tender is a means of payment: it is collected, it pays, and it can be taken
// back later. The built-in one is a bank card, read by PC/SC, with a PIN pad
// (bankCard). A semi-integrated terminal, whose certified kernel reads the card
// and takes the PIN, would be another: Collect asks it, Pay starts it. So would a
// QR code.
type Tender interface {
	// Collect asks the passenger for the means. seen is told when it is known
	// which, as it may be shown, and whether a PIN (or the like) is next. It ends
	// with ctx. A failure in words for the passenger is an errTender.
	Collect(ctx context.Context, c topup.TakeTender, seen func(masked string, secret bool)) error
	// Again asks for the secret again, for the same means.
	Again(ctx context.Context, c topup.RetryPIN) error
	// Pay sends one request with what was collected.
	Pay(ctx context.Context, p topup.Pay) topup.Paid
	// Reverse takes a payment back: the host's code, or an error that says
	// nothing about it. A payment of which nothing is known is reversed too, and
	// never asked about: an answer now says nothing about a request that is still
	// under way.
	Reverse(ctx context.Context, s topup.Sale, reason string, repeat bool) (code string, err error)
	// Refund gives back what can no longer be reversed, under a key of its own.
	Refund(ctx context.Context, s topup.Sale, repeat bool) (code string, err error)
	// Drop forgets what was collected.
	Drop()
}

// teller is a tender that may owe its issuers a word beside a payment.
type teller interface{ tellIssuer(ctx context.Context) }

// tell says what is owed to issuers, after a payment and before a settlement.
func tell(ctx context.Context, t Tender) {
	if t, ok := t.(teller); ok {
		t.tellIssuer(ctx)
	}
}

// errTender carries a key of the pages.
type errTender struct{ reason string }

func (e errTender) Error() string { return "no payment: " + e.reason }

// till owns the tender: one goroutine, one payment at a time. Commands are numbered
// as they come: a drop ends what was asked for before it, and nothing after it.
type till struct {
	tender  Tender
	queue   chan tillTask
	post    func(topup.Event)
	asked   atomic.Uint64 // number of the newest command
	dropped atomic.Uint64 // of the newest drop
	drop    chan struct{} // poked by a drop
}

type tillTask struct {
	cmd topup.Command
	n   uint64
}

func newTill(tender Tender, post func(topup.Event)) *till {
	return &till{tender: tender, queue: make(chan tillTask, cardQueue), post: post, drop: make(chan struct{}, 1)}
}

func (t *till) do(cmd topup.Command) {
	task := tillTask{cmd, t.asked.Add(1)}
	if _, ok := cmd.(topup.DropTender); ok {
		t.dropped.Store(task.n)
		select {
		case t.drop <- struct{}{}:
		default:
		}
	}
	select {
	case t.queue <- task:
	default:
		go t.answerFull(cmd)
	}
}

func (t *till) answerFull(cmd topup.Command) {
	switch c := cmd.(type) {
	case topup.TakeTender:
		t.post(topup.TenderFailed{Sale: c.Sale, Reason: "pinpad-missing"})
	case topup.RetryPIN:
		t.post(topup.TenderFailed{Sale: c.Sale, Reason: "pinpad-missing"})
	case topup.Pay:
		t.post(topup.Paid{Sale: c.Sale, STAN: c.STAN, Outcome: entry.NotDone, Code: "not-sent"})
	}
}

func (t *till) run(ctx context.Context) {
	defer t.tender.Drop()
	for {
		select {
		case <-ctx.Done():
			return
		case task := <-t.queue:
			t.perform(ctx, task)
		}
	}
}

func (t *till) perform(ctx context.Context, task tillTask) {
	switch c := task.cmd.(type) {
	case topup.TakeTender:
		t.collect(ctx, task.n, c.Sale, func(ctx context.Context) error {
			return t.tender.Collect(ctx, c, func(masked string, secret bool) {
				t.post(topup.TenderSeen{Sale: c.Sale, PAN: masked, NoPIN: !secret})
			})
		})
	case topup.RetryPIN:
		t.collect(ctx, task.n, c.Sale, func(ctx context.Context) error { return t.tender.Again(ctx, c) })
	case topup.Pay:
		t.post(t.tender.Pay(ctx, c))
		tell(ctx, t.tender)
	case topup.DropTender:
		t.tender.Drop()
	}
}

// collect asks for the means of payment until it is there, or dropped: then nobody
// waits for an answer.
func (t *till) collect(ctx context.Context, n uint64, sale entry.SaleID, ask func(context.Context) error) {
	if t.dropped.Load() > n {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- ask(ctx) }()
	for {
		select {
		case err := <-done:
			t.collected(ctx, sale, err)
			return
		case <-t.drop:
		}
		if t.dropped.Load() > n {
			cancel()
			<-done
			t.tender.Drop()
			return
		}
	}
}

func (t *till) collected(ctx context.Context, sale entry.SaleID, err error) {
	var no errTender
	switch {
	case err == nil:
		t.post(topup.TenderReady{Sale: sale})
	case errors.As(err, &no):
		t.post(topup.TenderFailed{Sale: sale, Reason: no.reason})
	case ctx.Err() == nil:
		t.post(topup.TenderFailed{Sale: sale, Reason: "bank-card-unread"})
	}
}

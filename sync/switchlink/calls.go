package switchlink

import (
	"context"

	"buka/internal/entry"
)

// SignOn asks for the open batch and the host's clock (0800).
func (c *Client) SignOn(ctx context.Context, stan uint32) (SignOn, error) {
	a, err := c.ask(ctx, &Request{Kind: KindSignOn, STAN: stan})
	return SignOn{Code: a.Code, Batch: a.Batch, HostTime: a.At, LastSTAN: a.LastSTAN, Keys: a.Keys}, err
}

// Echo asks whether the host is there (0820). The client does so by itself on an
// idle link, with STAN 0: take another.
func (c *Client) Echo(ctx context.Context, stan uint32) error {
	a, err := c.ask(ctx, &Request{Kind: KindEcho, STAN: stan})
	if err == nil && !Approved(a.Code) {
		return &Refused{a.Code}
	}
	return err
}

// Eligible asks whether the authority would load this card with this amount
// (0100, 900000). It moves nothing.
func (c *Client) Eligible(ctx context.Context, q LoadQuery) (Answer, error) {
	a, err := c.ask(ctx, q.request(KindEligible))
	return Answer{a.Code}, err
}

// AuthoriseLoad asks for the MAC2 that answers this INITIALIZE (0100, 910000).
func (c *Client) AuthoriseLoad(ctx context.Context, q LoadQuery) (Load, error) {
	a, err := c.ask(ctx, q.request(KindAuthorise))
	return Load{Code: a.Code, MAC2: a.MAC2, At: a.Stamp, RRN: a.RRN}, err
}

// Pay asks for money (0200). The client never sends it twice.
func (c *Client) Pay(ctx context.Context, p Payment) (Paid, error) {
	p.EntryMode = entryMode(p.EntryMode, p.PIN != nil)
	a, err := c.ask(ctx, &Request{Kind: KindPay, STAN: p.STAN, Batch: p.Batch, Sale: p.Sale, Card: p.Card,
		Slot: p.Slot, Amount: p.Amount, PAN: p.PAN, Expiry: p.Expiry, Track2: p.Track2, PSN: p.PSN,
		EntryMode: p.EntryMode, PIN: p.PIN, ICC: p.ICC})
	return Paid{Code: a.Code, Amount: a.Amount, RRN: a.RRN, Auth: a.Auth, ICC: a.ICC}, err
}

// entryMode is DE22: how the card was read, and 1 with a PIN, 2 without.
func entryMode(mode string, pin bool) string {
	read := "05"
	if len(mode) >= 2 {
		read = mode[:2]
	}
	if pin {
		return read + "1"
	}
	return read + "2"
}

// QueryPayment asks what became of a payment (0100, 960000): its code, or 25.
func (c *Client) QueryPayment(ctx context.Context, k PaymentKey) (Paid, error) {
	a, err := c.ask(ctx, &Request{Kind: KindQuery, STAN: k.STAN, Batch: k.Batch, Sale: k.Sale, Amount: k.Amount})
	return Paid{Code: a.Code, Amount: a.Amount, RRN: a.RRN, Auth: a.Auth}, err
}

// Reverse takes a payment back (0400; a repeat has the MTI that the spec gives it). Code C0 says that the
// host holds a confirmation of this sale's load and will not.
func (c *Client) Reverse(ctx context.Context, r Reversal) (Answer, error) {
	a, err := c.ask(ctx, &Request{Kind: KindReverse, STAN: r.STAN, Batch: r.Batch, Sale: r.Sale, Amount: r.Amount,
		Reason: r.Reason, RRN: r.RRN, Auth: r.Auth, EntryMode: r.EntryMode, ICC: r.ICC, Repeat: r.Repeat})
	return Answer{a.Code}, err
}

// Refund asks the payment host to give back a payment that can no longer be
// reversed (0220, 200000). 00 says that it holds no money of the sale any more.
func (c *Client) Refund(ctx context.Context, f Refund) (Answer, error) {
	a, err := c.ask(ctx, &Request{Kind: KindRefund, STAN: f.STAN, Batch: f.Batch, Sale: f.Sale, Amount: f.Amount,
		OrigSTAN: f.OrigSTAN, OrigBatch: f.OrigBatch, RRN: f.RRN, Repeat: f.Repeat})
	return Answer{a.Code}, err
}

// ConfirmLoad tells the authority that the load was written (0220, 920000).
func (c *Client) ConfirmLoad(ctx context.Context, f Confirmation) (Answer, error) {
	a, err := c.ask(ctx, &Request{Kind: KindConfirm, STAN: f.STAN, Batch: f.Batch, Sale: f.Sale, Attempt: f.Attempt,
		Amount: f.Attempt.Amount, Proof: entry.Proof{TAC: f.TAC}, By: f.By, Repeat: f.Repeat})
	return Answer{a.Code}, err
}

// VoidLoad tells the authority that an authorisation is not used, whether it was
// given or not (0220, 930000).
func (c *Client) VoidLoad(ctx context.Context, v Void) (Answer, error) {
	a, err := c.ask(ctx, &Request{Kind: KindVoid, STAN: v.STAN, Batch: v.Batch, Sale: v.Sale, Attempt: v.Attempt,
		Amount: v.Attempt.Amount, Repeat: v.Repeat})
	return Answer{a.Code}, err
}

// VerifyTAC asks whether a TAC is that of exactly this attempt (0100, 940000).
// *Refused if the authority cannot say.
func (c *Client) VerifyTAC(ctx context.Context, q LoadQuery, p entry.Proof) (entry.Opinion, error) {
	r := q.request(KindVerifyTAC)
	r.Proof = p
	a, err := c.ask(ctx, r)
	if err == nil && !Approved(a.Code) {
		return entry.NoOpinion, &Refused{a.Code}
	}
	return a.Opinion, err
}

// VerifyCounter has a probing INITIALIZE looked at, for the attempt in doubt that
// q holds (0100, 950000). *Refused if the authority cannot say.
func (c *Client) VerifyCounter(ctx context.Context, q LoadQuery, probe entry.Attempt) (entry.Counter, error) {
	r := q.request(KindVerifyCounter)
	r.Probe = probe
	a, err := c.ask(ctx, r)
	if err == nil && !Approved(a.Code) {
		return entry.Counter{}, &Refused{a.Code}
	}
	return a.Counter, err
}

func (q LoadQuery) request(k Kind) *Request {
	return &Request{Kind: k, STAN: q.STAN, Batch: q.Batch, Sale: q.Sale, Amount: q.Attempt.Amount, Attempt: q.Attempt}
}

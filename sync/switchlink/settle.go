package switchlink

import (
	"context"

	"buka/internal/entry"
)

// maxPages bounds the differences of a batch: a message holds 16 of them.
const maxPages = 1024

// Settle tells the host the totals of a batch and asks whether they are its own
// (0500, repeated as 0501). A batch that does not balance is uploaded.
func (c *Client) Settle(ctx context.Context, s Settlement) (Settled, error) {
	a, err := c.ask(ctx, &Request{Kind: KindSettle, STAN: s.STAN, Batch: s.Batch, Totals: s.Totals, Repeat: s.Repeat})
	return Settled{Code: a.Code, Balanced: a.Balanced}, err
}

// Upload tells the host one payment or refund of a batch (0320, repeated as
// 0321). The answer to the last one says what differs; where that does not fit
// into one message, Upload asks for the rest, and all of it is one call: an
// error means that the last upload is to be repeated.
func (c *Client) Upload(ctx context.Context, u Upload) (Uploaded, error) {
	var out Uploaded
	for page := uint32(0); ; page++ {
		a, err := c.ask(ctx, &Request{Kind: KindUpload, STAN: u.STAN, Batch: u.Batch, Index: u.Index, Last: u.Last, Sale: u.Sale,
			OrigSTAN: u.OrigSTAN, OrigBatch: u.Batch, Amount: u.Amount, Credit: u.Credit, Repeat: u.Repeat || page > 0, page: page})
		if err != nil {
			return Uploaded{}, err
		}
		out.Code, out.Balanced = a.Code, a.Balanced
		out.Differs = append(out.Differs, a.Differs...)
		if page+1 >= a.pages {
			return out, nil
		}
	}
}

// ScriptResult tells the host what the card made of its answer (0620, repeated
// as 0621).
func (c *Client) ScriptResult(ctx context.Context, s Script) (Answer, error) {
	a, err := c.ask(ctx, &Request{Kind: KindScript, STAN: s.STAN, Batch: s.Batch, OrigSTAN: s.OrigSTAN, OrigBatch: s.Batch,
		Sale: s.Sale, Amount: s.Amount, RRN: s.RRN, ICC: s.ICC, Repeat: s.Repeat})
	return Answer{a.Code}, err
}

// decodeOriginal reads which payment of the batch the message is about.
func (spec *Spec) decodeOriginal(m *Message, r *Request) error {
	stan, ok := number(spec.getPart(m, partOriginal), 6)
	if !ok || stan == 0 {
		return fieldErr("original payment")
	}
	r.OrigSTAN, r.OrigBatch = stan, r.Batch
	return nil
}

// A difference on the wire has 27 bytes: sale id in 16 characters, filled with
// blanks; STAN n6 BCD; what the kiosk and what the host has, 4 bytes each, two's
// complement. An answer has at most 16.
const (
	differenceSize = 16 + 3 + 4 + 4
	pageSize       = 16
)

var _ = [1]struct{}{}[max(0, pageSize*differenceSize-499)] // DE62 of the ASCII spec holds a page

func pagesOf(d []entry.Difference) uint32 { return uint32((len(d) + pageSize - 1) / pageSize) }

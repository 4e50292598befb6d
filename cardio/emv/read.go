package emv

import (
	"context"
	"errors"
	"fmt"

	"buka/cardio/apdu"
)

// Channel is one exclusive conversation with one card.
type Channel interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// errNext says that an application does not serve and the next may.
var errNext = errors.New("application not usable")

// Read takes what an online payment needs. *Refusal: a card that is not taken.
// ErrAnswer: it made no sense. Any other error: it could not be read now.
// The caller calls Zero when the payment is over.
func Read(ctx context.Context, ch Channel, t Terminal) (*Card, error) {
	objects, err := t.objects()
	if err != nil {
		return nil, err
	}
	d, err := readDirectory(ctx, ch)
	if err != nil {
		return nil, err
	}
	if d.blocked {
		return nil, &Refusal{Reason: Blocked}
	}
	blocked := false
	for _, c := range d.list() {
		card, err := readApplication(ctx, ch, c, t, objects)
		switch {
		case errors.Is(err, &Refusal{Reason: Blocked}):
			blocked = true
		case errors.Is(err, errNext):
		default:
			return card, err
		}
	}
	if blocked {
		return nil, &Refusal{Reason: Blocked}
	}
	return nil, whyNone(ctx, ch, d)
}

// whyNone tells a transit card, put here by mistake, from any other.
func whyNone(ctx context.Context, ch Channel, d directory) error {
	for _, aid := range transitAIDs {
		if d.transit {
			break
		}
		r, err := apdu.Exchange(ctx, ch, apdu.SelectByName(aid))
		if err != nil {
			return fmt.Errorf("select transit application: %w", err)
		}
		d.transit = r.SW == apdu.OK || r.SW == apdu.FileInvalidated
	}
	if d.transit {
		return &Refusal{Reason: TransitCard}
	}
	return &Refusal{Reason: NoApp}
}

// readApplication selects one application and reads it.
func readApplication(ctx context.Context, ch Channel, c candidate, t Terminal, objects map[apdu.Tag][]byte) (*Card, error) {
	r, err := apdu.Exchange(ctx, ch, apdu.SelectByName(c.aid))
	if err != nil {
		return nil, fmt.Errorf("select %X: %w", c.aid, err)
	}
	switch r.SW {
	case apdu.OK:
	case apdu.FileInvalidated, apdu.NotSupported:
		return nil, &Refusal{Reason: Blocked}
	default:
		return nil, errNext
	}
	var wishes []apdu.DOLEntry
	if pdol, err := apdu.Find(r.Data, 0x6F, 0xA5, 0x9F38); err == nil {
		if wishes, err = apdu.ParseDOL(pdol); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
	}
	var f fields
	defer f.zero()
	spans, err := processingOptions(ctx, ch, apdu.FillDOL(wishes, objects), &f)
	if err != nil {
		return nil, err
	}
	if err := readRecords(ctx, ch, spans, &f); err != nil {
		return nil, err
	}
	card, err := f.card()
	if err != nil {
		return nil, err
	}
	if f.expired(t.Now, card.Expiry) {
		card.Zero()
		return nil, &Refusal{Reason: Expired}
	}
	card.AID, card.Scheme = c.aid, c.scheme
	return &card, nil
}

// processingOptions is GET PROCESSING OPTIONS with the filled PDOL.
func processingOptions(ctx context.Context, ch Channel, pdol []byte, f *fields) ([]span, error) {
	data, err := apdu.Encode(0x83, pdol)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	r, err := apdu.Exchange(ctx, ch, apdu.Command{CLA: 0x80, INS: 0xA8, Data: data, Ne: apdu.MaxNe})
	defer clear(r.Data)
	if err != nil {
		return nil, fmt.Errorf("get processing options: %w", err)
	}
	switch r.SW {
	case apdu.OK:
		return parseGPO(r.Data, f)
	case apdu.FileInvalidated:
		return nil, &Refusal{Reason: Blocked}
	}
	return nil, errNext // 6985 by the book; others alike
}

// readRecords reads over the locator. A record that is not a template of data
// objects is passed over: it may serve a kind of authentication that we do not
// do.
func readRecords(ctx context.Context, ch Channel, spans []span, f *fields) error {
	for _, s := range spans {
		for n := int(s.first); n <= int(s.last); n++ {
			if err := readRecord(ctx, ch, s.sfi, byte(n), f); err != nil {
				return err
			}
		}
	}
	return nil
}

func readRecord(ctx context.Context, ch Channel, sfi, n byte, f *fields) error {
	r, err := apdu.Exchange(ctx, ch, apdu.ReadRecord(sfi, n, apdu.MaxNe))
	defer clear(r.Data)
	if err != nil {
		return fmt.Errorf("read record %d of file %d: %w", n, sfi, err)
	}
	if r.SW != apdu.OK {
		return fmt.Errorf("%w: record %d of file %d: %v", ErrAnswer, n, sfi, r.SW)
	}
	v, err := apdu.Find(r.Data, 0x70)
	if err != nil {
		return nil
	}
	if list, err := apdu.ParseTLVs(v); err == nil {
		f.take(list)
	}
	return nil
}

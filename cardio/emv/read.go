package emv

import "context"

// Read is Start for a caller that wants nothing but the card's data.
func Read(ctx context.Context, ch Channel, t Terminal) (*Card, error) {
	p, err := Start(ctx, ch, t)
	if err != nil {
		return nil, err
	}
	return p.Card, nil
}

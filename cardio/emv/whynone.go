package emv

import (
	"context"
	"fmt"

	"buka/cardio/apdu"
)

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

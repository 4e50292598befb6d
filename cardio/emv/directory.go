package emv

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"buka/cardio/apdu"
)

// Bounds of what a card may make us do.
const (
	maxCandidates  = 8
	maxDirRecords  = 10
	maxRecords     = 40 // READ RECORD commands of one card
	lowestPriority = 16
)

var (
	ppse = []byte("2PAY.SYS.DDF01") // contactless
	pse  = []byte("1PAY.SYS.DDF01") // contact
	// T-Union and City Union, to tell a passenger who put the wrong card
	// (pboc-purse sheet §1.1).
	transitAIDs = [][]byte{
		{0xA0, 0x00, 0x00, 0x06, 0x32, 0x01, 0x01, 0x05},
		{0xA0, 0x00, 0x00, 0x00, 0x03, 0x86, 0x98, 0x07, 0x01},
	}
)

// candidate is an application of the card.
type candidate struct {
	aid      []byte
	scheme   string
	priority int // 1 first; lowestPriority: none given
}

// directory is what a card lists.
type directory struct {
	candidates []candidate
	transit    bool
	blocked    bool
}

// readDirectory asks for the PPSE, then the PSE. A card without either has its
// applications tried by name.
func readDirectory(ctx context.Context, ch Channel) (directory, error) {
	var d directory
	r, err := apdu.Exchange(ctx, ch, apdu.SelectByName(ppse))
	if err != nil {
		return d, fmt.Errorf("select PPSE: %w", err)
	}
	if r.SW == apdu.OK {
		entries, err := apdu.FindAll(r.Data, 0x6F, 0xA5, 0xBF0C, 0x61)
		if err == nil {
			d.add(entries)
		}
		return d, nil
	}
	r, err = apdu.Exchange(ctx, ch, apdu.SelectByName(pse))
	if err != nil {
		return d, fmt.Errorf("select PSE: %w", err)
	}
	switch r.SW {
	case apdu.NotSupported: // EMV Book 1 §12.3.2: the card is blocked
		d.blocked = true
		return d, nil
	case apdu.OK:
	default:
		return d, nil
	}
	sfi, err := apdu.Find(r.Data, 0x6F, 0xA5, 0x88)
	if err != nil || len(sfi) != 1 || sfi[0] < 1 || sfi[0] > 10 {
		return d, nil
	}
	for n := byte(1); n <= maxDirRecords; n++ {
		r, err := apdu.Exchange(ctx, ch, apdu.ReadRecord(sfi[0], n, apdu.MaxNe))
		if err != nil {
			return d, fmt.Errorf("read directory: %w", err)
		}
		if r.SW != apdu.OK {
			break
		}
		if entries, err := apdu.FindAll(r.Data, 0x70, 0x61); err == nil {
			d.add(entries)
		}
	}
	return d, nil
}

// add takes directory entries (61: 4F name, 87 priority).
func (d *directory) add(entries [][]byte) {
	for _, e := range entries {
		aid, err := apdu.Find(e, 0x4F)
		if err != nil || len(aid) < 5 || len(aid) > 16 {
			continue
		}
		if slices.ContainsFunc(transitAIDs, func(t []byte) bool { return bytes.HasPrefix(aid, t) }) {
			d.transit = true
			continue
		}
		priority := lowestPriority
		if p, err := apdu.Find(e, 0x87); err == nil && len(p) == 1 && p[0]&0x0F != 0 {
			priority = int(p[0] & 0x0F)
		}
		for _, app := range applications() {
			if bytes.HasPrefix(aid, app.AID) && len(d.candidates) < maxCandidates {
				d.candidates = append(d.candidates, candidate{slices.Clone(aid), app.Scheme, priority})
				break
			}
		}
	}
	slices.SortStableFunc(d.candidates, func(a, b candidate) int { return cmp.Compare(a.priority, b.priority) })
}

// list is what to select, in order: what the card lists, else every name that
// this kiosk takes (EMV Book 1 §12.3.3), unless it is a transit card.
func (d directory) list() []candidate {
	if len(d.candidates) > 0 || d.transit {
		return d.candidates
	}
	var all []candidate
	for _, app := range applications() {
		all = append(all, candidate{app.AID, app.Scheme, lowestPriority})
	}
	return all
}

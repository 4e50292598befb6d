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
	app      application
	name     string
	confirm  bool // the card wants the cardholder to agree
	priority int  // 1 first; lowestPriority: none given

	unlisted bool // tried by a name of ours, which may be the beginning of its own
	next     int  // occurrences of that name that came before
}

// command is its SELECT: the first application of that name, or the next one.
func (c candidate) command() apdu.Command {
	cmd := apdu.SelectByName(c.aid)
	if c.next > 0 {
		cmd.P2 = 0x02
	}
	return cmd
}

// after is the list without a candidate that did not serve. Where its name was
// only the beginning of the one that the card told, the next application whose
// name begins so takes its place (EMV Book 1 12.3.3).
func (c candidate) after(told []byte, list []candidate, i int) []candidate {
	if c.unlisted && len(told) > len(c.aid) && bytes.HasPrefix(told, c.aid) && c.next < maxCandidates {
		c.next++
		list[i] = c
		return list
	}
	return append(list[:i:i], list[i+1:]...)
}

// ask is who chooses: nobody among names that the card may not have.
func (d directory) ask(t Terminal) func([]string) (int, error) {
	if len(d.candidates) == 0 {
		return nil
	}
	return t.Choose
}

// directory is what a card lists.
type directory struct {
	candidates []candidate
	over       Interface
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
		d.over = Contactless
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

// add takes directory entries (61: 4F AID, 87 priority, 50 and 9F12 names).
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
		c := candidate{aid: slices.Clone(aid), priority: lowestPriority, name: nameOf(e)}
		if p, err := apdu.Find(e, 0x87); err == nil && len(p) == 1 {
			c.confirm = p[0]&0x80 != 0
			if p[0]&0x0F != 0 {
				c.priority = int(p[0] & 0x0F)
			}
		}
		for _, app := range applications() {
			if bytes.HasPrefix(aid, app.AID) && len(d.candidates) < maxCandidates {
				c.app = app
				if c.name == "" {
					c.name = app.Label
				}
				d.candidates = append(d.candidates, c)
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
		all = append(all, candidate{aid: app.AID, app: app, name: app.Label, priority: lowestPriority, unlisted: true})
	}
	return all
}

// nameOf is what the cardholder knows the application by: printable ASCII of its
// preferred name or its label.
func nameOf(entry []byte) string {
	for _, tag := range []apdu.Tag{0x9F12, 0x50} {
		v, err := apdu.Find(entry, tag)
		if err != nil || len(v) == 0 || len(v) > 16 {
			continue
		}
		if !slices.ContainsFunc(v, func(c byte) bool { return c < 0x20 || c > 0x7E }) {
			return string(v)
		}
	}
	return ""
}

// choose gives the application to try next, or -1 if none is left that the
// cardholder need not agree to (EMV Book 1 12.4). There is nothing to choose
// where one application needs no confirmation.
func choose(list []candidate, ask func([]string) (int, error)) (int, error) {
	if ask == nil || len(list) == 1 && !list[0].confirm {
		return slices.IndexFunc(list, func(c candidate) bool { return !c.confirm }), nil
	}
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.name
	}
	i, err := ask(names)
	if err != nil {
		return -1, err
	}
	if i < 0 || i >= len(list) {
		return -1, fmt.Errorf("emv: application %d of %d was chosen", i+1, len(list))
	}
	return i, nil
}

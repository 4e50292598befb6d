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
	name     string // as the card wants it shown; "": it has none that can be
	confirm  bool   // the card wants the cardholder to agree
	priority int    // 1 first; lowestPriority: none given
}

// command is its SELECT.
func (c candidate) command() apdu.Command { return apdu.SelectByName(c.aid) }

// directory is what a card lists.
type directory struct {
	candidates []candidate
	over       Interface
	transit    bool
	blocked    bool // the card
	closed     bool // an application of it
	alphabet   []byte
}

// readDirectory finds the applications that card and kiosk have in common,
// best first: by PPSE; by PSE; where that names none of ours, by asking for
// each of our names (EMV Book 1 12.3, Entry Point for contactless).
func readDirectory(ctx context.Context, ch Channel) (directory, error) {
	var d directory
	if mayBeContactless(ch) {
		r, err := apdu.Exchange(ctx, ch, apdu.SelectByName(ppse))
		if err != nil {
			return d, fmt.Errorf("select PPSE: %w", err)
		}
		if r.SW == apdu.OK {
			d.over = Contactless
			if entries, err := apdu.FindAll(r.Data, 0x6F, 0xA5, 0xBF0C, 0x61); err == nil {
				d.add(entries)
			}
			d.sort()
			return d, nil
		}
	}
	err := d.readPSE(ctx, ch)
	if err == nil && len(d.candidates) == 0 && !d.transit && !d.blocked {
		err = d.askForEach(ctx, ch)
	}
	d.sort()
	return d, err
}

// mayBeContactless tells the two faces of one card apart, where the channel
// knows the answer to reset: a reader without contacts makes one that begins
// 3B 8n 80 01 (PC/SC part 3, 3.1.3.2.3). With contacts a card may have a PPSE as
// well, whose applications would not serve.
func mayBeContactless(ch Channel) bool {
	card, knows := ch.(interface{ ATR() []byte })
	if !knows {
		return true
	}
	atr := card.ATR()
	return len(atr) == 0 || len(atr) >= 4 && atr[0] == 0x3B && atr[1]&0xF0 == 0x80 && atr[2] == 0x80 && atr[3] == 0x01
}

// readPSE reads the directory of a card with contacts, if it has one.
func (d *directory) readPSE(ctx context.Context, ch Channel) error {
	r, err := apdu.Exchange(ctx, ch, apdu.SelectByName(pse))
	if err != nil {
		return fmt.Errorf("select PSE: %w", err)
	}
	switch r.SW {
	case apdu.NotSupported: // EMV Book 1 12.3.2: the card is blocked
		d.blocked = true
		return nil
	case apdu.OK:
	default:
		return nil
	}
	d.alphabet, _ = apdu.Find(r.Data, 0x6F, 0xA5, 0x9F11)
	sfi, err := apdu.Find(r.Data, 0x6F, 0xA5, 0x88)
	if err != nil || len(sfi) != 1 || sfi[0] < 1 || sfi[0] > 10 {
		return nil
	}
	for n := byte(1); n <= maxDirRecords; n++ {
		r, err := apdu.Exchange(ctx, ch, apdu.ReadRecord(sfi[0], n, apdu.MaxNe))
		if err != nil {
			return fmt.Errorf("read directory: %w", err)
		}
		if r.SW != apdu.OK {
			break
		}
		if entries, err := apdu.FindAll(r.Data, 0x70, 0x61); err == nil {
			d.add(entries)
		}
	}
	return nil
}

// askForEach selects every application whose name begins with one of ours (EMV
// Book 1 12.3.3). A name that is longer than ours may not be the only one.
func (d *directory) askForEach(ctx context.Context, ch Channel) error {
	for _, app := range applications() {
		for next := 0; next < maxCandidates && len(d.candidates) < maxCandidates; next++ {
			cmd := apdu.SelectByName(app.AID)
			if next > 0 {
				cmd.P2 = 0x02
			}
			r, err := apdu.Exchange(ctx, ch, cmd)
			if err != nil {
				return fmt.Errorf("select %X: %w", app.AID, err)
			}
			own, err := apdu.Find(r.Data, 0x6F, 0x84)
			if err != nil || len(own) > 16 || !bytes.HasPrefix(own, app.AID) {
				own = app.AID
			}
			switch r.SW {
			case apdu.OK:
				inside, _ := apdu.Find(r.Data, 0x6F, 0xA5)
				d.candidates = append(d.candidates, candidateOf(bytes.Clone(own), app, inside, nil))
			case apdu.FileInvalidated:
				d.closed = true
			case apdu.NotSupported:
				d.blocked = len(d.candidates) == 0
				return nil
			}
			if r.SW != apdu.OK && r.SW != apdu.FileInvalidated || len(own) == len(app.AID) {
				break
			}
		}
	}
	return nil
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
		for _, app := range applications() {
			if bytes.HasPrefix(aid, app.AID) && len(d.candidates) < maxCandidates {
				d.candidates = append(d.candidates, candidateOf(slices.Clone(aid), app, e, d.alphabet))
				break
			}
		}
	}
}

// candidateOf takes name and priority out of a directory entry, or out of what
// SELECT says of the application.
func candidateOf(aid []byte, app application, about, alphabet []byte) candidate {
	c := candidate{aid: aid, app: app, priority: lowestPriority, name: nameOf(about, alphabet)}
	if p, err := apdu.Find(about, 0x87); err == nil && len(p) == 1 {
		c.confirm = p[0]&0x80 != 0
		if p[0]&0x0F != 0 {
			c.priority = int(p[0] & 0x0F)
		}
	}
	return c
}

// sort has the best first; equals stay as the card has them.
func (d *directory) sort() {
	slices.SortStableFunc(d.candidates, func(a, b candidate) int { return cmp.Compare(a.priority, b.priority) })
}

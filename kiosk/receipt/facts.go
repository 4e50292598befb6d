package receipt

import (
	"errors"
	"fmt"
	"time"

	"buka/internal/entry"
	"buka/internal/money"
)

// Journal is what the facts come from.
type Journal interface {
	// Read gives stored entries from a number on: at most so many, and so many
	// bytes.
	Read(from uint64, most, maxBytes int) ([][]byte, error)
}

// Facts are what the journal says about one sale.
type Facts struct {
	Sale   entry.SaleID
	Card   entry.Card
	Amount money.Fen
	At     time.Time // by the host's clock, of what is known last about the money or the card
	Local  bool      // no host has told the time: At is the kiosk's

	Remote      bool // paid elsewhere
	Paid        bool // the bank has approved it, or may have
	Approved    money.Fen
	PAN         string // masked
	STAN, Batch uint32
	RRN, Auth   string
	Chip        *entry.Chip
	RefundSTAN  uint32
	RefundBatch uint32

	Old, New *money.Fen  // of the purse; nil: not known
	Loaded   entry.Stamp // date and time on the card
	LoadSTAN uint32

	asked     bool // a payment was sent
	declined  bool
	unknown   bool // the payment's outcome is
	withdrawn bool
	back      bool // committed at the host
	conflict  bool
	doubt     bool // a write was begun and nobody knows
	written   bool
	handed    bool
	decided   string
	attempt   entry.Attempt
}

// Bounds of a look back. A sale has some forty entries; what lies between two of
// them is other cards' and keepers' work.
const (
	pageEntries = 256
	pageBytes   = 4 << 20
	pagesMost   = 400
)

// ErrNotFound says that the journal has no such sale, or not within reach.
var ErrNotFound = errors.New("the journal has no such sale within reach")

// Collect gives the facts of a sale as they stood at entry upTo. It looks back
// to where the sale began, or the host's rewrite was taken, within bounds; what
// lies beyond is left out, and ErrNotFound if that is everything.
func Collect(j Journal, sale entry.SaleID, upTo uint64) (Facts, error) {
	f := Facts{Sale: sale}
	var about []seen
	var offset *int64
	begun := false
	for page, end := 0, upTo; page < pagesMost && end > 0 && !(begun && offset != nil); page++ {
		from := end - min(end, pageEntries) + 1
		entries, err := read(j, from, end)
		if err != nil {
			return f, err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			e := entries[i]
			if b, ok := e.body.(entry.SignedOn); ok && offset == nil {
				offset = &b.OffsetMS
			}
			of, ok := e.body.(interface{ About() entry.SaleID })
			if !ok || begun || of.About() != sale {
				continue
			}
			about = append(about, e)
			begun = e.body.Kind() == entry.KSaleOpened || e.body.Kind() == entry.KRewriteTaken
		}
		end = from - 1
	}
	if len(about) == 0 {
		return f, fmt.Errorf("%s: %w", sale.Claim(), ErrNotFound)
	}
	for i := len(about) - 1; i >= 0; i-- {
		f.add(about[i].body, about[i].at)
	}
	if offset == nil {
		f.Local = true
	} else {
		f.At = f.At.Add(time.Duration(*offset) * time.Millisecond)
	}
	return f, nil
}

// LastWritten is the newest sale that ended on a card, of the last thousand
// entries or so, and the entry that says so; "" if there is none.
func LastWritten(j Journal, upTo uint64) (entry.SaleID, uint64, error) {
	const pages = 4
	for page, end := 0, upTo; page < pages && end > 0; page++ {
		from := end - min(end, pageEntries) + 1
		entries, err := read(j, from, end)
		if err != nil {
			return "", 0, err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			switch b := entries[i].body.(type) {
			case entry.WriteDone:
				return b.Sale, from + uint64(i), nil
			case entry.WriteProven:
				return b.Sale, from + uint64(i), nil
			}
		}
		end = from - 1
	}
	return "", 0, nil
}

type seen struct {
	body entry.Body
	at   time.Time
}

// read gives the entries from, …, to with their bodies.
func read(j Journal, from, to uint64) ([]seen, error) {
	var out []seen
	for from <= to {
		raws, err := j.Read(from, int(to-from+1), pageBytes)
		if err != nil {
			return nil, fmt.Errorf("facts of a slip: %w", err)
		}
		if len(raws) == 0 {
			return out, nil
		}
		for _, raw := range raws {
			e, _, err := entry.Open(raw)
			if err != nil {
				return nil, fmt.Errorf("facts of a slip: %w", err)
			}
			body, err := e.Body()
			if err != nil && !errors.Is(err, entry.ErrUnknownKind) {
				return nil, fmt.Errorf("facts of a slip: %w", err)
			}
			out = append(out, seen{body, e.Time()})
		}
		from += uint64(len(raws))
	}
	return out, nil
}

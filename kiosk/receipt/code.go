package receipt

import (
	"fmt"
	"strings"
)

// Code is the slip as a text of a few lines, for a QR code that a telephone
// keeps: what there is when no paper is.
func Code(f Facts, s Site, l Languages) string {
	end := f.Ending()
	if end == None {
		return ""
	}
	var b strings.Builder
	line := func(name said, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s %s\n", name.each(l)[0], value)
		}
	}
	fmt.Fprintf(&b, "Buka %s %s\n", s.Kiosk, strings.Join(titles[end].each(l), " "))
	line(wordClaim, f.Sale.Claim())
	line(wordWhen, when(f, s, l))
	line(wordTransit, last4(f.Card.Number))
	line(wordTopUp, f.Amount.String())
	if f.Old != nil && f.New != nil {
		line(wordOld, f.Old.String())
		line(wordNew, f.New.String())
	}
	if !f.Remote {
		line(wordBank, Mask(f.PAN))
		line(wordSTAN, number(f.STAN))
		line(wordBatch, number(f.Batch))
		line(wordRRN, f.RRN)
		line(wordAuth, f.Auth)
	}
	line(wordTerminal, strings.Trim(s.Merchant+"/"+s.Terminal, "/"))
	line(wordHotline, s.Hotline)
	return strings.TrimSuffix(b.String(), "\n")
}

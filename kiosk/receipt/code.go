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
	line := func(word, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s %s\n", s.word(word).each(l)[0], value)
		}
	}
	fmt.Fprintf(&b, "%s %s %s\n", s.say("app.name").en, s.Kiosk, strings.Join(s.title(end).each(l), " "))
	line("claim", f.Sale.Claim())
	line("when", when(f, s, l))
	line("transit", last4(f.Card.Number))
	line("top-up", f.Amount.String())
	if f.Old != nil && f.New != nil {
		line("old", f.Old.String())
		line("new", f.New.String())
	}
	if !f.Remote {
		line("bank", Mask(f.PAN))
		line("stan", number(f.STAN))
		line("batch", number(f.Batch))
		line("rrn", f.RRN)
		line("auth", f.Auth)
	}
	line("terminal", strings.Trim(s.Merchant+"/"+s.Terminal, "/"))
	line("hotline", s.Hotline)
	return strings.TrimSuffix(b.String(), "\n")
}

package receipt

import (
	"fmt"
	"strings"
	"time"

	"buka/internal/entry"
	"buka/kiosk/device/escpos"
	"buka/ui/lang"
)

// Site is what a slip says of the machine.
type Site struct {
	Kiosk, Place       string
	Hotline            string
	Terminal, Merchant string
	Zone               *time.Location // of date and time; nil: UTC
	ClaimURL           string         // {claim} is the number; "": the code is the number alone
	Words              lang.Words     // of the pages, with a theme's; nil: the built-in ones
}

// Slip lays the paper out. reprint marks it as one that was printed before. A
// sale that took no money has none.
func Slip(f Facts, s Site, l Languages, reprint bool) escpos.Slip {
	end := f.Ending()
	if end == None {
		return nil
	}
	p := paper{Site: s, l: l}
	p.head(reprint)
	for _, t := range s.title(end).each(l) {
		p.add(escpos.Text{Say: t, Align: escpos.Centre, Bold: true, Large: true})
	}
	for _, t := range s.passage(end).each(l) {
		p.add(escpos.Text{Say: t})
	}
	p.add(escpos.Rule{})
	p.pair("claim", f.Sale.Claim())
	p.pair("when", when(f, s, l))
	p.pair("terminal", s.Terminal)
	p.pair("merchant", s.Merchant)
	p.payment(f)
	p.add(escpos.Rule{})
	p.card(f)
	p.add(escpos.Rule{}, escpos.QR{Data: claimCode(f, s)})
	for _, t := range s.word("scan").each(l) {
		p.add(escpos.Text{Say: t, Align: escpos.Centre})
	}
	p.add(escpos.Text{Say: f.Sale.Claim(), Align: escpos.Centre, Bold: true, Large: true})
	if s.Hotline != "" {
		p.add(escpos.Text{Say: s.word("hotline").label(l) + " " + s.Hotline, Align: escpos.Centre, Bold: true})
	}
	return p.slip
}

type paper struct {
	Site
	l    Languages
	slip escpos.Slip
}

func (p *paper) add(e ...escpos.Element) { p.slip = append(p.slip, e...) }

// pair leaves out what is not known.
func (p *paper) pair(word, value string) { p.technical(p.word(word).label(p.l), value) }

// technical is a pair with a name that is the same in every language.
func (p *paper) technical(name, value string) {
	if value != "" {
		p.add(escpos.Pair{Name: name, Value: value})
	}
}

func (p *paper) head(reprint bool) {
	p.add(escpos.Text{Say: p.say("app.name").label(p.l), Align: escpos.Centre, Bold: true, Large: true})
	at := strings.Trim(p.Place+" · "+p.Kiosk, " ·")
	if p.l == EnglishOnly {
		at = strings.ReplaceAll(at, "·", "-")
	}
	p.add(escpos.Text{Say: at, Align: escpos.Centre})
	if reprint {
		p.add(escpos.Text{Say: "*** " + p.word("reprint").label(p.l) + " ***", Align: escpos.Centre, Bold: true})
	}
	p.add(escpos.Rule{})
}

// payment is what the bank knows it by.
func (p *paper) payment(f Facts) {
	if f.Remote {
		p.add(escpos.Rule{}, escpos.Text{Say: p.word("elsewhere").label(p.l)})
		return
	}
	p.add(escpos.Rule{})
	p.pair("bank", Mask(f.PAN))
	if c := f.Chip; c != nil {
		p.pair("entry", p.entryWords(c.Mode))
	}
	paid := f.Amount
	if f.Paid {
		paid = f.Approved
	}
	p.add(escpos.Pair{Name: p.word("paid").label(p.l), Value: "￥" + paid.String(), Bold: true})
	p.pair("stan", number(f.STAN))
	p.pair("batch", number(f.Batch))
	p.pair("rrn", f.RRN)
	p.pair("auth", f.Auth)
	if f.RefundSTAN != 0 {
		p.pair("refund", number(f.RefundSTAN)+" / "+number(f.RefundBatch))
	}
	if c := f.Chip; c != nil {
		p.chip(*c)
	}
}

// chip is what EMV Book 4, 11.4 asks for.
func (p *paper) chip(c entry.Chip) {
	p.pair("application", c.Label)
	p.technical("AID", strings.ToUpper(c.AID.String()))
	kind := "ARQC"
	if c.Kind == 0x40 {
		kind = "TC"
	}
	p.technical(kind, strings.ToUpper(c.AC.String()))
	if len(c.ATC) > 0 {
		p.technical("ATC", strings.ToUpper(c.ATC.String()))
	}
	if len(c.TVR) > 0 {
		p.technical("TVR", strings.ToUpper(c.TVR.String()))
	}
}

func (p *paper) card(f Facts) {
	p.pair("transit", last4(f.Card.Number))
	p.add(escpos.Pair{Name: p.word("top-up").label(p.l), Value: "￥" + f.Amount.String(), Bold: true})
	if f.Old != nil {
		p.pair("old", "￥"+f.Old.String())
	}
	if f.New != nil {
		p.add(escpos.Pair{Name: p.word("new").label(p.l), Value: "￥" + f.New.String(), Bold: true})
	}
	if f.Ending() == Done {
		p.pair("loaded", stamp(f.Loaded))
	}
}

func (p *paper) entryWords(mode string) string {
	if len(mode) < 3 {
		return ""
	}
	how, pin := p.word("contactless"), p.word("no-pin")
	if mode[:2] == "05" {
		how = p.word("contact")
	}
	if mode[2] == '1' {
		pin = p.word("pin")
	}
	if p.l == EnglishOnly {
		return how.en + ", " + pin.en
	}
	return how.zh + " " + pin.zh + " " + mode
}

// number writes a STAN or a batch as the host does, six digits; 0 is none.
func number(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%06d", n)
}

// last4 is all that a slip shows of a transit card.
func last4(number string) string {
	if len(number) <= 4 {
		return number
	}
	return "**** " + number[len(number)-4:]
}

// Mask keeps the first six and the last four digits, whatever it is given: the
// journal masks already, this is the second lock.
func Mask(pan string) string {
	if len(pan) <= 10 {
		return pan
	}
	return pan[:6] + strings.Repeat("*", len(pan)-10) + pan[len(pan)-4:]
}

// when is date and time by the host's clock.
func when(f Facts, s Site, l Languages) string {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	t := f.At.In(zone).Format("2006-01-02 15:04:05")
	if f.Local {
		t += " " + s.word("local").each(l)[0]
	}
	return t
}

// stamp writes YYYYMMDDHHMMSS for people.
func stamp(s entry.Stamp) string {
	t, err := time.Parse("20060102150405", string(s))
	if err != nil {
		return ""
	}
	return t.Format("2006-01-02 15:04:05")
}

// claimCode is what the code on the slip says: the claim number, or where to
// look it up.
func claimCode(f Facts, s Site) string {
	if s.ClaimURL == "" {
		return f.Sale.Claim()
	}
	return strings.ReplaceAll(s.ClaimURL, "{claim}", f.Sale.Claim())
}

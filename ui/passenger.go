package ui

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"buka/internal/money"
	"buka/ui/hub"
	"buka/ui/lang"
	"buka/ui/wire"
)

// comfort is what a passenger chose to ease reading and listening. It lasts
// for one passenger.
type comfort struct {
	Contrast, Large, Speak, Help bool
}

// comfortRests is how long a choice made before any card lasts.
const comfortRests = time.Minute

// passengerPage shows a Passenger, and keeps the comfort of the one in front
// of it.
type passengerPage struct {
	src   Passenger
	theme *theme
	kiosk string
	place string
	log   *slog.Logger

	mu      sync.Mutex
	comfort comfort
	sale    string     // the last one seen
	name    ScreenName // the last one seen
	resting *time.Timer
	changed func()
}

// passengerView is what the templates of the passenger's page get.
type passengerView struct {
	Screen
	Comfort comfort
	Kiosk   string
	Place   string
	Step    int // 1 to 4, 0: none; 5: all done
	Tone    string
	Art     string
	Title   string
	Text    string
	Passage bool // the reason's passage is shown
	Spoken  string
	Other   string // the language to change to
}

// Frame renders the screen. There is one view: the passenger's language is
// the station's, not the browser's.
func (p *passengerPage) Frame(string) hub.Frame {
	s := p.src.Screen()
	s.Lang = lang.Known(s.Lang)
	s.BankCard = maskPAN(s.BankCard)
	if !slices.Contains(ScreenNames(), s.Name) {
		p.log.Error("a screen that does not exist", "screen", s.Name)
		s.Name = ScreenOutOfService
	}
	s.Reason, s.Notice, s.NoPay = p.words(s.Reason, s.ReasonWords), p.words(s.Notice, s.NoticeWords), p.words(s.NoPay, "")
	if s.Name == ScreenCard && s.Notice == ReasonCardGoneUnpaid {
		s.Notice = "" // the title says it
	}
	if s.NoPay != "" {
		s.Choices = nil // nothing is offered that would be refused
	}
	if s.Paid && s.Claim == "" {
		p.log.Error("money is taken and there is no claim number", "screen", s.Name, "sale", s.Sale)
	}
	v := passengerView{Screen: s, Comfort: p.settle(s), Kiosk: p.kiosk, Place: p.place, Step: step(s), Tone: tone(s), Art: art(s)}
	c := p.theme.words[s.Lang]
	v.Other = c.T("app.lang-other-code")
	if s.Reason == "" && s.Name == ScreenUnfinished {
		v.Reason = ReasonWriteUnknown
	}
	v.Title, v.Text = headline(c, v.Screen)
	if s.Name == ScreenHold && s.Notice == ReasonHoldCardRefused { // asking for the card would be asking in vain
		v.Title, v.Text, v.Notice = reasonText(c, s.Notice, "title"), reasonText(c, s.Notice, "now"), ""
		v.Art = "art-refused"
	}
	v.Passage = hasPassage(v.Screen) && v.Reason != ""
	v.Spoken = spoken(c, v)
	f := hub.Frame{Sale: s.Sale, Rev: s.Rev, Root: map[string]string{
		"lang": lang.Tag(s.Lang), "data-lang": s.Lang, "data-screen": string(s.Name), "data-tone": v.Tone,
		"data-contrast": onOff(v.Comfort.Contrast, "high"), "data-text": onOff(v.Comfort.Large, "large"),
		"data-speak": onOff(v.Comfort.Speak, "on"), "data-sound": sound(s),
		"data-rev": strconv.FormatUint(s.Rev, 10),
	}}
	for _, id := range []string{"top", "main", "dialog", "foot", "announce"} {
		f.Fragments = append(f.Fragments, p.theme.fragment(s.Lang, id, "p-"+id, v, p.log.Error))
	}
	return f
}

// words gives the key whose words are shown. What is no key, an error's text
// for instance, never reaches the page.
func (p *passengerPage) words(r, instead Reason) Reason {
	if instead != "" {
		r = instead
	}
	if r != "" && !slices.Contains(Reasons(), r) {
		p.log.Warn("a reason without words", "reason", r)
		return ReasonOther
	}
	return r
}

func onOff(on bool, word string) string {
	if on {
		return word
	}
	return ""
}

// settle gives the comfort for this screen: it ends with its passenger.
func (p *passengerPage) settle(s Screen) comfort {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sale != "" && s.Sale != p.sale {
		p.comfort = comfort{}
	}
	if s.Name != p.name || s.Warn {
		p.comfort.Help = false
	}
	p.sale, p.name = s.Sale, s.Name
	return p.comfort
}

// Subscribe lets the page itself say that it changed, too.
func (p *passengerPage) Subscribe(changed func()) (cancel func()) {
	p.mu.Lock()
	p.changed = changed
	p.mu.Unlock()
	stop := p.src.Subscribe(changed)
	return func() {
		stop()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.resting != nil {
			p.resting.Stop()
		}
		p.changed = func() {}
	}
}

// Input takes what was pressed, if it was pressed on the screen that is there
// now and is offered on it.
func (p *passengerPage) Input(_, _ string, in wire.Input) (string, error) {
	s := p.src.Screen()
	if in.Sale != s.Sale {
		return "", fmt.Errorf("%w: for sale %q, now %q", hub.ErrStale, in.Sale, s.Sale)
	}
	if p.ease(in.Do, s.Sale) {
		return "", nil
	}
	// Another language changes nothing but words: it may be late.
	if in.Rev != s.Rev && in.Do != DoLang {
		return "", fmt.Errorf("%w: for revision %d, now %d", hub.ErrStale, in.Rev, s.Rev)
	}
	if err := offered(s, in); err != nil {
		return "", err
	}
	err := p.src.Input(Input{Sale: in.Sale, Rev: in.Rev, Do: in.Do, Value: in.Value})
	if errors.Is(err, ErrStale) {
		return "", fmt.Errorf("%w: %w", hub.ErrStale, err)
	}
	return "", err
}

// ease handles what is the page's own; false means that it is not.
func (p *passengerPage) ease(do, sale string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	flip := map[string]*bool{DoContrast: &p.comfort.Contrast, DoTextSize: &p.comfort.Large,
		DoSpeak: &p.comfort.Speak, DoHelp: &p.comfort.Help}[do]
	if flip == nil {
		return false
	}
	*flip = !*flip
	if p.resting != nil {
		p.resting.Stop()
	}
	if sale == "" {
		p.resting = time.AfterFunc(comfortRests, p.rest)
	}
	p.changed()
	return true
}

// rest takes back what somebody chose who then went away without a card.
func (p *passengerPage) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sale == "" {
		p.comfort = comfort{}
		p.changed()
	}
}

var errNotOffered = errors.New("not offered on this screen")

// dismissible says whether a screen has an OK: one that only says how it
// ended.
func dismissible(s Screen) bool {
	switch s.Name {
	case ScreenDeclined, ScreenUnfinished, ScreenContact, ScreenDone:
		return true
	case ScreenOffline:
		return s.Sale != ""
	}
	return false
}

// offered says whether a screen has the button that was pressed.
func offered(s Screen, in wire.Input) error {
	ok := false
	switch in.Do {
	case DoChoose:
		fen, err := strconv.ParseInt(in.Value, 10, 64)
		ok = err == nil && s.Name == ScreenAmount && s.NoPay == "" && slices.Contains(s.Choices, money.Fen(fen))
	case DoApplication:
		i, err := strconv.Atoi(in.Value)
		ok = err == nil && s.Name == ScreenPayment && i >= 0 && i < len(s.Applications)
	case DoStop:
		ok = s.CanStop
	case DoMoreTime:
		ok = s.Warn || s.CanMoreTime
	case DoLang:
		ok = slices.Contains(lang.Codes(), in.Value)
	case DoOK:
		ok = dismissible(s)
	}
	if !ok {
		return fmt.Errorf("%s %q on %s: %w", in.Do, in.Value, s.Name, errNotOffered)
	}
	return nil
}

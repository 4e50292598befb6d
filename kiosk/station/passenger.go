package station

import (
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	"buka/cardio/reader"
	"buka/internal/entry"
	"buka/internal/money"
	"buka/topup"
	"buka/ui"
)

// Passenger is the station as the passenger's page sees it.
func (s *Station) Passenger() ui.Passenger {
	return &passenger{station: s, cut: interrupted(s.start), until: time.Now().Add(cutShown)}
}

// cutShown is how long the first screen tells of a payment that a power cut has
// interrupted: to whoever may still stand there.
const cutShown = 3 * time.Minute

// interrupted finds the newest payment that was under way when the power went.
func interrupted(d topup.Durable) (id entry.SaleID) {
	for _, s := range d.InOrder() {
		if s.Pay == topup.PayStarted {
			id = s.ID
		}
	}
	return id
}

// passenger numbers the screens: a press counts only for the screen that it
// was meant for.
type passenger struct {
	station *Station
	cut     entry.SaleID // a payment that a power cut interrupted; "": none
	until   time.Time

	mu       sync.Mutex
	shown    ui.Screen
	rev      uint64
	warnedAt time.Time
}

func (p *passenger) Subscribe(changed func()) func() { return p.station.faces.watch(changed) }

func (p *passenger) Screen() ui.Screen {
	scr := p.station.screen()
	if scr.Name == ui.ScreenIdle && scr.Notice == "" && p.cut != "" && time.Now().Before(p.until) {
		scr.Notice, scr.Claim = ui.ReasonPaymentInterrupted, p.cut.Claim()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now, was := scr, p.shown; now.Name == ui.ScreenDeclined && now.Sale != "" && now.Sale == was.Sale && now.Reason == was.Reason && now.ReasonWords == "" {
		scr.ReasonWords = was.ReasonWords // the sale has been closed since: what happened stays the same
	}
	if scr.Warn && !p.shown.Warn {
		p.warnedAt = time.Now()
	}
	if !reflect.DeepEqual(meaning(scr), meaning(p.shown)) {
		p.rev++
	}
	p.shown, scr.Rev = scr, p.rev
	if scr.Warn {
		scr.CountdownMS = max(0, time.Duration(p.station.cfg.Sale.Warn).Milliseconds()-time.Since(p.warnedAt).Milliseconds())
	}
	return scr
}

// meaning keeps of a screen what a press on it can mean. A notice, a balance or
// the state of the network may change below a finger without making the press
// another one: it counts.
func meaning(scr ui.Screen) ui.Screen {
	return ui.Screen{
		Name: scr.Name, Sale: scr.Sale, CardNumber: scr.CardNumber, Choices: scr.Choices, Applications: scr.Applications, Amount: scr.Amount,
		Reason: scr.Reason, ReasonWords: scr.ReasonWords, NoPay: scr.NoPay, Paid: scr.Paid, Remote: scr.Remote,
		Warn: scr.Warn, CanStop: scr.CanStop, CanMoreTime: scr.CanMoreTime, CanCollect: scr.CanCollect,
	}
}

func (p *passenger) Input(in ui.Input) error {
	scr := p.Screen()
	if in.Sale != scr.Sale || in.Rev != scr.Rev {
		return ui.ErrStale
	}
	sale := entry.SaleID(in.Sale)
	switch in.Do {
	case ui.DoChoose:
		fen, err := strconv.ParseInt(in.Value, 10, 64)
		if err != nil || fen <= 0 || money.Fen(fen) > money.Max {
			return fmt.Errorf("%q is no amount", in.Value)
		}
		p.station.post(topup.Chosen{Sale: sale, Amount: money.Fen(fen)})
	case ui.DoApplication:
		return p.choose(sale, scr.Applications, in.Value)
	case ui.DoStop:
		p.station.post(topup.Stopped{Sale: sale})
	case ui.DoMoreTime:
		p.station.post(topup.MoreTime{Sale: sale})
	case ui.DoOK:
		p.station.post(topup.Dismissed{Sale: sale})
	case ui.DoLang:
		if in.Value != "en" && in.Value != "zh" {
			return fmt.Errorf("%q is no language of these pages", in.Value)
		}
		p.station.post(topup.LanguageChosen{Lang: in.Value})
	}
	return nil
}

// choose pays with the application that was shown. Between the screen and the press
// another card may have come, with a question of its own.
func (p *passenger) choose(sale entry.SaleID, shown []ui.Application, value string) error {
	i, err := strconv.Atoi(value)
	c, ok := p.station.till.tender.(chooser)
	if err != nil || !ok || i < 0 || i >= len(shown) {
		return fmt.Errorf("%q is no application of the card", value)
	}
	if !c.chosen(sale, i, shown[i].Name, shown[i].Kind) {
		return ui.ErrStale
	}
	return nil
}

var phases = map[topup.Phase]ui.Phase{
	topup.Reading: ui.PhaseReading, topup.Probing: ui.PhaseEligible, topup.Sending: ui.PhasePaying,
	topup.Loading: ui.PhaseAuthority, topup.Resolving: ui.PhaseProving,
}

// screen translates the core's view; it decides nothing.
func (s *Station) screen() ui.Screen {
	state, failed := s.engine.State()
	if failed != nil {
		return s.broken(state)
	}
	scr := s.show(state)
	if state.Live.Front.Last() {
		scr.Slip = s.slips.shown(state.Live.Front.Sale)
	}
	return scr
}

// broken is what is shown when no more can be recorded: the claim number stays
// for the passenger whose money is here.
func (s *Station) broken(state topup.State) ui.Screen {
	scr := ui.Screen{Name: ui.ScreenOutOfService, Lang: s.cfg.Language, Reason: ui.ReasonJournalFailed, Hotline: s.cfg.Hotline}
	if f := state.Live.Front; f.Sale != "" {
		if sale, open := state.Durable.Sales[f.Sale]; open && atRisk(sale) {
			scr.Sale, scr.Claim, scr.Paid = string(f.Sale), f.Sale.Claim(), true
		}
	}
	return scr
}

// show is the passenger's screen of a state.
func (s *Station) show(state topup.State) ui.Screen {
	v := s.core.Look(state)
	f := state.Live.Front
	scr := ui.Screen{
		Name: ui.ScreenName(v.Screen), Sale: string(v.Sale), Lang: v.Lang, Phase: phases[f.Phase],
		Choices: v.Choices, Notice: ui.Reason(v.Notice), Reason: ui.Reason(v.Reason), Hotline: s.cfg.Hotline,
		Warn: v.Warn, CanMoreTime: v.Warn, CanStop: v.CanStop, Moving: v.Moving && f.Phase != topup.Resolving,
		HostUp: state.Live.HostUp, BankCard: v.PAN,
	}
	if scr.Lang == "" {
		scr.Lang = s.cfg.Language
	}
	if v.Card != nil {
		scr.CardNumber, scr.Expiry = v.Card.Card.Number, v.Card.Expiry
		balance := v.Card.Balance
		scr.Balance, scr.History = &balance, history(v.Card.History)
	}
	if s, ok := state.Durable.Sales[v.Sale]; ok && v.Card == nil { // after a power cut the journal still knows both cards
		scr.CardNumber, scr.BankCard = s.Card.Number, s.PAN
	}
	if v.Amount > 0 {
		amount, before, after := v.Amount, v.Old, v.New
		scr.Amount = &amount
		if before != 0 || v.Card != nil {
			scr.OldBalance, scr.NewBalance = &before, &after
		}
	}
	if v.PINs > 0 {
		scr.PINTriesLeft = max(0, v.PINsMax-v.PINs)
	}
	moment(state, &scr)
	s.question(f, &scr)
	s.pinWords(f, &scr)
	if scr.Notice == ui.ReasonTransitCard && s.oneReader() {
		scr.NoticeWords = ui.ReasonTakeTransitCard
	}
	return scr
}

// pinWords: a bank that wants the PIN of a payment that had none has not found one
// wrong.
func (s *Station) pinWords(f topup.Console, scr *ui.Screen) {
	if s.till == nil || scr.Notice != ui.ReasonWrongPIN {
		return
	}
	if b, ok := s.till.tender.(*bankCard); !ok || !b.wantsPIN(f.Sale) {
		return
	}
	if scr.NoticeWords = ui.ReasonPINWanted; f.Phase == topup.Paying {
		scr.NoticeWords = ui.ReasonPINWantedAgain
	}
}

// question has the passenger choose among the applications of the bank card in
// the slot. What was said about an earlier card is over then.
func (s *Station) question(f topup.Console, scr *ui.Screen) {
	if s.till == nil || f.Phase != topup.Paying {
		return
	}
	c, ok := s.till.tender.(chooser)
	if !ok {
		return
	}
	for _, a := range c.asked(f.Sale) {
		scr.Applications = append(scr.Applications, ui.Application{Name: a.Name, Kind: a.Kind})
	}
	if len(scr.Applications) > 0 {
		scr.Notice, scr.NoticeWords = "", ""
	}
}

// oneReader says whether the passenger's two cards share a reader.
func (s *Station) oneReader() bool {
	if s.watch == nil {
		return false
	}
	states := s.parts.Readers.Readers()
	for _, st := range s.watch.roles.Readers(states, reader.Transit) {
		if s.watch.roles.Has(st.Reader, reader.Bank) {
			return true
		}
	}
	return false
}

// history shows what a card's log says, newest first.
func history(log []entry.LogRecord) []ui.HistoryLine {
	var lines []ui.HistoryLine
	for _, r := range log {
		kind := map[uint8]string{0x01: "load", 0x02: "load", 0x05: "purchase", 0x06: "purchase", 0x09: "ride"}[r.Type]
		if kind == "" {
			kind = "other"
		}
		lines = append(lines, ui.HistoryLine{Kind: kind, Amount: r.Amount, At: string(r.At)})
	}
	return lines
}

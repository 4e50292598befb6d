// Package sample holds made-up states of every page, for the gallery that
// designers look at and for tests. A kiosk never starts it.
package sample

import (
	"buka/internal/money"
	"buka/ui"
)

// Shot is one screen with a name to find it by.
type Shot struct {
	Name   string
	Screen ui.Screen
}

func fen(f money.Fen) *money.Fen { return &f }

// History is a few records of a card.
func History() []ui.HistoryLine {
	return []ui.HistoryLine{
		{Kind: "ride", Amount: 400, At: "20261121181204"},
		{Kind: "ride", Amount: 300, At: "20261121083015"},
		{Kind: "purchase", Amount: 650, At: "20261120124455"},
		{Kind: "load", Amount: 5000, At: "20261119200131"},
		{Kind: "ride", Amount: 300, At: "20261119190702"},
		{Kind: "ride", Amount: 500, At: "20261118082209"},
	}
}

// base is what most screens of a sale share.
func base(name ui.ScreenName) ui.Screen {
	return ui.Screen{Name: name, Rev: 7, Sale: "4Q7ZK1M2N8P3R5T6", CardNumber: "3105170010170907984", Expiry: "20311231",
		Hotline: "400 123 4567", HostUp: true}
}

func paying(name ui.ScreenName) ui.Screen {
	s := base(name)
	s.Amount, s.OldBalance, s.NewBalance = fen(5000), fen(2850), fen(7850)
	s.BankCard = "622588******0001"
	return s
}

// Screens are all screens in their usual variants, in English; the language
// is for the caller to set.
func Screens() []Shot {
	var list []Shot
	add := func(name string, s ui.Screen, change ...func(*ui.Screen)) {
		for _, c := range change {
			c(&s)
		}
		list = append(list, Shot{name, s})
	}
	because := func(r ui.Reason) func(*ui.Screen) { return func(s *ui.Screen) { s.Reason = r } }
	claim := func(s *ui.Screen) { s.Claim = "4Q7Z-K1M2" }
	stop := func(s *ui.Screen) { s.CanStop = true }
	idle := ui.Screen{Name: ui.ScreenIdle, Rev: 1, Hotline: "400 123 4567", HostUp: true}
	purse := func(s *ui.Screen) { s.Balance, s.History = fen(2850), History() }

	add("idle", idle)
	add("idle-offline", idle, func(s *ui.Screen) { s.HostUp, s.CanCollect = false, true })
	add("card-reading", base(ui.ScreenCard), func(s *ui.Screen) { s.Phase = ui.PhaseReading })
	add("card", base(ui.ScreenCard), purse, stop)
	choices := func(s *ui.Screen) { s.Choices = []money.Fen{2000, 3000, 5000, 10000, 20000, 30000} }
	add("amount", base(ui.ScreenAmount), purse, stop, choices)
	add("amount-notice", base(ui.ScreenAmount), purse, stop, choices, func(s *ui.Screen) { s.Notice = ui.ReasonInsufficientFunds })
	add("amount-none", base(ui.ScreenAmount), purse, stop)
	add("amount-warn", base(ui.ScreenAmount), purse, stop, choices, func(s *ui.Screen) { s.Warn, s.CanMoreTime, s.CountdownMS = true, true, 20000 })
	add("payment", paying(ui.ScreenPayment), stop, func(s *ui.Screen) { s.BankCard = "" })
	add("pin", paying(ui.ScreenPIN), stop)
	add("pin-again", paying(ui.ScreenPIN), stop, func(s *ui.Screen) { s.Notice, s.PINTriesLeft = ui.ReasonWrongPIN, 2 })
	for _, p := range []ui.Phase{ui.PhaseEligible, ui.PhasePaying, ui.PhaseAuthority, ui.PhaseProving, ui.PhaseMoneyBack, ui.PhaseReading, ""} {
		name := "processing"
		if p != "" {
			name += "-" + string(p)
		}
		add(name, paying(ui.ScreenProcessing), func(s *ui.Screen) { s.Phase = p })
	}
	add("hold", paying(ui.ScreenHold), stop)
	add("hold-other-card", paying(ui.ScreenHold), stop, func(s *ui.Screen) { s.Notice = ui.ReasonOtherCard })
	add("hold-warn", paying(ui.ScreenHold), stop, func(s *ui.Screen) { s.Warn, s.CanMoreTime, s.CountdownMS = true, true, 20000 })
	add("hold-moving", paying(ui.ScreenHold), func(s *ui.Screen) { s.Moving = true })
	add("processing-moving", paying(ui.ScreenProcessing), func(s *ui.Screen) { s.Moving = true })
	add("done", paying(ui.ScreenDone))
	add("done-finished", paying(ui.ScreenDone), because(ui.ReasonFinished))
	add("done-already-there", paying(ui.ScreenDone), because(ui.ReasonAlreadyThere))
	for _, r := range ui.Reasons() {
		add("declined-"+string(r), base(ui.ScreenDeclined), because(r))
	}
	add("declined-claim", base(ui.ScreenDeclined), because(ui.ReasonMoneyBackPending), claim)
	add("unfinished", paying(ui.ScreenUnfinished), claim)
	add("unfinished-waiting", paying(ui.ScreenUnfinished), claim, because(ui.ReasonAuthorityWait))
	add("contact", base(ui.ScreenContact), claim, because(ui.ReasonConflict))
	add("offline", ui.Screen{Name: ui.ScreenOffline, Rev: 3, Hotline: "400 123 4567", CanCollect: true})
	add("offline-card", base(ui.ScreenOffline), purse)
	add("out-of-service", ui.Screen{Name: ui.ScreenOutOfService, Rev: 2, Hotline: "400 123 4567", Reason: ui.ReasonReaderMissing})
	return list
}

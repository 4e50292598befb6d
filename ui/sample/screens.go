// Package sample holds made-up states of every page, for the gallery that
// designers look at and for tests. A kiosk never starts it.
package sample

import (
	"strings"

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
	paid := func(s *ui.Screen) { s.Claim, s.Paid = "4Q7Z-K1M2", true }
	notice := func(r ui.Reason) func(*ui.Screen) { return func(s *ui.Screen) { s.Notice = r } }
	back := func(b ui.Back) func(*ui.Screen) {
		return func(s *ui.Screen) { s.Back, s.Paid, s.Claim = b, b == ui.BackPending, "4Q7Z-K1M2" }
	}
	stop := func(s *ui.Screen) { s.CanStop = true }
	idle := ui.Screen{Name: ui.ScreenIdle, Rev: 1, Hotline: "400 123 4567", HostUp: true}
	purse := func(s *ui.Screen) { s.Balance, s.History = fen(2850), History() }

	add("idle", idle)
	add("idle-offline", idle, func(s *ui.Screen) { s.HostUp, s.NoPay, s.CanCollect = false, ui.ReasonNetworkDown, true })
	add("idle-interrupted", idle, notice(ui.ReasonPaymentInterrupted), claim)
	add("card-reading", base(ui.ScreenCard), func(s *ui.Screen) { s.Phase = ui.PhaseReading })
	add("card", paying(ui.ScreenCard), stop, notice(ui.ReasonCardGoneUnpaid), func(s *ui.Screen) { s.BankCard = "" })
	add("card-other", paying(ui.ScreenCard), stop, notice(ui.ReasonOtherCardUnpaid), func(s *ui.Screen) { s.BankCard = "" })
	choices := func(s *ui.Screen) { s.Choices = []money.Fen{2000, 3000, 5000, 10000, 20000, 30000} }
	add("amount", base(ui.ScreenAmount), purse, stop, choices)
	add("amount-notice", base(ui.ScreenAmount), purse, stop, choices, func(s *ui.Screen) { s.Notice = ui.ReasonInsufficientFunds })
	add("amount-earlier", base(ui.ScreenAmount), purse, stop, choices, notice(ui.ReasonEarlierWithStaff), claim)
	add("amount-no-network", base(ui.ScreenAmount), purse, stop, choices, func(s *ui.Screen) { s.HostUp, s.NoPay = false, ui.ReasonNetworkDown })
	add("amount-no-pinpad", base(ui.ScreenAmount), purse, stop, choices, func(s *ui.Screen) { s.NoPay = ui.ReasonPINPadMissing })
	add("amount-none", base(ui.ScreenAmount), purse, stop)
	add("amount-warn", base(ui.ScreenAmount), purse, stop, choices, func(s *ui.Screen) { s.Warn, s.CanMoreTime, s.CountdownMS = true, true, 20000 })
	add("payment", paying(ui.ScreenPayment), stop, func(s *ui.Screen) { s.BankCard = "" })
	among := func(list ...ui.Application) func(*ui.Screen) {
		return func(s *ui.Screen) { s.BankCard, s.Applications = "", list }
	}
	add("payment-choose", paying(ui.ScreenPayment), stop, among(ui.Application{Name: "UnionPay Debit", Kind: "unionpay-debit"},
		ui.Application{Name: "UnionPay Credit", Kind: "unionpay-credit"}))
	add("payment-agree", paying(ui.ScreenPayment), stop, among(ui.Application{Kind: "unionpay-debit"}))
	add("payment-choose-many", paying(ui.ScreenPayment), stop, among(ui.Application{Name: "WWWWWWWWWWWWWWWW", Kind: "unionpay-quasi-credit"},
		ui.Application{Name: "Carte bancaire", Kind: "mastercard"}, ui.Application{Name: "Visa Electron", Kind: "visa"}, ui.Application{Kind: "unionpay-debit"}))
	add("payment-gone", paying(ui.ScreenPayment), stop, notice(ui.ReasonBankCardGone), func(s *ui.Screen) { s.BankCard = "" })
	add("pin", paying(ui.ScreenPIN), stop)
	add("pin-again", paying(ui.ScreenPIN), stop, func(s *ui.Screen) { s.Notice, s.PINTriesLeft = ui.ReasonWrongPIN, 2 })
	for _, p := range []ui.Phase{ui.PhaseEligible, ui.PhasePaying, ui.PhaseAuthority, ui.PhaseProving, ui.PhaseMoneyBack, ui.PhaseReading, ""} {
		name := "processing"
		if p != "" {
			name += "-" + string(p)
		}
		taken := func(s *ui.Screen) {}
		if p == ui.PhasePaying || p == ui.PhaseAuthority || p == ui.PhaseProving {
			taken = paid
		}
		add(name, paying(ui.ScreenProcessing), func(s *ui.Screen) { s.Phase = p }, taken)
	}
	add("hold", paying(ui.ScreenHold), stop, paid)
	for _, r := range []ui.Reason{ui.ReasonOtherCard, ui.ReasonTwoCards, ui.ReasonHoldCardGone, ui.ReasonHoldCardUnread, ui.ReasonHoldCardRefused,
		ui.ReasonHoldReaderMissing, ui.ReasonHoldNetworkDown, ui.ReasonLoadWait, ui.ReasonWriteRefusedAgain} {
		add("hold-"+strings.TrimPrefix(string(r), "hold-"), paying(ui.ScreenHold), stop, paid, notice(r))
	}
	add("hold-power-back", paying(ui.ScreenHold), stop, paid, notice(ui.ReasonPowerBack), func(s *ui.Screen) { s.OldBalance, s.NewBalance = nil, nil })
	add("hold-warn", paying(ui.ScreenHold), stop, paid, func(s *ui.Screen) { s.Warn, s.CanMoreTime, s.CountdownMS = true, true, 20000 })
	moving := func(s *ui.Screen) { s.Moving = true }
	add("hold-moving", paying(ui.ScreenHold), paid, moving)
	add("processing-moving", paying(ui.ScreenProcessing), paid, moving)
	add("processing-finishing", paying(ui.ScreenProcessing), paid, moving, func(s *ui.Screen) { s.Phase = ui.PhaseFinishing })
	add("processing-collecting", paying(ui.ScreenProcessing), paid, moving, func(s *ui.Screen) { s.Phase, s.BankCard, s.Remote = ui.PhaseCollecting, "", true })
	add("hold-remote", paying(ui.ScreenHold), stop, paid, func(s *ui.Screen) { s.BankCard, s.Remote = "", true }, notice(ui.ReasonHoldCardGone))
	add("unfinished-collect-later", paying(ui.ScreenUnfinished), paid, because(ui.ReasonCollectLater), func(s *ui.Screen) { s.BankCard = "" })
	add("done", paying(ui.ScreenDone))
	add("done-finished", paying(ui.ScreenDone), because(ui.ReasonFinished))
	add("done-already-there", paying(ui.ScreenDone), because(ui.ReasonAlreadyThere))
	slip := func(st ui.SlipState) func(*ui.Screen) {
		return func(s *ui.Screen) { s.Slip = &ui.Slip{State: st, Code: slipCode} }
	}
	for _, st := range []ui.SlipState{ui.SlipPrinting, ui.SlipPrinted, ui.SlipNone, ui.SlipUnknown} {
		add("done-slip-"+string(st), paying(ui.ScreenDone), slip(st))
		add("done-finished-slip-"+string(st), paying(ui.ScreenDone), because(ui.ReasonFinished), slip(st))
		add("unfinished-slip-"+string(st), paying(ui.ScreenUnfinished), paid, slip(st))
		add("back-slip-"+string(st), paying(ui.ScreenDeclined), because(ui.ReasonStoppedMoneyBack), back(ui.BackPending), slip(st))
		add("contact-slip-"+string(st), paying(ui.ScreenContact), because(ui.ReasonReversalConflict), paid, slip(st))
	}
	add("done-more-waiting", paying(ui.ScreenDone), because(ui.ReasonMoreWaiting))
	for _, r := range ui.Reasons() {
		add("declined-"+string(r), base(ui.ScreenDeclined), because(r))
	}
	add("declined-to-the-desk", base(ui.ScreenDeclined), because(ui.ReasonRiskCashier), func(s *ui.Screen) { s.Claim, s.Amount = "4Q7Z-K1M2", fen(50000) })
	for _, r := range []ui.Reason{ui.ReasonPaymentUnknown, ui.ReasonOtherAmount, ui.ReasonStoppedMoneyBack, ui.ReasonTimeoutMoneyBack,
		ui.ReasonWriteRefusedMoneyBack, ui.ReasonLoadRefusedMoneyBack, ui.ReasonAtLimitMoneyBack} {
		add("back-pending-"+string(r), paying(ui.ScreenDeclined), because(r), back(ui.BackPending))
	}
	add("back-confirmed", paying(ui.ScreenDeclined), because(ui.ReasonStoppedMoneyBack), back(ui.BackConfirmed))
	add("back-confirmed-slip", paying(ui.ScreenDeclined), because(ui.ReasonPaymentUnknown), back(ui.BackConfirmed), func(s *ui.Screen) { s.Slip = &ui.Slip{State: ui.SlipPrinted} })
	add("back-conflict", paying(ui.ScreenDeclined), because(ui.ReasonReversalConflict), paid)
	add("unfinished", paying(ui.ScreenUnfinished), paid)
	for _, r := range []ui.Reason{ui.ReasonAuthorityWait, ui.ReasonEvidenceHeld, ui.ReasonPowerCutWrite, ui.ReasonOtherCard, ui.ReasonResolveCardGone,
		ui.ReasonResolveCardUnread, ui.ReasonResolveReader, ui.ReasonResolveRefused} {
		add("unfinished-"+string(r), paying(ui.ScreenUnfinished), paid, because(r))
	}
	for _, r := range []ui.Reason{ui.ReasonReversalConflict, ui.ReasonWriteUndecided, ui.ReasonTooLateToReverse, ui.ReasonWithStaff, ui.ReasonConflict} {
		add("contact-"+string(r), paying(ui.ScreenContact), paid, because(r))
	}
	for _, r := range []ui.Reason{ui.ReasonReaderMissing, ui.ReasonReaderStuck, ui.ReasonDiskFull, ui.ReasonJournalFailed, ui.ReasonRecovering} {
		add("out-of-service-"+string(r), ui.Screen{Name: ui.ScreenOutOfService, Rev: 2, Hotline: "400 123 4567", Reason: r})
	}
	add("out-of-service-paid", ui.Screen{Name: ui.ScreenOutOfService, Rev: 2, Sale: "4Q7ZK1M2N8P3R5T6", Hotline: "400 123 4567", Reason: ui.ReasonJournalFailed}, paid)
	add("offline", ui.Screen{Name: ui.ScreenOffline, Rev: 3, Hotline: "400 123 4567", CanCollect: true, NoPay: ui.ReasonNetworkDown})
	add("offline-card", base(ui.ScreenOffline), purse)
	add("out-of-service", ui.Screen{Name: ui.ScreenOutOfService, Rev: 2, Hotline: "400 123 4567", Reason: ui.ReasonReaderMissing})
	return list
}

const slipCode = "Buka K-0017 充值成功 TOPPED UP\n受理编号 4Q7Z-K1M2\n日期时间 2026-11-22 10:38:27\n交通卡 **** 7984\n充值金额 50.00\n原余额 28.50\n现余额 78.50\n银行卡 622588******0001\n凭证号 000125\n批次号 000003\n参考号 632602000125\n授权码 125125\n终端号 000000000000001/00000001\n服务电话 400 000 0000"

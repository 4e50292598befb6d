package station

import (
	"buka/topup"
	"buka/ui"
)

// The core names a reason; what a passenger has to be told depends on where the
// money is at that moment, too. The same "the card left" is one thing before
// payment, another when money waits for the card, and a third while a write is
// unknown. moment.go finds the words; it decides nothing.

// atRisk says that money of a sale is or may be taken and its value is not
// known to be on the card: its claim number must be on the screen.
func atRisk(s topup.Sale) bool {
	switch s.Pay {
	case topup.PayStarted, topup.PayUnknown, topup.PayApproved, topup.PayWithdrawn:
		return s.Write != topup.WriteDone && !s.Decided
	}
	return s.Conflict && !s.Decided
}

// moneyGoesBack lists the endings after which the money returns to the bank
// card.
var moneyGoesBack = map[string]bool{
	"money-back-pending": true, "write-refused-money-back": true, "load-refused-money-back": true,
	"stopped-money-back": true, "timeout-money-back": true, "bank-card-refused": true,
}

// refusedByCard lists what the card itself says against being written.
var refusedByCard = map[string]bool{
	"blocked": true, "expired": true, "not-yet-valid": true, "at-limit": true, "card-pin": true, "not-eligible": true,
	"unknown-kind": true, "unknown-issuer": true,
}

// moment completes a screen with the words of this moment.
func moment(state topup.State, scr *ui.Screen) {
	f := state.Live.Front
	sale, open := state.Durable.Sales[f.Sale]
	scr.Paid, scr.Remote = open && atRisk(sale), sale.Remote
	scr.NoPay = ui.Reason(state.NoPayment())
	scr.NoticeWords = noticeWords(state, f)
	switch f.Phase {
	case topup.Loading, topup.Writing:
		if scr.Phase = phases[f.Phase]; sale.Remote {
			scr.Phase = ui.PhaseCollecting
		} else if f.Later {
			scr.Phase = ui.PhaseFinishing
		}
	case topup.Open:
		scr.ReasonWords = openWords(f, sale)
	case topup.Contact:
		scr.ReasonWords = contactWords(f, sale)
	case topup.Finished:
		if waits(state, f) {
			scr.ReasonWords = ui.ReasonMoreWaiting
		}
	case topup.Declined:
		declinedWords(f, sale, open, scr)
		if f.Reason == "journal-failed" && state.Live.Devices["journal"] == "disk-full" {
			scr.ReasonWords = ui.ReasonDiskFull
		}
	case topup.Choosing:
		earlier(state, f, scr)
	}
	if scr.Name == ui.ScreenOutOfService && scr.Reason == ui.ReasonReaderBusy {
		scr.ReasonWords = ui.ReasonReaderStuck
	}
	if scr.Paid || f.Sale != "" && (scr.Back != "" || f.Phase == topup.Declined && f.Reason == "risk-cashier" || f.Phase == topup.Open || f.Phase == topup.Contact) {
		scr.Claim = f.Sale.Claim()
	}
}

// noticeWords are those of the line above the rest.
func noticeWords(state topup.State, f topup.Console) ui.Reason {
	switch f.Phase {
	case topup.Idle, "":
		if f.Notice == "card-gone" {
			return ui.ReasonCardUnread
		}
	case topup.CardBack:
		return map[string]ui.Reason{"card-gone": ui.ReasonCardGoneUnpaid, "other-card": ui.ReasonOtherCardUnpaid, "": ui.ReasonCardGoneUnpaid}[f.Notice]
	case topup.Paying:
		return map[string]ui.Reason{"card-gone": ui.ReasonBankCardGone, "wrong-pin": ui.ReasonWrongPINAgain}[f.Notice]
	case topup.Holding:
		return holdWords(state, f)
	}
	return ""
}

// holdWords: paid, and surely not written.
func holdWords(state topup.State, f topup.Console) ui.Reason {
	switch f.Notice {
	case "card-gone":
		return ui.ReasonHoldCardGone
	case "bank-card-first":
		return ui.ReasonTakeBankCard
	case "card-unread":
		return ui.ReasonHoldCardUnread
	case "reader-missing":
		return ui.ReasonHoldReaderMissing
	case "paid-not-written":
		return ui.ReasonWriteRefusedAgain
	case "authority-wait":
		if !state.Live.HostUp {
			return ui.ReasonHoldNetworkDown
		}
		return ui.ReasonLoadWait
	}
	switch {
	case refusedByCard[f.Notice]:
		return ui.ReasonHoldCardRefused
	case f.Notice != "":
		return ""
	case state.Live.Devices["transit"] != "":
		return ui.ReasonHoldReaderMissing
	case f.Card == nil:
		return ui.ReasonPowerBack
	case !state.Live.HostUp:
		return ui.ReasonHoldNetworkDown
	}
	return ""
}

// openWords: the write is unknown.
func openWords(f topup.Console, sale topup.Sale) ui.Reason {
	_, held := sale.Held()
	switch {
	case f.Reason == "write-unknown" && f.Card == nil:
		return ui.ReasonPowerCutWrite
	case f.Reason == "card-gone":
		return ui.ReasonResolveCardGone
	case f.Reason == "card-unread":
		return ui.ReasonResolveCardUnread
	case f.Reason == "reader-missing", f.Reason == "reader-busy":
		return ui.ReasonResolveReader
	case refusedByCard[f.Reason]:
		return ui.ReasonResolveRefused
	case f.Reason == "authority-wait" && held:
		return ui.ReasonEvidenceHeld
	}
	return ""
}

// contactWords: people decide.
func contactWords(f topup.Console, sale topup.Sale) ui.Reason {
	switch {
	case f.Reason != "conflict" && f.Reason != "unknown-kind":
		return ""
	case sale.HandedOver:
		return ui.ReasonWithStaff
	case sale.Conflict:
		return ui.ReasonReversalConflict
	case sale.Unresolved():
		return ui.ReasonWriteUndecided
	case sale.Offered():
		return ui.ReasonTooLateToReverse
	}
	return ""
}

// declinedWords: how far the money has come that goes back.
func declinedWords(f topup.Console, sale topup.Sale, open bool, scr *ui.Screen) {
	if !moneyGoesBack[f.Reason] {
		if f.Reason == "reader-busy" && f.Sale == "" {
			scr.ReasonWords = ui.ReasonCardAtDesk
		}
		return
	}
	switch {
	case open && sale.Conflict:
		scr.ReasonWords = ui.ReasonReversalConflict
		return
	case open && sale.OweReversal:
		scr.Back = ui.BackPending
	default:
		scr.Back = ui.BackConfirmed
	}
	switch {
	case f.Reason == "load-refused-money-back" && f.Notice == "at-limit":
		scr.ReasonWords = ui.ReasonAtLimitMoneyBack
	case f.Reason == "money-back-pending" && open && sale.Pay == topup.PayUnknown:
		scr.ReasonWords = ui.ReasonPaymentUnknown
	case f.Reason == "money-back-pending" && open && sale.Pay == topup.PayWithdrawn:
		scr.ReasonWords = ui.ReasonOtherAmount
	}
	scr.Notice = ""
}

// waits says whether something else is open on the card that was just written.
func waits(state topup.State, f topup.Console) bool {
	for _, s := range state.Durable.Sales {
		if s.ID != f.Sale && f.Card != nil && s.Card == f.Card.Card && (s.Unresolved() || s.Offered()) {
			return true
		}
	}
	return false
}

// earlier tells a passenger who begins a sale what else is known about the card.
func earlier(state topup.State, f topup.Console, scr *ui.Screen) {
	if f.Card == nil || scr.Notice != "" {
		return
	}
	for _, s := range state.Durable.InOrder() {
		if s.ID == f.Sale || s.Card != f.Card.Card {
			continue
		}
		switch {
		case s.Conflict && !s.Decided, s.HandedOver:
			scr.Notice, scr.Claim = ui.ReasonEarlierWithStaff, s.ID.Claim()
			return
		case s.OweReversal:
			scr.Notice, scr.Claim = ui.ReasonEarlierMoneyBack, s.ID.Claim()
			return
		}
	}
}

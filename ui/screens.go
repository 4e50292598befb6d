package ui

import (
	"strings"

	"buka/ui/lang"
)

// step is where a sale stands on the way card, amount, pay, write.
func step(s Screen) int {
	switch s.Name {
	case ScreenCard:
		return 1
	case ScreenAmount:
		return 2
	case ScreenPayment, ScreenPIN:
		return 3
	case ScreenHold:
		return 4
	case ScreenDone:
		return 5
	case ScreenProcessing:
		if s.Moving {
			return 4
		}
		switch s.Phase {
		case PhaseReading, PhaseProving:
			return 1
		case PhaseEligible:
			return 2
		case PhaseAuthority:
			return 4
		case PhaseMoneyBack:
			return 0
		}
		return 3
	}
	return 0
}

// tone is the mood of a screen: calm, busy, good, care, rest.
func tone(s Screen) string {
	switch s.Name {
	case ScreenDone:
		return "good"
	case ScreenDeclined, ScreenUnfinished, ScreenContact:
		return "care"
	case ScreenOutOfService:
		return "rest"
	case ScreenHold, ScreenProcessing:
		if s.Moving {
			return "busy"
		}
	}
	return "calm"
}

// art names the drawing on a screen.
func art(s Screen) string {
	switch s.Name {
	case ScreenIdle:
		return "art-tap"
	case ScreenHold:
		if s.Moving {
			return "art-still"
		}
		return "art-tap"
	case ScreenProcessing:
		if s.Moving {
			return "art-still"
		}
		return "art-wait"
	case ScreenCard:
		if s.Phase == PhaseReading {
			return "art-still"
		}
		return "art-tap"
	case ScreenPayment:
		return "art-bank"
	case ScreenPIN:
		return "art-pin"
	case ScreenDone:
		return "art-done"
	case ScreenDeclined:
		return declinedArt(s.Reason)
	case ScreenUnfinished:
		switch s.Reason {
		case ReasonEvidenceHeld, ReasonAuthorityWait, ReasonResolveRefused, ReasonResolveReader:
			return "art-safe"
		}
		return "art-tap" // the same card again: what is to be done is what is drawn
	case ScreenContact:
		if s.Reason == ReasonTooLateToReverse || s.Reason == ReasonCollectLater {
			return "art-tap"
		}
		return "art-call"
	case ScreenOffline:
		return "art-offline"
	case ScreenOutOfService:
		return "art-rest"
	}
	return "art-wait"
}

// declinedArt shows which of the cards a refusal is about, or that money is
// on its way back.
func declinedArt(r Reason) string {
	switch r {
	case ReasonExpired, ReasonNotYetValid, ReasonBlocked, ReasonUnknownKind, ReasonUnknownIssuer, ReasonAtLimit, ReasonNotEligible,
		ReasonCardPIN, ReasonCardUnread, ReasonOtherCard, ReasonTwoCards, ReasonCardGone, ReasonReaderBusy, ReasonStopped, ReasonTimeout,
		ReasonAuthorityWait, ReasonPaidNotWritten, ReasonCardAtDesk:
		return "art-refused"
	case ReasonReversalConflict:
		return "art-call"
	case ReasonWriteRefusedMoneyBack, ReasonLoadRefusedMoneyBack, ReasonStoppedMoneyBack, ReasonTimeoutMoneyBack, ReasonMoneyBackPending,
		ReasonPaymentUnknown, ReasonOtherAmount, ReasonAtLimitMoneyBack, ReasonBankCardRefused:
		return "art-back"
	case ReasonWriteUnknown:
		return "art-safe"
	}
	return "art-note"
}

// sound names what is to be heard.
func sound(s Screen) string {
	switch {
	case s.Moving && (s.Name == ScreenHold || s.Name == ScreenProcessing):
		return "writing"
	case s.Name == ScreenDone:
		return "done"
	case s.Warn, s.Name == ScreenUnfinished, s.Name == ScreenDeclined, s.Notice != "":
		return "attention"
	case s.Name == ScreenHold, s.Name == ScreenPayment, s.Name == ScreenPIN:
		return "prompt"
	}
	return ""
}

// phaseText gives the title and the text of a wait.
func phaseText(c *lang.Catalogue, p Phase) (title, text string) {
	title, text = c.T("screen.processing.title"), c.T("screen.processing.text")
	if key := "screen.processing." + string(p); p != "" && c.Has(key) {
		title = c.T(key)
		if c.Has(key + "-text") {
			text = c.T(key + "-text")
		}
	}
	return title, text
}

// spoken is all that a screen says, for speech and for screen readers.
func spoken(c *lang.Catalogue, v passengerView) string {
	var say []string
	add := func(lines ...string) {
		for _, l := range lines {
			if l != "" {
				say = append(say, l)
			}
		}
	}
	amount := func(key string, text string) {
		if text != "" {
			add(c.T(key) + ": " + c.T("money.spoken", "amount", strings.TrimPrefix(text, c.T("money.yuan"))))
		}
	}
	if v.Warn {
		add(c.T("time.title"), c.T("time.text", "s", (v.CountdownMS+999)/1000))
		return strings.Join(say, " ")
	}
	if v.Notice != "" {
		add(reasonText(c, v.Notice, "title")+".", reasonText(c, v.Notice, "now"))
	}
	title, text := headline(c, v.Screen)
	add(sentence(title), text)
	for i, a := range v.Applications {
		add(sentence(c.T("screen.payment.number", "n", i+1, "name", strings.Join(applicationNames(c, a), ", "))))
	}
	switch v.Name {
	case ScreenCard, ScreenAmount:
		amount("money.balance", yuan(c, v.Balance))
	case ScreenPayment, ScreenPIN, ScreenHold:
		key := "money.pay"
		if v.Name == ScreenHold {
			key = "money.paid"
		}
		amount(key, yuan(c, v.Amount))
		amount("money.old", yuan(c, v.OldBalance))
		amount("money.new", yuan(c, v.NewBalance))
	case ScreenDone:
		amount("money.new", yuan(c, v.NewBalance))
	}
	if hasPassage(v.Screen) {
		add(reasonText(c, v.Reason, "known"), reasonText(c, v.Reason, "money"))
		if v.Back != "" {
			add(c.T("back." + string(v.Back)))
		}
		add(reasonText(c, v.Reason, "now"))
	}
	if v.Claim != "" {
		add(c.T("screen.unfinished.claim") + ": " + strings.Join(strings.Split(v.Claim, ""), " ") + ".")
	}
	if v.Slip != nil && v.Slip.State != SlipPrinting { // last: it comes when the rest is being said
		add(c.T(slipWords(v.Screen)))
	}
	return strings.Join(say, " ")
}

// slipWords is the key of what a screen says of its slip: beside a claim number
// there is less room, and the code on the screen is that of the claim.
func slipWords(s Screen) string {
	if s.Name == ScreenDone {
		return "slip." + string(s.Slip.State)
	}
	return "slip.claim-" + string(s.Slip.State)
}

// applicationNames are what the card calls an application, if it does, and what
// that is in the passenger's language, if it says more.
func applicationNames(c *lang.Catalogue, a Application) []string {
	key := "application." + a.Kind
	if !c.Has(key) {
		key = "application.other"
	}
	kind := c.T(key)
	switch {
	case a.Name == "":
		return []string{kind}
	case strings.EqualFold(a.Name, kind):
		return []string{a.Name}
	}
	return []string{a.Name, kind}
}

// sentence ends a title, so that speech makes a pause after it.
func sentence(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".?!") || strings.HasSuffix(s, "？") || strings.HasSuffix(s, "。") {
		return s
	}
	return s + "."
}

// hasPassage says whether a screen explains itself by its reason.
func hasPassage(s Screen) bool {
	switch s.Name {
	case ScreenDeclined, ScreenUnfinished, ScreenContact, ScreenOutOfService:
		return true
	case ScreenDone:
		return s.Reason != ""
	}
	return false
}

// headline is the title of a screen and the line under it.
func headline(c *lang.Catalogue, s Screen) (title, text string) {
	key := "screen." + string(s.Name)
	switch s.Name {
	case ScreenPayment:
		switch len(s.Applications) {
		case 0:
		case 1:
			return c.T(key + ".confirm"), c.T(key + ".keep")
		default:
			return c.T(key + ".choose"), c.T(key + ".keep")
		}
		return c.T(key + ".title"), c.T(key + ".text")
	case ScreenIdle, ScreenPIN:
		return c.T(key + ".title"), c.T(key + ".text")
	case ScreenAmount:
		if s.NoPay != "" {
			return c.T("screen.offline.title"), reasonText(c, s.NoPay, "now")
		}
		if len(s.Choices) == 0 {
			return c.T(key + ".none"), ""
		}
		return c.T(key + ".title"), c.T(key + ".text")
	case ScreenCard:
		if s.Phase == PhaseReading {
			return c.T(key + ".reading"), c.T(key + ".reading-text")
		}
		return c.T(key + ".title"), c.T(key + ".text")
	case ScreenProcessing:
		switch {
		case s.Moving && (s.Phase == PhaseFinishing || s.Phase == PhaseCollecting): // who comes with something open is told first
			return c.T("screen.processing." + string(s.Phase)), c.T("screen.hold.moving-text")
		case s.Moving: // from the permission to the end of the write
			return c.T("screen.hold.moving"), c.T("screen.hold.moving-text")
		}
		return phaseText(c, s.Phase)
	case ScreenHold:
		switch {
		case s.Moving:
			return c.T(key + ".moving"), c.T(key + ".moving-text")
		case s.Amount == nil || s.CardNumber == "":
			return c.T(key + ".title"), c.T(key + ".text-plain")
		}
		return c.T(key + ".title"), c.T(key+".text", "amount", yuan(c, s.Amount), "digits", last4(s.CardNumber))
	case ScreenDone:
		switch {
		case s.Reason != "":
			return reasonText(c, s.Reason, "title"), ""
		case s.Amount == nil:
			return c.T(key + ".title"), c.T(key + ".text-plain")
		}
		return c.T(key + ".title"), c.T(key+".text", "amount", yuan(c, s.Amount))
	case ScreenOffline:
		return c.T(key + ".title"), c.T(key + ".cannot")
	case ScreenOutOfService:
		if s.Reason == ReasonDiskFull || s.Reason == ReasonRecovering {
			return reasonText(c, s.Reason, "title"), ""
		}
		return c.T(key + ".title"), ""
	}
	if s.Reason != "" { // declined, unfinished, contact
		return reasonText(c, s.Reason, "title"), ""
	}
	return c.T(key + ".title"), ""
}

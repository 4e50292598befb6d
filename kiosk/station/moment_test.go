package station

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/kiosk/config"
	"buka/topup"
	"buka/ui"
)

var phasesShown = []topup.Phase{topup.Idle, topup.Reading, topup.Choosing, topup.CardBack, topup.Probing, topup.Paying, topup.PINEntry,
	topup.Sending, topup.Holding, topup.Loading, topup.Writing, topup.Resolving, topup.Finished, topup.Declined, topup.Open, topup.Contact, topup.NoNetwork}

// shown renders states without a kiosk around them.
func shown() *Station {
	return &Station{core: &topup.Core{Rules: topup.DefaultRules()}, cfg: config.Config{Kiosk: "K1", Hotline: "400 1", Language: "en"}}
}

func stateOf(p topup.Phase, notice, reason string, sale topup.Sale, card *topup.CardFacts) topup.State {
	st := topup.New()
	st.Live.HostUp = true
	st.Live.Front.Phase, st.Live.Front.Notice, st.Live.Front.Reason = p, notice, reason
	st.Live.Front.Sale, st.Live.Front.Amount, st.Live.Front.Card = sale.ID, sale.Amount, card
	st.Durable.Sales[sale.ID] = sale
	return st
}

// No screen on which money is or may be taken, and the card is not known to be
// written, lacks the claim number and the hotline, whatever the phase.
func TestClaimWhereverMoneyIs(t *testing.T) {
	s := shown()
	for _, p := range phasesShown {
		for pay := topup.PayNone; pay <= topup.PayReversed; pay++ {
			for write := topup.WriteNone; write <= topup.WriteDone; write++ {
				for _, conflict := range []bool{false, true} {
					sale := topup.Sale{ID: "4Q7ZK1M2N8P3R5T6", Amount: 5000, Pay: pay, Write: write, Conflict: conflict, OweReversal: pay == topup.PayWithdrawn}
					scr := s.show(stateOf(p, "card-gone", "write-unknown", sale, nil))
					taken := pay == topup.PayStarted || pay == topup.PayUnknown || pay == topup.PayApproved || pay == topup.PayWithdrawn
					if taken && write != topup.WriteDone && (scr.Claim != sale.ID.Claim() || !scr.Paid || scr.Hotline == "") {
						t.Errorf("%s, payment %d, write %d: claim %q, paid %v", p, pay, write, scr.Claim, scr.Paid)
					}
					if pay == topup.PayNone && !conflict && scr.Paid {
						t.Errorf("%s: paid, and no payment was begun", p)
					}
				}
			}
		}
	}
	sale := topup.Sale{ID: "4Q7ZK1M2N8P3R5T6", Amount: 5000, Pay: topup.PayApproved}
	if scr := s.broken(stateOf(topup.Holding, "", "", sale, nil)); scr.Claim == "" || !scr.Paid || scr.Hotline == "" {
		t.Error("the engine stopped, and the claim number is gone:", scr)
	}
}

// The words of a moment never say that nothing was paid when money is here, nor
// that money is safe when none was taken.
func TestTheMomentsWords(t *testing.T) {
	s := shown()
	card := &topup.CardFacts{Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}}
	paid := topup.Sale{ID: "4Q7ZK1M2N8P3R5T6", Card: card.Card, Amount: 5000, Pay: topup.PayApproved}
	unknown, held, conflict, back, asked, over := paid, paid, paid, paid, paid, paid
	unknown.Write = topup.WriteUnknown
	held.Write, held.Proofs, held.ProofSays = topup.WriteUnknown, []entry.Proof{{}}, []entry.Opinion{entry.NoOpinion}
	conflict.Pay, conflict.Conflict = topup.PayWithdrawn, true
	back.Pay, back.OweReversal = topup.PayWithdrawn, true
	asked.Pay, asked.OweReversal = topup.PayUnknown, true
	over.HandedOver = true
	for _, row := range []struct {
		name           string
		phase          topup.Phase
		notice, reason string
		sale           topup.Sale
		card           *topup.CardFacts
		change         func(*topup.State)
		want           ui.Reason
	}{
		{name: "card away before payment", phase: topup.CardBack, notice: "card-gone", card: card, want: ui.ReasonCardGoneUnpaid},
		{name: "other card before payment", phase: topup.CardBack, notice: "other-card", card: card, want: ui.ReasonOtherCardUnpaid},
		{name: "bank card away", phase: topup.Paying, notice: "card-gone", card: card, want: ui.ReasonBankCardGone},
		{name: "card away after payment", phase: topup.Holding, notice: "card-gone", sale: paid, card: card, want: ui.ReasonHoldCardGone},
		{name: "mute after payment", phase: topup.Holding, notice: "card-unread", sale: paid, card: card, want: ui.ReasonHoldCardUnread},
		{name: "blocked after payment", phase: topup.Holding, notice: "blocked", sale: paid, card: card, want: ui.ReasonHoldCardRefused},
		{name: "refused once", phase: topup.Holding, notice: "paid-not-written", sale: paid, card: card, want: ui.ReasonWriteRefusedAgain},
		{name: "no answer to the load", phase: topup.Holding, notice: "authority-wait", sale: paid, card: card, want: ui.ReasonLoadWait},
		{name: "no network after payment", phase: topup.Holding, notice: "authority-wait", sale: paid, card: card,
			change: func(st *topup.State) { st.Live.HostUp = false }, want: ui.ReasonHoldNetworkDown},
		{name: "reader lost after payment", phase: topup.Holding, sale: paid, card: card,
			change: func(st *topup.State) { st.Live.Devices["transit"] = "reader-missing" }, want: ui.ReasonHoldReaderMissing},
		{name: "power back", phase: topup.Holding, sale: paid, want: ui.ReasonPowerBack},
		{name: "power cut in the write", phase: topup.Open, reason: "write-unknown", sale: unknown, want: ui.ReasonPowerCutWrite},
		{name: "card away while it is asked", phase: topup.Open, reason: "card-gone", sale: unknown, card: card, want: ui.ReasonResolveCardGone},
		{name: "blocked while it is asked", phase: topup.Open, reason: "blocked", sale: unknown, card: card, want: ui.ReasonResolveRefused},
		{name: "reader lost while it is asked", phase: topup.Open, reason: "reader-missing", sale: unknown, card: card, want: ui.ReasonResolveReader},
		{name: "a proof is held", phase: topup.Open, reason: "authority-wait", sale: held, card: card, want: ui.ReasonEvidenceHeld},
		{name: "evidence decides nothing", phase: topup.Contact, reason: "conflict", sale: unknown, card: card, want: ui.ReasonWriteUndecided},
		{name: "the batch is closed", phase: topup.Contact, reason: "conflict", sale: paid, card: card, want: ui.ReasonTooLateToReverse},
		{name: "handed over", phase: topup.Contact, reason: "conflict", sale: over, card: card, want: ui.ReasonWithStaff},
		{name: "the reversal is contradicted", phase: topup.Declined, reason: "stopped-money-back", sale: conflict, card: card, want: ui.ReasonReversalConflict},
		{name: "host silent", phase: topup.Declined, reason: "money-back-pending", sale: asked, card: card, want: ui.ReasonPaymentUnknown},
		{name: "other amount", phase: topup.Declined, reason: "money-back-pending", sale: back, card: card, want: ui.ReasonOtherAmount},
		{name: "full meanwhile", phase: topup.Declined, notice: "at-limit", reason: "load-refused-money-back", sale: back, card: card, want: ui.ReasonAtLimitMoneyBack},
		{name: "disk full", phase: topup.Declined, reason: "journal-failed", card: card,
			change: func(st *topup.State) { st.Live.Devices["journal"] = "disk-full" }, want: ui.ReasonDiskFull},
	} {
		if row.sale.ID == "" {
			row.sale = topup.Sale{ID: "4Q7ZK1M2N8P3R5T6", Card: card.Card, Amount: 5000}
		}
		st := stateOf(row.phase, row.notice, row.reason, row.sale, row.card)
		if row.change != nil {
			row.change(&st)
		}
		scr := s.show(st)
		if scr.NoticeWords != row.want && scr.ReasonWords != row.want {
			t.Errorf("%s: notice %q, reason %q, want %q", row.name, scr.NoticeWords, scr.ReasonWords, row.want)
		}
	}
	first := paid
	first.Write = topup.WriteDone
	st := stateOf(topup.Finished, "", "finished", first, card)
	other := unknown
	other.ID = "9B3XW5V8Y2H4J6K1"
	st.Durable.Sales[other.ID] = other
	if scr := s.show(st); scr.ReasonWords != ui.ReasonMoreWaiting {
		t.Error("a second rewrite on the card is not told:", scr.ReasonWords)
	}
}

// Money that goes back says how far it has come, and the claim number stays
// when the bank has confirmed it and the sale is closed.
func TestHowFarMoneyHasCome(t *testing.T) {
	s := shown()
	sale := topup.Sale{ID: "4Q7ZK1M2N8P3R5T6", Amount: 5000, Pay: topup.PayWithdrawn, OweReversal: true}
	for reason := range moneyGoesBack {
		st := stateOf(topup.Declined, "", reason, sale, nil)
		if scr := s.show(st); scr.Back != ui.BackPending || scr.Claim == "" {
			t.Errorf("%s: %q %q", reason, scr.Back, scr.Claim)
		}
		delete(st.Durable.Sales, sale.ID)
		if scr := s.show(st); scr.Back != ui.BackConfirmed || scr.Claim == "" {
			t.Errorf("%s, closed: %q %q", reason, scr.Back, scr.Claim)
		}
	}
}

// A payment that a power cut interrupted is told on the first screen, with its
// claim number.
func TestAnInterruptedPaymentIsTold(t *testing.T) {
	d := topup.New().Durable
	d.Sales["9B3XW5V8Y2H4J6K1"] = topup.Sale{ID: "9B3XW5V8Y2H4J6K1", Pay: topup.PayDeclined}
	if id := interrupted(d); id != "" {
		t.Error(id)
	}
	d.Sales["4Q7ZK1M2N8P3R5T6"] = topup.Sale{ID: "4Q7ZK1M2N8P3R5T6", Pay: topup.PayStarted}
	if id := interrupted(d); id != "4Q7ZK1M2N8P3R5T6" {
		t.Error(id)
	}
}

// An amount is offered exactly when the core would take it: never in vain.
func TestNothingIsOfferedInVain(t *testing.T) {
	flaws := []struct {
		why ui.Reason
		do  func(*topup.State)
	}{
		{"", func(*topup.State) {}},
		{ui.ReasonNetworkDown, func(s *topup.State) { s.Live.HostUp = false }},
		{ui.ReasonNetworkDown, func(s *topup.State) { s.Live.SignedOn = false }},
		{ui.ReasonNetworkDown, func(s *topup.State) { s.Durable.Batch = 0 }},
		{ui.ReasonPINPadMissing, func(s *topup.State) { s.Live.Devices["pinpad"] = "pinpad-missing" }},
		{ui.ReasonBankReaderMissing, func(s *topup.State) { s.Live.Devices["bank"] = "reader-missing" }},
	}
	s := shown()
	for i, f := range flaws {
		card := topup.CardFacts{Balance: money.Fen(100)}
		st := stateOf(topup.Choosing, "", "", topup.Sale{ID: "4Q7ZK1M2N8P3R5T6"}, &card)
		st.Live.SignedOn, st.Durable.Batch, st.Live.Front.Session = true, 1, 1
		st.Live.STAN, st.Durable.STANUntil = 1, 200
		f.do(&st)
		if scr := s.show(st); scr.NoPay != f.why {
			t.Errorf("%d: no payment because of %q, want %q", i, scr.NoPay, f.why)
		}
		r := s.core.Step(st, topup.Chosen{Sale: "4Q7ZK1M2N8P3R5T6", Amount: 1000})
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if taken := r.State.Live.Front.Phase == topup.Probing; taken != (f.why == "") {
			t.Errorf("%d: offered %v, and after the press the phase is %s", i, f.why == "", r.State.Live.Front.Phase)
		}
	}
}

// A press counts as long as it means the same: what only looks different does
// not void it, and each field that it depends on does.
func TestWhatAPressMeans(t *testing.T) {
	looks := map[string]bool{"Rev": true, "Lang": true, "Phase": true, "BankCard": true, "Expiry": true, "Balance": true, "History": true,
		"OldBalance": true, "NewBalance": true, "Notice": true, "NoticeWords": true, "Back": true, "Claim": true, "Hotline": true,
		"PINTriesLeft": true, "CountdownMS": true, "Moving": true, "HostUp": true, "Slip": true}
	typ := reflect.TypeFor[ui.Screen]()
	for i := range typ.NumField() {
		var scr ui.Screen
		switch f := reflect.ValueOf(&scr).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		case reflect.Uint64:
			f.SetUint(1)
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		default:
			t.Fatalf("%s is of a kind that this test does not know", typ.Field(i).Name)
		}
		if same := reflect.DeepEqual(meaning(scr), meaning(ui.Screen{})); same != looks[typ.Field(i).Name] {
			t.Errorf("%s: a press means the same: %v", typ.Field(i).Name, same)
		}
	}
}

// An error that nobody thought of becomes a reason with words, never its text.
func TestOddErrorsHaveWords(t *testing.T) {
	odd := errors.New(`dial tcp 10.0.0.7:5000: connect: connection refused`)
	for _, key := range []string{reasonOf(odd), bankReasonOf(odd)} {
		if !slices.Contains(ui.Reasons(), ui.Reason(key)) {
			t.Errorf("%q has no words", key)
		}
	}
}

package sample

import (
	"time"

	"buka/internal/entry"
	"buka/ui"
)

func benchState() ui.BenchState {
	now := time.Now()
	return ui.BenchState{
		Screen: ui.ScreenHold, PowerOn: true, SwitchUp: true, FleetUp: true, Host: ui.BenchHost{Behaviour: "answers"},
		Transit: []ui.BenchCard{
			{Name: "red", Number: "3105170010170907984", Family: "tunion", Balance: 2850, Counter: 2, Field: "transit", Laid: true, Tear: "after"},
			{Name: "green", Number: "3105170010170907992", Family: "tunion", Balance: 100, Counter: 41},
			{Name: "grey", Number: "3105170010170908008", Family: "tunion", Balance: 0, Counter: 7, Note: "expired"},
		},
		Bank: []ui.BenchBank{
			{Name: "blue", PAN: "622588******0001", Funds: 95000, PIN: "123456"},
			{Name: "poor", PAN: "622588******0019", Funds: 100, PIN: "111111"},
		},
		Readers: []ui.BenchReader{
			{Name: "Virtual PCD 00 00", Roles: []string{"transit"}, State: "card", Card: "red"},
			{Name: "Virtual PCD 00 01", Roles: []string{"bank"}, State: "empty"},
			{Name: "Virtual PCD 00 02", Roles: []string{"desk"}, State: "gone"},
		},
		Printer: &ui.BenchPrinter{Port: "pts/8", Plugged: true, PaperLow: true, Lines: 3},
		Pad:     ui.BenchPad{Port: "pts/7", Display: []string{"50.00", "ENTER PIN"}, Digits: 4, Active: true, On: true},
		Journal: []ui.JournalLine{
			{Seq: 128, At: now.Add(-2 * time.Second), Kind: "write-started", Sale: "4Q7ZK1M2N8P3R5T6", Text: "4Q7Z-K1M2 · card …7984 · slot 2"},
			{Seq: 127, At: now.Add(-2 * time.Second), Kind: "load-authorised", Sale: "4Q7ZK1M2N8P3R5T6", Text: "4Q7Z-K1M2 · 2026-11-22 02:38:27"},
			{Seq: 126, At: now.Add(-2 * time.Second), Kind: "load-requested", Sale: "4Q7ZK1M2N8P3R5T6", Text: "4Q7Z-K1M2 · 50.00 on 28.50"},
			{Seq: 125, At: now.Add(-14 * time.Second), Kind: "payment-approved", Sale: "4Q7ZK1M2N8P3R5T6", Text: "4Q7Z-K1M2 · 50.00 · RRN 632602000125"},
			{Seq: 124, At: now.Add(-15 * time.Second), Kind: "payment-started", Sale: "4Q7ZK1M2N8P3R5T6", Text: "4Q7Z-K1M2 · 50.00 · 622588******0001"},
			{Seq: 123, At: now.Add(-40 * time.Second), Kind: "amount-chosen", Sale: "4Q7ZK1M2N8P3R5T6", Text: "4Q7Z-K1M2 · 50.00"},
			{Seq: 122, At: now.Add(-52 * time.Second), Kind: "sale-opened", Sale: "4Q7ZK1M2N8P3R5T6", Text: "4Q7Z-K1M2 · card …7984 · balance 28.50"},
		},
	}
}

// DeskShots are states of the cashier's page by name.
func DeskShots() map[string]ui.DeskState {
	now := time.Now()
	torn := ui.OpenSale{Sale: "4Q7ZK1M2N8P3R5T6", Claim: "4Q7Z-K1M2", CardNumber: "3105170010170907984", Amount: 5000,
		Since: now.Add(-47 * time.Minute), State: ui.OpenUnknown, Origin: "torn", Payment: ui.PaidTaken, Paid: fen(5000), BankCard: "622588******0001", RRN: "632602000125",
		Actions: []ui.DeskOffer{{Name: ui.DeskProve}, {Name: ui.DeskRewrite, WhyNot: ui.WhyUnknown}, {Name: ui.DeskWithdraw, WhyNot: ui.WhyUnknown}, {Name: ui.DeskHandOver}}}
	other := ui.OpenSale{Sale: "9B3XW5V8Y2H4J6K1", Claim: "9B3X-W5V8", CardNumber: "3105170010170907992", Amount: 2000,
		Since: now.Add(-26 * time.Hour), State: ui.OpenEvidenceHeld, Origin: "torn", Payment: ui.PaidTaken, Paid: fen(2000), BankCard: "622588******0019", RRN: "632502000977",
		LockedBy: "mei", Actions: []ui.DeskOffer{{Name: ui.DeskProve, WhyNot: ui.WhyNoCard}}}
	back := ui.OpenSale{Sale: "C0C0C0C0C0C0C0C0", Claim: "C0C0-C0C0", CardNumber: "3105170010170908008", Amount: 10000,
		Since: now.Add(-3 * time.Minute), State: ui.OpenReversalOwed, Origin: "torn", Payment: ui.PaidTaken, Paid: fen(10000), BankCard: "622588******0001", RRN: "632602000130",
		Actions: []ui.DeskOffer{{Name: ui.DeskWithdraw, WhyNot: ui.WhyAlreadyBack}}}
	long, refund, absent := back, back, back
	long.Sale, long.Claim, long.State, long.Since = "D1D1D1D1D1D1D1D1", "D1D1-D1D1", ui.OpenBackLong, now.Add(-31*time.Minute)
	refund.Sale, refund.Claim, refund.State = "E2E2E2E2E2E2E2E2", "E2E2-E2E2", ui.OpenRefundOwed
	absent.Sale, absent.Claim, absent.State, absent.Payment, absent.Paid = "F3F3F3F3F3F3F3F3", "F3F3-F3F3", ui.OpenExpectedAbsent, ui.PaidDenied, nil
	long.Payment, long.Paid, long.RRN = ui.PaidUnknown, nil, ""
	reader := ui.DeviceState{Role: "desk", Name: "Virtual PCD 00 02", State: "ok"}
	card := &ui.DeskCard{Number: "3105170010170907984", Family: "tunion", Balance: 2850, Counter: 2, Expiry: "20311231",
		Log: History(), Sale: torn.Sale, Verdict: &ui.DeskVerdict{}}
	disproved, proven := *card, *card
	disproved.Verdict = &ui.DeskVerdict{Outcome: entry.NotDone, By: "counter"}
	proven.Balance, proven.Counter, proven.Verdict, proven.Sale = 7850, 3, &ui.DeskVerdict{Outcome: entry.Done, By: "tac"}, ""
	offered := torn
	offered.State = ui.OpenOffered
	offered.Actions = []ui.DeskOffer{{Name: ui.DeskRewrite}, {Name: ui.DeskWithdraw}, {Name: ui.DeskHandOver}}
	result := func(what string) *ui.DeskResult {
		return &ui.DeskResult{Name: ui.DeskRewrite, Result: what, Sale: torn.Sale, Claim: torn.Claim, CardNumber: torn.CardNumber, Amount: 5000,
			OldBalance: fen(2850), NewBalance: fen(7850), BankCard: torn.BankCard, RRN: torn.RRN, Who: "mei", At: now}
	}
	batches := []ui.DeskBatch{{Number: 41, State: ui.BatchSettling, Totals: entry.Totals{Debit: 12_345_00, Debits: 187, Credit: 50_00, Credits: 1}},
		{Number: 42, State: ui.BatchOpen, Totals: entry.Totals{Debit: 300_00, Debits: 4}}}
	return map[string]ui.DeskState{
		"calm": {Rev: 1, Kiosk: "K-0017", HostUp: true, Reader: reader},
		"open": {Rev: 2, Kiosk: "K-0017", HostUp: true, Reader: reader, Open: []ui.OpenSale{long, other, torn, back, refund, absent}, Batches: batches,
			LastSlip: &ui.DeskSlip{Sale: torn.Sale, Claim: torn.Claim, At: now.Add(-47 * time.Minute), State: ui.SlipUnknown, Able: true}},
		"card": {Rev: 3, Kiosk: "K-0017", HostUp: true, Reader: reader, Open: []ui.OpenSale{other, torn, back}, Card: card,
			Sent: []ui.SentHere{{Claim: "2B2B-2B2B", CardNumber: card.Number, Amount: 100000, Rule: "large-sum", At: now.Add(-2 * time.Minute), Here: true},
				{Claim: "6D6D-6D6D", CardNumber: "3105170010170908008", Amount: 5000, Rule: "frequent", At: now.Add(-3 * time.Hour)}}},
		"busy":    {Rev: 4, Kiosk: "K-0017", HostUp: false, Reader: reader, Open: []ui.OpenSale{torn}, Card: card, Busy: ui.DeskProve},
		"offered": {Rev: 5, Kiosk: "K-0017", HostUp: true, Reader: reader, Open: []ui.OpenSale{offered}, Card: &disproved, Result: result(ui.ResultNotThere)},
		"written": {Rev: 6, Kiosk: "K-0017", HostUp: true, Reader: reader, Open: []ui.OpenSale{other}, Card: &proven, Result: result(ui.ResultWritten)},
	}
}

// FleetState is three kiosks, one of them in trouble.
func FleetState() ui.FleetState {
	now := time.Now()
	journal := benchState().Journal
	good := []ui.DeviceState{
		{Role: "transit", Name: "ACS ACR1252 00 00", State: "ok", Since: now.Add(-9 * time.Hour)},
		{Role: "bank", Name: "ACS ACR1252 00 01", State: "ok", Since: now.Add(-9 * time.Hour)},
		{Role: "pinpad", Name: "ttyUSB0", State: "ok", Since: now.Add(-9 * time.Hour)},
		{Role: "journal", Name: "bbolt", State: "ok", Since: now.Add(-9 * time.Hour)},
		{Role: "switch", Name: "payment host", State: "ok", Since: now.Add(-2 * time.Hour)},
	}
	bad := append([]ui.DeviceState(nil), good...)
	bad[2] = ui.DeviceState{Role: "pinpad", Name: "ttyUSB0", State: "down", Code: "pinpad-missing", Since: now.Add(-21 * time.Minute)}
	kept := func(age time.Duration) *ui.Kept {
		return &ui.Kept{Verified: now.Add(-40 * time.Minute), VerifiedSeq: 12870, Backup: now.Add(-age), BackupSeq: 12866, ArchivedSeq: 8192, Bytes: 41 << 20, FreePercent: 18}
	}
	restored := kept(26 * time.Minute)
	restored.RestoredStart = true
	cases := []ui.FleetCase{
		{Sale: "9B3XW5V8Y2H4J6K1", Claim: "9B3X-W5V8", CardNumber: "3105170010170907992", Amount: 2000, Since: now.Add(-50 * time.Hour), Kiosk: "K-0018",
			Origin: "handed-over", InDoubt: true},
		{Sale: "C0C0C0C0C0C0C0C0", Claim: "C0C0-C0C0", CardNumber: "3105170010170908008", Amount: 10000, Since: now.Add(-26 * time.Hour), Kiosk: "K-0030",
			Origin: "lost", Proposal: ui.FleetReturn, ProposedBy: "mei"},
		{Sale: "7H7H7H7H7H7H7H7H", Claim: "7H7H-7H7H", CardNumber: "3105170010170907984", Amount: 3000, Since: now.Add(-2 * time.Hour), Origin: "remote"},
	}
	batches := []ui.FleetBatch{
		{Terminal: "00000017", Number: 42, State: "open", Host: ui.BatchTotals{Debit: 84000, Debits: 17}},
		{Terminal: "00000018", Number: 9, State: "differs", Kiosk: ui.BatchTotals{Debit: 120000, Debits: 24}, Host: ui.BatchTotals{Debit: 125000, Debits: 25, Credit: 2000, Credits: 1},
			Settled: now.Add(-3 * time.Hour), Differs: []ui.BatchDifference{{Claim: "4Q7Z-K1M2", STAN: 118, Host: 5000}, {Claim: "9B3X-W5V8", STAN: 119, Host: -2000}}},
		{Terminal: "00000017", Number: 41, State: "balanced", Kiosk: ui.BatchTotals{Debit: 510000, Debits: 103}, Host: ui.BatchTotals{Debit: 510000, Debits: 103}, Settled: now.Add(-11 * time.Hour)},
	}
	alarms := []ui.FleetAlarm{
		{ID: 41, Kiosk: "K-0030", Kind: "journal", Detail: "entry 78 does not follow from entry 77", At: now.Add(-4 * time.Minute)},
		{ID: 40, Kiosk: "K-0018", Kind: "risk", Detail: "cross-border-seen", Claim: "3C3C-3C3C", CardNumber: "310517*********8012", Amount: 20000, At: now.Add(-12 * time.Minute)},
		{ID: 38, Kiosk: "K-0018", Kind: "long", Claim: "4Q7Z-K1M2", CardNumber: "310517*********7984", Amount: 5000, At: now.Add(-31 * time.Minute)},
		{ID: 39, Kiosk: "K-0018", Kind: "risk", Detail: "large-sum", Claim: "2B2B-2B2B", CardNumber: "310517*********7992", Amount: 100000, At: now.Add(-26 * time.Minute), By: "mei", Seen: now.Add(-20 * time.Minute)},
		{ID: 37, Kiosk: "K-0018", Kind: "batch", Detail: "9", At: now.Add(-3 * time.Hour), By: "lin", Seen: now.Add(-2 * time.Hour)},
		{ID: 36, Kiosk: "K-0018", Kind: "conflict", Claim: "9B3X-W5V8", CardNumber: "310517*********7992", Amount: 2000, At: now.Add(-50 * time.Hour), By: "lin", Seen: now.Add(-49 * time.Hour)},
	}
	return ui.FleetState{Now: now, Cases: cases, Alarms: alarms, NewAlarms: 3, Batches: batches, Kiosks: []ui.Kiosk{
		{ID: "K-0017", Place: "Xujiahui, hall 2", Version: "0.2.0", LinkUp: true, LastSeen: now.Add(-3 * time.Second), LastSync: now.Add(-8 * time.Second),
			JournalSeq: 12873, ChainOK: true, Kept: kept(26 * time.Minute), Epoch: "5f0c9ab1e2d34c5f", Devices: good, Screen: ui.ScreenIdle, Recent: journal},
		{ID: "K-0018", Place: "Xujiahui, hall 3", Version: "0.2.0", LinkUp: true, LastSeen: now.Add(-5 * time.Second), LastSync: now.Add(-8 * time.Second),
			Owed: 1, OldestOwed: now.Add(-40 * time.Minute), LongBack: 1, OpenRewrites: 1, Unresolved: 1, JournalSeq: 9911, ChainOK: true, Kept: restored, Recovering: true, Epoch: "00aa9ab1e2d34c5f",
			Alarms: alarms[1:], NewAlarms: 2,
			Risk:    &ui.RiskStruck{Alarms: 2, Cashier: 1, Rule: "cross-border-seen", Outcome: "alarm", At: now.Add(-12 * time.Minute)},
			Devices: bad, Screen: ui.ScreenOffline, Recent: journal,
			Rewrites: []ui.Rewrite{{Sale: "4Q7ZK1M2N8P3R5T6", Claim: "4Q7Z-K1M2", CardNumber: "3105170010170907984", Amount: 5000,
				Since: now.Add(-47 * time.Minute), State: ui.OpenUnknown, Origin: "torn", Owner: "K-0018"}}},
		{ID: "K-0021", Place: "People's Square", Version: "0.1.9", LastSeen: now.Add(-26 * time.Hour), LastSync: now.Add(-27 * time.Hour),
			Owed: 2, Unshipped: 14, JournalSeq: 40210, ChainOK: true, Devices: good},
		{ID: "K-0030", Place: "Pudong Airport", Version: "0.2.0", LinkUp: true, LastSeen: now.Add(-1 * time.Second), LastSync: now.Add(-1 * time.Second),
			Alarms: alarms[:1], NewAlarms: 1, JournalSeq: 77, ChainOK: false, ChainNote: "entry 78 does not follow from entry 77", Devices: good},
	}}
}

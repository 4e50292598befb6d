package topup_test

import (
	"errors"
	"testing"

	"buka/internal/entry"
	"buka/topup"
)

var (
	oldEpoch = entry.Hex("0123456789abcdef")
	newEpoch = entry.Hex("fedcba9876543210")
)

// restored is a journal that ends with these kinds and was then put back.
func restored(t *testing.T, kinds []entry.Kind) topup.Durable {
	t.Helper()
	d := replayed(t, kinds)
	for _, b := range []entry.Body{
		entry.EpochBegun{Epoch: oldEpoch, Kiosk: "K1"},
		entry.Restored{Epoch: newEpoch, Was: oldEpoch, LastSeq: 9, Why: "test", Lost: true},
	} {
		if err := d.Apply(b); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// TestNothingBeforeTheHostConfirms: after a restore no entry about a sale is
// lawful, no button, card or timer has an effect, and no command leaves that
// moves or asks for anything.
func TestNothingBeforeTheHostConfirms(t *testing.T) {
	for _, kinds := range [][]entry.Kind{
		paid[:1], paid[:2], paid[:3], then(paid[:3], entry.KPaymentUnknown), paid, then(paid, entry.KLoadRequested), started, torn,
		then(torn, entry.KEvidenceHeld), then(started, entry.KWriteDone), then(started, entry.KWriteRefused), then(paid, entry.KOfferWithdrawn),
		then(paid, entry.KOfferWithdrawn, entry.KReversalConflict), then(paid, entry.KRefundRequested),
	} {
		d := restored(t, kinds)
		before, _ := d.Encode()
		for kind, body := range story {
			if err := d.Apply(body); !errors.Is(err, topup.ErrUnlawful) {
				t.Errorf("%v, then %s: %v", kinds, kind, err)
			}
		}
		if err := d.Apply(entry.SaleClosed{Of: testOf}); !errors.Is(err, topup.ErrUnlawful) {
			t.Errorf("%v: closed: %v", kinds, err)
		}
		if after, _ := d.Encode(); string(after) != string(before) {
			t.Errorf("%v: refused entries have changed the state", kinds)
		}
		core, state := lawCore(), topup.Replayed(d)
		facts := topup.CardFacts{Card: testCard, Observed: entry.Observation{Proofs: []entry.Proof{testProof}}}
		for _, e := range []topup.Event{
			topup.Started{}, topup.LinkChanged{Up: true}, topup.SignedOn{Batch: 1}, topup.RewritesKnown{Open: []topup.Remote{{Sale: "HOSTSALE00000001", Card: testCard, Amount: 1000}}},
			topup.CardPresented{Place: topup.Front, Session: 1}, topup.CardRead{Place: topup.Front, Session: 1, ID: "NEWSALE000000001", Card: facts},
			topup.CardPresented{Place: topup.Desk, Session: 2}, topup.CardRead{Place: topup.Desk, Session: 2, ID: "NEWSALE000000002", Card: facts},
			topup.DeskActed{Sale: testSale, Do: "rewrite", Who: "a"}, topup.DeskActed{Sale: testSale, Do: "withdraw", Who: "a"},
			topup.DeskActed{Sale: testSale, Do: "hand-over", Who: "a"}, topup.DeskActed{Sale: testSale, Do: "refund", Who: "a"},
			topup.DeskActed{Sale: testSale, Do: "decide-paid-out", Who: "a"}, topup.DeskActed{Sale: testSale, Do: "decide-paid-out", Who: "b"},
			topup.RestoreAnswered{}, topup.TACJudged{Sale: testSale, Proof: testProof, Opinion: entry.Verified},
			topup.Sent{Duty: topup.Duty{Kind: topup.Reversal, Sale: testSale, STAN: 5}, Answered: true, Code: "00"},
			topup.Paid{Sale: testSale, STAN: 5, Outcome: entry.Done, Amount: 5000},
		} {
			r := core.Step(state, e)
			if r.Err != nil {
				t.Fatalf("%v: %T: %v", kinds, e, r.Err)
			}
			state = r.State
		}
		if n := len(state.Durable.Sales); n != 1 || core.Look(state).Screen != "out-of-service" {
			t.Errorf("%v: %d sales, screen %s", kinds, n, core.Look(state).Screen)
		}
		a, _ := topup.Durable{Sales: state.Durable.Sales}.Encode()
		b, _ := topup.Durable{Sales: d.Sales}.Encode()
		if string(a) != string(b) {
			t.Errorf("%v: a sale has changed", kinds)
		}
	}
}

// TestWhatTheHostKnows is the table of what a restored journal says, what the
// host's ledgers say, and what becomes of the sale.
func TestWhatTheHostKnows(t *testing.T) {
	type facts = entry.HostFact
	is := func(f ...func(topup.Sale) bool) []func(topup.Sale) bool { return f }
	open := func(s topup.Sale) bool { return s.ID != "" }
	closed := func(s topup.Sale) bool { return s.ID == "" }
	reversal := func(s topup.Sale) bool { return s.OweReversal }
	confirm := func(s topup.Sale) bool { return s.OweConfirm }
	void := func(s topup.Sale) bool { return len(s.OweVoids) > 0 }
	conflict := func(s topup.Sale) bool { return s.Conflict }
	again := func(s topup.Sale) bool {
		return s.Unresolved() && s.Attempt.Random.String() == "05050505" && s.VoidSTAN > 0
	}
	offered, unresolved := topup.Sale.Offered, topup.Sale.Unresolved
	same, other := testAttempt, testAttempt
	same.At, other.At, other.Random = "20260115093015", "20260115093020", entry.Hex{5, 5, 5, 5}
	stands := facts{Paid: 5000, STAN: 5, Batch: 1, Slot: 2}
	with := func(a entry.Attempt, voided bool) facts {
		f := stands
		f.Load, f.Voided = &a, voided
		return f
	}
	less := stands
	less.Paid = 4900
	for name, row := range map[string]struct {
		kinds []entry.Kind
		fact  facts
		is    []func(topup.Sale) bool
		not   []func(topup.Sale) bool
	}{
		"opened, unknown to the host":                   {paid[:2], facts{}, is(closed), nil},
		"opened, and was paid":                          {paid[:2], stands, is(offered), is(reversal)},
		"opened, paid and perhaps written":              {paid[:2], with(other, false), is(again), is(offered, reversal)},
		"opened, and went back":                         {paid[:2], facts{Returned: true}, is(closed), nil},
		"opened, and credited":                          {paid[:2], facts{Credited: true, Paid: 5000}, is(closed), nil},
		"declined, then paid":                           {then(paid[:3], entry.KPaymentDeclined), stands, is(offered), is(reversal)},
		"payment started, never came":                   {paid[:3], facts{}, is(open, reversal), is(offered)},
		"payment started, approved":                     {paid[:3], stands, is(offered), is(reversal)},
		"payment started, for another amount":           {paid[:3], less, is(reversal), is(offered)},
		"payment started, perhaps written":              {paid[:3], with(other, false), is(again), is(offered, reversal)},
		"payment unknown, stands":                       {then(paid[:3], entry.KPaymentUnknown), stands, is(reversal), is(offered)},
		"paid, the host denies it":                      {paid, facts{}, is(conflict), is(offered, reversal)},
		"paid":                                          {paid, stands, is(offered), is(reversal)},
		"paid, and went back":                           {paid, facts{Returned: true}, is(closed), nil},
		"paid, and credited":                            {paid, facts{Credited: true, Paid: 5000}, is(closed), nil},
		"paid, credited and gone back":                  {paid, facts{Credited: true, Returned: true}, is(conflict), is(offered, reversal)},
		"paid, and closed":                              {paid, facts{Closed: true, Paid: 5000}, is(closed), nil},
		"payment started, and closed":                   {paid[:3], facts{Closed: true, Credited: true, Paid: 5000}, is(closed), nil},
		"payment started, and the host's":               {paid[:3], facts{Owned: true, Paid: 5000}, is(closed), nil},
		"write started, and closed":                     {started, facts{Closed: true, Credited: true, Paid: 5000}, is(closed), nil},
		"write started, and the host's":                 {started, facts{Owned: true, Paid: 5000}, is(closed), nil},
		"the host's own, and closed":                    {nil, facts{Closed: true, Credited: true, Paid: 5000}, is(closed), nil},
		"paid, and the host's":                          {paid, facts{Owned: true, Paid: 5000}, is(closed), nil},
		"paid, perhaps written":                         {paid, with(other, false), is(again), is(offered, reversal)},
		"paid, a load that was not used":                {paid, with(other, true), is(offered), is(unresolved, reversal)},
		"load requested, never authorised":              {then(paid, entry.KLoadRequested), stands, is(offered), is(unresolved, void)},
		"load requested, authorised":                    {then(paid, entry.KLoadRequested), with(same, false), is(unresolved), is(offered, void)},
		"load unknown, void owed":                       {then(paid, entry.KLoadRequested, entry.KLoadUnknown), with(same, false), is(offered, void), is(unresolved)},
		"write started":                                 {started, with(same, false), is(unresolved), is(offered, reversal)},
		"write started, the host has lost it":           {started, stands, is(conflict), is(offered)},
		"torn":                                          {torn, with(same, false), is(unresolved), is(offered, reversal, confirm)},
		"torn, disproven since":                         {torn, with(same, true), is(offered), is(unresolved, void)},
		"torn, disproven and tried again":               {torn, with(other, false), is(again), is(offered)},
		"torn, credited since":                          {torn, facts{Credited: true, Paid: 5000}, is(closed), nil},
		"torn, gone back since":                         {torn, facts{Returned: true}, is(closed), nil},
		"disproven, void owed":                          {then(torn, entry.KWriteDisproven), with(same, false), is(offered, void), is(unresolved)},
		"disproven, tried again":                        {then(torn, entry.KWriteDisproven), with(other, false), is(again), is(offered, void)},
		"done, unconfirmed":                             {then(started, entry.KWriteDone), with(same, false), is(confirm), is(offered, unresolved)},
		"done, confirmed":                               {then(started, entry.KWriteDone), facts{Credited: true, Paid: 5000}, is(closed), nil},
		"withdrawn, not gone back":                      {then(paid, entry.KOfferWithdrawn), stands, is(reversal), is(offered)},
		"withdrawn, gone back":                          {then(paid, entry.KOfferWithdrawn), facts{Returned: true}, is(closed), nil},
		"conflict, still so":                            {then(paid, entry.KOfferWithdrawn, entry.KReversalConflict), stands, is(conflict), is(offered, reversal)},
		"refund requested, not gone back":               {then(paid, entry.KRefundRequested), stands, is(func(s topup.Sale) bool { return s.OweRefund }), is(offered)},
		"refund requested, gone back":                   {then(paid, entry.KRefundRequested), facts{Returned: true}, is(closed), nil},
		"paid, perhaps written on another card (a lie)": {paid, with(entry.Attempt{Card: entry.Card{Family: "tunion", Number: "1"}, Slot: 2, Amount: 5000}, false), is(conflict), is(offered)},
		"paid, perhaps written for another sum (a lie)": {paid, with(entry.Attempt{Card: testCard, Slot: 2, Amount: 100}, false), is(conflict), is(offered)},
	} {
		t.Run(name, func(t *testing.T) {
			d := restored(t, row.kinds)
			if row.kinds == nil {
				s := replayed(t, paid).Sales[testSale]
				s.Remote = true
				d.Sales[s.ID] = s
			}
			core, state := lawCore(), topup.Replayed(d)
			row.fact.Sale = testSale
			var commands []topup.Command
			for _, e := range []topup.Event{topup.Started{}, topup.RestoreAnswered{OK: true, Facts: entry.RestoreConfirmed{Sales: []entry.HostFact{row.fact}, LastSTAN: 500}}} {
				r := core.Step(state, e)
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				state, commands = r.State, r.Commands
			}
			s := state.Durable.Sales[testSale]
			for i, f := range row.is {
				if !f(s) {
					t.Errorf("expectation %d does not hold: %+v", i, s)
				}
			}
			for i, f := range row.not {
				if f(s) {
					t.Errorf("exclusion %d does not hold: %+v", i, s)
				}
			}
			on := false
			for _, c := range commands {
				switch c := c.(type) {
				case topup.SignOn:
					on = c.STAN > 500
				case topup.Write, topup.Pay, topup.Load:
					t.Errorf("%T at once", c)
				}
			}
			if !on || state.Live.SignedOn {
				t.Error("no fresh sign-on behind the STAN that the host has seen")
			}
			if s.Attempt.Random.String() == "05050505" && s.ConfirmSTAN <= 500 {
				t.Errorf("confirmation under STAN %d", s.ConfirmSTAN)
			}
		})
	}
}

// TestTheHostAnswersAboutEverySale: an answer that leaves one out, or names
// another, is no answer.
func TestTheHostAnswersAboutEverySale(t *testing.T) {
	for _, facts := range [][]entry.HostFact{nil, {{Sale: "OTHER"}}, {{Sale: testSale}, {Sale: testSale}}, {{Sale: testSale}, {Sale: "OTHER"}}} {
		d := restored(t, paid)
		if err := d.Apply(entry.RestoreConfirmed{Sales: facts}); !errors.Is(err, topup.ErrUnlawful) {
			t.Errorf("%v: %v", facts, err)
		}
		r := lawCore().Step(topup.Replayed(d), topup.RestoreAnswered{OK: true, Facts: entry.RestoreConfirmed{Sales: facts}})
		if r.Err != nil || !r.State.Durable.Unconfirmed {
			t.Errorf("%v was taken: %v", facts, r.Err)
		}
		again := false
		for _, c := range r.Commands {
			set, ok := c.(topup.SetTimer)
			again = again || ok && set.Name == "restore" && set.AfterMS > 0
		}
		if !again {
			t.Errorf("%v: it is not asked again", facts)
		}
	}
}

// TestNothingOfASettledBatchIsCounted: what is heard after a restore of a payment
// in a batch that is over takes nothing out of totals that are gone, and begins no
// batch. Found by topup/sim.
func TestNothingOfASettledBatchIsCounted(t *testing.T) {
	d := settling(t, append(bodies(then(paid, entry.KOfferWithdrawn, entry.KReversalConflict)...),
		closingOne, entry.SettlementStarted{Batch: 1, STAN: 9, Totals: one}, entry.BatchSettled{Batch: 1, Code: "00"}, entry.SignedOn{Batch: 2},
		entry.EpochBegun{Epoch: oldEpoch, Kiosk: "K1"}, entry.Restored{Epoch: newEpoch, Was: oldEpoch, LastSeq: 9, Why: "test", Lost: true},
		entry.RestoreConfirmed{Sales: []entry.HostFact{{Sale: testSale, Returned: true}}})...)
	if s := d.Sales[testSale]; s.Paid != 0 {
		t.Errorf("%+v", s)
	}
	for _, b := range d.Unsettled() {
		if b.Number == 1 || b.Totals != (entry.Totals{}) {
			t.Errorf("%+v", b)
		}
	}
}

// TestSTANsAreARing: a host that has seen a STAN which this journal forgot is
// believed, over the end of the numbers too; one that is behind is not.
func TestSTANsAreARing(t *testing.T) {
	for name, row := range map[string]struct{ now, last, want uint32 }{
		"nothing seen":                   {77, 0, 77},
		"nothing counted":                {0, 500, 500},
		"ahead":                          {77, 500, 500},
		"behind":                         {500, 77, 500},
		"the same":                       {500, 500, 500},
		"the kiosk is over the end":      {1_000_019, 999_999, 1_000_019},
		"the host is over the end":       {999_990, 5, 1_000_004},
		"both are":                       {1_000_019, 40, 1_000_039},
		"both are, and the kiosk's more": {1_000_019, 20, 1_000_019},
	} {
		state := topup.Replayed(replayed(t, nil))
		state.Live.STAN, state.Durable.STANUntil = row.now, row.now+64
		r := lawCore().Step(state, topup.SignedOn{Batch: 1, LastSTAN: row.last})
		if r.Err != nil || r.State.Live.STAN != row.want || r.State.Durable.STANUntil < row.want {
			t.Errorf("%s: %v, STAN %d of %d", name, r.Err, r.State.Live.STAN, r.State.Durable.STANUntil)
		}
	}
}

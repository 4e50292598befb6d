package sim

import (
	"encoding/binary"
	"fmt"

	"buka/internal/entry"
	"buka/topup"
)

// answer lets an answer of a card dialogue come, unless it is late.
func (w *World) answer(e topup.Event, how Fault) {
	if how == fAnswerLate {
		w.late = append(w.late, e)
		return
	}
	w.feed(e)
}

// onCard is the worker at one reader.
func (w *World) onCard(i int, cmd topup.Command, how Fault) {
	if c, ok := cmd.(topup.Write); ok {
		w.onWrite(i, c, how)
		return
	}
	p := &w.place[i]
	session, sale, want := addressed(cmd)
	failed := topup.CardFailed{Place: nameOf(i), Session: session, Sale: sale, Reason: "card-gone"}
	p.held = nil
	if p.card < 0 || p.session != session {
		w.feed(failed)
		return
	}
	if w.opt.Purse != nil {
		w.really(i, cmd, how)
		return
	}
	c := &w.cards[p.card]
	switch {
	case how == fCardGone:
		w.feed(failed)
		w.remove(i)
		return
	case want.Number != "" && want != c.id:
		failed.Reason = "other-card"
		w.feed(failed)
		return
	}
	_, proves := cmd.(topup.Prove)
	_, reads := cmd.(topup.ReadCard)
	_, asks := cmd.(topup.ProbeSlot)
	if c.dead && !proves && !reads || c.full && !proves && !reads && !asks {
		failed.Reason = "at-limit"
		w.feed(failed)
		return
	}
	e := w.dialogue(p, c, cmd, how)
	if how == fCardLost {
		p.held = nil
		w.feed(failed)
		w.remove(i)
		return
	}
	w.answer(e, how)
}

func addressed(cmd topup.Command) (session uint64, sale entry.SaleID, card entry.Card) {
	switch c := cmd.(type) {
	case topup.ReadCard:
		return c.Session, "", card
	case topup.ProbeCard:
		return c.Session, c.Sale, c.Card
	case topup.Load:
		return c.Session, c.Sale, c.Card
	case topup.Prove:
		return c.Session, c.Sale, c.Card
	case topup.ProbeSlot:
		return c.Session, c.Sale, c.Attempt.Card
	}
	return 0, "", card
}

// dialogue is what card and authority do, and the event that tells of it.
func (w *World) dialogue(p *place, c *card, cmd topup.Command, how Fault) topup.Event {
	w.random++
	heard := w.authorityUp() && how != fRequestLost
	w.spoil(p.card, &w.kiosk)
	switch cmd := cmd.(type) {
	case topup.ReadCard:
		n := c.counter - 1
		obs := entry.Observation{Balance: c.balance, Log: c.log}
		proof, none := c.prove(n+1, n)
		if obs.NoProof = none; proof != nil {
			obs.Proofs = []entry.Proof{*proof}
		}
		return w.cardRead(cmd, c.id, obs)
	case topup.ProbeCard:
		a := c.initialise(entry.Attempt{Amount: cmd.Amount, Terminal: terminals[w.index], STAN: cmd.STAN}, w.random)
		w.overheard(c, a)
		return topup.Probed{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Attempt: a, Answered: heard, Code: "00"}
	case topup.Prove:
		proof, none := c.prove(cmd.Numbers...)
		return topup.Proved{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Proof: proof, NoProof: none}
	case topup.ProbeSlot:
		return w.probeSlot(c, cmd, how, heard)
	case topup.Load:
		return w.load(p, c, cmd, how, heard)
	}
	return nil
}

func (w *World) cardRead(cmd topup.ReadCard, card entry.Card, seen entry.Observation) topup.CardRead {
	w.nextID++
	facts := topup.CardFacts{Card: card, Observed: seen, Balance: seen.Balance}
	if w.ill[illClock] {
		facts.Refused = "card-expired"
	}
	return topup.CardRead{Place: cmd.Place, Session: cmd.Session, ID: entry.SaleID(fmt.Sprintf("SALE%012d", w.nextID)), Card: facts}
}

func (w *World) probeSlot(c *card, cmd topup.ProbeSlot, how Fault, heard bool) topup.Event {
	a := c.initialise(entry.Attempt{Amount: 1, Terminal: theirs}, w.random)
	n := entry.Counter{Value: a.Slot}
	switch {
	case how == fReplay:
		n = entry.Counter{Value: cmd.Attempt.Slot, MAC1: entry.Verified}
	case how == fRelay && heard: // for another terminal id than the one asked with
		n = entry.Counter{Value: cmd.Attempt.Slot, MAC1: entry.Rejected, Ledger: w.host.ledgerSays(cmd.Attempt)}
	case heard:
		n.MAC1, n.Fresh, n.Ledger = entry.Verified, true, w.host.ledgerSays(cmd.Attempt)
	default:
		// What nobody has verified may be anything, the worst included.
		n.Value, n.Fresh = cmd.Attempt.Slot, true
	}
	return topup.CounterJudged{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Counter: n}
}

// load is INITIALIZE, the comparison with the slot, and the authorisation.
func (w *World) load(p *place, c *card, cmd topup.Load, how Fault, heard bool) topup.Event {
	a := entry.Attempt{Amount: cmd.Amount, Terminal: terminals[w.index], STAN: cmd.STAN}
	stale := how == fStaleInit && c.heard != nil && c.heard.Amount == cmd.Amount && string(c.heard.Terminal) == string(a.Terminal)
	if stale {
		a = *c.heard
		a.STAN = cmd.STAN
	} else {
		a = c.initialise(a, w.random)
		w.overheard(c, a)
	}
	if a.Slot != cmd.Slot {
		return topup.SlotMoved{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Got: a.Slot}
	}
	e := topup.LoadAnswered{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Attempt: a}
	if e.Outcome, e.Code = w.grant(cmd.Sale, a, how, heard); e.Outcome != entry.Done {
		return e
	}
	a.At = stamps[w.host.clock]
	e.Attempt, e.Outcome = a, entry.Done
	p.held, p.heldBy, p.stale = &a, cmd.Sale, stale
	return e
}

// grant is the authority's answer about a load, as the kiosk hears it.
func (w *World) grant(sale entry.SaleID, a entry.Attempt, how Fault, heard bool) (entry.Outcome, string) {
	switch {
	case !w.up:
		return entry.NotDone, "not-sent"
	case w.ill[illAuthority]:
		return entry.NotDone, unreachable
	case !heard:
		return entry.Unknown, ""
	case how == fHostFails:
		return entry.NotDone, "96"
	case how == fDeclined:
		return entry.NotDone, "62"
	}
	a.At = stamps[w.host.clock]
	w.takes("load", w.disk.Batch, a.STAN, string(sale)+string(a.Random))
	if w.disk.Batch != w.host.terminals[w.index].batch && w.opt.Fleet {
		return entry.NotDone, "77"
	}
	code := w.host.authorise(w.index, sale, a)
	switch {
	case code != "00":
		return entry.NotDone, code
	case how == fAnswerLost:
		return entry.Unknown, ""
	}
	return entry.Done, code
}

// overheard: a relay records what the card says.
func (w *World) overheard(c *card, a entry.Attempt) {
	if w.opt.Wide {
		c.heard = &a
	}
}

// onWrite is the one command that changes a purse.
func (w *World) onWrite(i int, cmd topup.Write, how Fault) {
	s := w.sale(cmd.Sale)
	if s.Write != topup.WriteStarted || s.Pay != topup.PayApproved {
		w.fail(violation("a write of sale %s goes out, and the journal says payment %d, write %d", cmd.Sale, s.Pay, s.Write))
		return
	}
	p := &w.place[i]
	e := topup.Wrote{Place: cmd.Place, Sale: cmd.Sale}
	if p.held == nil || !cmd.Announces(p.heldBy, *p.held) || p.card < 0 {
		e.Outcome = entry.NotDone // never sent
		w.feed(e)
		return
	}
	a := *p.held
	p.held = nil
	if string(s.Attempt.Random) != string(a.Random) {
		w.fail(violation("1: a write of sale %s goes out, and the journal announced another attempt", cmd.Sale))
		return
	}
	if p.write != nil {
		w.reallyWrite(i, e, how)
		return
	}
	if p.stale && how != fTornBefore {
		how = fSW6901 // the card itself was never initialised
	}
	sw := statusOf[how]
	if how == fReinit {
		w.random++
		w.cards[p.card].initialise(entry.Attempt{Amount: 1, Terminal: theirs}, w.random)
	}
	switch how {
	case fNone, fTornAfter, fSW6C:
		w.loaded(cmd.Sale, a)
		w.cards[p.card].write(a)
	}
	if sw != 0 {
		e.SW, e.Outcome = sw, w.opt.Outcome(sw)
	}
	if how == fNone {
		e.TAC = tac(a)
	}
	w.feed(e)
	if sw == 0 {
		w.remove(i)
	}
}

// reallyWrite is the write by the family's real code.
func (w *World) reallyWrite(i int, e topup.Wrote, how Fault) {
	p := &w.place[i]
	write := p.write
	p.write, p.chip.how, p.chip.left = nil, how, 0
	e.Outcome, e.SW, e.TAC = write()
	w.feed(e)
	if p.chip.broken {
		w.remove(i)
	}
}

// fSW6901 is what a card without INITIALIZE says to the write; no fault of its
// own.
const fSW6901 = faultCount

var statusOf = map[Fault]uint16{fNone: 0x9000, fSW6C: 0x6C04, fSW6F: 0x6F00, fSW6985: 0x6985, fSW9302: 0x9302, fReinit: 0x9302, fSW6901: 0x6901}

// elsewhere is the card in somebody else's hands.
func (w *World) elsewhere(i int, f Fault) {
	c := &w.cards[i]
	switch f {
	case fLoadElsewhere:
		w.random++
		a := entry.Attempt{Card: c.id, Slot: c.counter, OldBalance: c.balance, Amount: 1000, Terminal: theirs, At: stamps[w.host.clock],
			Random: binary.BigEndian.AppendUint32(nil, w.random)}
		w.host.ledger = append(w.host.ledger, row{-1, a.Card, a.Slot, string(a.Random), "elsewhere", true, false, true, nil})
		c.write(a)
	case fRide:
		c.balance -= 200
		c.full = false
		c.proof = nil // a purchase may overwrite it
	case fLogLost:
		c.log = nil
	case fCardDies:
		c.dead = true
	case fCardFull:
		c.full = true
	case fCardNever:
		c.never = true
	}
	if f != fRide {
		w.spoil(i, nil)
	}
}

// spoil says that evidence on a card may be gone, for all kiosks but one.
func (w *World) spoil(card int, but *kiosk) {
	for j := range w.truth {
		t := &w.truth[j]
		if t.card != card {
			continue
		}
		if _, open := w.disk.Sales[t.id]; but == nil || t.home != but.index || !open {
			t.spoiled = true
		}
	}
}

// onTender is the bank card, its reader and the PIN pad.
func (w *World) onTender(cmd topup.Command, how Fault) {
	switch c := cmd.(type) {
	case topup.TakeTender:
		if how == fTenderFails {
			w.feed(topup.TenderFailed{Sale: c.Sale, Reason: "pin-cancelled"})
			return
		}
		w.feed(topup.TenderSeen{Sale: c.Sale, PAN: "622588******0001"})
		w.feed(topup.TenderReady{Sale: c.Sale})
	case topup.RetryPIN:
		w.feed(topup.TenderReady{Sale: c.Sale})
	}
}

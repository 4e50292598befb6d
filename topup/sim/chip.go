package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"

	"buka/internal/entry"
	"buka/internal/money"
	"buka/internal/pboc"
	"buka/topup"
)

// Chip is one conversation with a model card.
type Chip interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// Purse is a family's real code for a card, as the card worker of a kiosk runs
// it. Its errors before the write mean that nothing was written.
type Purse interface {
	Read(Chip) (entry.Card, entry.Observation, error)
	Prove(Chip, entry.Card, []entry.Slot) (*entry.Proof, []entry.Slot, error)
	// Challenge is INITIALIZE for our terminal, Probe for a random one.
	Challenge(Chip, Request) (entry.Attempt, error)
	Probe(Chip, entry.Card) (entry.Attempt, error)
	Load(Chip, Request, Authorise) Loaded
	// Reason turns an error into the message key of CardFailed.
	Reason(error) string
}

// Request is what a load begins with.
type Request struct {
	Card     entry.Card
	Slot     entry.Slot
	Amount   money.Fen
	Terminal entry.Hex
	STAN     uint32
}

// Authorise gives date, time and MAC2 for an attempt, or fails.
type Authorise func(entry.Attempt) (entry.Stamp, entry.Hex, error)

// Loaded is a load up to, not including, its write. One of Write, Moved,
// Denied and Err is set.
type Loaded struct {
	Attempt entry.Attempt
	Write   func() (entry.Outcome, uint16, entry.Hex)
	Moved   *entry.Slot // what the counter is instead
	Denied  bool        // the authority did not grant it
	Err     error
}

// errTorn is a card that left in the middle of a command.
var errTorn = errors.New("the card has left")

var errNoGrant = errors.New("not authorised")

// chip is the card's side of one conversation.
type chip struct {
	w       *World
	c       *card
	p       *place
	how     Fault
	left    int // commands until a card that leaves has left
	broken  bool
	sale    entry.SaleID
	credits int // CREDIT FOR LOAD that came
}

func (h *chip) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	if h.broken || len(cmd) < 4 {
		return nil, errTorn
	}
	leaves := h.how == fCardGone || h.how == fCardLost
	if h.left--; leaves && h.left < 0 && h.how == fCardGone {
		h.broken = true
		return nil, errTorn
	}
	var data []byte
	if len(cmd) > 5 {
		data = cmd[5:min(5+int(cmd[4]), len(cmd))]
	}
	answer, err := h.answer(cmd[1], cmd[2:4], data)
	if leaves && h.left < 0 {
		err = errTorn
	}
	if err != nil {
		h.broken = true
		return nil, err
	}
	return answer, nil
}

func status(sw uint16) []byte { return binary.BigEndian.AppendUint16(nil, sw) }

func fine(data []byte) []byte { return append(data[:len(data):len(data)], 0x90, 0x00) }

// tunionAID is the name of the purse application on these cards.
var tunionAID = string([]byte{0xA0, 0, 0, 0x06, 0x32, 0x01, 0x01, 0x05})

// answer is what a card says (JR/T 0025 and reference/pboc-purse.md §1).
func (h *chip) answer(ins byte, p []byte, data []byte) ([]byte, error) {
	switch ins {
	case 0xA4:
		if h.p.init = nil; string(data) != tunionAID {
			return status(0x6A82), nil
		}
		return fine(h.c.fci()), nil
	case 0x5C:
		if p[0] != 0 {
			return status(0x6A86), nil
		}
		return fine(binary.BigEndian.AppendUint32(nil, uint32(h.c.balance))), nil
	case 0xB2:
		if n := int(p[0]); n < 1 || n > len(h.c.log) || h.c.short && n > 1 {
			return status(0x6A83), nil
		}
		return fine(recordBytes(h.c.log[p[0]-1])), nil
	case 0x5A:
		return h.prove(data), nil
	case 0x50:
		return h.initialise(data), nil
	case 0x52:
		return h.credit(data)
	case 0xC0:
		return fine(h.p.tac), nil
	}
	return status(0x6D00), nil
}

// fci is the answer to SELECT: tag 9F0C holds EF15.
func (c *card) fci() []byte {
	if c.info == nil {
		asn, err := pboc.ParseASN(c.id.Number)
		if err != nil {
			panic(err) // a number of ours
		}
		ef15 := pboc.Info{Issuer: [8]byte{1, 0, 0x10}, Type: pboc.PurseOnly, ASN: asn, Start: pboc.Date{0x20, 0x20, 1, 1}, Expiry: pboc.Date{0x20, 0x99, 1, 1}}.Bytes()
		inner := append([]byte{0x9F, 0x0C, byte(len(ef15))}, ef15...)
		inner = append([]byte{0xA5, byte(len(inner))}, inner...)
		c.info = append([]byte{0x6F, byte(len(inner))}, inner...)
	}
	return c.info
}

func recordBytes(r entry.LogRecord) []byte {
	date, clock := bcdOf(r.At)
	return pboc.LogRecord{Number: uint16(r.Number), Amount: uint32(r.Amount), Type: pboc.Type(r.Type),
		Terminal: pboc.Terminal(r.Terminal), Date: date, Time: clock}.Bytes()
}

func bcdOf(at entry.Stamp) (d pboc.Date, c pboc.TimeOfDay) {
	b, err := pboc.EncodeBCD(string(at))
	if err != nil || len(b) != 7 {
		panic(fmt.Sprintf("stamp %q: %v", at, err)) // one of ours
	}
	return pboc.Date(b[:4]), pboc.TimeOfDay(b[4:])
}

// prove answers with MAC2 and TAC, and on some cards only once.
func (h *chip) prove(data []byte) []byte {
	if len(data) != 2 {
		return status(0x6700)
	}
	proof, _ := h.c.prove(entry.Slot(binary.BigEndian.Uint16(data)))
	if proof == nil {
		return status(0x9406)
	}
	if h.c.once {
		h.c.proof = nil
		if h.how == fCardLost && h.left < 0 { // and that was it
			h.w.spoil(h.p.card, nil)
		}
	}
	return fine(append(make([]byte, 4, 8), proof.TAC...))
}

// initialise: key index, amount, terminal → balance, counter, key version,
// algorithm, random, MAC1.
func (h *chip) initialise(data []byte) []byte {
	if len(data) != 11 {
		return status(0x6700)
	}
	amount := money.Fen(binary.BigEndian.Uint32(data[1:]))
	if h.c.dead || h.c.full && amount > 0 {
		return status(0x6985)
	}
	a := entry.Attempt{Amount: amount, Terminal: append(entry.Hex(nil), data[5:]...)}
	if (h.how == fStaleInit || h.how == fRelay) && h.c.heard != nil {
		a = *h.c.heard // a relay answers; the card itself knows nothing
	} else {
		h.w.random++
		a = h.c.initialise(a, h.w.random)
		a.MAC1 = mac1(a)
		h.p.init, h.c.heard = &a, &a
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(a.OldBalance))
	b = binary.BigEndian.AppendUint16(b, uint16(a.Slot))
	b = append(b, 1, 0)
	return fine(append(append(b, a.Random...), a.MAC1...))
}

// credit is CREDIT FOR LOAD: date, time and MAC2.
func (h *chip) credit(data []byte) ([]byte, error) {
	if h.credits++; h.credits > 1 {
		h.w.fail(violation("the write of sale %s is repeated", h.sale))
	}
	switch h.how {
	case fTornBefore:
		return nil, errTorn
	case fSW6F, fSW6985, fSW9302:
		h.p.init = nil
		return status(statusOf[h.how]), nil
	case fReinit:
		h.w.random++
		a := h.c.initialise(entry.Attempt{Amount: 1, Terminal: theirs}, h.w.random)
		h.p.init = &a
	}
	if h.p.init == nil {
		return status(0x6901), nil
	}
	a := *h.p.init
	h.p.init = nil
	digits, err := pboc.DecodeBCD(data[:min(7, len(data))])
	if a.At = entry.Stamp(digits); err != nil || len(data) != 11 || string(mac2(a)) != string(data[7:]) {
		return status(0x9302), nil
	}
	if h.w.loaded(h.sale, a); h.c.id != a.Card {
		h.w.fail(violation("6: another card is written"))
	}
	h.c.write(a)
	switch {
	case h.how == fTornAfter:
		return nil, errTorn
	case h.how == fSW6C:
		return status(0x6C04), nil
	case h.c.chains:
		h.p.tac = tac4(a)
		return status(0x6104), nil
	}
	return fine(tac4(a)), nil
}

// loaded keeps account of a write that was done.
func (w *World) loaded(sale entry.SaleID, a entry.Attempt) {
	t := w.truthOf(sale)
	if t.loads++; t.loads > 1 {
		w.fail(violation("2: sale %s is written twice", sale))
	}
	t.loaded = string(a.Random)
	w.struck.Written++
}

// The MACs of these cards stand for the real ones: equal only for equal loads.
func mac1(a entry.Attempt) entry.Hex {
	h := fnv.New32a()
	fmt.Fprintf(h, "1 %s %d %d %d %x %x", a.Card.Number, a.Slot, a.OldBalance, a.Amount, []byte(a.Terminal), []byte(a.Random))
	return h.Sum(nil)
}

func mac2(a entry.Attempt) entry.Hex {
	h := fnv.New32a()
	fmt.Fprintf(h, "2 %s %d %d %x %x %s", a.Card.Number, a.Slot, a.Amount, []byte(a.Terminal), []byte(a.Random), a.At)
	return h.Sum(nil)
}

func tac4(a entry.Attempt) entry.Hex {
	h := fnv.New32a()
	h.Write(tac(a))
	return h.Sum(nil)
}

// sameTAC says whether a TAC is of an attempt.
func sameTAC(t entry.Hex, a entry.Attempt) bool {
	return string(t) == string(tac(a)) || len(t) == 4 && string(t) == string(tac4(a))
}

// really runs a command by the family's real code.
func (w *World) really(i int, cmd topup.Command, how Fault) {
	p := &w.place[i]
	session, sale, want := addressed(cmd)
	w.random++
	h := &chip{w: w, c: &w.cards[p.card], p: p, how: how, sale: sale, left: int(w.random*2654435761>>16) % 16}
	w.spoil(p.card, &w.kiosk)
	e, err := w.perform(h, cmd, want)
	switch {
	case err == nil && how != fCardGone && how != fCardLost:
		w.answer(e, how)
		return
	case err == nil || h.broken:
		p.held = nil
		w.feed(topup.CardFailed{Place: nameOf(i), Session: session, Sale: sale, Reason: "card-gone"})
		w.remove(i)
	default:
		w.feed(topup.CardFailed{Place: nameOf(i), Session: session, Sale: sale, Reason: w.opt.Purse.Reason(err)})
	}
}

func (w *World) perform(h *chip, cmd topup.Command, want entry.Card) (topup.Event, error) {
	heard := w.authorityUp() && h.how != fRequestLost
	q := Request{Card: want, Terminal: terminals[w.index]}
	switch cmd := cmd.(type) {
	case topup.ReadCard:
		card, seen, err := w.opt.Purse.Read(h)
		return w.cardRead(cmd, card, seen), err
	case topup.ProbeCard:
		q.Amount, q.STAN = cmd.Amount, cmd.STAN
		a, err := w.opt.Purse.Challenge(h, q)
		e := topup.Probed{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Attempt: a, Answered: heard}
		if heard && err == nil {
			e.Code = w.host.eligible(w.index, cmd.Sale, a)
		}
		return e, err
	case topup.Prove:
		proof, none, err := w.opt.Purse.Prove(h, want, cmd.Numbers)
		return topup.Proved{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Proof: proof, NoProof: none}, err
	case topup.ProbeSlot:
		a, err := w.opt.Purse.Probe(h, want)
		n := entry.Counter{Value: a.Slot}
		switch {
		case h.how == fReplay: // the same terminal id, drawn again
			n = entry.Counter{Value: cmd.Attempt.Slot, MAC1: entry.Verified}
		case heard && err == nil:
			n = w.host.counter(cmd.Attempt, a)
		}
		return topup.CounterJudged{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Counter: n}, err
	case topup.Load:
		q.Amount, q.STAN, q.Slot = cmd.Amount, cmd.STAN, cmd.Slot
		return w.realLoad(h, cmd, q, heard)
	}
	return nil, errTorn
}

// realLoad is INITIALIZE, the comparison with the slot and the authorisation.
func (w *World) realLoad(h *chip, cmd topup.Load, q Request, heard bool) (topup.Event, error) {
	e := topup.LoadAnswered{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale}
	l := w.opt.Purse.Load(h, q, func(a entry.Attempt) (entry.Stamp, entry.Hex, error) {
		if e.Outcome, e.Code = w.grant(cmd.Sale, a, h.how, heard); e.Outcome != entry.Done {
			return "", nil, errNoGrant
		}
		a.At = stamps[w.host.clock]
		return a.At, mac2(a), nil
	})
	switch {
	case l.Moved != nil:
		return topup.SlotMoved{Place: cmd.Place, Session: cmd.Session, Sale: cmd.Sale, Got: *l.Moved}, nil
	case l.Err != nil:
		return nil, l.Err
	}
	e.Attempt = l.Attempt
	if !l.Denied {
		h.p.held, h.p.heldBy, h.p.write, h.p.chip = &l.Attempt, cmd.Sale, l.Write, h
	}
	return e, nil
}

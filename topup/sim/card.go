package sim

import (
	"encoding/binary"
	"fmt"
	"slices"

	"buka/internal/entry"
	"buka/internal/money"
)

// card is a model card: its EEPROM and its ways.
type card struct {
	id      entry.Card
	balance money.Fen
	counter entry.Slot
	log     []entry.LogRecord // never changed in place
	proof   *entry.Proof      // of the last load; never changed in place
	wipes   bool              // INITIALIZE wipes the proof
	next    bool              // PROVE answers to N+1, else to N
	logNext bool              // the log has N+1, else N
	dead    bool              // blocked or at its limit: INITIALIZE is refused
	full    bool              // at its limit: INITIALIZE for an amount is refused
	never   bool              // it never comes back
	short   bool              // only the newest record can be read, until it is put on a reader again
	once    bool              // PROVE answers once only
	chains  bool              // the TAC is fetched by GET RESPONSE
	info    []byte            // EF15 in the answer to SELECT
	heard   *entry.Attempt    // the last INITIALIZE, as a relay recorded it; never changed in place
}

// newCard makes a card whose last load looks much like the next one: the same
// amount, terminal, date and time, for a clock that stands still in 1970.
func newCard(i int, variety uint64, real bool) card {
	c := card{id: entry.Card{Family: family, Number: fmt.Sprintf("310517001017090%04d", i)}, counter: 1,
		wipes: variety&1 != 0, next: variety&2 == 0, logNext: variety&4 != 0}
	if real {
		c.once, c.chains = variety&8 != 0, variety&16 != 0
	}
	first := entry.Attempt{Card: c.id, Slot: 1, OldBalance: 0, Amount: 1000, Terminal: terminals[0], At: stamp}
	if real {
		first.MAC1 = mac1(first)
		c.write(first)
		first.Slot, first.OldBalance = 2, 1000
		first.MAC1 = mac1(first)
	}
	c.write(first)
	return c
}

var (
	terminals = [...]entry.Hex{{0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 3}} // of the kiosks
	theirs    = entry.Hex{0, 0, 0, 0, 0, 2}
)

const stamp entry.Stamp = "19700101080000"

// stamps are where the authority's clock jumps to.
var stamps = [...]entry.Stamp{stamp, "20260115093015", "20990101000000", "20260115093015"}

const tacLen = 17 // new balance 4, slot 2, amount 4, terminal 6, card 1; the rest is the time

// tac stands for the card's MAC over a load: equal only for equal loads.
func tac(a entry.Attempt) entry.Hex {
	b := make([]byte, 0, 40)
	b = binary.BigEndian.AppendUint32(b, uint32(a.NewBalance()))
	b = binary.BigEndian.AppendUint16(b, uint16(a.Slot))
	b = binary.BigEndian.AppendUint32(b, uint32(a.Amount))
	b = append(b, a.Terminal...)
	return append(append(b, a.Card.Number[len(a.Card.Number)-1]), a.At...)
}

// write is CREDIT FOR LOAD inside the card: all or nothing.
func (c *card) write(a entry.Attempt) {
	n := a.Slot
	p := entry.Proof{Asked: n, TAC: tac(a)}
	if a.MAC1 != nil {
		p.TAC = tac4(a)
	}
	if c.next {
		p.Asked++
	}
	r := entry.LogRecord{Number: n, Type: 2, Amount: a.Amount, Terminal: a.Terminal, At: a.At}
	if c.logNext {
		r.Number++
	}
	log := append(make([]entry.LogRecord, 0, len(c.log)+1), r)
	c.log = append(log, c.log[:min(len(c.log), 3)]...)
	c.balance, c.counter, c.proof = c.balance+a.Amount, n+1, &p
}

// initialise is INITIALIZE FOR LOAD.
func (c *card) initialise(a entry.Attempt, random uint32) entry.Attempt {
	a.Card, a.Slot, a.OldBalance = c.id, c.counter, c.balance
	a.Random = binary.BigEndian.AppendUint32(nil, random)
	if c.wipes {
		c.proof = nil
	}
	return a
}

func (c *card) prove(numbers ...entry.Slot) (*entry.Proof, []entry.Slot) {
	for i, n := range numbers {
		if c.proof != nil && c.proof.Asked == n {
			return c.proof, slices.Clone(numbers[:i])
		}
	}
	return nil, slices.Clone(numbers)
}

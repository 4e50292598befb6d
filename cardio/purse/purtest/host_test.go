package purtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"buka/cardio/purse"
	"buka/cardio/purse/purtest"
	"buka/cardio/virtual"
	"buka/internal/entry"
	codec "buka/internal/pboc"
)

const number = "3105170010170907984"

// hsm is the load authority: the issuer's masters, a memory of what it saw, and
// the slot ledger. Its clock stands still, as one that starts at 1970 each time.
type hsm struct {
	seen   map[string]bool
	ledger map[string][]string // by card and slot: the randoms that were authorised
	sole   bool                // it believes that no other authority loads its cards
}

func newHSM() *hsm {
	return &hsm{seen: map[string]bool{}, ledger: map[string][]string{}, sole: true}
}

func slotOf(a entry.Attempt) string { return fmt.Sprint(a.Card.Number, "/", a.Slot) }

func keys(c entry.Card) (load, tac codec.Key, err error) {
	if k, ok := derived.Load(c.Number); ok {
		pair := k.([2]codec.Key)
		return pair[0], pair[1], nil
	}
	asn, err := codec.ParseASN(c.Number)
	if err != nil {
		return load, tac, err
	}
	lm, _, tm := virtual.DefaultKeys()
	load, tac = lm.Diversify(asn.X()), tm.Diversify(asn.X())
	derived.Store(c.Number, [2]codec.Key{load, tac})
	return load, tac, nil
}

// derived spares most of the suite's time.
var derived sync.Map

func loadOf(a entry.Attempt) codec.Load {
	l := codec.Load{
		Type: codec.PurseLoad, OldBalance: uint32(a.OldBalance), Counter: uint16(a.Slot),
		Random: codec.Random(a.Random), Amount: uint32(a.Amount), Terminal: codec.Terminal(a.Terminal),
	}
	if b, err := codec.EncodeBCD(string(a.At)); err == nil && len(b) == 7 {
		l.Date, l.Time = codec.Date(b[:4]), codec.TimeOfDay(b[4:])
	}
	return l
}

func (h *hsm) mac1(a entry.Attempt) bool {
	key, _, err := keys(a.Card)
	return err == nil && loadOf(a).MAC1(key).Equal(codec.MAC(a.MAC1))
}

func (h *hsm) Authorise(_ context.Context, a entry.Attempt) (purse.Grant, error) {
	if !h.mac1(a) {
		return purse.Grant{}, errors.New("MAC1 is wrong")
	}
	if slices.Contains(h.ledger[slotOf(a)], a.Random.String()) {
		return purse.Grant{}, errors.New("this INITIALIZE was used before")
	}
	h.ledger[slotOf(a)] = append(h.ledger[slotOf(a)], a.Random.String())
	a.At = "20260115093015"
	key, _, err := keys(a.Card)
	mac2 := loadOf(a).MAC2(key)
	return purse.Grant{At: a.At, MAC2: entry.Hex(mac2[:])}, err
}

func (h *hsm) JudgeTAC(a entry.Attempt, p entry.Proof) entry.Opinion {
	_, key, err := keys(a.Card)
	if err == nil && len(p.TAC) == 4 && loadOf(a).TAC(key).Equal(codec.MAC(p.TAC)) {
		return entry.Verified
	}
	return entry.Rejected
}

func (h *hsm) JudgeCounter(a, probe entry.Attempt) entry.Counter {
	c := entry.Counter{Value: probe.Slot, MAC1: entry.Rejected}
	if h.mac1(probe) {
		c.MAC1 = entry.Verified
	}
	id := probe.Card.Number + probe.Random.String()
	c.Fresh = !h.seen[id]
	h.seen[id] = true
	switch given := h.ledger[slotOf(a)]; {
	case len(given) > 1 || len(given) == 1 && given[0] != a.Random.String():
		c.Ledger = entry.LedgerOthers
	case len(given) == 1 && h.sole:
		c.Ledger = entry.LedgerOnly
	}
	return c
}

func (h *hsm) copy() *hsm {
	ledger := map[string][]string{}
	for slot, randoms := range h.ledger {
		ledger[slot] = slices.Clone(randoms)
	}
	return &hsm{seen: maps.Clone(h.seen), ledger: ledger, sole: h.sole}
}

// inMemory is a virtual card without a reader, and what it was made of.
type inMemory struct {
	*virtual.Purse
	options virtual.PurseOptions
	store   *virtual.MemoryStore
}

// copy is a second card with the same memory.
func (c inMemory) copy(t testing.TB) inMemory {
	name := "purse-" + c.Number()
	b, err := c.store.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	store := virtual.NewMemoryStore()
	if err := store.Save(name, b); err != nil {
		t.Fatal(err)
	}
	return cardIn(t, c.options, store)
}

func cardIn(t testing.TB, o virtual.PurseOptions, store *virtual.MemoryStore) inMemory {
	t.Helper()
	p, err := virtual.NewPurse(o, store)
	if err != nil {
		t.Fatal(err)
	}
	return inMemory{p, o, store}
}

func (c inMemory) Present() purse.Channel {
	c.Reset()
	return wire{c.Purse}
}

// wire is a direct line to a card program.
type wire struct{ card virtual.Program }

func (w wire) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	if r := w.card.Process(cmd); r != nil {
		return r, nil
	}
	return nil, errors.New("the card is dark")
}

func newCard(t testing.TB, o virtual.PurseOptions) inMemory {
	t.Helper()
	if o.Number == "" {
		o.Number = number
	}
	load, purchase, tac := virtual.DefaultKeys()
	asn, err := codec.ParseASN(o.Number)
	if err != nil {
		t.Fatal(err)
	}
	x := asn.X()
	o.LoadKey, o.PurchaseKey, o.TACKey = load.Diversify(x), purchase.Diversify(x), tac.Diversify(x)
	return cardIn(t, o, virtual.NewMemoryStore())
}

// used is a card that holds 78.50, 50.00 of it from a load at the same terminal
// and in the same second as those of the suite: what it shows of that load is
// not to be taken for what it shows of the next.
func used(t testing.TB, o virtual.PurseOptions, family purse.Family) inMemory {
	t.Helper()
	o.Balance, o.Counter = 2850, 2
	card := newCard(t, o)
	ctx := context.Background()
	p, err := purse.Open(ctx, card.Present(), family)
	if err != nil {
		t.Fatal(err)
	}
	terminal := entry.Hex{0x11, 0x22, 0x33, 0x44, 0x55, 0x66}
	prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: 5000, Terminal: terminal}, newHSM())
	if err != nil {
		t.Fatal(err)
	}
	if w := prepared.Write(ctx); w.Outcome != entry.Done {
		t.Fatal(w)
	}
	return card
}

// virtualOf is the card program behind a card under test.
func virtualOf(c purtest.Card) *virtual.Purse {
	return c.(interface{ program() *virtual.Purse }).program()
}

func (c inMemory) program() *virtual.Purse { return c.Purse }

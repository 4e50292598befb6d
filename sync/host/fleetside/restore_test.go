package fleetside

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"buka/internal/entry"
	"buka/sync/fleetlink"
	"buka/sync/fleetlink/fleetmsg"
)

// books is a ledger that notes what it is told.
type books struct {
	mu      sync.Mutex
	handed  map[entry.SaleID]bool // past?
	known   map[entry.SaleID]Known
	ask     []entry.SaleID
	version uint64
	open    []fleetmsg.Rewrite
}

func (b *books) HandedOver(_ context.Context, _ *sql.Tx, _ string, h entry.HandedOver, past bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handed[h.Sale] = past
	return nil
}

func (b *books) past(id entry.SaleID) (past, told bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	past, told = b.handed[id]
	return past, told
}

func (b *books) Restored(_ context.Context, _ *sql.Tx, q fleetmsg.RestoreQuery, known func(entry.SaleID) (Known, error)) (entry.RestoreConfirmed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := entry.RestoreConfirmed{LastSTAN: 77}
	for _, id := range b.ask {
		k, err := known(id)
		if err != nil {
			return a, err
		}
		b.known[id] = k
	}
	for _, id := range q.Open {
		a.Sales = append(a.Sales, entry.HostFact{Sale: id, Paid: 5000})
	}
	return a, nil
}

func (b *books) Version(context.Context) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version, nil
}

func (b *books) Open(context.Context) (uint64, []fleetmsg.Rewrite, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version, b.open, nil
}

func newBooks() *books {
	return &books{handed: map[entry.SaleID]bool{}, known: map[entry.SaleID]Known{}, version: 1}
}

// TestARestoredJournalIsConfirmed goes over the real link: the host answers only
// when it has the whole journal of the new epoch, knows what the old one knew,
// and tells what is from before the restore.
func TestARestoredJournalIsConfirmed(t *testing.T) {
	b := newBooks()
	s := startSide(t, func(c *Config) { c.Ledger = b })
	const old, fresh = "0123456789abcdef", "fedcba9876543210"
	j := &memJournal{}
	j.append(t, begun("K1", entry.Hex(old)))
	j.append(t, wholeSale(1)...)
	j.append(t, paidSale(2)...)
	j.append(t, entry.HandedOver{Of: entry.Of{Sale: saleID(2)}, To: "host"}, entry.SaleClosed{Of: entry.Of{Sale: saleID(2)}})
	j.append(t, paidSale(3)...)
	backup := j.cut(len(j.hashes))
	j.append(t, paidSale(4)...)
	j.append(t, entry.OfferWithdrawn{Of: entry.Of{Sale: saleID(4)}})
	j.append(t, entry.OfferWithdrawn{Of: entry.Of{Sale: saleID(3)}}, entry.ReversalAcknowledged{Of: entry.Of{Sale: saleID(3)}, Code: "00"}, entry.SaleClosed{Of: entry.Of{Sale: saleID(3)}})
	l, stop := startLink(t, s.Addr(), "K1", j, func(c *fleetlink.Config) { c.Epoch = entry.Hex(old) })
	eventually(t, "the old journal is there", shipped(l))
	stop()
	if past, ok := b.past(saleID(2)); !ok || past {
		t.Fatalf("handed over: %v, past %v", ok, past)
	}

	seq, hash := backup.tail()
	backup.append(t, entry.Restored{Epoch: entry.Hex(fresh), Was: entry.Hex(old), LastSeq: seq, LastHash: entry.Hex(hash[:]), Why: "test", Lost: true})
	b.mu.Lock()
	b.ask = []entry.SaleID{saleID(1), saleID(2), saleID(3), saleID(4), saleID(5)}
	b.mu.Unlock()
	nc := login(t, s, "K1")
	q := fleetmsg.RestoreQuery{Kiosk: "K1", Epoch: entry.Hex(fresh), Terminal: "m/t", Open: []entry.SaleID{saleID(3)}}
	q.TailSeq, q.TailHash = backup.tail()
	ask := func(q fleetmsg.RestoreQuery, want fleetmsg.Code) fleetmsg.RestoreAnswer {
		t.Helper()
		data, err := q.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m, err := nc.Request(fleetmsg.RestoreSubject("K1"), data, patience)
		if err != nil {
			t.Fatal(err)
		}
		a, err := fleetmsg.DecodeRestoreAnswer(m.Data)
		if err != nil || a.Code != want {
			t.Fatalf("%+v, %v; want %s", a, err, want)
		}
		return a
	}
	ask(q, fleetmsg.CodeRetry) // nothing of the new epoch is here
	b.mu.Lock()
	clear(b.handed)
	b.mu.Unlock()
	l, _ = startLink(t, s.Addr(), "K1", backup, func(c *fleetlink.Config) { c.Epoch = entry.Hex(fresh) })
	eventually(t, "the restored journal is there", shipped(l))
	if past, _ := b.past(saleID(2)); !past {
		t.Error("what was handed over before the restore counts as new")
	}
	other := q
	other.TailHash[0] ^= 1
	ask(other, fleetmsg.CodeRefused)
	other = q
	other.Kiosk = "K2"
	ask(other, fleetmsg.CodeRefused)
	if a := ask(q, fleetmsg.CodeOK); len(a.Facts.Sales) != 1 || a.Facts.LastSTAN != 77 {
		t.Errorf("%+v", a)
	}
	for id, want := range map[entry.SaleID]Known{
		saleID(1): {Here: true, Closed: true}, saleID(2): {Here: true}, saleID(3): {Here: true, Closed: true}, saleID(4): {Back: true}, saleID(5): {},
	} {
		b.mu.Lock()
		got := b.known[id]
		b.mu.Unlock()
		if got != want {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
	facts, err := l.ConfirmRestore(t.Context(), "m/t", []entry.SaleID{saleID(3)})
	if err != nil || len(facts.Sales) != 1 {
		t.Errorf("%+v, %v", facts, err)
	}
	backup.append(t, entry.HandedOver{Of: entry.Of{Sale: saleID(3)}, To: "host"})
	l.Poke()
	eventually(t, "the new hand-over is there", func() bool { b.mu.Lock(); defer b.mu.Unlock(); past, ok := b.handed[saleID(3)]; return ok && !past })
}

// TestTheRewritesComeDown: a kiosk hears of a new list with the next answer.
func TestTheRewritesComeDown(t *testing.T) {
	b := newBooks()
	s := startSide(t, func(c *Config) { c.Ledger = b })
	got := make(chan []fleetmsg.Rewrite, 8)
	l, _ := startLink(t, s.Addr(), "K1", filled(t, "K1", 10), func(c *fleetlink.Config) { c.OnRewrites = func(r []fleetmsg.Rewrite) { got <- r } })
	if list := <-got; len(list) != 0 {
		t.Errorf("%+v", list)
	}
	b.mu.Lock()
	b.version, b.open = 2, []fleetmsg.Rewrite{{Sale: saleID(9), Card: entry.Card{Family: "tunion", Number: "3105170010170907984"}, Amount: 2000, Origin: "remote"}}
	b.mu.Unlock()
	l.Changed()
	if list := <-got; len(list) != 1 || list[0].Sale != saleID(9) {
		t.Errorf("%+v", list)
	}
}

// TestNoLedgerNoAnswer: a host without ledgers confirms nothing.
func TestNoLedgerNoAnswer(t *testing.T) {
	s := startSide(t, nil)
	j := filled(t, "K1", 10)
	l, _ := startLink(t, s.Addr(), "K1", j, nil)
	eventually(t, "all is shipped", shipped(l))
	var refused *fleetlink.RefusedError
	if _, err := l.ConfirmRestore(t.Context(), "m/t", nil); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

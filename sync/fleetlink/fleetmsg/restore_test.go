package fleetmsg

import (
	"errors"
	"reflect"
	"testing"

	"buka/internal/entry"
)

var (
	aCard    = entry.Card{Family: "tunion", Number: "3105170010170907984"}
	aQuery   = RestoreQuery{Kiosk: "K1", Epoch: epoch, TailSeq: 9, TailHash: entry.Hash{1}, Terminal: "000000000000001/00000001", Open: []entry.SaleID{"SALE000000000001"}}
	anAnswer = RestoreAnswer{Code: CodeOK, Facts: entry.RestoreConfirmed{LastSTAN: 7, Taken: 1, Sales: []entry.HostFact{
		{Sale: "SALE000000000001", Paid: 5000, Load: &entry.Attempt{Card: aCard, Slot: 2, Amount: 5000}}}}}
	aList = RewriteList{Code: CodeOK, List: 3, Open: []Rewrite{{Sale: "SALE000000000002", Card: aCard, Amount: 2000, Origin: "lost",
		Attempt: &entry.Attempt{Card: aCard, Slot: 2, Amount: 2000}}}}
)

func TestRestoreMessagesThereAndBack(t *testing.T) {
	data, err := aQuery.Encode()
	if err != nil {
		t.Fatal(err)
	}
	q, err := DecodeRestoreQuery(data)
	if q.Version = 0; err != nil || !reflect.DeepEqual(q, aQuery) {
		t.Errorf("%+v, %v", q, err)
	}
	if data, err = anAnswer.Encode(); err != nil {
		t.Fatal(err)
	}
	a, err := DecodeRestoreAnswer(data)
	if err != nil || len(a.Facts.Sales) != 1 || a.Facts.Sales[0].Load.Slot != 2 || a.Facts.Taken != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	if data, err = aList.Encode(); err != nil {
		t.Fatal(err)
	}
	l, err := DecodeRewriteList(data)
	if err != nil || len(l.Open) != 1 || l.Open[0].Attempt.Amount != 2000 || l.List != 3 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestRestoreMessagesRefused(t *testing.T) {
	for name, change := range map[string]func(*RestoreQuery){
		"kiosk that is wild": func(q *RestoreQuery) { q.Kiosk = ">" },
		"short epoch":        func(q *RestoreQuery) { q.Epoch = q.Epoch[:3] },
		"no tail":            func(q *RestoreQuery) { q.TailSeq = 0 },
		"too many":           func(q *RestoreQuery) { q.Open = make([]entry.SaleID, MaxOpen+1) },
		"an empty sale":      func(q *RestoreQuery) { q.Open = []entry.SaleID{""} },
		"a long sale":        func(q *RestoreQuery) { q.Open = []entry.SaleID{"SALE00000000000012345"} },
	} {
		q := aQuery
		change(&q)
		data, err := q.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeRestoreQuery(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Rewrite){
		"nothing":                func(r *Rewrite) { r.Amount = 0 },
		"no sale":                func(r *Rewrite) { r.Sale = "" },
		"another card's attempt": func(r *Rewrite) { r.Card.Number = "1" },
		"another sum's attempt":  func(r *Rewrite) { r.Amount++ },
	} {
		l := aList
		l.Open = []Rewrite{aList.Open[0]}
		change(&l.Open[0])
		data, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeRewriteList(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRestore: nothing that comes over the wire panics, and what is taken is
// within its bounds.
func FuzzRestore(f *testing.F) {
	for _, m := range []interface{ Encode() ([]byte, error) }{aQuery, anAnswer, aList} {
		data, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if q, err := DecodeRestoreQuery(data); err == nil && (len(q.Open) > MaxOpen || len(q.Epoch) != EpochBytes) {
			t.Fatal(q)
		}
		if a, err := DecodeRestoreAnswer(data); err == nil && len(a.Facts.Sales) > MaxOpen {
			t.Fatal(len(a.Facts.Sales))
		}
		l, err := DecodeRewriteList(data)
		if err != nil {
			return
		}
		for _, r := range l.Open {
			if r.check() != nil {
				t.Fatal(r)
			}
		}
	})
}

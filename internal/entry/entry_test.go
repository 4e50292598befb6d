package entry

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

func TestEveryKindRoundTrips(t *testing.T) {
	if len(bodies) != 45 {
		t.Fatalf("%d kinds are registered", len(bodies))
	}
	for kind, fresh := range bodies {
		raw, err := Marshal(map[int]any{})
		if err != nil {
			t.Fatal(err)
		}
		body, err := fresh(raw)
		if err != nil || body.Kind() != kind {
			t.Fatalf("%s: %v, %v", kind, body, err)
		}
		e, stored, hash, err := Seal(7, Hash{1}, time.UnixMilli(1700000000123), body)
		if err != nil {
			t.Fatal(err)
		}
		back, again, err := Open(stored)
		if err != nil || again != hash || !reflect.DeepEqual(back, e) {
			t.Fatalf("%s: %+v became %+v (%v)", kind, e, back, err)
		}
		if b, err := back.Body(); err != nil || !reflect.DeepEqual(b, body) {
			t.Fatalf("%s: body %+v became %+v (%v)", kind, body, b, err)
		}
	}
}

func TestEncodingIsDeterministic(t *testing.T) {
	body := LoadRequested{Of: Of{"S"}, Attempt: Attempt{Card: Card{"tunion", "31"}, Amount: 5000, Random: Hex{1, 2, 3, 4}}}
	_, a, ha, _ := Seal(1, Hash{}, time.UnixMilli(5), body)
	for range 50 {
		_, b, hb, _ := Seal(1, Hash{}, time.UnixMilli(5), body)
		if !bytes.Equal(a, b) || ha != hb {
			t.Fatal("the same entry has two encodings")
		}
	}
}

func TestFollows(t *testing.T) {
	first, _, h1, _ := Seal(1, Hash{}, time.UnixMilli(1), Started{Version: "a"})
	second, _, _, _ := Seal(2, h1, time.UnixMilli(1), Started{Version: "b"})
	if err := first.Follows(0, Hash{}); err != nil {
		t.Error(err)
	}
	if err := second.Follows(1, h1); err != nil {
		t.Error(err)
	}
	if second.Follows(0, Hash{}) == nil || second.Follows(1, Hash{}) == nil {
		t.Error("a broken chain was accepted")
	}
}

func FuzzOpen(f *testing.F) {
	_, stored, _, _ := Seal(1, Hash{}, time.UnixMilli(1), SaleOpened{Of: Of{"S"}, Card: Card{"tunion", "310"}})
	f.Add(stored)
	f.Add([]byte{0x87, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, _, err := Open(data)
		if err != nil {
			return
		}
		body, err := e.Body()
		if err == nil && body.Kind() != e.Kind {
			t.Fatal("a body of another kind")
		}
	})
}

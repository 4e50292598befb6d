package virtual

import (
	"encoding/json"
	"testing"

	"buka/cardio/apdu"
)

// FuzzEEPROM: whatever a card's file holds, the card refuses it or lives with
// it: it answers, and a write changes what it says or nothing.
func FuzzEEPROM(f *testing.F) {
	for _, s := range []string{
		`{"balance_fen":2850,"online":2,"offline":10,"pin_tries":3}`,
		`{"balance_fen":4294967295,"online":65535,"log":["00","zz",""],"proof":{"type":2,"number":3,"mac2":[1,2,3,4],"tac":[0,0,0,0]}}`,
		`{"pin_tries":-1,"mac_errors":-5,"locked":true}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		store := NewMemoryStore()
		store.Save("purse-3105170010170907984", b)
		p, err := NewPurse(PurseOptions{Number: "3105170010170907984", PIN: "123456", Use61xx: true}, store)
		if err != nil {
			return
		}
		p.Reset()
		before := p.Balance()
		for _, cmd := range []string{selectPurse, "00C0000040", "00200000 03 000000", "00B201C417", "805A000202000308", balance, initLoad} {
			if r, err := apdu.ParseResponse(p.Process(unhex(t, cmd))); err != nil {
				t.Fatalf("%s: %v %v", cmd, r, err)
			}
		}
		p.Log()
		if p.Balance() != before {
			t.Fatalf("%s: %v became %v", b, before, p.Balance())
		}
		saved, err := store.Load("purse-3105170010170907984")
		if err != nil || len(saved) > 0 && !json.Valid(saved) {
			t.Fatalf("%s: %v", saved, err)
		}
	})
}

package purtest_test

import (
	"fmt"
	"testing"
	"time"

	"buka/cardio/pboc"
	"buka/cardio/purse"
	"buka/cardio/purse/purtest"
	"buka/cardio/virtual"
	codec "buka/internal/pboc"
)

func pins(t testing.TB, list ...string) []pboc.PIN {
	var out []pboc.PIN
	for _, s := range list {
		p, err := pboc.ParsePIN(0, s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func family(t testing.TB) *pboc.Family {
	t.Helper()
	f, err := pboc.New(pboc.Config{
		PINs: pins(t, "000000", "123456"), Issuers: []string{"1000"}, NotSent: purtest.NotSent,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// variants are the ways in which cards of the field differ.
func variants() map[string]virtual.PurseOptions {
	list := map[string]virtual.PurseOptions{
		"61xx":               {Use61xx: true},
		"61xx kept proof":    {Use61xx: true, Proof: virtual.KeepProof, LogAfter: true},
		"wants a PIN":        {PIN: "123456"},
		"short log":          {LogMissing: true},
		"City Union":         {Family: virtual.CityUnion},
		"long AID":           {AID: []byte{0xA0, 0, 0, 6, 0x32, 1, 1, 5, 0x10, 0, 0x91, 0x56, 0, 0, 0x14, 0xA1}},
		"counts wrong MAC2s": {MACErrorLimit: 3},
	}
	for _, proof := range []virtual.ProofOnInit{virtual.WipeProof, virtual.KeepProof} {
		for _, prove := range []virtual.ProveNumber{virtual.ProveNext, virtual.ProveSame} {
			for _, after := range []bool{false, true} {
				list[fmt.Sprintf("%s-%s-%v", proof, prove, after)] = virtual.PurseOptions{Proof: proof, Prove: prove, LogAfter: after}
			}
		}
	}
	return list
}

func TestPBOC(t *testing.T) {
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			f := family(t)
			purtest.Run(t, harness(f, o))
		})
	}
}

func harness(f *pboc.Family, o virtual.PurseOptions) purtest.Harness {
	at := time.Date(2026, 1, 15, 18, 0, 0, 0, time.UTC)
	var first, second inMemory // once made, they are copied
	return purtest.Harness{
		Family: f, Judge: pboc.Judge, Unasked: pboc.Unasked, IsWrite: virtual.IsCredit,
		New: func(t testing.TB) (purtest.Card, purtest.Host) {
			if first.Purse == nil {
				first = used(t, o, f)
			}
			return first.copy(t), newHSM()
		},
		Copy: func(t testing.TB, c purtest.Card, h purtest.Host) (purtest.Card, purtest.Host) {
			return c.(inMemory).copy(t), h.(*hsm).copy()
		},
		Other: func(t testing.TB) (purtest.Card, func() purse.Channel) {
			if second.Purse == nil {
				other := o
				other.Number = "3105170010170907992"
				second = used(t, other, f)
			}
			card := second.copy(t)
			return card, func() purse.Channel {
				ch := card.Present()
				if _, err := f.Open(t.Context(), ch); err != nil {
					t.Fatal(err)
				}
				return ch
			}
		},
		Ride: func(t testing.TB, c purtest.Card) {
			if err := virtualOf(c).Ride(100, codec.Terminal{9}, at); err != nil {
				t.Fatal(err)
			}
		},
		Elsewhere: func(t testing.TB, c purtest.Card) {
			if err := virtualOf(c).LoadElsewhere(1000, codec.Terminal{9}, at); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestPBOCRefusals(t *testing.T) {
	f := family(t)
	h := harness(f, virtual.PurseOptions{})
	h.Refused = map[purse.Reason]func(testing.TB) (purtest.Card, purtest.Host){}
	for reason, o := range map[purse.Reason]virtual.PurseOptions{
		purse.Expired:       {Expired: true},
		purse.NotYetValid:   {Start: "20300101"},
		purse.Blocked:       {Blocked: true},
		purse.UnknownIssuer: {Issuer: [8]byte{1, 1, 0x20, 0, 0xFF, 0xFF, 0xFF, 0xFF}},
		purse.UnknownKind:   {AID: []byte{0xA0, 0, 0, 6, 0x32, 1, 1, 6}},
		purse.AtLimit:       {Limit: 10000},
		purse.NeedsPIN:      {PIN: "999999", Number: "3105170010170900001"},
		purse.PINLocked:     {PIN: "999999", PINTries: 1, Number: "3105170010170900002"},
		purse.KeyUnknown:    {KeyIndex: 2},
		purse.CounterFull:   {Counter: 0xFFFF},
	} {
		o.Balance = 7850
		h.Refused[reason] = func(t testing.TB) (purtest.Card, purtest.Host) { return newCard(t, o), newHSM() }
	}
	purtest.Run(t, h)
}

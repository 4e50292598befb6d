package pboc

import (
	"context"
	"testing"

	"buka/cardio/purse"
	"buka/internal/entry"
)

// FuzzAnswers plays a card whose every answer comes from the input: one byte of
// length, then that many bytes. Whatever it says, the terminal comes to an end,
// and writes at most once.
func FuzzAnswers(f *testing.F) {
	seed := func(answers ...string) {
		var b []byte
		for _, a := range answers {
			raw := unhex(f, a)
			b = append(append(b, byte(len(raw))), raw...)
		}
		f.Add(b)
	}
	seed("6A82", tunionFCI, "00000B229000", "000000009000",
		"0001 000000 000003E8 02 665544332211 20251224 180000 9000", "6A83", "9406", "9406", "00000000F086742F9000",
		"00000B22 0002 01 00 A1B2C3D4 233E6C43 9000", "F086742F9000")
	seed("6F00", "6C05", "6105", "6283", "6A81")
	seed(tunionFCI, "6982", "63C2", "9000")
	pin, err := ParsePIN(0, "123456")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		commands, writes := 0, 0
		card := program(func(cmd []byte) []byte {
			if commands++; commands > 2000 {
				t.Fatal("the terminal never ends")
			}
			if header(cmd) == "80520000" {
				writes++
			}
			if len(b) == 0 {
				return nil
			}
			n := min(int(b[0]), len(b)-1)
			answer := b[1 : 1+n]
			b = b[1+n:]
			return append([]byte{}, answer...)
		})
		family, err := New(Config{PINs: []PIN{pin}})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		p, err := family.Open(ctx, card)
		if err != nil {
			return
		}
		seen, _ := purse.Observe(ctx, p, nil)
		for _, proof := range seen.Proofs {
			if len(proof.TAC) != 4 {
				t.Fatalf("a TAC of %d bytes", len(proof.TAC))
			}
		}
		prepared, err := p.Prepare(ctx, purse.LoadRequest{Amount: 5000, Terminal: make(entry.Hex, 6)}, grant("20260115093015", make(entry.Hex, 4)))
		if err != nil {
			return
		}
		prepared.Write(ctx)
		if writes != 1 {
			t.Fatalf("%d writes", writes)
		}
	})
}

func FuzzParsers(f *testing.F) {
	f.Add(unhex(f, "6F1EA51CBF0C1961174F08A00000063201010550084D4F545F545F4550870101"))
	f.Add(unhex(f, "6F318408A000000632010105A5259F0801029F0C1E01011000FFFFFFFF02010310517001017090798420190806204012310000"))
	f.Add(unhex(f, "0001000000000003E80266554433221120251224180000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, aid := range listed(b) {
			if len(aid) < 5 || len(aid) > 16 {
				t.Fatal(len(aid))
			}
		}
		if i, ok := infoOf(b); ok && len(i.ASN.Number()) < 19 {
			t.Fatal(i.ASN.Number())
		}
		if r, err := parseRecord(b); err == nil && (len(r.Terminal) != 6 || len(r.At) != 14 || r.Amount < 0) {
			t.Fatalf("%+v", r)
		}
		parseBalance(b)
		parseInitialize(b)
		parseProof(1, b)
	})
}

func FuzzPIN(f *testing.F) {
	for _, s := range []string{"123456", "12345", "0000", "１２３４", "12345678901234"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, digits string) {
		p, err := ParsePIN(0, digits)
		if err != nil {
			return
		}
		if n := len(p.digits); n < 2 || n > 6 || len(digits) < 4 || len(digits) > 12 {
			t.Fatalf("%q became %d bytes", digits, n)
		}
	})
}

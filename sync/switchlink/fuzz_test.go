package switchlink

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"buka/internal/entry"
	"buka/internal/pin"
)

// wholeRequest has every element that its kind may have.
func wholeRequest(k Kind, stan uint32) *Request {
	card := entry.Card{Family: "tunion", Number: "3105170010170907984"}
	try := entry.Attempt{Card: card, Slot: 2, OldBalance: 2850, Amount: 5000, Terminal: entry.Hex{1, 2, 3, 4, 5, 6},
		Random: entry.Hex{1, 2, 3, 4}, MAC1: entry.Hex{5, 6, 7, 8}, At: "20260115093015"}
	return &Request{Kind: k, Terminal: "BUKA0001", Merchant: "BUKAMERCHANT001", STAN: stan, Batch: 7, Sale: "ABCDEFGH01234567", Amount: 5000,
		Attempt: try, Probe: try, Proof: entry.Proof{Asked: 3, TAC: entry.Hex{1, 2, 3, 4}}, By: "card", Card: card,
		PAN: "6225880000000001", Track2: "6225880000000001D3012", EntryMode: "051", PIN: sealed(pin.TDESDUKPT, pin.Format0, []byte("\x1B\x9C\x18\x45\xEB\x99\x3A\x7A"), 1), Reason: "98",
		OrigBatch: 7, OrigSTAN: 41, Index: 3, ICC: unhexed("9F2608112233445566778882021980"), Totals: entry.Totals{Debit: 5000, Debits: 1}}
}

// sealed is a block that came from a PIN pad, with a key serial number that ends
// in count.
func sealed(s pin.Scheme, f pin.Format, block []byte, count byte) *pin.Sealed {
	p, err := pin.NewSealed(s, f)
	if err != nil {
		panic(err)
	}
	copy(p.Bytes(), block)
	switch s {
	case pin.TDESDUKPT:
		p.KSN = pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, count}
	case pin.AESDUKPT:
		p.AESKSN = pin.AESKSN{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0, 0, 0, count}
	}
	return p
}

func unhexed(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func seedMessages(f *testing.F, spec *Spec) [][]byte {
	f.Helper()
	var seeds [][]byte
	for k := range spec.shapes {
		r := wholeRequest(k, 42)
		for _, encode := range []func() (*Message, error){
			func() (*Message, error) { return spec.EncodeRequest(r) },
			func() (*Message, error) {
				return spec.EncodeResponse(r, Response{Code: "00", Amount: 5000, MAC2: entry.Hex{1, 2, 3, 4}, Stamp: "20260115093015"})
			},
		} {
			m, err := encode()
			if err != nil {
				f.Fatal(err)
			}
			packed, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			seeds = append(seeds, packed)
		}
	}
	return seeds
}

// FuzzFrame reads frames until the bytes end: nothing panics, nothing over the
// cap comes out, and what comes out is written the same.
func FuzzFrame(f *testing.F) {
	specs := []*Spec{UnionPay(), ASCII87()}
	for i, spec := range specs {
		for _, s := range seedMessages(f, spec) {
			b, err := spec.frame.bytes(spec.frame.request(s))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(i == 1, b)
		}
	}
	f.Add(false, []byte{0, 0})
	f.Add(false, []byte{0xFF, 0xFF, 0x60})
	f.Add(true, []byte("0x10"))
	f.Fuzz(func(t *testing.T, ascii bool, data []byte) {
		frames := specs[0].frame
		if ascii {
			frames = specs[1].frame
		}
		in := bytes.NewReader(data)
		for {
			at := len(data) - in.Len()
			fr, err := frames.read(in)
			if err != nil {
				if !errors.Is(err, ErrFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(err)
				}
				return
			}
			b, err := frames.bytes(fr)
			if err != nil || !bytes.Equal(b, data[at:len(data)-in.Len()]) {
				t.Fatalf("written as %X, %v", b, err)
			}
		}
	})
}

// FuzzMessage decodes a message as a request and as the answer to every kind of
// request. What decodes as a request and encodes again decodes to the same.
func FuzzMessage(f *testing.F) {
	specs := []*Spec{UnionPay(), ASCII87()}
	for i, spec := range specs {
		for _, s := range seedMessages(f, spec) {
			f.Add(i == 1, s)
		}
	}
	f.Fuzz(func(t *testing.T, ascii bool, data []byte) {
		spec := specs[0]
		if ascii {
			spec = specs[1]
		}
		m, err := spec.Unpack(data)
		if err != nil {
			if !errors.Is(err, ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		_ = m.String()
		for k := range spec.shapes {
			_, _ = spec.DecodeResponse(&Request{Kind: k, Terminal: m.Text(41), Merchant: m.Text(42), STAN: 42}, m)
		}
		r, err := spec.DecodeRequest(m)
		if err != nil {
			return
		}
		m2, err := spec.EncodeRequest(r)
		if err != nil {
			return // some elements are checked on the way out only
		}
		b, err := m2.Pack()
		if err != nil {
			return
		}
		m3, err := spec.Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		r3, err := spec.DecodeRequest(m3)
		if err != nil || r3.Kind != r.Kind || r3.STAN != r.STAN || r3.Amount != r.Amount || r3.Sale != r.Sale ||
			r3.PAN != r.PAN || r3.Attempt.Slot != r.Attempt.Slot || !samePIN(r3.PIN, r.PIN) {
			t.Fatalf("changed on the way: %v", err)
		}
	})
}

func samePIN(a, b *pin.Sealed) bool {
	return a == b || a != nil && b != nil && a.Scheme == b.Scheme && a.Layout == b.Layout && bytes.Equal(a.Bytes(), b.Bytes())
}

// FuzzTLV parses the private objects.
func FuzzTLV(f *testing.F) {
	f.Add([]byte{0xDF, 0x01, 0x01, 0x41})
	f.Add([]byte{0xDF, 0x01, 0x81})
	f.Add([]byte{0xFF, 0x11, 0x81, 0xFF})
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := parseTLV(data)
		if err != nil {
			return
		}
		total := 0
		for _, v := range objects {
			total += len(v)
		}
		if total > len(data) {
			t.Fatalf("%d bytes out of %d", total, len(data))
		}
		_, _ = getAttempt(objects[tagAttempt])
	})
}

package reader_test

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/ebfe/scard"

	"buka/cardio/reader"
	"buka/cardio/reader/pcscd"
	"buka/cardio/virtual"
)

func benchPurse(b *testing.B) *virtual.Purse {
	b.Helper()
	p, err := virtual.NewPurse(virtual.PurseOptions{Number: "3105170010170907984"}, virtual.NewMemoryStore())
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func transmitLoop(b *testing.B, c reader.Card) {
	b.Helper()
	for b.Loop() {
		if _, err := c.Transmit(context.Background(), getBalance); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMemoryTransmit(b *testing.B) {
	m := reader.NewMemory(reader.Limits{}, "field")
	defer m.Close()
	m.Insert("field", benchPurse(b))
	c, err := m.Open(context.Background(), "field")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	transmitLoop(b, c)
}

// BenchmarkPCSC has three rows: our transmit, the same command on the bare
// binding (the floor), and a whole open and close.
func BenchmarkPCSC(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	unlock, err := pcscd.Lock(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer unlock()
	stop, err := pcscd.Ensure(ctx, pcscd.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	v := virtual.NewVPCD(net.JoinHostPort("127.0.0.1", strconv.Itoa(pcscd.Port0)))
	defer v.Remove()
	v.Insert(benchPurse(b))
	p := reader.NewPCSC(reader.Limits{})
	defer p.Close()
	for e := range p.Events() {
		if e.Kind == reader.CardPresent {
			break
		}
	}
	b.Run("transmit", func(b *testing.B) {
		c, err := p.Open(ctx, pcscd.Reader0)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		transmitLoop(b, c)
	})
	b.Run("floor", func(b *testing.B) { bareLoop(b) })
	b.Run("open and close", func(b *testing.B) {
		for b.Loop() {
			c, err := p.Open(ctx, pcscd.Reader0)
			if err != nil {
				b.Fatal(err)
			}
			c.Close()
		}
	})
}

func bareLoop(b *testing.B) {
	b.Helper()
	ctx, err := scard.EstablishContext()
	if err != nil {
		b.Fatal(err)
	}
	defer ctx.Release()
	card, err := ctx.Connect(pcscd.Reader0, scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		b.Fatal(err)
	}
	defer card.Disconnect(scard.LeaveCard)
	for b.Loop() {
		if _, err := card.Transmit(getBalance); err != nil {
			b.Fatal(err)
		}
	}
}

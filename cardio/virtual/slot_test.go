package virtual

import (
	"context"
	"errors"
	"testing"

	"buka/cardio/reader"
)

func TestMemorySlot(t *testing.T) {
	m := reader.NewMemory(reader.Limits{}, "field")
	defer m.Close()
	one, two := NewMemorySlot(m, "field"), NewMemorySlot(m, "field")
	p := newPurse(t, nil)
	if err := one.Insert(p); err != nil || !one.Present() {
		t.Fatal(err)
	}
	if err := one.Insert(p); !errors.Is(err, ErrSlotTaken) {
		t.Error(err)
	}
	c, err := m.Open(context.Background(), "field")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := c.Transmit(context.Background(), unhex(t, selectPurse)); err != nil || a[0] != 0x6F {
		t.Errorf("%X %v", a, err)
	}
	p.Tear(Tear{When: Before})
	if _, err := c.Transmit(context.Background(), unhex(t, balance)); !errors.Is(err, reader.ErrCardRemoved) || reader.NotSent(err) {
		t.Error(err)
	}
	c.Close()
	if one.Present() {
		t.Error("a torn card has left")
	}
	if err := one.Insert(p); err != nil {
		t.Fatal(err)
	}
	if err := two.Insert(newBank(t, BankOptions{})); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(context.Background(), "field"); !errors.Is(err, reader.ErrTwoCards) {
		t.Error(err)
	}
	one.Remove()
	two.Remove()
	two.Remove()
	if one.Present() || two.Present() {
		t.Error("removed")
	}
}

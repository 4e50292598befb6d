package station

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"buka/cardio/apdu"
	"buka/cardio/emv"
	"buka/cardio/reader"
	"buka/cardio/virtual"
	"buka/internal/cryptogram"
	"buka/internal/entry"
	"buka/internal/pin"
	"buka/kiosk/device"
	"buka/topup"
)

const bankPAN = "6225880000000001"

// counter is a bank card reader with a PIN pad and a host, the last two by hand.
type counter struct {
	t      *testing.T
	memory *reader.Memory
	slot   virtual.Slot
	tender *bankCard
	number string // of the card that pays

	pin    func(context.Context, device.Request) (device.Result, error)
	asked  int
	answer func(icc []byte) (topup.Paid, []byte) // what the host says
	sent   []sentPayment
	told   []scriptResult
	deaf   error  // what telling comes to
	took   []byte // DE55 of the last reversal
	mode   string // DE22 of it

	patience time.Duration // that telling might have taken
}

type sentPayment struct {
	icc    []byte
	sealed *pin.Sealed
	wiped  bool
	mode   string
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{t: t, number: bankPAN, memory: reader.NewMemory(reader.Limits{}, "One 00")}
	t.Cleanup(func() { c.memory.Close() })
	roles, err := reader.NewRoles(map[reader.Role]string{reader.Bank: "One", reader.Transit: "One"})
	if err != nil {
		t.Fatal(err)
	}
	c.slot = virtual.NewMemorySlot(c.memory, "One 00")
	c.answer = c.approves
	c.tender = &bankCard{
		slot: &bankSlot{source: c.memory, find: cardIn(c.memory, roles, reader.Bank), present: make(chan struct{})},
		pad:  c, link: c, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		terminal: func(t topup.TakeTender) emv.Terminal {
			return emv.Terminal{Amount: t.Amount, Now: time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC), Serial: "00000001", Keys: emv.BuiltinCAKeys(true)}
		},
	}
	return c
}

func (c *counter) EnterPIN(ctx context.Context, r device.Request) (device.Result, error) {
	c.asked++
	if r.PAN != c.number || r.Amount != 5000 {
		c.t.Errorf("the pad was asked for %.6s… and %v", r.PAN, r.Amount)
	}
	if c.pin != nil {
		return c.pin(ctx, r)
	}
	s, err := pin.NewSealed(pin.TDESDUKPT, pin.Format0)
	if err != nil {
		return device.Result{}, err
	}
	for i := range s.Bytes() {
		s.Bytes()[i] = 0xA5
	}
	return device.Result{PIN: s}, nil
}

func (c *counter) pay(_ context.Context, p topup.Pay, card *emv.Payment, icc []byte, sealed *pin.Sealed) (topup.Paid, []byte) {
	c.sent = append(c.sent, sentPayment{bytes.Clone(icc), sealed, sealed.Wiped(), entryMode(card)})
	a, chip := c.answer(icc)
	a.Sale, a.STAN = p.Sale, p.STAN
	return a, chip
}

func (c *counter) refund(context.Context, topup.Sale, bool) (string, error) { return "00", nil }

func (c *counter) reverse(_ context.Context, _ topup.Sale, _ string, chip chipSaid, _ bool) (string, error) {
	c.took, c.mode = chip.icc, chip.mode
	return "00", nil
}

func (c *counter) script(ctx context.Context, r scriptResult) error {
	until, _ := ctx.Deadline()
	c.patience = time.Until(until)
	c.told = append(c.told, r)
	return c.deaf
}

// approves answers with the issuer's own cryptogram.
func (c *counter) approves(icc []byte) (topup.Paid, []byte) { return c.says("00", icc) }

func (c *counter) says(code string, icc []byte) (topup.Paid, []byte) {
	key, err := cryptogram.CardKey(virtual.TestIssuerKey, c.number, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	arpc, err := cryptogram.Profile(cryptogram.Common).ARPC(key, binary.BigEndian.Uint16(c.tag(icc, 0x9F36)),
		cryptogram.AC(c.tag(icc, 0x9F26)), [2]byte{code[0], code[1]}, [4]byte{}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	chip, _ := apdu.Encode(0x91, arpc)
	a := topup.Paid{Outcome: entry.NotDone, Code: code}
	if code == "00" {
		a.Outcome, a.Amount, a.RRN = entry.Done, 5000, "123456789012"
	}
	return a, chip
}

func (c *counter) tag(icc []byte, tag apdu.Tag) []byte {
	c.t.Helper()
	v, err := apdu.Find(icc, tag)
	if err != nil {
		c.t.Fatalf("DE55 has no %X: %v", uint32(tag), err)
	}
	return v
}

func (c *counter) card(o virtual.BankOptions) *virtual.Bank {
	c.t.Helper()
	o.PAN = bankPAN
	b, err := virtual.NewBank(o)
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *counter) insert(p virtual.Program) {
	c.t.Helper()
	if err := c.slot.Insert(p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counter) remove() {
	c.t.Helper()
	if err := c.slot.Remove(); err != nil {
		c.t.Fatal(err)
	}
}

var takes = topup.TakeTender{Sale: "SALE", Amount: 5000}

// collect gives the key of the pages that Collect ends with, "" if it is done.
func (c *counter) collect() (reason string, secret bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := c.tender.Collect(ctx, takes, func(masked string, s bool) {
		if secret = s; masked != "622588******"+c.number[12:] {
			c.t.Error(masked)
		}
	})
	return c.reason(err), secret
}

func (c *counter) reason(err error) string {
	c.t.Helper()
	var no errTender
	if err != nil && !errors.As(err, &no) {
		c.t.Fatal(err)
	}
	return no.reason
}

func (c *counter) pays(stan uint32) topup.Paid {
	return c.tender.Pay(context.Background(), topup.Pay{Sale: "SALE", Amount: 5000, Batch: 1, STAN: stan})
}

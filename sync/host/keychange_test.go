package host

import (
	"bytes"
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buka/internal/mac"
	"buka/internal/pin"
	"buka/sync/switchlink"
)

// TestKeysChangeAmongPayments: whatever a sign-on meets, no payment is made twice
// and none is lost: one that was not done for its MAC is done when it is sent
// again, and one that was done gives its stored answer. The terminal signs on
// when its link says so, as the kiosk does.
func TestKeysChangeAmongPayments(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MAC = mac.UnionPayECB })
	ring := switchlink.NewRing(mac.UnionPayECB, DefaultKeys().TMK)
	wanted := make(chan struct{}, 1)
	w.client.Close()
	var err error
	if w.client, err = switchlink.New(switchlink.Config{Addr: w.host.SwitchAddr(), TerminalID: testTerminal, MerchantID: testMerchant,
		Timeout: 10 * time.Second, MaxBackoff: 100 * time.Millisecond, Keys: ring, OnRequirement: func(byte) {
			select {
			case wanted <- struct{}{}:
			default:
			}
		}}); err != nil {
		t.Fatal(err)
	}
	const n, changes = 8, 3
	payments := make([]switchlink.Payment, n)
	for i := range payments {
		payments[i] = w.payment(saleID(i), 1_00, testPIN)
		// A pad of its own, so that no counter is too late.
		payments[i].PIN = sealedPIN(t, pin.KSN{0xFF, 0xFF, 0x98, 0x76, 0x55, byte(i), 0x10, 0xE0, 0, 1}, testPIN, testPAN)
	}
	ctx, stop := context.WithTimeout(w.ctx(), 25*time.Second)
	defer stop()
	var signing, paying sync.WaitGroup
	signing.Go(func() {
		for ctx.Err() == nil {
			if s, err := w.client.SignOn(ctx, w.next()); err == nil && s.Code != "00" {
				t.Errorf("sign-on: %+v", s)
			}
			select {
			case <-wanted:
			case <-ctx.Done():
			}
		}
	})
	var done, again atomic.Int32
	for _, p := range payments {
		paying.Go(func() {
			for ctx.Err() == nil {
				got, err := w.client.Pay(ctx, anew(p))
				if err == nil && got.Code == "00" {
					done.Add(1)
					return
				}
				again.Add(1)
				time.Sleep(time.Millisecond) // the other goroutine has to sign on
			}
		})
	}
	for i := range int32(changes) {
		eventually(t, "some payments", func() bool { return done.Load() >= i*n/changes })
		if err := w.host.RequireNewKeys(w.ctx(), testMerchant, testTerminal); err != nil && i > 0 {
			t.Error(err)
		}
	}
	paying.Wait()
	if ctx.Err() != nil {
		t.Fatal("some payments were never made")
	}
	w.charged(n * 1_00)
	for _, p := range payments { // and once more: the same answers
		if got, err := w.client.Pay(ctx, anew(p)); err == nil && got.Code != "00" && got.Code != "A0" {
			t.Errorf("%+v", got)
		}
	}
	w.charged(n * 1_00)
	stop()
	signing.Wait()
	t.Log(again.Load(), "were sent again")
}

// TestSignOnsAtOnce: of two sign-ons that meet, the later one's keys are in use,
// whichever is put into place first after its commit.
func TestSignOnsAtOnce(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MAC = mac.UnionPayECB })
	sign := func(stan uint32) (set *keySet, use func()) {
		t.Helper()
		if err := w.host.Write(w.ctx(), func(tx *sql.Tx) (err error) {
			r := &switchlink.Request{Kind: switchlink.KindSignOn, STAN: stan, Terminal: testTerminal, Merchant: testMerchant}
			set, use, err = w.host.keysFor(w.ctx(), tx, paymentsLink, r)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return set, use
	}
	_, useFirst := sign(w.next())
	second, useSecond := sign(w.next())
	useSecond()
	useFirst()
	used, err := w.host.keysOf(w.ctx(), w.host.db, paymentsLink, testMerchant, testTerminal)
	if err != nil || used.set != second {
		t.Fatalf("the keys of the first sign-on are in use, %v", err)
	}
	var kept []byte
	if err := w.host.db.QueryRow(`SELECT block FROM working_keys`).Scan(&kept); err != nil || !bytes.Equal(kept, second.block) {
		t.Fatalf("the database keeps others, %v", err)
	}
}

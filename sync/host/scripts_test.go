package host

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"buka/cardio/apdu"
	"buka/cardio/emv"
	"buka/cardio/virtual"
	"buka/sync/switchlink"
)

// TestScripts: a command goes with the answer to a contact card, which takes it
// and tells; nobody else's word counts.
func TestScripts(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.host.AskCommand(w.ctx(), testPAN, BlockCard); err != nil {
		t.Fatal(err)
	}
	states := func(want string) {
		t.Helper()
		if got, err := w.host.Commands(w.ctx(), testPAN); err != nil || fmt.Sprint(got) != want {
			t.Fatalf("%v, %v; want %s", got, err, want)
		}
	}
	contactless := newBankCard(t, virtual.BankOptions{Sequence: 2})
	r := w.chipRequest(saleID(1), 1_00, nil)
	_, r.ICC = contactless.start(1_00)
	r.PSN, r.EntryMode = "002", "071"
	if a := w.ask(r); a.Code != "00" || len(a.ICC) != 12 {
		t.Fatalf("a contactless card is gone by now: %+v", a)
	}
	states("[block asked]")

	card := newBankCard(t, virtual.BankOptions{Contact: true})
	for n := range 2 { // as long as nobody tells, it is sent again
		p, icc := card.start(2_00)
		a := w.ask(w.chipRequest(saleID(2+n), 2_00, icc))
		states("[block sent]")
		if n == 0 {
			continue // the answer was lost
		}
		result, err := p.Finish(context.Background(), card.ch, emv.ParseAnswer(true, "00", a.ICC))
		if err != nil || len(result) != 5 || result[0] != 0x20 {
			t.Fatalf("%X, %v", result, err)
		}
		told, err := apdu.Encode(0xDF31, result)
		if err != nil {
			t.Fatal(err)
		}
		stranger := &switchlink.Request{Kind: switchlink.KindScript, STAN: w.next(), Batch: w.batch, Sale: saleID(3), ICC: told, Terminal: "BUKA0002", Merchant: testMerchant}
		if _, ok := w.host.Handle(w.ctx(), stranger); !ok {
			t.Fatal("no answer")
		}
		states("[block sent]")
		if a := w.ask(&switchlink.Request{Kind: switchlink.KindScript, STAN: w.next(), Batch: w.batch, Sale: saleID(3), ICC: told}); a.Code != "00" {
			t.Fatal(a.Code)
		}
		if a := w.ask(&switchlink.Request{Kind: switchlink.KindScript, STAN: w.next(), Batch: w.batch, Sale: saleID(3), ICC: told[:3]}); a.Code != "30" {
			t.Fatal(a.Code)
		}
	}
	states("[block done]")
	_, err := emv.Start(context.Background(), card.ch, emv.Terminal{Amount: 1_00, Now: clockAt, Keys: emv.BuiltinCAKeys(true)})
	if !errors.Is(err, &emv.Refusal{Reason: emv.Blocked}) {
		t.Errorf("the card is not blocked: %v", err)
	}
	if err := w.host.AskCommand(w.ctx(), "6225880000000009", BlockCard); !errors.Is(err, ErrNoAccount) {
		t.Error(err)
	}
	if err := w.host.AskCommand(w.ctx(), testPAN, "explode"); err == nil {
		t.Error("an unknown command")
	}
}

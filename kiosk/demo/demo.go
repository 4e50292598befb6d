// Package demo is the command `kiosk demo`: a lab with a few cards, and its
// pages on one address.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/kiosk/lab"
	"buka/ui"
	"buka/ui/login"
)

// Run runs the demo until ctx ends. It prints the addresses of its pages and,
// at the first start, the first passwords.
func Run(ctx context.Context, out io.Writer, addr string, o lab.Options) (err error) {
	world, err := lab.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	if err := demoCards(ctx, world); err != nil {
		return err
	}
	if err := world.PowerOn(); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("pages: %w (choose another with --addr)", err)
	}
	staff, first, err := login.Open(filepath.Join(o.Dir, "cashiers.json"), login.Options{Name: "cashier"})
	if err != nil {
		return err
	}
	operators, firstOperator, err := login.Open(filepath.Join(o.Dir, "operators.json"), login.Options{Name: "operator"})
	if err != nil {
		return err
	}
	pages, err := ui.NewServer(ui.Options{
		Passenger: world.Passenger(), Bench: world.Bench(), Desk: world.Desk(), Fleet: world.Fleet(ctx),
		DeskLogin: staff, FleetLogin: operators, Kiosk: "K0001", Logger: o.Log,
	})
	if err != nil {
		return err
	}
	defer pages.Close()
	base := "http://" + ln.Addr().String()
	fmt.Fprintf(out, "Buka demo, everything virtual. Data is kept in %s.\n\n  passenger  %s/\n  bench      %s/bench\n  cashier    %s/cashier\n  operator   %s/operator\n\n", o.Dir, base, base, base, base)
	login.PrintFirst(out, "cashier", first)
	login.PrintFirst(out, "operator", firstOperator)
	fmt.Fprintln(out, "Put a card on the reader at the bench and look at the passenger's page. Ctrl-C ends it.")
	return ui.Serve(ctx, ln, pages)
}

// demoCards are the cards on the bench.
func demoCards(ctx context.Context, world *lab.Lab) error {
	purses := []struct {
		name string
		o    virtual.PurseOptions
	}{
		{"red", virtual.PurseOptions{Number: "3105170010170907984", Balance: 2850, Counter: 2}},
		{"green", virtual.PurseOptions{Number: "3105170010170907992", Balance: 500, Counter: 7, Proof: virtual.KeepProof, Prove: virtual.ProveSame}},
		{"old", virtual.PurseOptions{Number: "3105170010170908008", Balance: 1200, Counter: 3, Expired: true}},
		{"blocked", virtual.PurseOptions{Number: "3105170010170908016", Balance: 1200, Counter: 3, Blocked: true}},
	}
	for _, p := range purses {
		if err := world.AddCard(p.name, p.o); err != nil {
			return err
		}
	}
	banks := []struct {
		name, pan, pin string
		funds          money.Fen
	}{
		{"blue", "6225880000000001", "123456", 100000},
		{"poor", "6225880000000019", "123456", 1000},
	}
	for _, b := range banks {
		if err := world.AddBank(ctx, b.name, b.pin, b.funds, virtual.BankOptions{PAN: b.pan}, false); err != nil {
			return err
		}
	}
	return nil
}

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

// Demo is a demo that is running. Tests look behind its pages through Lab.
type Demo struct {
	Lab *lab.Lab
	URL string // of the passenger's page, without the slash at its end

	ln    net.Listener
	pages *ui.Server
}

// Run runs the demo until ctx ends. It prints the addresses of its pages and,
// at the first start, the first passwords.
func Run(ctx context.Context, out io.Writer, addr string, o lab.Options) error {
	d, err := Start(ctx, out, addr, o)
	if err != nil {
		return err
	}
	return errors.Join(d.Serve(ctx), d.Close())
}

// Start opens the lab, switches the kiosk on and listens; Serve answers. ctx
// must live as long as the demo. Close ends what Start began.
func Start(ctx context.Context, out io.Writer, addr string, o lab.Options) (*Demo, error) {
	world, err := lab.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	d := &Demo{Lab: world}
	if err := d.start(ctx, out, addr, o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Demo) start(ctx context.Context, out io.Writer, addr string, o lab.Options) (err error) {
	if err := demoCards(ctx, d.Lab); err != nil {
		return err
	}
	if err := d.Lab.PowerOn(); err != nil {
		return err
	}
	if d.ln, err = net.Listen("tcp", addr); err != nil {
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
	d.pages, err = ui.NewServer(ui.Options{
		Passenger: d.Lab.Passenger(), Bench: d.Lab.Bench(), Desk: d.Lab.Desk(), Fleet: d.Lab.Fleet(ctx),
		DeskLogin: staff, FleetLogin: operators, Kiosk: "K0001", Place: "Demo station", Logger: o.Log,
	})
	if err != nil {
		return err
	}
	d.URL = "http://" + d.ln.Addr().String()
	fmt.Fprintf(out, "Buka demo, everything virtual. Data is kept in %s.\n\n  passenger  %s/\n  bench      %s/bench\n  cashier    %s/cashier\n  operator   %s/operator\n\n", o.Dir, d.URL, d.URL, d.URL, d.URL)
	login.PrintFirst(out, "cashier", first)
	login.PrintFirst(out, "operator", firstOperator)
	fmt.Fprintln(out, "Put a card on the reader at the bench and look at the passenger's page. Ctrl-C ends it.")
	return nil
}

// Serve answers until ctx ends.
func (d *Demo) Serve(ctx context.Context) error { return ui.Serve(ctx, d.ln, d.pages) }

// Close ends the pages and the lab.
func (d *Demo) Close() error {
	if d.pages != nil {
		d.pages.Close()
	}
	if d.ln != nil {
		d.ln.Close() // closed already if it was served
	}
	return d.Lab.Close()
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
		name, pin string
		funds     money.Fen
		o         virtual.BankOptions
	}{
		{"blue", "123456", 100000, virtual.BankOptions{PAN: "6225880000000001"}},
		{"chip", "123456", 100000, virtual.BankOptions{PAN: "6225880000000027", Credit: true, Contact: true}},
		{"both", "123456", 100000, virtual.BankOptions{PAN: "6225880000000043", Contact: true, Second: &virtual.BankOptions{PAN: "6225880000000050"}}},
		{"poor", "123456", 1000, virtual.BankOptions{PAN: "6225880000000019"}},
	}
	for _, b := range banks {
		if err := world.AddBank(ctx, b.name, b.pin, b.funds, b.o, false); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"buka/cardio/virtual"
	"buka/internal/money"
	"buka/kiosk/lab"
	"buka/ui"
	"buka/ui/login"
)

func demoCommand() *cobra.Command {
	var addr, dir, reader, lang string
	var verbose bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "station, reference host and virtual devices in one process",
		Long: `Runs a whole small world: a station, the reference host and virtual devices.
The keys are published test keys; no real money and no real card is involved.`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "where the pages are served; port 0 takes a free one")
	c.Flags().StringVar(&dir, "data", "data", "directory of everything that survives")
	c.Flags().StringVar(&reader, "reader", "memory", "memory, or pcsc for cards on vpcd behind a real pcscd")
	c.Flags().StringVar(&lang, "lang", "en", "first language of the screen: en or zh")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "log everything")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if reader != "memory" && reader != "pcsc" {
			return fmt.Errorf("--reader %q: memory or pcsc", reader)
		}
		level := slog.LevelWarn
		if verbose {
			level = slog.LevelDebug
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return demo(ctx, cmd.OutOrStdout(), addr, lab.Options{Dir: dir, Reader: reader, Log: log, Version: version(), Language: lang})
	}
	return c
}

// demo runs until ctx ends.
func demo(ctx context.Context, out io.Writer, addr string, o lab.Options) (err error) {
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
	printFirst(out, "cashier", first)
	printFirst(out, "operator", firstOperator)
	fmt.Fprintln(out, "Put a card on the reader at the bench and look at the passenger's page. Ctrl-C ends it.")
	return serve(ctx, ln, pages)
}

// printFirst shows a first password, once.
func printFirst(out io.Writer, page string, f *login.First) {
	if f != nil {
		fmt.Fprintf(out, "First login of the %s page, shown only now: name %s, password %s\n", page, f.Name, f.Password)
	}
}

// serve answers until ctx ends.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		<-ctx.Done()
		wait, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = srv.Shutdown(wait) // websockets are ended by the pages' own Close
		srv.Close()
	}()
	if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
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

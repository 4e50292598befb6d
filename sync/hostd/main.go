// The command host: the reference host of Buka, a bank and a load authority
// behind ISO 8583, and the fleet's journal and operator page.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"buka/internal/money"
	"buka/sync/host"
	"buka/sync/host/fleetside"
	"buka/sync/host/operator"
	"buka/ui"
	"buka/ui/login"
)

func main() {
	root := &cobra.Command{Use: "host", Short: "the reference host of Buka", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(runCommand(), configCommand(), accountCommand(), staffCommand(), newKeysCommand())
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		os.Exit(1)
	}
}

func runCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "run --config FILE", Short: "serve the switch link, the fleet link and the operator's page", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return run(ctx, cmd.OutOrStdout(), cfg)
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file; `host config example` prints one")
	_ = c.MarkFlagRequired("config")
	return c
}

func run(ctx context.Context, out io.Writer, cfg Config) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if names := cfg.testKeys(); len(names) > 0 {
		log.Warn("published TEST keys are in use: everybody knows them; set [keys] before real cards or PIN pads meet this host", "keys", names)
	}
	hc := cfg.made
	hc.Logger = log
	h, err := host.Open(ctx, hc)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	side, err := fleetside.Start(ctx, fleetside.Config{DB: h.DB(), Write: h.Write, Passed: h.Passed, Ledger: h.Ledger(), Listen: cfg.Fleet, Kiosks: cfg.Kiosks, Log: log})
	if err != nil {
		return err
	}
	defer side.Close()
	gate, first, err := login.Open(filepath.Join(cfg.Data, "operators.json"), login.Options{Name: "operator"})
	if err != nil {
		return err
	}
	view := operator.New(ctx, func() *fleetside.Side { return side }, log).WithHost(func() operator.Ledger { return h })
	pages, err := ui.OperatorHandler(ui.Options{Fleet: view, FleetLogin: gate, Hosts: cfg.Hosts, Logger: log})
	if err != nil {
		return err
	}
	defer pages.Close()
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("pages: %w (listen in the configuration)", err)
	}
	fmt.Fprintf(out, "host: operator http://%s/operator, switch %s, authority %s, fleet %s\n", ln.Addr(), h.SwitchAddr(), h.AuthorityAddr(), side.Addr())
	login.PrintFirst(out, "operator", first)
	return ui.Serve(ctx, ln, pages)
}

func configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "print a configuration"}
	c.AddCommand(&cobra.Command{
		Use: "example", Short: "print a configuration with every key", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(example)
			return err
		},
	})
	return c
}

// accountCommand opens accounts of the reference bank. PAN and PIN come from
// standard input, so that they are in no shell history and no process list.
func accountCommand() *cobra.Command {
	var file, expiry, funds string
	var credit bool
	c := &cobra.Command{
		Use: "account --config FILE --expiry YYMM --funds AMOUNT", Args: cobra.NoArgs,
		Short: "open an account; a line \"PAN PIN\" is read from standard input",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			amount, err := money.Parse(funds)
			if err != nil {
				return err
			}
			line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 128)).ReadString('\n')
			words := strings.Fields(line)
			if len(words) != 2 {
				return errors.Join(errors.New("one line with PAN and PIN is wanted"), err)
			}
			h, err := cfg.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			err = h.PutAccount(cmd.Context(), host.Account{PAN: words[0], PIN: words[1], Expiry: expiry, Funds: amount, Credit: credit})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "account %s is open with %s\n", host.MaskPAN(words[0]), amount)
			}
			return err
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file")
	c.Flags().StringVar(&expiry, "expiry", "9912", "of the card, YYMM")
	c.Flags().StringVar(&funds, "funds", "", "in yuan; of a credit account what is left of its limit")
	c.Flags().BoolVar(&credit, "credit", false, "a credit account")
	_ = c.MarkFlagRequired("config")
	_ = c.MarkFlagRequired("funds")
	return c
}

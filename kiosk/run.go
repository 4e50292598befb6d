package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"buka/cardio/reader"
	"buka/kiosk/config"
	"buka/kiosk/station"
	"buka/ui"
	"buka/ui/login"
)

func runCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "run --config FILE", Short: "the service on a real machine", Args: cobra.NoArgs,
		Long: `Runs the kiosk's service: readers, PIN pad, links, journal and pages, as the
configuration says. It comes back by itself after a power cut at any instant.`,
	}
	c.Flags().StringVar(&file, "config", "", "configuration file; `kiosk config example` prints one")
	_ = c.MarkFlagRequired("config")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(file)
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return run(ctx, cmd, cfg, log)
	}
	return c
}

func run(ctx context.Context, cmd *cobra.Command, cfg config.Config, log *slog.Logger) error {
	source := reader.NewPCSC(reader.Limits{})
	st, err := station.Open(cfg, station.Parts{Readers: source, Log: log, Version: version()})
	if err != nil {
		source.Close()
		return err
	}
	staff, first, err := login.Open(filepath.Join(cfg.Data, "cashiers.json"), login.Options{Name: "cashier"})
	if err != nil {
		return err
	}
	pages, err := ui.NewServer(ui.Options{
		Passenger: st.Passenger(), Desk: st.Desk(), DeskLogin: staff, ThemeDir: cfg.Theme, Hosts: cfg.Hosts, Kiosk: cfg.Kiosk, Logger: log,
	})
	if err != nil {
		return err
	}
	defer pages.Close()
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("pages: %w (listen in the configuration)", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "kiosk %s: passenger http://%s/, cashier http://%s/cashier\n", cfg.Kiosk, ln.Addr(), ln.Addr())
	login.PrintFirst(cmd.OutOrStdout(), "cashier", first)
	served := make(chan error, 1)
	go func() { served <- ui.Serve(ctx, ln, pages) }()
	err = st.Run(ctx)
	if ctx.Err() != nil {
		return <-served
	}
	log.Error("the sale has stopped; the pages say so until the service is started again", "err", err)
	return errors.Join(err, <-served)
}

func configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "print or check a configuration"}
	c.AddCommand(&cobra.Command{
		Use: "example", Short: "print a configuration with every key", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Example)
			return err
		},
	}, &cobra.Command{
		Use: "check FILE", Short: "check a configuration", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(args[0])
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "configuration ok: kiosk %s\n", cfg.Kiosk)
			}
			return err
		},
	})
	return c
}

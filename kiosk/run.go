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
	"time"

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

// Pauses between two lives of the service.
const (
	againMin = 2 * time.Second
	againMax = 30 * time.Second
)

// run keeps the service alive until ctx ends. A journal that cannot be written
// stops the sale for good: what was announced may or may not be durable, and
// only opening it anew can tell. So that is what happens. A journal that cannot
// be opened is tried again for ever, behind a page that says so: the disk may be
// mounted, or have room again, in a minute.
func run(ctx context.Context, cmd *cobra.Command, cfg config.Config, log *slog.Logger) error {
	for pause := againMin; ; pause = min(2*pause, againMax) {
		began := time.Now()
		opened, err := live(ctx, cmd, cfg, log)
		if ctx.Err() != nil {
			log.Info("the service has ended", "because", err)
			return nil
		}
		if !opened && !mayHeal(err) && began.Sub(started) < againMin {
			return err // it never worked: a person has to mend it
		}
		if time.Since(began) > time.Minute {
			pause = againMin
		}
		log.Error("the service has stopped and starts again", "err", err, "after", pause)
		if mayHeal(err) {
			closedFor(ctx, cfg, log, pause)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

var started = time.Now()

// live is one life of the service: from opening the journal to the end of the
// sale or of ctx.
func live(ctx context.Context, cmd *cobra.Command, cfg config.Config, log *slog.Logger) (opened bool, err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	source := reader.NewPCSC(reader.Limits{})
	st, err := station.Open(cfg, station.Parts{Readers: source, Log: log, Version: version()})
	if err != nil {
		return false, errors.Join(err, source.Close())
	}
	sold := make(chan error, 1)
	go func() { defer end(); sold <- st.Run(ctx) }()
	err = pages(ctx, cmd, cfg, log, st)
	end()
	return true, errors.Join(err, <-sold)
}

// pages serves the station's pages until ctx ends.
func pages(ctx context.Context, cmd *cobra.Command, cfg config.Config, log *slog.Logger, st *station.Station) error {
	staff, first, err := login.Open(filepath.Join(cfg.Data, "cashiers.json"), login.Options{Name: "cashier"})
	if err != nil {
		return err
	}
	server, err := ui.NewServer(ui.Options{
		Passenger: st.Passenger(), Desk: st.Desk(), DeskLogin: staff, ThemeDir: cfg.Theme, Hosts: cfg.Hosts, Kiosk: cfg.Kiosk, Place: cfg.Place, Logger: log,
	})
	if err != nil {
		return err
	}
	defer server.Close()
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("pages: %w (listen in the configuration)", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "kiosk %s: passenger http://%s/, cashier http://%s/cashier\n", cfg.Kiosk, ln.Addr(), ln.Addr())
	login.PrintFirst(cmd.OutOrStdout(), "cashier", first)
	return ui.Serve(ctx, ln, server)
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

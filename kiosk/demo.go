package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"buka/kiosk/demo"
	"buka/kiosk/lab"
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
		return demo.Run(ctx, cmd.OutOrStdout(), addr, lab.Options{Dir: dir, Reader: reader, Log: log, Version: version(), Language: lang})
	}
	return c
}
